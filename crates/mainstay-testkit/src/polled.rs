//! A future that is polled by hand.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use tokio::task::coop::unconstrained;

/// A future that is polled by hand, and a count of how often it was woken.
///
/// ```
/// use mainstay_testkit::Polled;
///
/// let (send, receive) = tokio::sync::oneshot::channel();
/// let mut receive = Polled::new(receive);
/// assert!(receive.poll().is_pending() && !receive.is_woken());
///
/// send.send("well").unwrap();
/// assert!(receive.is_woken());
/// assert!(receive.poll().is_ready());
/// ```
///
/// Tokio's budget for cooperation does not count in it, so that no poll is pending without need.
pub struct Polled<F> {
    future: Pin<Box<F>>,
    tally: Arc<Tally>,
    /// How often it had been woken before the last poll.
    before: usize,
    polls: usize,
}

impl<F: Future> Polled<F> {
    /// Takes a future in hand; it is not polled yet.
    pub fn new(future: F) -> Self {
        Self { future: Box::pin(future), tally: Arc::default(), before: 0, polls: 0 }
    }

    /// Polls it once.
    pub fn poll(&mut self) -> Poll<F::Output> {
        self.polled(|future, cx| pin!(unconstrained(future)).poll(cx))
    }

    /// The same with what budget the task has that runs this.
    pub(crate) fn poll_on_budget(&mut self) -> Poll<F::Output> {
        self.polled(|future, cx| future.poll(cx))
    }

    fn polled<T>(&mut self, poll: impl FnOnce(Pin<&mut F>, &mut Context<'_>) -> T) -> T {
        self.before = self.wakes();
        self.polls += 1;
        let waker = Waker::from(Arc::clone(&self.tally));
        poll(self.future.as_mut(), &mut Context::from_waker(&waker))
    }

    /// Waits until it is woken, if it has not been since its last poll.
    pub async fn woken(&self) {
        poll_fn(|cx| {
            self.tally.listen(cx.waker());
            if self.is_woken() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

impl<F> Polled<F> {
    /// Whether it was woken since its last poll, or during it.
    #[must_use]
    pub fn is_woken(&self) -> bool {
        self.wakes() > self.before
    }

    /// How often it was woken in all, or since the last [`change_waker`](Polled::change_waker).
    #[must_use]
    pub fn wakes(&self) -> usize {
        self.tally.wakes.load(Ordering::SeqCst)
    }

    /// How often it was polled.
    #[must_use]
    pub const fn polls(&self) -> usize {
        self.polls
    }

    /// Goes on with another waker, as if another task had taken the future over. From here on only
    /// what wakes the new one counts, and that one is known to the future after the next poll.
    pub fn change_waker(&mut self) {
        self.tally = Arc::default();
        self.before = 0;
    }
}

impl<F> fmt::Debug for Polled<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (polls, wakes) = (self.polls, self.wakes());
        f.debug_struct("Polled").field("polls", &polls).field("wakes", &wakes).finish()
    }
}

/// Counts, and tells whoever listens.
#[derive(Debug, Default)]
struct Tally {
    wakes: AtomicUsize,
    listener: Mutex<Option<Waker>>,
}

impl Tally {
    fn listen(&self, waker: &Waker) {
        let waker = Some(waker.clone());
        *self.listener.lock().unwrap_or_else(PoisonError::into_inner) = waker;
    }
}

impl Wake for Tally {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::SeqCst);
        let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(listener) = listener {
            listener.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[test]
    fn only_what_wakes_the_last_waker_counts() {
        let (send, receive) = oneshot::channel();
        let mut receive = Polled::new(receive);
        assert!(receive.poll().is_pending());
        receive.change_waker();
        assert!(receive.poll().is_pending());
        assert_eq!((receive.polls(), receive.wakes(), receive.is_woken()), (2, 0, false));
        send.send(7).unwrap();
        assert_eq!((receive.wakes(), receive.is_woken()), (1, true));
        assert_eq!(receive.poll(), Poll::Ready(Ok(7)));
        assert_eq!(format!("{receive:?}"), "Polled { polls: 3, wakes: 1 }");
    }

    #[test]
    fn a_wake_during_the_poll_counts() {
        let mut spins = Polled::new(poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        }));
        assert!(!spins.is_woken());
        assert!(spins.poll().is_pending() && spins.is_woken());
        assert!(spins.poll().is_pending() && spins.is_woken());
    }

    #[tokio::test(start_paused = true)]
    async fn one_can_wait_for_the_wake() {
        let mut sleep = Polled::new(crate::clock::sleep(std::time::Duration::from_secs(9)));
        assert!(sleep.poll().is_pending());
        sleep.woken().await;
        assert!(sleep.poll().is_ready());
    }

    #[tokio::test(start_paused = true)]
    async fn no_budget_makes_a_poll_pending() {
        let (send, mut receive) = tokio::sync::mpsc::unbounded_channel();
        for n in 0..1_000 {
            send.send(n).unwrap();
            assert_eq!(Polled::new(receive.recv()).poll(), Poll::Ready(Some(n)));
        }
    }
}
