//! State that is kept per key: one for every host, or for whatever a request is counted by.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use mainstay_policy::Moment;

use crate::http::{ByHost, Key, KeyBy};

/// State that may be forgotten once nothing of it matters any more.
pub trait AtRest {
    /// From when on it may be forgotten, if nothing more happens; `None` while it may not.
    fn at_rest_from(&self) -> Option<Moment>;
}

/// One state for every key, made when a request with a new key comes.
pub struct Keyed<T, K = ByHost> {
    by: K,
    make: Box<dyn Fn(&Key) -> T + Send + Sync>,
    entries: RwLock<HashMap<Key, Arc<T>>>,
}

impl<T: AtRest, K> Keyed<T, K> {
    /// States that are made so, kept by such keys.
    pub fn new(by: K, make: impl Fn(&Key) -> T + Send + Sync + 'static) -> Self {
        Self { by, make: Box::new(make), entries: RwLock::default() }
    }

    /// The state that this request shares.
    pub fn of<Req>(&self, request: &Req) -> Arc<T>
    where
        K: KeyBy<Req>,
    {
        let key = self.by.key(request);
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(entries.entry(key).or_insert_with_key(|key| Arc::new((self.make)(key))))
    }
}

impl<T, K: fmt::Debug> fmt::Debug for Keyed<T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyed").field("by", &self.by).finish_non_exhaustive()
    }
}
