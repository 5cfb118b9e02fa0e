//! Many pipelines, found by name or by the host that is asked.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

use super::Pipeline;
use super::lint::PipelineError;
use super::pattern::HostPattern;
use super::routes::{Entry, Routes};
use super::service::PipelineService;
use super::spec::PipelineSpec;
use crate::error::{Lifted, Unchanged};
use crate::http::RequestView;

/// Many pipelines, found by name or by the host that is asked.
///
/// As a layer it sends each request through the pipeline whose hosts it is for: the first that was
/// added, or that comes first in their file, or else the one that is for all others.
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
    routes: Arc<Routes>,
}

impl Pipelines {
    /// One pipeline for all hosts; more can be added.
    ///
    /// # Errors
    ///
    /// What [`PipelineSpec::check`] finds.
    pub fn new(others: PipelineSpec) -> Result<Self, PipelineError> {
        Ok(Self { routes: Arc::new(Routes::new(others.build()?)) })
    }

    /// Adds one for these hosts. Where there is one of its name, that goes on by this spec, and is
    /// for these hosts from now on; if it is the one for all others, it stays that.
    ///
    /// # Errors
    ///
    /// What [`PipelineSpec::check`] finds, or that they were [closed](Self::close); nothing is
    /// changed then.
    pub fn add<P: Into<HostPattern>>(
        &self,
        spec: PipelineSpec,
        hosts: impl IntoIterator<Item = P>,
    ) -> Result<Pipeline, PipelineError> {
        let hosts: Vec<_> = hosts.into_iter().map(Into::into).collect();
        loop {
            let known = self.get(&spec.name);
            let pipeline = self.going_on(known, &spec)?;
            let entry = Entry { hosts: hosts.clone(), pipeline: pipeline.clone() };
            if self.routes.change(|entries| entries.put(entry)) {
                return Ok(pipeline);
            }
        }
    }

    /// The pipeline of this name going on by this spec, or a new one.
    fn going_on(
        &self,
        known: Option<Pipeline>,
        spec: &PipelineSpec,
    ) -> Result<Pipeline, PipelineError> {
        if self.routes.entries().is_closed {
            return Err(PipelineError::closed(&spec.name));
        }
        let Some(pipeline) = known else { return spec.clone().build() };
        pipeline.goes_on_by(spec)?;
        Ok(pipeline)
    }

    /// Goes on by all of these, each for its hosts and in this order, and by no others; `None` among
    /// them is the one for all others, which goes on by the first argument, if that is one.
    #[cfg(feature = "config")]
    pub(super) fn become_these(
        &self,
        of_others: Option<&PipelineSpec>,
        some: &[(Option<&PipelineSpec>, &[HostPattern])],
    ) -> Result<(), PipelineError> {
        for spec in of_others.into_iter().chain(some.iter().filter_map(|(spec, _)| *spec)) {
            spec.check()?;
        }
        loop {
            let before = self.routes.version();
            let others = self.others();
            let known = self.routes.entries().by_name();
            if let Some(spec) = of_others {
                self.going_on(Some(others.clone()), spec)?;
            }
            let mut next = Vec::new();
            for (spec, hosts) in some {
                let pipeline = match spec {
                    None => others.clone(),
                    Some(spec) => self.going_on(known.get(&spec.name).cloned(), spec)?,
                };
                next.push(Entry { hosts: hosts.to_vec(), pipeline });
            }
            if self.routes.change(|entries| entries.become_these(before, next)) {
                return Ok(());
            }
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Pipeline> {
        let entries = self.routes.entries();
        let some = entries.some.iter().map(|entry| &entry.pipeline);
        let mut all = some.chain([&entries.others]);
        all.find(|pipeline| *pipeline.name() == *name).cloned()
    }

    /// The one for all hosts that no other is for.
    #[must_use]
    pub fn others(&self) -> Pipeline {
        self.routes.entries().others.clone()
    }

    /// The one for this host: a name, or an origin such as `https://api.example.com:8443`.
    #[must_use]
    pub fn of_host(&self, host: &str) -> Pipeline {
        self.routes.entries().of_host(host).clone()
    }

    /// All of them, the one for all others last.
    #[must_use]
    pub fn all(&self) -> Vec<Pipeline> {
        let entries = self.routes.entries();
        let some = entries.some.iter().map(|entry| &entry.pipeline);
        let some = some.filter(|pipeline| !pipeline.is(&entries.others));
        some.chain([&entries.others]).cloned().collect()
    }

    /// The same for services whose error can carry a refusal, as tower's `BoxError` can: it stays
    /// what it is.
    #[must_use]
    pub fn keep_error(&self) -> PipelinesLayer<Unchanged, Lifted> {
        PipelinesLayer::new(self.clone())
    }

    /// The same for answers whose body has an error that can carry a refusal: it stays what it is.
    #[must_use]
    pub fn keep_body_error(&self) -> PipelinesLayer<Lifted, Unchanged> {
        PipelinesLayer::new(self.clone())
    }

    /// Takes no calls any more, and no pipelines, and ends when no call is on its way.
    pub async fn close(&self) {
        self.routes.change(|entries| entries.is_closed = true);
        for pipeline in self.all() {
            pipeline.stop();
        }
        for pipeline in self.all() {
            pipeline.close().await;
        }
    }

    /// The one that this request goes through.
    pub(crate) fn of<Req: RequestView>(&self, request: &Req) -> Pipeline {
        self.routes.of(request).pipeline.clone()
    }
}

impl<S> Layer<S> for Pipelines {
    type Service = PipelinesService<S>;

    fn layer(&self, inner: S) -> PipelinesService<S> {
        let service = self.others().layer(inner);
        PipelinesService { service, pipelines: self.clone() }
    }
}

/// Pipelines that leave errors as they are; made by [`Pipelines::keep_error`] and
/// [`Pipelines::keep_body_error`].
#[derive(Debug)]
pub struct PipelinesLayer<C, D> {
    pipelines: Pipelines,
    carries: PhantomData<fn() -> (C, D)>,
}

impl<C, D> PipelinesLayer<C, D> {
    const fn new(pipelines: Pipelines) -> Self {
        Self { pipelines, carries: PhantomData }
    }

    /// The same for services whose error can carry a refusal: it stays what it is.
    #[must_use]
    pub fn keep_error(self) -> PipelinesLayer<Unchanged, D> {
        PipelinesLayer::new(self.pipelines)
    }

    /// The same for answers whose body has an error that can carry a refusal: it stays what it is.
    #[must_use]
    pub fn keep_body_error(self) -> PipelinesLayer<C, Unchanged> {
        PipelinesLayer::new(self.pipelines)
    }
}

impl<C, D> Clone for PipelinesLayer<C, D> {
    fn clone(&self) -> Self {
        Self::new(self.pipelines.clone())
    }
}

impl<S, C, D> Layer<S> for PipelinesLayer<C, D> {
    type Service = PipelinesService<S, C, D>;

    fn layer(&self, inner: S) -> Self::Service {
        let pipelines = self.pipelines.clone();
        PipelinesService {
            service: PipelineService::new(inner, Arc::clone(&pipelines.others().living)),
            pipelines,
        }
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
        let route = self.pipelines.routes.of(&request);
        self.service.goes_through(&route.pipeline);
        self.service.call(request)
    }
}
