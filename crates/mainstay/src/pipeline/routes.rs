//! Which pipeline the requests for a host go through.

#[cfg(feature = "config")]
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use mainstay_policy::Moment;

use super::Pipeline;
use super::pattern::{HostPattern, names};
use crate::http::{ByHost, Key, RequestView};
use crate::keyed::{AtRest, Keyed};

/// Where requests go, by their hosts.
pub(super) struct Routes {
    current: Arc<Current>,
    /// Which host goes where, for those that were asked lately.
    routes: Keyed<Route, ByHost>,
}

struct Current {
    /// That of [`entries`](Self::entries); read by every call.
    version: AtomicU64,
    entries: RwLock<Entries>,
}

/// Where the requests for a host go.
pub(super) struct Route {
    pub(super) pipeline: Pipeline,
    /// By which entries.
    version: u64,
}

/// It can be found anew at any time.
impl AtRest for Route {
    fn at_rest_from(&self) -> Option<Moment> {
        Some(Moment::MIN)
    }
}

/// Those for some hosts, and the one for all others.
pub(super) struct Entries {
    version: u64,
    pub(super) is_closed: bool,
    pub(super) some: Vec<Entry>,
    pub(super) others: Pipeline,
}

#[derive(Clone)]
pub(super) struct Entry {
    pub(super) hosts: Vec<HostPattern>,
    pub(super) pipeline: Pipeline,
}

impl Routes {
    /// All requests go through this one.
    pub(super) fn new(others: Pipeline) -> Self {
        let entries = Entries { version: 0, is_closed: false, some: Vec::new(), others };
        let current = Current { version: AtomicU64::new(0), entries: RwLock::new(entries) };
        let current = Arc::new(current);
        let known = Arc::clone(&current);
        let route = move |key: &Key| known.entries().route(key.as_str());
        Self { current, routes: Keyed::new(ByHost, route) }
    }

    pub(super) fn entries(&self) -> RwLockReadGuard<'_, Entries> {
        self.current.entries()
    }

    /// How often they were changed.
    #[cfg(feature = "config")]
    pub(super) fn version(&self) -> u64 {
        self.current.version.load(Ordering::Acquire)
    }

    /// Changes where requests go. What leaves is dropped when the lock is gone.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Entries) -> T) -> T {
        let current = &self.current;
        let mut entries = current.entries.write().unwrap_or_else(PoisonError::into_inner);
        let before = entries.some.clone();
        let changed = change(&mut entries);
        entries.version += 1;
        current.version.store(entries.version, Ordering::Release);
        drop(entries);
        self.routes.clear();
        drop(before);
        changed
    }

    /// Where this request goes.
    pub(super) fn of<Req: RequestView>(&self, request: &Req) -> Arc<Route> {
        loop {
            let route = self.routes.of(request);
            if route.version == self.current.version.load(Ordering::Acquire) {
                return route;
            }
            self.routes.clear(); // it was found while others were put in their place
        }
    }
}

impl Current {
    fn entries(&self) -> RwLockReadGuard<'_, Entries> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    pub(super) fn of_host(&self, host: &str) -> &Pipeline {
        let names = names(host);
        let is_for = |entry: &&Entry| entry.hosts.iter().any(|pattern| pattern.means(&names));
        self.some.iter().find(is_for).map_or(&self.others, |entry| &entry.pipeline)
    }

    /// Those for some hosts.
    #[cfg(feature = "config")]
    pub(super) fn by_name(&self) -> BTreeMap<Arc<str>, Pipeline> {
        let some = self.some.iter().map(|entry| &entry.pipeline);
        some.map(|pipeline| (pipeline.name(), pipeline.clone())).collect()
    }

    fn route(&self, host: &str) -> Route {
        Route { pipeline: self.of_host(host).clone(), version: self.version }
    }

    /// Puts one in the place of that of its name; whether that was still the one that went on.
    pub(super) fn put(&mut self, entry: Entry) -> bool {
        let name = entry.pipeline.name();
        if self.is_closed {
            return false;
        }
        match self.some.iter_mut().find(|known| known.pipeline.name() == name) {
            Some(known) if !known.pipeline.is(&entry.pipeline) => return false,
            Some(known) => *known = entry,
            None => self.some.push(entry),
        }
        true
    }

    /// Whether nothing else was changed meanwhile, and these are there now.
    #[cfg(feature = "config")]
    pub(super) fn become_these(&mut self, before: u64, some: Vec<Entry>) -> bool {
        let is_same = self.version == before;
        if is_same {
            self.some = some;
        }
        is_same
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::PipelineSpec;

    #[test]
    fn what_was_found_while_others_came_is_found_anew() {
        let named = |name: &str| PipelineSpec::named(name).build().unwrap();
        let routes = Routes::new(named("others"));
        let request = ::http::Request::get("https://a.example/").body(()).unwrap();
        assert_eq!(&*routes.of(&request).pipeline.name(), "others");
        // As if it had been remembered only after all had been forgotten.
        let mut entries = routes.current.entries.write().unwrap();
        entries.put(Entry { hosts: vec!["a.example".into()], pipeline: named("own") });
        entries.version += 1;
        routes.current.version.store(1, Ordering::Release);
        drop(entries);
        assert_eq!(&*routes.of(&request).pipeline.name(), "own");
    }
}
