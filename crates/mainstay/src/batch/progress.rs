//! How far a batch has come, for whoever watches it.

use std::sync::Arc;
use std::time::Duration;

use mainstay_policy::batch::BatchSnapshot;
use tokio::sync::watch;

use crate::clock;

/// Follows a batch from anywhere: another task, another thread.
///
/// It may be asked at any time, and says when there is something new. A batch that nobody follows
/// pays nothing for it.
#[derive(Clone, Debug)]
pub struct Progress {
    receiver: watch::Receiver<Option<State>>,
}

/// What a batch holds, and how many inputs there are if that is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct State {
    pub(super) snapshot: BatchSnapshot,
    pub(super) total: Option<u64>,
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

impl Progress {
    /// How far it has come by now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        (*self.receiver.borrow()).map(Counts::from).unwrap_or_default()
    }

    /// Waits until something has changed since this was asked last. `None` once the batch is over
    /// or dropped, and its last change was seen.
    pub async fn changed(&mut self) -> Option<Counts> {
        self.receiver.changed().await.ok()?;
        (*self.receiver.borrow_and_update()).map(Counts::from)
    }
}

impl From<State> for Counts {
    fn from(State { snapshot, total }: State) -> Self {
        let now = clock::now();
        Self {
            total,
            done: snapshot.done(),
            failed: snapshot.failed,
            running: snapshot.running,
            waiting: snapshot.waiting,
            is_held_up: snapshot.is_held_up,
            rate: snapshot.rate(now),
            time_left: total.and_then(|total| snapshot.time_left(total, now)),
        }
    }
}

/// The side of the batch.
#[derive(Clone, Debug)]
pub(super) struct Board {
    sender: Arc<watch::Sender<Option<State>>>,
}

impl Board {
    pub(super) fn new() -> Self {
        Self { sender: Arc::new(watch::Sender::new(None)) }
    }

    pub(super) fn watch(&self) -> Progress {
        Progress { receiver: self.sender.subscribe() }
    }

    /// Tells whoever follows, if anybody does and there is something new.
    pub(super) fn tell(&self, state: impl FnOnce() -> State) {
        if self.sender.receiver_count() == 0 {
            return;
        }
        let state = Some(state());
        self.sender.send_if_modified(|known| {
            let is_new = *known != state;
            *known = state;
            is_new
        });
    }
}
