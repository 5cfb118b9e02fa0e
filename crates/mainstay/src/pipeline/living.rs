//! A pipeline that runs: its spec, its hosts, and how one spec follows another.

use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::watch;

use super::LAYER;
use super::host::{Common, Host};
use super::key::PipelineKey;
use super::lint::PipelineError;
use super::spec::PipelineSpec;
use crate::http::{Http, Key, KeyBy};
use crate::keyed::{Keyed, Recent};
use crate::observe::{Event, tell};

/// What all clones of a pipeline share.
pub(super) struct Living {
    current: Arc<Current>,
    hosts: Keyed<Host, PipelineKey>,
    /// One reload at a time.
    reloads: Mutex<()>,
}

/// The spec that holds.
struct Current {
    /// That of [`common`](Self::common), or [`CLOSED`]; read by every call.
    version: AtomicU64,
    common: RwLock<Arc<Common>>,
    /// Closed once no call is on its way any more.
    is_idle: watch::Receiver<()>,
}

/// The version of a pipeline that takes no calls.
const CLOSED: u64 = u64::MAX;

impl Current {
    fn common(&self) -> Arc<Common> {
        Arc::clone(&self.common.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another in its place.
    fn put(&self, next: Common) -> Arc<Common> {
        let mut common = self.common.write().unwrap_or_else(PoisonError::into_inner);
        mem::replace(&mut *common, Arc::new(next))
    }
}

impl Living {
    pub(super) fn new(spec: PipelineSpec, key: PipelineKey) -> Self {
        let (in_use, is_idle) = watch::channel(());
        let common = common(spec, 1, &Arc::new(in_use));
        let current = Arc::new(Current {
            version: AtomicU64::new(1),
            common: RwLock::new(Arc::new(common)),
            is_idle,
        });
        let makes = Arc::clone(&current);
        let hosts = Keyed::new(key, move |key| make(&makes.common(), key, None));
        Self { current, hosts, reloads: Mutex::default() }
    }

    pub(super) fn spec(&self) -> PipelineSpec {
        self.current.common().spec.clone()
    }

    #[cfg(feature = "client")]
    pub(super) fn deadline(&self) -> Option<std::time::Duration> {
        self.current.common().spec.deadline
    }

    pub(super) fn name(&self) -> Arc<str> {
        Arc::clone(&self.current.common().spec.name)
    }

    /// What stands before the host of this request; `None` once it is closed.
    #[inline]
    pub(super) fn host<Req>(&self, request: &Req, recent: &mut Recent<Host>) -> Option<Arc<Host>>
    where
        PipelineKey: KeyBy<Req>,
    {
        let host = self.hosts.recall(request, recent);
        if host.version == self.current.version.load(Ordering::Acquire) {
            return Some(host);
        }
        *recent = Recent::NOTHING;
        self.host_again(request)
    }

    /// It was made while another spec came, or nothing is taken any more.
    #[cold]
    fn host_again<Req>(&self, request: &Req) -> Option<Arc<Host>>
    where
        PipelineKey: KeyBy<Req>,
    {
        if !self.is_closed() {
            let reloads = self.reloads.lock().unwrap_or_else(PoisonError::into_inner);
            self.renew();
            drop(reloads);
            let host = self.hosts.of(request);
            // One that was made after it was closed is not waited for.
            if !self.is_closed() {
                return Some(host);
            }
        }
        self.hosts.clear();
        None
    }

    fn is_closed(&self) -> bool {
        self.current.version.load(Ordering::Acquire) == CLOSED
    }

    pub(super) fn known(&self, key: &Key) -> Option<Arc<Host>> {
        self.hosts.get(key)
    }

    pub(super) fn all_known(&self) -> Vec<Arc<Host>> {
        self.hosts.states().into_iter().map(|(_, host)| host).collect()
    }

    /// Goes on by another spec, if there is nothing wrong with it.
    pub(super) fn reload(&self, spec: PipelineSpec) -> Result<(), PipelineError> {
        if let Err(error) = spec.check() {
            return Err(self.stays(error));
        }
        let reloads = self.reloads.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.current.common();
        let version = before.version + 1;
        if self.is_closed() {
            drop(reloads);
            return Err(self.stays(PipelineError::closed(&before.spec.name)));
        }
        let name = Arc::clone(&spec.name);
        self.current.put(common(spec, version, &before.in_use));
        self.current.version.store(version, Ordering::Release);
        self.renew();
        drop(reloads);
        tell(Event::Changed { layer: LAYER, name: Some(&name), to: "reloaded" });
        Ok(())
    }

    /// The spec that it has stays.
    pub(super) fn stays(&self, why: PipelineError) -> PipelineError {
        let (name, what) = (self.name(), why.to_string());
        tell(Event::Warning { layer: LAYER, name: Some(&name), what: &what, took: None });
        why
    }

    /// Brings all hosts to the version that holds.
    fn renew(&self) {
        let common = self.current.common();
        self.hosts.renew(|key, host| match host.version == common.version {
            true => None,
            false => Some(make(&common, key, Some(host))),
        });
    }

    /// Takes no calls any more, and ends when none is on its way.
    pub(super) async fn close(&self) {
        self.take_none();
        let mut is_idle = self.current.is_idle.clone();
        while is_idle.changed().await.is_ok() {}
    }

    /// Takes no calls any more.
    pub(super) fn take_none(&self) {
        let _reloads = self.reloads.lock().unwrap_or_else(PoisonError::into_inner);
        self.current.version.store(CLOSED, Ordering::Release);
        let before = self.current.common();
        // Only calls that are on their way hold on to the one from before.
        let in_use = Arc::new(watch::Sender::new(()));
        let last = common(before.spec.clone(), before.version, &in_use);
        let before = self.current.put(last);
        self.hosts.clear();
        drop(before);
    }
}

fn common(spec: PipelineSpec, version: u64, in_use: &Arc<watch::Sender<()>>) -> Common {
    let http = Http::new().rules(spec.rules.clone());
    let http = match &spec.idempotency_keys {
        Some(keys) => http.idempotency_keys(keys.clone()),
        None => http,
    };
    let (patterns, in_use) = (spec.host_patterns(), Arc::clone(in_use));
    Common { spec, patterns, version, http: Arc::new(http), in_use }
}

#[expect(clippy::expect_used, reason = "a spec is checked before it comes here")]
fn make(common: &Common, key: &Key, before: Option<&Host>) -> Host {
    Host::new(common, key, before).expect("settings that have been checked")
}

impl fmt::Debug for Living {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let common = self.current.common();
        f.debug_struct("Living")
            .field("name", &common.spec.name)
            .field("version", &common.version)
            .field("hosts", &self.hosts.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_was_made_while_another_spec_came_goes_on_by_that() {
        let living = Living::new(PipelineSpec::named("one"), PipelineKey::default());
        let request = ::http::Request::get("https://a.example/").body(()).unwrap();
        let mut recent = Recent::NOTHING;
        assert_eq!(living.host(&request, &mut recent).unwrap().version, 1);
        // As if it had been made by the one before, and kept only after all had been renewed.
        let before = living.current.common();
        living.current.put(common(PipelineSpec::named("two"), 2, &before.in_use));
        living.current.version.store(2, Ordering::Release);
        assert_eq!(living.host(&request, &mut recent).unwrap().version, 2);
        assert_eq!(living.all_known()[0].version, 2);
    }
}
