//! On or off, and which call comes next.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The switch of a [`ChaosLayer`](super::ChaosLayer); off until somebody turns it on.
#[derive(Clone, Debug, Default)]
pub struct ChaosHandle {
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    is_on: AtomicBool,
    next: AtomicU64,
}

impl ChaosHandle {
    /// Calls go wrong from now on.
    pub fn enable(&self) {
        self.state.is_on.store(true, Ordering::Relaxed);
    }

    /// Calls go wrong no more; those that hang already stay so.
    pub fn disable(&self) {
        self.state.is_on.store(false, Ordering::Relaxed);
    }

    /// Whether it is on.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.state.is_on.load(Ordering::Relaxed)
    }

    /// The next call is the first again, so that the same faults come once more.
    pub fn restart(&self) {
        self.state.next.store(0, Ordering::Relaxed);
    }

    /// How many calls have come since it began, while it was on.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.state.next.load(Ordering::Relaxed)
    }

    /// The number of a call that may go wrong.
    pub(super) fn next(&self) -> Option<u64> {
        self.is_on().then(|| self.state.next.fetch_add(1, Ordering::Relaxed))
    }
}
