//! State that is kept per key: one for every host, or for whatever a request is counted by.
//!
//! ```
//! use http::Request;
//! use mainstay::http::{ByHost, Key};
//! use mainstay::keyed::Keyed;
//! use mainstay::policy::budget::{Budget, RetryBudget};
//!
//! let settings = RetryBudget::new();
//! settings.check()?; // so that making one cannot fail
//! let budgets = Keyed::new(ByHost, move |_| Budget::new(settings).expect("they were checked"));
//!
//! let here = Request::get("https://api.example.com/users").body(())?;
//! budgets.of(&here).deposit();
//! assert_eq!(budgets.len(), 1);
//! assert!(budgets.get(&Key::new("https://api.example.com")).is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is forgotten
//!
//! A state is kept while somebody holds it, and until it is at rest: until it would decide as a new
//! one does. Nothing runs in the background: whoever brings a new key looks at eight others, and of
//! those up to two leave. So the memory follows the keys that are in use, however many were seen.
//!
//! Over the [most](Keyed::at_most) that are kept, one leaves for each that comes, at rest or not:
//! of 64 that nobody holds, the one that would have been at rest the soonest. A
//! [`Warning`](crate::observe::Event::Warning) says so.
//!
//! # How it is found
//!
//! By the host as it is spelled in the request, where the key follows from that: then nothing is
//! normalised and nothing is allocated. Spellings are remembered apart from the states, twice as
//! many as there may be states.

mod forget;
mod recent;
mod spelling;
mod turning;

use std::fmt;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use mainstay_policy::Moment;

use crate::chance::Hashing;
use crate::clock;
use crate::http::{ByHost, Key, KeyBy, Origin};
pub(crate) use recent::Recent;
use spelling::Spelling;
use turning::{Hashed, Turning};

/// State that may be forgotten once nothing of it matters any more.
pub trait AtRest {
    /// From when on it may be forgotten, if nothing more happens; `None` while it may not.
    ///
    /// Asked while a lock is held, so it only looks.
    fn at_rest_from(&self) -> Option<Moment>;
}

/// At rest with what it points to.
impl<T: AtRest + ?Sized> AtRest for Arc<T> {
    fn at_rest_from(&self) -> Option<Moment> {
        T::at_rest_from(self)
    }
}

/// One state for every key, made when a request with a new key comes.
///
/// Each is found through two words that threads share, its lock and its count of holders; those of
/// other keys lie elsewhere, mostly.
pub struct Keyed<T, K = ByHost> {
    by: K,
    make: Box<dyn Fn(&Key) -> T + Send + Sync>,
    hashing: Hashing,
    shards: [Shard<T>; SHARDS],
    len: AtomicUsize,
    at_most: usize,
}

const SHARDS: usize = 16;

/// How many a new one looks at, and how many of them leave at most. More than one must, or what has
/// come to rest would never grow fewer.
const LOOKS: usize = 8;
const LEAVE: usize = 2;

/// How many are looked at for one that must leave.
const CANDIDATES: usize = 64;

/// How many spellings there may be to each state.
const SPELLINGS: usize = 2;

/// A line of the cache for itself, and for the one that is fetched with it.
#[repr(align(128))]
struct Shard<T> {
    spellings: RwLock<Turning<u64, Arc<Spelling<T>>>>,
    states: RwLock<Turning<Hashed, Arc<T>>>,
}

impl<T, K> Keyed<T, K> {
    /// States that are made so, kept by such keys.
    ///
    /// Whoever makes them from settings checks those before.
    pub fn new(by: K, make: impl Fn(&Key) -> T + Send + Sync + 'static) -> Self {
        Self {
            by,
            make: Box::new(make),
            hashing: Hashing::new(),
            shards: std::array::from_fn(|_| Shard::default()),
            len: AtomicUsize::new(0),
            at_most: 65_536,
        }
    }

    /// Keeps at most so many states, and beyond those only what is held; 65 536 unless set.
    #[must_use]
    pub const fn at_most(mut self, states: usize) -> Self {
        self.at_most = states;
        self
    }

    /// How many states are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len.load(Relaxed)
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The state of this key, if there is one. Makes none.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<Arc<T>> {
        let key = self.hashed(key.clone());
        read(&self.shard(key.hash).states).get(&key).cloned()
    }

    /// All states, in no order. Who holds on to them keeps them from being forgotten.
    #[must_use]
    pub fn states(&self) -> Vec<(Key, Arc<T>)> {
        let mut all = Vec::with_capacity(self.len());
        for shard in &self.shards {
            let states = read(&shard.states);
            all.extend(states.iter().map(|(key, state)| (key.key.clone(), Arc::clone(state))));
        }
        all
    }

    /// The state that this request shares.
    pub fn of<Req>(&self, request: &Req) -> Arc<T>
    where
        K: KeyBy<Req>,
        T: AtRest,
    {
        self.find(request, T::at_rest_from)
    }

