//! The least that a breaker, slots and a rate can be: three words, one look at the clock, and a
//! future that gives the slot back.
//!
//! What it leaves out is what layers are for: nobody waits, nothing is told apart, nothing is
//! probed.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tower::Service;

use super::services::{Bare, NoError};
use crate::clock::Watch;

const SLOTS: u64 = 64;
/// A start each ten nanoseconds, and a million at once.
const PACE: u64 = 10;
const SAVED_UP: u64 = 1_000_000 * PACE;
/// One failure in two, once there were a hundred calls.
const CALLS: u64 = 100;

/// The three, before a service that answers at once.
#[derive(Clone, Debug)]
pub(crate) struct Floor {
    words: Arc<Words>,
}

#[derive(Debug)]
struct Words {
    began: Watch,
    taken: AtomicU64,
    next: AtomicU64,
    /// Failures in the upper half, calls in the lower.
    ends: AtomicU64,
}

impl Floor {
    pub(crate) fn new() -> Self {
        let words = Words {
            began: Watch::starts(),
            taken: AtomicU64::new(0),
            next: AtomicU64::new(0),
            ends: AtomicU64::new(0),
        };
        Self { words: Arc::new(words) }
    }
}

impl Words {
    fn lets_in(&self) -> bool {
        let ends = self.ends.load(Ordering::Relaxed);
        let (failures, calls) = (ends >> 32, ends & u64::from(u32::MAX));
        if calls >= CALLS && 2 * failures >= calls {
            return false;
        }
        let now = u64::try_from(self.began.took().as_nanos()).unwrap_or(u64::MAX);
        let paced = self.next.fetch_update(Ordering::AcqRel, Ordering::Acquire, |next| {
            (next <= now + SAVED_UP).then_some(next.max(now) + PACE)
        });
        if paced.is_err() {
            return false;
        }
        let has_slot = self.taken.fetch_add(1, Ordering::AcqRel) < SLOTS;
        if !has_slot {
            self.leaves();
        }
        has_slot
    }

    fn leaves(&self) {
        self.taken.fetch_sub(1, Ordering::AcqRel);
    }

    fn ended(&self, is_failure: bool) {
        let end = 1 + (u64::from(is_failure) << 32);
        let ends = self.ends.fetch_add(end, Ordering::AcqRel);
        if ends & u64::from(u32::MAX) >= 2 * CALLS {
            self.ends.store(0, Ordering::Release);
        }
    }
}

impl Service<u64> for Floor {
    type Response = u64;
    type Error = NoError;
    type Future = Call;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NoError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u64) -> Call {
        let slot = self.words.lets_in().then(|| Slot(Arc::clone(&self.words)));
        Call { answer: Bare.call(request), slot }
    }
}

/// A call with its slot; without one it was refused.
pub(crate) struct Call {
    answer: <Bare as Service<u64>>::Future,
    slot: Option<Slot>,
}

struct Slot(Arc<Words>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.leaves();
    }
}

impl Future for Call {
    type Output = Result<u64, NoError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.slot.is_none() {
            return Poll::Pending;
        }
        let answer = Pin::new(&mut self.answer).poll(cx);
        if let (Poll::Ready(end), Some(slot)) = (&answer, self.slot.take()) {
            slot.0.ended(end.is_err());
        }
        answer
    }
}
