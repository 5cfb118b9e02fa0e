//! Who waits, in the order in which they came, and how to wake them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

/// A queue of those who wait for what a guard gives. How many may stand in it, and who gets what,
/// is decided elsewhere; this knows who is first.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    standing: Mutex<Standing>,
}

#[derive(Debug, Default)]
struct Standing {
    next: u64,
    /// By the order in which they came; none has a waker before it was polled.
    wakers: BTreeMap<u64, Option<Waker>>,
}

/// A place in the queue. Who drops it has left.
#[derive(Debug)]
pub(crate) struct Spot<'a> {
    queue: &'a Queue,
    number: u64,
}

impl Queue {
    /// Stands at the end.
    pub(crate) fn join(&self) -> Spot<'_> {
        let mut standing = self.lock();
        let number = standing.next;
        standing.next += 1;
        standing.wakers.insert(number, None);
        Spot { queue: self, number }
    }

    /// Wakes whoever is first, if that one has been polled; who has not looks by itself.
    pub(crate) fn wake_first(&self) {
        let first = self.lock().wakers.first_entry().and_then(|mut first| first.get_mut().take());
        if let Some(waker) = first {
            waker.wake();
        }
    }

    /// Wakes everybody: something has changed for all.
    pub(crate) fn wake_all(&self) {
        let mut standing = self.lock();
        let wakers: Vec<_> = standing.wakers.values_mut().filter_map(Option::take).collect();
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
        let old = standing.wakers.insert(self.number, Some(waker));
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

    #[test]
    fn the_first_who_came_is_first_until_it_leaves() {
        let queue = Queue::default();
        let (one, two, three) = (queue.join(), queue.join(), queue.join());
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
    fn what_changes_for_all_wakes_all() {
        let queue = Queue::default();
        let (one, two, _unpolled) = (queue.join(), queue.join(), queue.join());
        let (mut a, mut b) = (task::spawn(()), task::spawn(()));
        a.enter(|cx, _| one.is_first(cx));
        b.enter(|cx, _| two.is_first(cx));
        queue.wake_all();
        assert!(a.is_woken() && b.is_woken());
        assert!(a.enter(|cx, _| one.is_first(cx)) && !b.enter(|cx, _| two.is_first(cx)));
    }

    #[test]
    fn nobody_is_woken_where_nobody_stands() {
        let queue = Queue::default();
        queue.wake_first();
        drop(queue.join());
        queue.wake_first();
    }
}