    /// The same for states that are asked in another way whether they are at rest.
    pub(crate) fn find<Req>(&self, request: &Req, rest: impl Fn(&T) -> Option<Moment>) -> Arc<T>
    where
        K: KeyBy<Req>,
    {
        match self.by.spelled(request) {
            Some(origin) => self.spelled(request, origin, rest).0,
            None => self.of_key(self.by.key(request), rest),
        }
    }

    fn spelled<Req>(
        &self,
        request: &Req,
        origin: Origin<'_>,
        rest: impl Fn(&T) -> Option<Moment>,
    ) -> (Arc<T>, Arc<Spelling<T>>)
    where
        K: KeyBy<Req>,
    {
        let hash = self.hashing.hash_one(origin);
        let seen = read(&self.shard(hash).spellings).get(&hash).cloned();
        if let Some(known) = seen.and_then(|seen| Some((seen.state(origin)?, seen))) {
            return known;
        }
        let state = self.of_key(self.by.key(request), rest);
        let spelling = self.learn(hash, origin, &state);
        (state, spelling)
    }

    /// From when on all of them may be forgotten; `None` while somebody holds one.
    pub(crate) fn all_at_rest_from(&self, rest: impl Fn(&T) -> Option<Moment>) -> Option<Moment> {
        let mut from = Moment::MIN;
        for (_, state) in self.states() {
            if Arc::strong_count(&state) > 2 {
                return None; // somebody beside the shard and this loop
            }
            from = from.max(rest(&state)?);
        }
        Some(from)
    }

    fn of_key(&self, key: Key, rest: impl Fn(&T) -> Option<Moment>) -> Arc<T> {
        let key = self.hashed(key);
        let hash = key.hash;
        let shard = self.shard(hash);
        if let Some(state) = read(&shard.states).get(&key) {
            return Arc::clone(state);
        }
        // Both are made or read before the lock, and what leaves is dropped after it: it is
        // somebody else's code.
        let made = Arc::new((self.make)(&key.key));
        let now = clock::now();

        let mut states = write(&shard.states);
        if let Some(state) = states.get(&key).cloned() {
            drop(states);
            return state; // another thread was faster
        }
        states.insert(key, Arc::clone(&made));
        // Under the lock: whoever takes it out must find it counted.
        self.len.fetch_add(1, Relaxed);
        let may_leave = |state: &T| rest(state).is_some_and(|from| from <= now);
        let is_free = |state: &Arc<T>| Arc::strong_count(state) == 1 && may_leave(state);
        let left = states.turn(LOOKS, LEAVE, is_free, |state| unless_held(state, may_leave));
        drop(states);

        self.len.fetch_sub(left.len(), Relaxed);
        drop(left);
        for _ in 0..LEAVE {
            if self.len() > self.at_most {
                self.make_room(hash, &rest, now);
            }
        }
        made
    }

    fn learn(&self, hash: u64, origin: Origin<'_>, state: &Arc<T>) -> Arc<Spelling<T>> {
        let seen = Arc::new(Spelling::new(origin, state));
        let most = self.at_most.saturating_mul(SPELLINGS).div_ceil(SHARDS);
        let mut spellings = write(&self.shard(hash).spellings);
        // Two spellings with one hash take turns: what is remembered is only remembered.
        let old = spellings.insert(hash, Arc::clone(&seen));
        let void = spellings.turn(LOOKS, LEAVE, |seen| seen.is_void(), Ok);
        let over = match spellings.len() > most {
            true => spellings.turn(1, 1, |_| true, Ok),
            false => Vec::new(),
        };
        drop(spellings);
        drop((old, void, over));
        seen
    }

    fn hashed(&self, key: Key) -> Hashed {
        Hashed { hash: self.hashing.hash_one(&key), key }
    }

    fn shard(&self, hash: u64) -> &Shard<T> {
        &self.shards[place(hash)]
    }
}

/// Which shard it is; the map in it goes by the bits at both ends.
const fn place(hash: u64) -> usize {
    (hash >> 32) as usize % SHARDS
}

/// The state itself, if nobody else holds it. Once it is out, nobody comes to hold it, so what it
/// says then of being at rest is the last word.
fn unless_held<T>(state: Arc<T>, may_leave: impl Fn(&T) -> bool) -> Result<T, Arc<T>> {
    let state = Arc::try_unwrap(state)?;
    if may_leave(&state) { Ok(state) } else { Err(Arc::new(state)) }
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

impl<T> Default for Shard<T> {
    fn default() -> Self {
        Self { spellings: RwLock::default(), states: RwLock::default() }
    }
}

impl<T, K: fmt::Debug> fmt::Debug for Keyed<T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyed")
            .field("by", &self.by)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
