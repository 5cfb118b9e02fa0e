//! The queue of those who wait for slots.

mod by_hand;
mod line;

use std::future::poll_fn;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use mainstay_policy::concurrency::{Claim, Entry, Slot, Slots, Vacancy, Waiting, Wake};
use mainstay_policy::{Moment, deadline};

use line::Line;

use super::{Admission, Ask, Now};
use crate::clock::{self, Timer};
use crate::error::{Reason, Refused};
use crate::observe::Wait;
use crate::scope;

/// What gives slots, and knows how many wait for one.
pub(crate) trait GivesSlots: Send + Sync {
    /// The kind of layer it makes, as refusals name it.
    const LAYER: &'static str;

    fn try_enter(&self) -> Option<Slot>;
    fn enter(&self) -> Entry;
    /// What a newcomer would find.
    fn peek(&self) -> Vacancy;
    fn claim(&self, waiting: Waiting) -> Claim;
    fn give_up(&self, waiting: Waiting) -> Wake;
    /// A slot comes back that nothing was done with.
    fn unused(&self, slot: Slot) -> Wake;
    fn at_rest_from(&self) -> Option<Moment>;
}

impl GivesSlots for Slots {
    const LAYER: &'static str = "concurrency limit";

    #[inline]
    fn try_enter(&self) -> Option<Slot> {
        self.try_enter()
    }

    fn enter(&self) -> Entry {
        self.enter()
    }

    #[inline]
    fn peek(&self) -> Vacancy {
        self.peek()
    }

    fn claim(&self, waiting: Waiting) -> Claim {
        self.claim(waiting)
    }

    fn give_up(&self, waiting: Waiting) -> Wake {
        self.give_up(waiting)
    }

    fn unused(&self, slot: Slot) -> Wake {
        self.leave(slot)
    }

    fn at_rest_from(&self) -> Option<Moment> {
        self.at_rest_from()
    }
}

/// Slots, and the queue before them: first come, first served.
///
/// A slot that comes back is given to the first in line at once, before that one is polled again.
/// So one who is never polled keeps a slot, as it would if it had started, and holds nobody up.
#[derive(Debug)]
pub(crate) struct SlotQueue<S> {
    slots: S,
    line: Mutex<Line>,
    name: Option<Arc<str>>,
    /// How long a call waits, in nanoseconds.
    patience: AtomicU64,
    /// It is not as its settings made it.
    by_hand: AtomicBool,
}

/// Why nobody got a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum NoSlot {
    /// As many wait as may.
    Full,
    /// The time that it would wait for is over.
    TooLong,
}

impl<S: GivesSlots> SlotQueue<S> {
    pub(crate) fn new(slots: S, patience: Duration) -> Self {
        let queue = Self {
            slots,
            line: Mutex::default(),
            name: None,
            patience: AtomicU64::new(0),
            by_hand: AtomicBool::new(false),
        };
        queue.wait_for(patience);
        queue
    }

    /// What gives the slots.
    pub(crate) const fn slots(&self) -> &S {
        &self.slots
    }

    /// Who comes from now on waits so long.
    pub(crate) fn wait_for(&self, patience: Duration) {
        let nanos = u64::try_from(patience.as_nanos()).unwrap_or(u64::MAX);
        self.patience.store(nanos, Ordering::Relaxed);
    }

    /// Does what a change of the slots asks for.
    #[inline]
    pub(crate) fn wake(&self, wake: Wake) {
        match wake {
            Wake::First => self.hand_over(),
            Wake::Nobody => {}
        }
    }

    /// Whether a newcomer would be refused, which neither finds a slot nor may wait for one.
    #[inline]
    pub(crate) fn glance(&self, ask: Ask, now: &Now) -> Result<(), Refused> {
        match self.slots.peek() {
            Vacancy::Slot => Ok(()), // the way of nearly every call
            vacancy @ (Vacancy::Queue | Vacancy::Full) => self.foresees(vacancy, ask.until, now),
        }
    }

    #[cold]
    fn foresees(&self, vacancy: Vacancy, until: Moment, now: &Now) -> Result<(), Refused> {
        let reason = match vacancy {
            Vacancy::Slot => None,
            Vacancy::Queue => self.patience(until, now).err(),
            Vacancy::Full => Some(Reason::NoSlot),
        };
        reason.map_or(Ok(()), |reason| Err(self.refused(reason)))
    }

    #[inline]
    pub(crate) fn try_admit(&self, ask: Ask, now: &Now) -> Admission<Slot> {
        if let Some(slot) = self.slots.try_enter() {
            return Admission::Go(slot);
        }
        match self.glance(ask, now) {
            Ok(()) => Admission::Wait,
            Err(refused) => Admission::Refuse(refused),
        }
    }

