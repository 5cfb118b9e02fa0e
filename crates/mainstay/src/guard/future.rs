//! The life of one attempt behind a guard: refused, waiting, running.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use mainstay_policy::{Moment, Outcome, deadline, turn};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::live::{Live, LiveOf, Shared};
use super::{Admission, Ask, Guard, Now, ask_at_once};
use crate::clock;
use crate::deadline::LAYER;
use crate::error::{CallError, Reason, Refused};
use crate::observe::{Event, tell};
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
    Waiting(Waiting<F, E, A>),
}

/// What waits is boxed, since the future of a guard has no name, and owns all it needs.
type Waiting<F, E, A> = Pin<Box<dyn Future<Output = Result<(F, A), E>> + Send>>;

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

    pub(super) fn waits<S>(
        mut service: S,
        request: Req,
        shared: Arc<Shared<G, P>>,
        mut subject: G::Subject,
        ask: Ask,
    ) -> Self
    where
        Req: Send + 'static,
        S: Service<Req, Error = E, Future = F> + Clone + Send + 'static,
        E: CallError,
        F: Send,
        G: Send + Sync + 'static,
        P: Protocol<Req, S::Response, E, About = A> + Send + Sync + 'static,
        A: Send,
    {
        let waiting = Box::pin(async move {
            let mut is_last = false;
            loop {
                let permit = shared.guard.admit(&subject, ask).await.map_err(refused::<E>)?;
                let mut live = Live::waits(Arc::clone(&shared), subject, permit);
                let about = live.protocol().about(&request);
                let since = if G::GIVES_TURNS { clock::now() } else { Moment::MAX };
                let ready = poll_fn(|cx| live.watch(|| service.poll_ready(cx))).await;
                if let Err(error) = ready {
                    return Err(live.fails(&about, error));
                }
                if deadline::left(ask.until, clock::now()).is_none() {
                    // Whoever ends it has not been polled yet; sent now, it would have failed.
                    live.settle(&Ending::new(Outcome::Refused));
                    return Err(refused(Refused::new(LAYER, Reason::Deadline)));
                }
                if G::GIVES_TURNS && !is_last && turn::is_stale(since, clock::now()) {
                    // The service was long in getting ready: used now, the turn would be used with
                    // others at once. Once only, since that may be how the service is.
                    live.settle(&Ending::new(Outcome::Refused));
                    subject = shared.guard.subject(&request);
                    let permit = match ask_at_once(&shared.guard, &subject, ask, &Now::default()) {
                        Admission::Go(permit) => permit,
                        Admission::Refuse(no) => return Err(refused(no)),
                        Admission::Wait => {
                            // What it has reserved must not wait along.
                            service = service.clone();
                            is_last = true;
                            continue;
                        }
                    };
                    live = Live::new(shared, subject, permit);
                }
                live.starts();
                let future = live.watch(|| service.call(request));
                return Ok((future, Attempt { live, about }));
            }
        });
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

fn refused<E: CallError>(refused: Refused) -> E {
    tell(Event::Refused(&refused));
    refused.into()
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
