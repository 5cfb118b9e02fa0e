//! The life of one attempt behind a guard: refused, waiting, running.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tower_service::Service;

use super::Guard;
use super::live::{LiveOf, Shared};
use super::waiting::{Waiter, Waiting};
use crate::error::{CallError, Refused};
use crate::protocol::{Ending, Protocol};
use crate::scope;

pin_project! {
    /// The response future of [`Guarded`](super::Guarded).
    #[must_use = "futures do nothing unless polled"]
    pub struct GuardedFuture<F, E, A> {
        #[pin]
        state: State<F, E, A>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, E, A> {
        Held { held: HeldBack<F, E, A> },
        Running { #[pin] future: F, attempt: A },
    }
}

/// Not let go: apart from what runs, so that whoever runs is asked for no more than that.
enum HeldBack<F, E, A> {
    Refused(Option<Refused>),
    Waiting(Waiting<(F, A), E>),
}

/// What is known of an attempt that has been let go.
pub struct Attempt<Req, G: Guard<Req>, P, A> {
    pub(super) live: LiveOf<Req, G, P>,
    about: A,
}

impl<Req, G: Guard<Req>, P, A> Attempt<Req, G, P, A> {
    /// What its end says.
    #[inline]
    pub(super) fn ending<Res, E>(&self, end: Result<&Res, &E>) -> Ending
    where
        P: Protocol<Req, Res, E, About = A>,
    {
        self.live.protocol().end(&self.about, end)
    }
}

impl<F, E, A> GuardedFuture<F, E, A> {
    pub(super) const fn refused(refused: Refused) -> Self {
        Self { state: State::Held { held: HeldBack::Refused(Some(refused)) } }
    }

    /// The attempt, if one was let go.
    #[inline]
    pub(super) fn attempt(self: Pin<&mut Self>) -> Option<&mut A> {
        match self.project().state.project() {
            StateProj::Running { attempt, .. } => Some(attempt),
            StateProj::Held { .. } => None,
        }
    }
}

impl<Req, F, E, G, P, A> GuardedFuture<F, E, Attempt<Req, G, P, A>>
where
    G: Guard<Req>,
{
    /// Starts an attempt; the service is ready. The permit is live before, since a call may panic.
    #[inline]
    pub(super) fn starts<S>(service: &mut S, request: Req, mut live: LiveOf<Req, G, P>) -> Self
    where
        S: Service<Req, Error = E, Future = F>,
        P: Protocol<Req, S::Response, E, About = A>,
    {
        let about = live.protocol().about(&request);
        let future = live.watch(|| service.call(request));
        let attempt = Attempt { live, about };
        Self { state: State::Running { future, attempt } }
    }

    pub(super) fn waits<S>(waiter: Waiter<Req, S, G, Arc<Shared<G, P>>>) -> Self
    where
        Req: Send + 'static,
        S: Service<Req, Error = E, Future = F> + Clone + Send + 'static,
        E: CallError,
        F: Send,
        G: Send + Sync + 'static,
        P: Protocol<Req, S::Response, E, About = A> + Send + Sync + 'static,
        A: Send,
    {
        let waiting = waiter.waits(
            |shared, request, error| {
                let protocol = &shared.protocol;
                (protocol.end(&protocol.about(request), Err(&error)), error)
            },
            |service, request, mut live, _| {
                let about = live.protocol().about(&request);
                let future = live.watch(|| service.call(request));
                (future, Attempt { live, about })
            },
        );
        Self { state: State::Held { held: HeldBack::Waiting(waiting) } }
    }
}

impl<Req, F, Res, E, G, P> GuardedFuture<F, E, Attempt<Req, G, P, P::About>>
where
    F: Future<Output = Result<Res, E>>,
    E: CallError,
    G: Guard<Req>,
    P: Protocol<Req, Res, E>,
{
    /// Polls on. The end of an attempt is not settled: that is left to who looks at it.
    #[expect(clippy::expect_used, reason = "a future that is polled after its end may panic")]
    #[inline]
    pub(super) fn poll_end(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Res, E>> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProj::Held { held: HeldBack::Refused(refused) } => {
                    let refused = refused.take().expect("polled after it was ready");
                    return Poll::Ready(Err(refused.into()));
                }
                StateProj::Held { held: HeldBack::Waiting(waiting) } => {
                    match waiting.as_mut().poll(cx) {
                        Poll::Pending => {
                            scope::is_queued();
                            return Poll::Pending;
                        }
                        Poll::Ready(Ok((future, attempt))) => {
                            state.set(State::Running { future, attempt });
                        }
                        Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    }
                }
                StateProj::Running { future, attempt } => {
                    return attempt.live.poll(|| future.poll(cx));
                }
            }
        }
    }

    #[inline]
    fn settle(self: Pin<&mut Self>, end: Result<&Res, &E>) {
        if let Some(attempt) = self.attempt() {
            let ending = attempt.ending(end);
            attempt.live.settle(&ending);
        }
    }

    #[inline(never)]
    fn settle_error(self: Pin<&mut Self>, error: &E) {
        self.settle(Err(error));
    }
}

impl<Req, F, Res, E, G, P> Future for GuardedFuture<F, E, Attempt<Req, G, P, P::About>>
where
    F: Future<Output = Result<Res, E>>,
    E: CallError,
    G: Guard<Req>,
    P: Protocol<Req, Res, E>,
{
    type Output = Result<Res, E>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Apart, so that an answer is not moved in a place that is as large as an error.
        Poll::Ready(match ready!(self.as_mut().poll_end(cx)) {
            Ok(answer) => {
                self.settle(Ok(&answer));
                Ok(answer)
            }
            Err(error) => {
                self.settle_error(&error);
                Err(error)
            }
        })
    }
}

impl<Req, G: Guard<Req>, P, A: fmt::Debug> fmt::Debug for Attempt<Req, G, P, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt").field("about", &self.about).finish_non_exhaustive()
    }
}

impl<F, E, A> fmt::Debug for GuardedFuture<F, E, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.state {
            State::Held { held: HeldBack::Refused(_) } => "GuardedFuture(refused)",
            State::Held { held: HeldBack::Waiting(_) } => "GuardedFuture(waiting)",
            State::Running { .. } => "GuardedFuture(running)",
        })
    }
}
