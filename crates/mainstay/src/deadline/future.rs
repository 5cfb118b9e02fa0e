//! A call, and the end of its time.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use mainstay_policy::Moment;
use mainstay_policy::deadline::{Watch, watch};
use pin_project_lite::pin_project;

use super::LAYER;
use crate::clock::Timer;
use crate::error::{CallError, Reason, Refused};
use crate::observe::{Event, tell};
use crate::scope::{Scope, run_out, watched, watching};

pin_project! {
    /// The response future of [`DeadlineService`](super::DeadlineService).
    #[must_use = "futures do nothing unless polled"]
    pub struct DeadlineFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        Refused { refused: Option<Refused> },
        Running { #[pin] inner: F, until: Moment, name: Option<Arc<str>>, timer: Timer },
    }
}

/// The refusal of a call whose time is over.
pub(crate) fn timed_out(name: Option<&Arc<str>>) -> Refused {
    Refused::new(LAYER, Reason::TimedOut).named_if(name)
}

impl<F> DeadlineFuture<F> {
    pub(super) fn refused(refused: Refused) -> Self {
        Self { state: State::Refused { refused: Some(refused) } }
    }

    pub(crate) fn starts(inner: F, until: Moment, name: Option<Arc<str>>) -> Self {
        Self { state: State::Running { inner, until, name, timer: Timer::default() } }
    }
}

#[expect(clippy::expect_used, reason = "a future that is polled after its end may panic")]
impl<F, Res, E> Future for DeadlineFuture<F>
where
    F: Future<Output = Result<Res, E>>,
    E: CallError,
{
    type Output = Result<Res, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        let refused = match state.as_mut().project() {
            StateProj::Refused { refused } => refused.take().expect("polled after it was ready"),
            StateProj::Running { inner, until, name, timer } => {
                let scope = Scope::current().until(*until);
                let end = watching(*until, cx, |cx| scope.around(|| inner.poll(cx)));
                if end.is_ready() {
                    return end;
                }
                match watch(*until, watched(cx)) {
                    Watch::Here => ready!(timer.poll(*until, cx)),
                    Watch::FurtherOut | Watch::Nowhere => return Poll::Pending,
                }
                timed_out(name.as_ref())
            }
        };
        // What still ran is gone before anybody is told.
        run_out(|| state.set(State::Refused { refused: None }));
        tell(Event::Refused(&refused));
        Poll::Ready(Err(refused.into()))
    }
}

impl<F> fmt::Debug for DeadlineFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.state {
            State::Refused { .. } => "DeadlineFuture(refused)",
            State::Running { .. } => "DeadlineFuture(running)",
        })
    }
}
