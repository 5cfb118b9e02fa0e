//! An attempt, and the end of its time.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use mainstay_policy::Moment;
use mainstay_policy::deadline::{Watch, watch_attempt};
use pin_project_lite::pin_project;

use crate::clock::Timer;
use crate::error::{CallError, Reason, Refused};
use crate::observe::{Event, tell};
use crate::scope::{run_out, watched};

pin_project! {
    /// The response future of [`Timeout`](super::Timeout).
    #[must_use = "futures do nothing unless polled"]
    pub struct TimeoutFuture<F> {
        #[pin]
        inner: Option<F>,
        until: Moment,
        name: Option<Arc<str>>,
        timer: Timer,
    }
}

/// The refusal of an attempt whose time is over.
pub(crate) fn timed_out(name: Option<&Arc<str>>) -> Refused {
    Refused::new("attempt timeout", Reason::TimedOut).named_if(name)
}

impl<F> TimeoutFuture<F> {
    pub(super) fn new(inner: F, until: Moment, name: Option<Arc<str>>) -> Self {
        Self { inner: Some(inner), until, name, timer: Timer::default() }
    }

    #[cfg(test)]
    pub(super) const fn has_a_timer(&self) -> bool {
        self.timer.is_made()
    }
}

#[expect(clippy::expect_used, reason = "a future that is polled after its end may panic")]
impl<F, Res, E> Future for TimeoutFuture<F>
where
    F: Future<Output = Result<Res, E>>,
    E: CallError,
{
    type Output = Result<Res, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let inner = this.inner.as_mut().as_pin_mut().expect("polled after it was ready");
        let end = inner.poll(cx);
        if end.is_ready() {
            return end;
        }
        // Asked at every poll: the next one may come from another task, where nobody watches.
        match watch_attempt(*this.until, watched(cx)) {
            Watch::Here => ready!(this.timer.poll(*this.until, cx)),
            Watch::FurtherOut | Watch::Nowhere => return Poll::Pending,
        }
        run_out(|| this.inner.set(None)); // what still ran is gone before anybody is told
        let refused = timed_out(this.name.as_ref());
        tell(Event::Refused(&refused));
        Poll::Ready(Err(refused.into()))
    }
}

impl<F> fmt::Debug for TimeoutFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimeoutFuture").field("timer", &self.timer).finish_non_exhaustive()
    }
}