    /// Waits for a slot, but no longer than it may and not beyond the end of the call.
    pub(crate) async fn admit(&self, ask: Ask) -> Result<Slot, Refused> {
        let now = Now::default();
        let admitted = match self.patience(ask.until, &now) {
            Ok((patience, reason)) => {
                let slot = self.wait(now.get() + patience).await;
                slot.map_err(|why| match why {
                    NoSlot::Full => Reason::NoSlot,
                    NoSlot::TooLong => reason,
                })
            }
            Err(reason) => Err(reason),
        };
        admitted.and_then(|slot| self.in_time(slot, ask)).map_err(|reason| self.refused(reason))
    }

    /// A slot that is there before the end of the call; it may have come before and is looked for late.
    fn in_time(&self, slot: Slot, ask: Ask) -> Result<Slot, Reason> {
        if deadline::left(ask.until, clock::now()).is_some() {
            return Ok(slot);
        }
        self.wake(self.slots.unused(slot));
        Err(Reason::Deadline)
    }

    /// How long a call waits, and why it is refused then; an error if it does not wait at all.
    fn patience(&self, until: Moment, now: &Now) -> Result<(Duration, Reason), Reason> {
        let patience = Duration::from_nanos(self.patience.load(Ordering::Relaxed));
        let left = until.since(now.get());
        let (time, reason) = match left < patience {
            true => (left, Reason::Deadline),
            false => (patience, Reason::NoSlot),
        };
        if time.is_zero() { Err(reason) } else { Ok((time, reason)) }
    }

    #[cold]
    fn refused(&self, reason: Reason) -> Refused {
        Refused::new(S::LAYER, reason).named_if(self.name.as_ref())
    }

    async fn wait(&self, end: Moment) -> Result<Slot, NoSlot> {
        let waiting = match self.slots.enter() {
            Entry::Granted(slot) => return Ok(slot),
            Entry::Full => return Err(NoSlot::Full),
            Entry::Queued(waiting) => waiting,
        };
        let mut spot = self.stand(waiting);
        let _waits = Wait::begins(S::LAYER, self.name.as_deref(), None);
        let (mut timer, mut is_new) = (Timer::default(), true);
        poll_fn(|cx| {
            if let Poll::Ready(slot) = spot.poll(cx) {
                return Poll::Ready(Ok(slot));
            }
            let is_new = mem::take(&mut is_new);
            let is_over = match scope::wakes_at(end, cx) {
                // Whoever polls here has the timer, so who is woken looks at the clock.
                true if is_new || deadline::left(end, clock::now()).is_some() => Poll::Pending,
                true => Poll::Ready(()),
                false => timer.poll(end, cx),
            };
            is_over.map(|()| Err(NoSlot::TooLong))
        })
        .await
    }

    fn stand(&self, waiting: Waiting) -> Spot<'_, S> {
        let number = self.lock().join(waiting);
        let spot = Spot { queue: self, number, is_done: false };
        // The slot may have come back between the place in the count and the one in the line.
        self.hand_over();
        spot
    }

    /// Gives free slots to those who stand first.
    fn hand_over(&self) {
        loop {
            let mut line = self.lock();
            let Some((number, (waiting, waker))) = line.pop_first() else { return };
            let more = match self.slots.claim(waiting) {
                Claim::Granted(slot, more) => {
                    line.gives(number, slot);
                    more
                }
                Claim::NotYet(waiting) => {
                    line.stays_first(number, (waiting, waker));
                    return;
                }
            };
            drop(line); // a waker is somebody else's code
            if let Some(waker) = waker {
                waker.wake();
            }
            if more == Wake::Nobody {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the line. Who drops it leaves nothing behind.
struct Spot<'a, S: GivesSlots> {
    queue: &'a SlotQueue<S>,
    number: u64,
    is_done: bool,
}

impl<S: GivesSlots> Spot<'_, S> {
    fn poll(&mut self, cx: &Context<'_>) -> Poll<Slot> {
        // Cloned before and dropped after the lock is held: a waker is somebody else's code.
        let waker = cx.waker().clone();
        let mut line = self.queue.lock();
        if let Some(slot) = line.fetch(self.number) {
            self.is_done = true;
            return Poll::Ready(slot);
        }
        let old = line.waker(self.number).and_then(|own| own.replace(waker));
        drop(line);
        drop(old);
        Poll::Pending
    }
}

impl<S: GivesSlots> Drop for Spot<'_, S> {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        let mut line = self.queue.lock();
        let standing = line.leave(self.number);
        let given = line.fetch(self.number);
        drop(line);
        if let Some((waiting, _waker)) = standing {
            self.queue.wake(self.queue.slots.give_up(waiting));
        }
        if let Some(slot) = given {
            self.queue.wake(self.queue.slots.unused(slot));
        }
    }
}

#[cfg(test)]
mod tests;
