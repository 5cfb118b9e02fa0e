//! How far a batch has come, for whoever watches it.

use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_core::Stream;
use mainstay_policy::Moment;
use mainstay_policy::batch::{BatchSnapshot, KeySnapshot, Scheduler};

use crate::clock;
use crate::http::Key;

/// Follows a batch from anywhere: another task, another thread.
///
/// It may be asked at any time, and is a stream of what is new: whoever is slower than the batch
/// misses what was in between. A batch that nobody follows pays nothing for it.
#[derive(Clone)]
pub struct Progress {
    shared: Arc<Shared>,
    seen: Option<State>,
}

/// How far a batch has come.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
#[non_exhaustive]
pub struct Counts {
    /// How many inputs there are; `None` if the iterator cannot say.
    pub total: Option<u64>,
    /// How many have ended.
    pub done: u64,
    /// How many of those failed.
    pub failed: u64,
    /// How many attempts beyond the first were sent by layers of ours beneath: retries and hedges.
    pub retried: u64,
    /// How many run.
    pub running: u64,
    /// How many have been pulled and not been started, most because their host would have them
    /// wait.
    pub waiting: u64,
    /// In input order: it waits for results to be taken, or for the one that is next.
    pub is_held_up: bool,
    /// How many ended each second, on the average.
    pub rate: f64,
    /// How long the rest takes if it goes on so; `None` while nobody can say.
    pub time_left: Option<Duration>,
}

/// How far a batch has come with the inputs of one host.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct HostCounts {
    /// The host, or whatever else the batch is [fair by](super::Batch::fair_by); `None` if it knows
    /// nothing of its requests.
    pub host: Option<Key>,
    /// How many have ended.
    pub done: u64,
    /// How many of those failed.
    pub failed: u64,
    /// How many run.
    pub running: u64,
    /// How many have been pulled and not been started.
    pub waiting: u64,
    /// In how long they may start, if the host has them wait and says for how long.
    pub opens_in: Option<Duration>,
}

/// What a batch holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    pub(super) snapshot: BatchSnapshot,
    pub(super) retried: u64,
    /// How many inputs there are, if that is known.
    pub(super) total: Option<u64>,
}

#[derive(Default)]
struct Shared {
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    state: Option<State>,
    hosts: BTreeMap<usize, KeySnapshot<Option<Key>>>,
    /// Who waits for news.
    followers: Vec<Waker>,
    /// When it was over, or dropped.
    over: Option<Moment>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    /// How far it has come by now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let told = self.shared.lock();
        let (state, over) = (told.state, told.over);
        drop(told);
        state.map(|state| state.counts(over)).unwrap_or_default()
    }

    /// The same for each host: those that have inputs waiting or running, and as long as there are
    /// at most a thousand hosts, those that had.
    #[must_use]
    pub fn hosts(&self) -> Vec<HostCounts> {
        let told = self.shared.lock();
        let hosts: Vec<_> = told.hosts.values().cloned().collect();
        drop(told);
        let now = clock::now();
        let mut hosts: Vec<_> = hosts.into_iter().map(|host| HostCounts::of(host, now)).collect();
        hosts.sort_by(|one, other| one.host.cmp(&other.host));
        hosts
    }

    /// Waits until something is new since this was asked last. `None` once the batch is over or
    /// dropped, and the last of it was seen.
    pub async fn next(&mut self) -> Option<Counts> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for Progress {
    type Item = Counts;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Counts>> {
        let mut told = self.shared.lock();
        let (state, over) = (told.state, told.over);
        if state == self.seen && over.is_none() {
            if !told.followers.iter().any(|known| known.will_wake(cx.waker())) {
                told.followers.push(cx.waker().clone());
            }
            return Poll::Pending;
        }
        drop(told);
        if state == self.seen {
            return Poll::Ready(None);
        }
        self.seen = state;
        Poll::Ready(state.map(|state| state.counts(over)))
    }
}

impl State {
    fn counts(self, over: Option<Moment>) -> Counts {
        let Self { snapshot, retried, total } = self;
        let now = over.unwrap_or_else(clock::now);
        Counts {
            total,
            done: snapshot.done(),
            failed: snapshot.failed,
            retried,
            running: snapshot.running,
            waiting: snapshot.waiting,
            is_held_up: snapshot.is_held_up,
            rate: snapshot.rate(now),
            time_left: total.and_then(|total| snapshot.time_left(total, now)),
        }
    }
}

impl HostCounts {
    fn of(host: KeySnapshot<Option<Key>>, now: Moment) -> Self {
        Self {
            done: host.succeeded + host.failed,
            failed: host.failed,
            running: host.running,
            waiting: host.waiting,
            opens_in: host.opens.map(|opens| opens.since(now)),
            host: host.key,
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Progress").field(&self.counts()).finish()
    }
}

/// The side of the batch. Its drop says that all is over, if nobody said so before.
pub(super) struct Board {
    shared: Arc<Shared>,
}

impl Board {
    pub(super) fn new() -> Self {
        Self { shared: Arc::default() }
    }

    pub(super) fn watch(&self) -> Progress {
        Progress { shared: Arc::clone(&self.shared), seen: None }
    }

    /// Tells whoever follows, if anybody does.
    pub(super) fn tell(
        &self,
        scheduler: &mut Scheduler<Option<Key>>,
        retried: u64,
        total: Option<u64>,
    ) {
        if Arc::strong_count(&self.shared) == 1 {
            return;
        }
        let state = Some(State { snapshot: scheduler.snapshot(), retried, total });
        let mut told = self.shared.lock();
        for (number, host) in scheduler.news() {
            match host {
                Some(host) => _ = told.hosts.insert(number, host),
                None => _ = told.hosts.remove(&number),
            }
        }
        let is_new = told.state != state;
        told.state = state;
        let followers = if is_new { std::mem::take(&mut told.followers) } else { Vec::new() };
        drop(told);
        followers.into_iter().for_each(Waker::wake);
    }

    /// Nothing is told any more.
    pub(super) fn is_over(&self) {
        if Arc::strong_count(&self.shared) == 1 {
            return;
        }
        let now = clock::now();
        let mut told = self.shared.lock();
        told.over.get_or_insert(now);
        let followers = std::mem::take(&mut told.followers);
        drop(told);
        followers.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.is_over();
    }
}

impl fmt::Debug for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Board").finish_non_exhaustive()
    }
}
