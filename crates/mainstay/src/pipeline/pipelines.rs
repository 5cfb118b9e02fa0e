//! Many pipelines, found by name or by the host that is asked.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::task::{Context, Poll};

use mainstay_policy::Moment;
use tower_layer::Layer;
use tower_service::Service;

use super::Pipeline;
use super::lint::PipelineError;
use super::pattern::HostPattern;
use super::service::PipelineService;
use super::spec::PipelineSpec;
use crate::error::Lifted;
use crate::http::{ByHost, Key, RequestView};
use crate::keyed::{AtRest, Keyed};

/// Many pipelines, found by name or by the host that is asked.
///
/// As a layer it sends each request through the pipeline whose hosts it is for: the first that was
/// added, or else the one that is for all others.
///
/// ```
/// use mainstay::pipeline::{PipelineSpec, Pipelines};
///
/// let pipelines = Pipelines::new(PipelineSpec::standard())?;
/// pipelines.add(PipelineSpec::third_party_api(), ["api.github.com", "*.stripe.com"])?;
///
/// assert_eq!(&*pipelines.of_host("https://api.github.com").name(), "third_party_api");
/// assert_eq!(&*pipelines.of_host("https://example.com").name(), "standard");
/// assert!(pipelines.get("third_party_api").is_some());
/// # Ok::<(), mainstay::pipeline::PipelineError>(())
/// ```
///
/// # What is shared
///
/// Everything, between clones and the services that they make: who adds a pipeline adds it for all.
#[derive(Clone)]
pub struct Pipelines {
    shared: Arc<Shared>,
}

struct Shared {
    entries: Arc<RwLock<Entries>>,
    /// Which host goes where, for those that were asked lately.
    routes: Keyed<Route, ByHost>,
}

/// Where the requests for a host go.
struct Route(Pipeline);

/// It can be found anew at any time.
impl AtRest for Route {
    fn at_rest_from(&self) -> Option<Moment> {
        Some(Moment::MIN)
    }
}

/// Those for some hosts, and the one for all others.
struct Entries {
    some: Vec<Entry>,
    others: Pipeline,
}

struct Entry {
    hosts: Vec<HostPattern>,
    pipeline: Pipeline,
}

impl Pipelines {
    /// One pipeline for all hosts; more can be added.
    ///
    /// # Errors
    ///
    /// What [`PipelineSpec::check`] finds.
    pub fn new(others: PipelineSpec) -> Result<Self, PipelineError> {
        let entries = Entries { some: Vec::new(), others: others.build()? };
        let entries = Arc::new(RwLock::new(entries));
        let known = Arc::clone(&entries);
        let route = move |key: &Key| Route(read(&known).of_host(key.as_str()).clone());
        let shared = Shared { entries, routes: Keyed::new(ByHost, route) };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Adds one for these hosts. Where there is one of its name, that goes on by this spec, and is
    /// for these hosts from now on; if it is the one for all others, it stays that.
    ///
    /// # Errors
    ///
    /// What [`PipelineSpec::check`] finds; nothing is changed then.
    pub fn add<P: Into<HostPattern>>(
        &self,
        spec: PipelineSpec,
        hosts: impl IntoIterator<Item = P>,
    ) -> Result<Pipeline, PipelineError> {
        let hosts = hosts.into_iter().map(Into::into).collect();
        let known = self.get(&spec.name);
        let pipeline = match known {
            Some(pipeline) => {
                pipeline.goes_on_by(&spec)?;
                pipeline
            }
            None => spec.build()?,
        };
        self.put(Entry { hosts, pipeline: pipeline.clone() });
        Ok(pipeline)
    }

    fn put(&self, entry: Entry) {
        let name = entry.pipeline.name();
        let mut entries = self.shared.entries.write().unwrap_or_else(PoisonError::into_inner);
        let is_of_others = entries.others.name() == name;
        let known = entries.some.iter_mut().find(|known| known.pipeline.name() == name);
        let replaced = match known {
            Some(known) => Some(std::mem::replace(known, entry)),
            None if is_of_others => None,
            None => {
                entries.some.push(entry);
                None
            }
        };
        drop(entries);
        drop(replaced);
        self.shared.routes.clear();
    }

    /// Those of other names are for no host any more; who has one of them can go on with it.
    #[cfg(feature = "config")]
    pub(super) fn keep_only(&self, keep: impl Fn(&str) -> bool) {
        let mut entries = self.shared.entries.write().unwrap_or_else(PoisonError::into_inner);
        let (kept, gone) = std::mem::take(&mut entries.some)
            .into_iter()
            .partition::<Vec<_>, _>(|entry| keep(&entry.pipeline.name()));
        entries.some = kept;
        drop(entries);
        drop(gone);
        self.shared.routes.clear();
    }

    /// The one of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Pipeline> {
        let entries = self.read();
        let mut all = entries.some.iter().map(|entry| &entry.pipeline);
        let found = all.find(|pipeline| *pipeline.name() == *name);
        found.or_else(|| Some(&entries.others).filter(|others| *others.name() == *name)).cloned()
    }

