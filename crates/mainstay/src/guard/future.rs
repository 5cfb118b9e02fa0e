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

/// What runs, and what is known of it.
type Running<'a, F, A> = (Pin<&'a mut F>, &'a mut A);

/// What is known of an attempt that has been let go.
pub struct Attempt<Req, G: Guard<Req>, P, A> {
    pub(super) live: LiveOf<Req, G, P>,
    about: A,
}

impl<Req, G: Guard<Req>, P, A> Attempt<Req, G, P, A> {
    /// Polls on.
    #[inline]
    pub(super) fn poll<F: Future>(
        &mut self,
        future: Pin<&mut F>,
        cx: &mut Context<'_>,
    ) -> Poll<F::Output> {
        self.live.poll(|| future.poll(cx))
    }

    /// What its end says.
    #[inline]
    pub(super) fn ending<Res, E>(&self, end: Result<&Res, &E>) -> Ending
    where
        P: Protocol<Req, Res, E, About = A>,
    {
        self.live.protocol().end(&self.about, end)
    }

    #[inline]
    fn settle<Res, E>(&mut self, end: Result<&Res, &E>)
    where
        P: Protocol<Req, Res, E, About = A>,
    {
        let ending = self.ending(end);
        self.live.settle(&ending);
    }

    #[inline(never)]
    fn settle_error<Res, E>(&mut self, error: &E)
    where
        P: Protocol<Req, Res, E, About = A>,
    {
        self.settle(Err(error));
    }
}

impl<F, E, A> GuardedFuture<F, E, A> {
    pub(super) const fn refused(refused: Refused) -> Self {
        Self { state: State::Held { held: HeldBack::Refused(Some(refused)) } }
    }

    /// Polls on to what runs; an error is there where nothing ever will.
    ///
    /// Its end does not come by this way: where it might also be a refusal, it is moved in a place
    /// that is as large.
    #[expect(clippy::expect_used, reason = "a future that is polled after its end may panic")]
    #[inline]
    pub(super) fn poll_running<'a>(
        mut self: Pin<&'a mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Running<'a, F, A>, E>>
    where
        E: CallError,
    {
        if let StateProj::Held { held } = self.as_mut().project().state.project() {
            if let HeldBack::Refused(refused) = held {
                let refused = refused.take().expect("polled after it was ready");
                return Poll::Ready(Err(refused.into()));
            }
            if let Err(error) = ready!(self.as_mut().poll_waiting(cx)) {
                return Poll::Ready(Err(error));
            }
        }
        let running = match self.project().state.project() {
            StateProj::Running { future, attempt } => Some((future, attempt)),
            StateProj::Held { .. } => None,
        };
        Poll::Ready(Ok(running.expect("it was let go")))
    }

    /// Waits until it is let go.
    #[cold]
    fn poll_waiting(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        let mut state = self.project().state;
        let StateProj::Held { held: HeldBack::Waiting(waiting) } = state.as_mut().project() else {
            return Poll::Ready(Ok(())); // it does not wait
        };
        let polled = waiting.as_mut().poll(cx);
        if polled.is_pending() {
            scope::is_queued();
        }
        polled.map_ok(|(future, attempt)| state.set(State::Running { future, attempt }))
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

impl<Req, F, Res, E, G, P> Future for GuardedFuture<F, E, Attempt<Req, G, P, P::About>>
where
    F: Future<Output = Result<Res, E>>,
    E: CallError,
    G: Guard<Req>,
    P: Protocol<Req, Res, E>,
{
    type Output = Result<Res, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (future, attempt) = match ready!(self.poll_running(cx)) {
            Ok(running) => running,
            Err(error) => return Poll::Ready(Err(error)),
        };
        // Apart, so that an answer is not moved in a place that is as large as an error.
        Poll::Ready(match ready!(attempt.poll(future, cx)) {
            Ok(answer) => {
                attempt.settle(Ok(&answer));
                Ok(answer)
            }
            Err(error) => {
                attempt.settle_error(&error);
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
