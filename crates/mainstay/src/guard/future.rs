//! The life of one attempt behind a guard: refused, waiting, running.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use mainstay_policy::{Moment, Outcome, turn};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::live::{Live, Shared};
use super::{Admission, Ask, Guard, Now, ask_at_once};
use crate::clock;
use crate::error::{CallError, Refused};
use crate::observe::{Event, tell};
use crate::protocol::{Ending, Protocol};
use crate::scope::{self, unsent};

pin_project! {
    /// The response future of [`Guarded`](super::Guarded).
    #[must_use = "futures do nothing unless polled"]
    pub struct GuardedFuture<Req, S, G, P>
    where
        S: Service<Req>,
        G: Guard<Req>,
        P: Protocol<Req, S::Response, S::Error>,
    {
        #[pin]
        state: State<Req, S, G, P>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<Req, S, G, P>
    where
        S: Service<Req>,
        G: Guard<Req>,
        P: Protocol<Req, S::Response, S::Error>,
    {
        Held { held: HeldBack<Req, S, G, P> },
        Running { #[pin] future: S::Future, attempt: Attempt<Req, S, G, P> },
    }
}

/// Not let go: apart from what runs, so that whoever runs is asked for no more than that.
enum HeldBack<Req, S, G, P>
where
    S: Service<Req>,
    G: Guard<Req>,
    P: Protocol<Req, S::Response, S::Error>,
{
    Refused(Option<Refused>),
    Waiting(Waiting<Req, S, G, P>),
}

/// An attempt that has been let go.
pub(super) struct Attempt<Req, S, G, P>
where
    S: Service<Req>,
    G: Guard<Req>,
    P: Protocol<Req, S::Response, S::Error>,
{
    pub(super) live: Live<Req, G, P>,
    about: P::About,
}

impl<Req, S, G, P> Attempt<Req, S, G, P>
where
    S: Service<Req>,
    G: Guard<Req>,
    P: Protocol<Req, S::Response, S::Error>,
{
    /// What its end says.
    #[inline]
    pub(super) fn ending(&self, end: Result<&S::Response, &S::Error>) -> Ending {
        self.live.protocol().end(&self.about, end)
    }
}

/// What waits is boxed, since the future of a guard has no name, and owns all it needs.
type Waiting<Req, S, G, P> = Pin<Box<dyn Future<Output = Granted<Req, S, G, P>> + Send>>;

type Granted<Req, S, G, P> =
    Result<(<S as Service<Req>>::Future, Attempt<Req, S, G, P>), <S as Service<Req>>::Error>;

impl<Req, S, G, P> GuardedFuture<Req, S, G, P>
where
    S: Service<Req>,
    S::Error: CallError,
    G: Guard<Req>,
    P: Protocol<Req, S::Response, S::Error>,
{
    pub(super) const fn refused(refused: Refused) -> Self {
        Self { state: State::Held { held: HeldBack::Refused(Some(refused)) } }
    }

    /// Starts an attempt; the service is ready. The permit is live before, since a call may panic.
    #[inline]
    pub(super) fn starts(service: &mut S, request: Req, mut live: Live<Req, G, P>) -> Self {
        let about = live.protocol().about(&request);
        let future = live.watch(|| service.call(request));
        let attempt = Attempt { live, about };
        Self { state: State::Running { future, attempt } }
    }

    pub(super) fn waits(
        mut service: S,
        request: Req,
        shared: Arc<Shared<G, P>>,
        mut subject: G::Subject,
        ask: Ask,
    ) -> Self
    where
        Req: Send + 'static,
        S: Clone + Send + 'static,
        S::Future: Send,
        G: Send + Sync + 'static,
        P: Send + Sync + 'static,
        P::About: Send,
    {
        let waiting = Box::pin(async move {
            let mut is_last = false;
            loop {
                let permit = unsent(shared.guard.admit(&subject, ask)).await;
                let permit = permit.map_err(refused::<S::Error>)?;
                let mut live = Live::new(Arc::clone(&shared), subject, permit);
                let about = live.protocol().about(&request);
                let since = if G::GIVES_TURNS { clock::now() } else { Moment::MAX };
                let ready = unsent(poll_fn(|cx| live.watch(|| service.poll_ready(cx)))).await;
                if let Err(error) = ready {
                    return Err(live.fails(&about, error));
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

impl<Req, S, G, P> GuardedFuture<Req, S, G, P>
where
    S: Service<Req>,
    S::Error: CallError,
    G: Guard<Req>,
    P: Protocol<Req, S::Response, S::Error>,
{
    /// Polls on. The end of an attempt is not settled: that is left to who looks at it.
    #[expect(clippy::expect_used, reason = "a future that is polled after its end may panic")]
    #[inline]
    pub(super) fn poll_end(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<S::Response, S::Error>> {
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
                    return attempt.live.watch(|| future.poll(cx));
                }
            }
        }
    }

    #[inline]
    fn settle(self: Pin<&mut Self>, end: Result<&S::Response, &S::Error>) {
        if let Some(attempt) = self.attempt() {
            let ending = attempt.ending(end);
            attempt.live.settle(&ending);
        }
    }

    #[inline(never)]
    fn settle_error(self: Pin<&mut Self>, error: &S::Error) {
        self.settle(Err(error));
    }

    /// The attempt, if one was let go.
    #[inline]
    pub(super) fn attempt(self: Pin<&mut Self>) -> Option<&mut Attempt<Req, S, G, P>> {
        match self.project().state.project() {
            StateProj::Running { attempt, .. } => Some(attempt),
            StateProj::Held { .. } => None,
        }
    }
}

impl<Req, S, G, P> Future for GuardedFuture<Req, S, G, P>
where
    S: Service<Req>,
    S::Error: CallError,
    G: Guard<Req>,
    P: Protocol<Req, S::Response, S::Error>,
{
    type Output = Result<S::Response, S::Error>;

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

fn refused<E: CallError>(refused: Refused) -> E {
    tell(Event::Refused(&refused));
    refused.into()
}

impl<Req, S, G, P> fmt::Debug for GuardedFuture<Req, S, G, P>
where
    S: Service<Req>,
    G: Guard<Req>,
    P: Protocol<Req, S::Response, S::Error>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.state {
            State::Held { held: HeldBack::Refused(_) } => "GuardedFuture(refused)",
            State::Held { held: HeldBack::Waiting(_) } => "GuardedFuture(waiting)",
            State::Running { .. } => "GuardedFuture(running)",
        })
    }
}