    /// The one for all hosts that no other is for.
    #[must_use]
    pub fn others(&self) -> Pipeline {
        self.read().others.clone()
    }

    /// The one for this host: a name, or an origin such as `https://api.example.com:8443`.
    #[must_use]
    pub fn of_host(&self, host: &str) -> Pipeline {
        self.read().of_host(host).clone()
    }

    /// All of them, the one for all others last.
    #[must_use]
    pub fn all(&self) -> Vec<Pipeline> {
        let entries = self.read();
        let some = entries.some.iter().map(|entry| entry.pipeline.clone());
        some.chain([entries.others.clone()]).collect()
    }

    /// Takes no calls any more, and ends when none is on its way.
    pub async fn close(&self) {
        for pipeline in self.all() {
            pipeline.stop();
        }
        for pipeline in self.all() {
            pipeline.close().await;
        }
    }

    /// The one that this request goes through.
    pub(crate) fn of<Req: RequestView>(&self, request: &Req) -> Pipeline {
        self.shared.routes.of(request).0.clone()
    }

    fn read(&self) -> RwLockReadGuard<'_, Entries> {
        read(&self.shared.entries)
    }
}

impl Entries {
    fn of_host(&self, host: &str) -> &Pipeline {
        let is_for = |entry: &&Entry| entry.hosts.iter().any(|pattern| pattern.matches(host));
        self.some.iter().find(is_for).map_or(&self.others, |entry| &entry.pipeline)
    }
}

fn read(entries: &RwLock<Entries>) -> RwLockReadGuard<'_, Entries> {
    entries.read().unwrap_or_else(PoisonError::into_inner)
}

impl<S> Layer<S> for Pipelines {
    type Service = PipelinesService<S>;

    fn layer(&self, inner: S) -> PipelinesService<S> {
        let service = self.read().others.layer(inner);
        PipelinesService { service, pipelines: self.clone() }
    }
}

impl fmt::Debug for Pipelines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all().iter().map(Pipeline::name)).finish()
    }
}

/// A service behind many pipelines; made by [`Pipelines`].
#[derive(Debug)]
pub struct PipelinesService<S, C = Lifted, D = Lifted> {
    service: PipelineService<S, C, D>,
    pipelines: Pipelines,
}

impl<S, C, D> PipelinesService<S, C, D> {
    /// What stands before it.
    pub(crate) const fn pipelines(&self) -> &Pipelines {
        &self.pipelines
    }

    /// The service beneath.
    pub const fn get_ref(&self) -> &S {
        self.service.get_ref()
    }

    /// The service beneath.
    pub const fn get_mut(&mut self) -> &mut S {
        self.service.get_mut()
    }

    /// The service beneath.
    pub fn into_inner(self) -> S {
        self.service.into_inner()
    }
}

impl<S: Clone, C, D> Clone for PipelinesService<S, C, D> {
    fn clone(&self) -> Self {
        Self { service: self.service.clone(), pipelines: self.pipelines.clone() }
    }
}

impl<S, Req, C, D> Service<Req> for PipelinesService<S, C, D>
where
    PipelineService<S, C, D>: Service<Req>,
    Req: RequestView,
{
    type Response = <PipelineService<S, C, D> as Service<Req>>::Response;
    type Error = <PipelineService<S, C, D> as Service<Req>>::Error;
    type Future = <PipelineService<S, C, D> as Service<Req>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let route = self.pipelines.shared.routes.of(&request);
        self.service.goes_through(&route.0);
        self.service.call(request)
    }
}
