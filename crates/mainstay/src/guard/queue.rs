//! Who waits, in the order in which they came, and how to wake them.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use mainstay_policy::Moment;

/// A queue of those who wait for what a guard gives. How many may stand in it, and who gets what,
/// is decided elsewhere; this knows who is first.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    standing: Mutex<Standing>,
}

#[derive(Debug, Default)]
struct Standing {
    next: u64,
    /// By the order in which they came: until when each would stand, and its waker, which it has
    /// from its first poll on.
    wakers: BTreeMap<u64, (Moment, Option<Waker>)>,
}

/// A place in the queue. Who drops it has left.
#[derive(Debug)]
pub(crate) struct Spot<'a> {
    queue: &'a Queue,
    number: u64,
}

impl Queue {
    /// Stands at the end of the line, until this moment at most.
    pub(crate) fn join(&self, end: Moment) -> Spot<'_> {
        let mut standing = self.lock();
        let number = standing.next;
        standing.next += 1;
        standing.wakers.insert(number, (end, None));
        Spot { queue: self, number }
    }

    /// Wakes whoever is first, if that one has been polled; who has not looks by itself.
    pub(crate) fn wake_first(&self) {
        let first = self.lock().wakers.first_entry().and_then(|mut first| first.get_mut().1.take());
        if let Some(waker) = first {
            waker.wake();
        }
    }

    /// Wakes the first, and those who would stand no longer than until this moment.
    pub(crate) fn wake_until(&self, moment: Moment) {
        let mut standing = self.lock();
        let mut is_first = true;
        let wakers = standing.wakers.values_mut().filter_map(|(end, waker)| {
            let looks = mem::take(&mut is_first) || *end <= moment;
            if looks { waker.take() } else { None }
        });
        let wakers: Vec<_> = wakers.collect();
        drop(standing);
        wakers.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spot<'_> {
    /// Whether nobody stands before it. If somebody does, or it must wait all the same, it is
    /// woken when it should look again.
    pub(crate) fn is_first(&self, cx: &Context<'_>) -> bool {
        // Cloned before and dropped after the lock is held: a waker is somebody else's code.
        let waker = cx.waker().clone();
        let mut standing = self.queue.lock();
        let is_first = standing.wakers.first_key_value().is_some_and(|(n, _)| *n == self.number);
        let own = standing.wakers.get_mut(&self.number);
        let old = own.and_then(|(_, own)| own.replace(waker));
        drop(standing);
        drop(old);
        is_first
    }
}

impl Drop for Spot<'_> {
    /// Whoever becomes the first by this is woken.
    fn drop(&mut self) {
        let mut standing = self.queue.lock();
        let was_first = standing.wakers.first_key_value().is_some_and(|(n, _)| *n == self.number);
        let own = standing.wakers.remove(&self.number);
        drop(standing);
        drop(own);
        if was_first {
            self.queue.wake_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_test::task;

    use super::*;

    const END: Moment = Moment::MAX;

    #[test]
    fn the_first_who_came_is_first_until_it_leaves() {
        let queue = Queue::default();
        let (one, two, three) = (queue.join(END), queue.join(END), queue.join(END));
        let (mut a, mut b, mut c) = (task::spawn(()), task::spawn(()), task::spawn(()));
        assert!(a.enter(|cx, _| one.is_first(cx)));
        assert!(!b.enter(|cx, _| two.is_first(cx)));
        assert!(!c.enter(|cx, _| three.is_first(cx)));

        queue.wake_first();
        assert!(a.is_woken() && !b.is_woken());
        drop(two); // it was not the first
        assert!(!c.is_woken());
        drop(one);
        assert!(c.is_woken());
        assert!(c.enter(|cx, _| three.is_first(cx)));
    }

    #[test]
    fn what_holds_back_wakes_the_first_and_those_who_would_wait_in_vain() {
        let queue = Queue::default();
        let at = Moment::from_nanos;
        let (first, patient, hurried) =
            (queue.join(Moment::MAX), queue.join(at(9)), queue.join(at(5)));
        let _unpolled = queue.join(at(1));
        let (mut a, mut b, mut c) = (task::spawn(()), task::spawn(()), task::spawn(()));
        a.enter(|cx, _| first.is_first(cx));
        b.enter(|cx, _| patient.is_first(cx));
        c.enter(|cx, _| hurried.is_first(cx));
        queue.wake_until(at(5));
        assert!(a.is_woken() && c.is_woken() && !b.is_woken());
        assert!(a.enter(|cx, _| first.is_first(cx)));
    }

    #[test]
    fn nobody_is_woken_where_nobody_stands() {
        let queue = Queue::default();
        queue.wake_first();
        drop(queue.join(END));
        queue.wake_first();
    }
}
