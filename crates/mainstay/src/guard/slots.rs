//! The queue of those who wait for slots.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use mainstay_policy::concurrency::{Claim, Entry, Slot, Slots, Waiting, Wake};

use super::Ask;
use crate::clock;
use crate::error::Reason;

/// What gives slots, and knows how many wait for one.
pub(crate) trait GivesSlots: Send + Sync {
    fn enter(&self) -> Entry;
    fn claim(&self, waiting: Waiting) -> Claim;
    fn give_up(&self, waiting: Waiting) -> Wake;
    /// A slot comes back that nothing was done with.
    fn unused(&self, slot: Slot) -> Wake;
}

impl GivesSlots for Slots {
    fn enter(&self) -> Entry {
        self.enter()
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
}

/// Slots, and the queue before them: first come, first served.
///
/// A slot that comes back is given to the first in line at once, before that one is polled again.
/// So one who is never polled keeps a slot, as it would if it had started, and holds nobody up.
#[derive(Debug)]
pub(crate) struct SlotQueue<S> {
    slots: S,
    line: Mutex<Line>,
}

#[derive(Debug, Default)]
struct Line {
    next: u64,
    /// By the order in which they came; none has a waker before it was polled.
    standing: BTreeMap<u64, (Waiting, Option<Waker>)>,
    /// What has been given and not yet been fetched.
    given: BTreeMap<u64, Slot>,
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
    pub(crate) fn new(slots: S) -> Self {
        Self { slots, line: Mutex::default() }
    }

    /// What gives the slots.
    pub(crate) const fn slots(&self) -> &S {
        &self.slots
    }

    /// Does what a change of the slots asks for.
    #[inline]
    pub(crate) fn wake(&self, wake: Wake) {
        match wake {
            Wake::First => self.hand_over(),
            Wake::Nobody => {}
        }
    }

    /// Waits for a slot, but no longer than this and not beyond the end of the call. What `begins`
    /// gives is kept while it waits, if it must.
    pub(crate) async fn admit<T>(
        &self,
        ask: Ask,
        patience: Duration,
        begins: impl FnOnce() -> T,
    ) -> Result<Slot, Reason> {
        let left = ask.until.since(clock::now());
        let (time, reason) = match left < patience {
            true => (left, Reason::Deadline),
            false => (patience, Reason::NoSlot),
        };
        if time.is_zero() {
            return Err(reason);
        }
        self.wait(time, begins).await.map_err(|why| match why {
            NoSlot::Full => Reason::NoSlot,
            NoSlot::TooLong => reason,
        })
    }

    async fn wait<T>(
        &self,
        patience: Duration,
        begins: impl FnOnce() -> T,
    ) -> Result<Slot, NoSlot> {
        let waiting = match self.slots.enter() {
            Entry::Granted(slot) => return Ok(slot),
            Entry::Full => return Err(NoSlot::Full),
            Entry::Queued(waiting) => waiting,
        };
        let mut spot = self.stand(waiting);
        let _waits = begins();
        let mut timer = pin!(clock::sleep(patience));
        poll_fn(|cx| match spot.poll(cx) {
            Poll::Ready(slot) => Poll::Ready(Ok(slot)),
            Poll::Pending => clock::poll(timer.as_mut(), cx).map(|()| Err(NoSlot::TooLong)),
        })
        .await
    }

    fn stand(&self, waiting: Waiting) -> Spot<'_, S> {
        let mut line = self.lock();
        let number = line.next;
        line.next += 1;
        line.standing.insert(number, (waiting, None));
        drop(line);
        let spot = Spot { queue: self, number, is_done: false };
        // The slot may have come back between the place in the count and the one in the line.
        self.hand_over();
        spot
    }

    /// Gives free slots to those who stand first.
    fn hand_over(&self) {
        loop {
            let mut line = self.lock();
            let Some((number, (waiting, waker))) = line.standing.pop_first() else { return };
            let more = match self.slots.claim(waiting) {
                Claim::Granted(slot, more) => {
                    line.given.insert(number, slot);
                    more
                }
                Claim::NotYet(waiting) => {
                    line.standing.insert(number, (waiting, waker));
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
        if let Some(slot) = line.given.remove(&self.number) {
            self.is_done = true;
            return Poll::Ready(slot);
        }
        let own = line.standing.get_mut(&self.number);
        let old = own.and_then(|(_, own)| own.replace(waker));
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
        let standing = line.standing.remove(&self.number);
        let given = line.given.remove(&self.number);
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
mod tests {
    use mainstay_policy::concurrency::Concurrency;
    use tokio_test::{assert_pending, assert_ready, task};

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    fn queue(limit: u32) -> SlotQueue<Slots> {
        SlotQueue::new(Slots::new(Concurrency::limit(limit).max_waiting(2)).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_slot_is_given_when_it_comes_back_and_not_when_its_owner_looks() {
        let queue = queue(2);
        let slots: Vec<_> = (0..2).filter_map(|_| queue.slots().try_enter()).collect();
        let mut lazy = task::spawn(queue.wait(LONG, || ()));
        let mut eager = task::spawn(queue.wait(LONG, || ()));
        assert_pending!(lazy.poll());
        assert_pending!(eager.poll());
        for slot in slots {
            queue.wake(queue.slots().leave(slot));
        }
        assert!(lazy.is_woken() && eager.is_woken());
        let slot = assert_ready!(eager.poll()).unwrap();
        assert_eq!(queue.slots().snapshot().in_use, 2);

        drop(lazy); // without ever having looked
        assert_eq!(queue.slots().snapshot().in_use, 1);
        queue.wake(queue.slots().leave(slot));
        assert_eq!(queue.slots().snapshot().in_use, 0);
        let line = queue.lock();
        assert!(line.standing.is_empty() && line.given.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slot_that_came_back_before_one_stood_in_line_is_found() {
        let queue = queue(1);
        let slot = queue.slots().try_enter().unwrap();
        let Entry::Queued(waiting) = queue.slots().enter() else { panic!("it is taken") };
        queue.wake(queue.slots().leave(slot)); // nobody stands yet
        let mut spot = queue.stand(waiting);
        let slot = assert_ready!(task::spawn(()).enter(|cx, _| spot.poll(cx)));
        queue.wake(queue.slots().leave(slot));
        assert_eq!(queue.slots().snapshot().in_use, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_or_finds_the_line_full_is_told_which() {
        let queue = queue(1);
        let _slot = queue.slots().try_enter().unwrap();
        let mut first = task::spawn(queue.wait(Duration::from_secs(1), || ()));
        let mut second = task::spawn(queue.wait(LONG, || ()));
        assert_pending!(first.poll());
        assert_pending!(second.poll());
        assert_eq!(assert_ready!(task::spawn(queue.wait(LONG, || ())).poll()), Err(NoSlot::Full));
        tokio::time::advance(Duration::from_millis(1001)).await;
        assert_eq!(assert_ready!(first.poll()), Err(NoSlot::TooLong));
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_polled_by_another_task_is_woken_there() {
        let queue = queue(1);
        let slot = queue.slots().try_enter().unwrap();
        let mut waits = Box::pin(queue.wait(LONG, || ()));
        let (mut one, mut other) = (task::spawn(()), task::spawn(()));
        assert_pending!(one.enter(|cx, _| waits.as_mut().poll(cx)));
        assert_pending!(other.enter(|cx, _| waits.as_mut().poll(cx)));
        queue.wake(queue.slots().leave(slot));
        assert!(other.is_woken() && !one.is_woken());
    }
}
