//! The response future of a pipeline: the first attempt of a call, and where that fails, the others
//! in a box.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::body::{FromFixed, PipelineAnswer};
use super::by_layer::ByLayer;
use super::first::{Call, Held, Over, Sent};
use super::host::{Host, HostBudget};
use super::queued::{First, Left, Queued};
use crate::budget::Account;
use crate::deadline;
use crate::error::{CallError, Carry, Refused};
use crate::http::{RequestView, ResponseView};
use crate::observe::{Event, tell};
use crate::retry::{Again, Rest};
use crate::scope::{Beneath, Scope, run_out};
use crate::timeout;

pin_project! {
    /// The response future of [`PipelineService`](super::PipelineService).
    #[must_use = "futures do nothing unless polled"]
    pub struct PipelineFuture<F, A, K, T, E, C> {
        #[pin]
        state: State<F, A, K, T, E>,
        carries: PhantomData<fn() -> C>,
    }
}

pin_project! {
    // What stands before the host is held in all of them until the call has ended.
    #[project = StateProj]
    enum State<F, A, K, T, E> {
        First { #[pin] future: Option<F>, sent: A, call: K },
        // A guard has refused the first attempt.
        NotSent { refused: Option<Refused>, call: K, host: Held },
        // A guard has the first attempt wait.
        Waits { queued: Queued<F, A, E>, call: K, host: Held },
        // All of it, or what follows its first attempt.
        ByLayer { all: Rest<Result<T, E>>, host: Held },
        // Nothing was begun.
        Refused { refused: Option<Refused> },
    }
}

impl<F, A, K, T, E, C> PipelineFuture<F, A, K, T, E, C> {
    #[inline]
    const fn new(state: State<F, A, K, T, E>) -> Self {
        Self { state, carries: PhantomData }
    }

    pub(super) const fn refused(refused: Refused) -> Self {
        Self::new(State::Refused { refused: Some(refused) })
    }
}

type StateOf<Req, S, T, E> = State<<S as Service<Req>>::Future, Sent<Req>, Call<Req, S>, T, E>;

/// The future of a call to this service.
type FutureOf<Req, S, T, E, C, D> =
    PipelineFuture<<S as Service<Req>>::Future, Sent<Req>, Call<Req, S>, T, E, (C, D)>;

impl<Req, S, T, E, C, D> FutureOf<Req, S, T, E, C, D>
where
    S: Service<Req> + Clone + Send + 'static,
    S::Response: PipelineAnswer<D, Out = T>,
    <S::Response as ResponseView>::Body: Body,
    S::Error: 'static,
    S::Future: Send,
    T: ResponseView + FromFixed + Send + 'static,
    T::Body: Body + Send + 'static,
    C: Carry<S::Error, Error = E> + 'static,
    D: 'static,
    E: CallError + Send + 'static,
    Req: RequestView + Send + 'static,
{
    /// The first attempt has been sent.
    #[inline]
    pub(super) const fn first(future: S::Future, sent: Sent<Req>, call: Call<Req, S>) -> Self {
        Self::new(State::First { future: Some(future), sent, call })
    }

    /// A guard has refused the first attempt.
    #[inline(never)]
    pub(super) fn not_sent(
        service: &S,
        mut request: Req,
        refused: Refused,
        host: Held,
        scope: Scope,
    ) -> Self {
        let call = Call::begins::<T, E>(&host, &mut request, service, scope);
        Self::new(State::NotSent { refused: Some(refused), call, host })
    }

    /// Goes through the layers one by one; the service is ready.
    #[inline(never)]
    pub(super) fn by_layer(service: S, request: Req, host: Held) -> Self {
        let all = ByLayer::<Req, S, C, D>::all(&host, service, request);
        Self::new(State::ByLayer { all, host })
    }

    /// A guard has the first attempt wait.
    #[inline(never)]
    pub(super) fn waits(mut waiter: First<Req, S>, scope: Scope) -> Self {
        let host = waiter.holder.clone();
        let call = Call::begins::<T, E>(&host, &mut waiter.request, &waiter.service, scope);
        Self::new(State::Waits { queued: Queued::new::<S, C>(waiter), call, host })
    }

    /// The first attempt was not sent: what comes next, or the error again.
    #[inline(never)]
    fn was_not_sent(
        host: &Held,
        call: &mut Call<Req, S>,
        error: E,
        beneath: Beneath,
    ) -> Result<StateOf<Req, S, T, E>, E> {
        let ending = call.failed(host.http(), &error);
        match call.next::<T, E>(host, &ending, beneath) {
            None => Err(error),
            Some(again) => Ok(Self::later(host, call, Err(error), again)),
        }
    }

    /// The time of the call is over; what was still on its way is gone before anybody is told.
    fn too_late(host: &Host, drop: impl FnOnce()) -> E {
        let refused = deadline::timed_out(host.deadline().name());
        run_out(drop);
        tell(Event::Refused(&refused));
        refused.into()
    }

    /// The first attempt ended with an error: what comes next, or the error again.
    #[inline(never)]
    fn failed(
        sent: &mut Sent<Req>,
        call: &mut Call<Req, S>,
        error: E,
        beneath: Beneath,
    ) -> Result<StateOf<Req, S, T, E>, E> {
        let ending = call.failed(sent.host().http(), &error);
        sent.settle(&ending);
        match call.next::<T, E>(sent.host(), &ending, beneath) {
            None => Err(error),
            Some(again) => Ok(Self::later(sent.host(), call, Err(error), again)),
        }
    }

    /// There is another attempt.
    #[inline(never)]
    fn later(
        host: &Held,
        call: &mut Call<Req, S>,
        end: Result<T, E>,
        again: Again<<HostBudget as Account>::Paid>,
    ) -> StateOf<Req, S, T, E> {
        let all = ByLayer::<Req, S, C, D>::later(host, call.take(), end, again);
        State::ByLayer { all, host: host.clone() }
    }
}

#[expect(clippy::expect_used, reason = "a future that is polled after its end may panic")]
impl<Req, S, T, E, C, D> Future for FutureOf<Req, S, T, E, C, D>
where
    S: Service<Req> + Clone + Send + 'static,
    S::Response: PipelineAnswer<D, Out = T>,
    <S::Response as ResponseView>::Body: Body,
    S::Error: 'static,
    S::Future: Send,
    T: ResponseView + FromFixed + Send + 'static,
    T::Body: Body + Send + 'static,
    C: Carry<S::Error, Error = E> + 'static,
    D: 'static,
    E: CallError + Send + 'static,
    Req: RequestView + Send + 'static,
{
    type Output = Result<T, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, E>> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::First { mut future, sent, call } => {
                    let running = future.as_mut().as_pin_mut().expect("polled after it was ready");
                    match sent.poll(running, call.scope, cx) {
                        (Poll::Ready(Ok(answer)), beneath) => {
                            let ending = call.answered(sent.host().http(), &answer);
                            sent.settle(&ending);
                            let host = sent.host();
                            match call.next::<T, E>(host, &ending, beneath) {
                                None => return Poll::Ready(Ok(host.watch().answer(answer))),
                                Some(again) => {
                                    let answer = host.watch().answer(answer);
                                    Ok(Self::later(host, call, Ok(answer), again))
                                }
                            }
                        }
                        (Poll::Ready(Err(error)), beneath) => {
                            Self::failed(sent, call, C::inner(error), beneath)
                        }
                        // What still runs is gone before anybody is told that its time is over.
                        (Poll::Pending, beneath) => {
                            match ready!(sent.poll_time(call.scope.until, cx)) {
                                Over::Attempt => {
                                    run_out(|| future.set(None));
                                    let refused = timeout::timed_out(sent.host().timeout().name());
                                    tell(Event::Refused(&refused));
                                    Self::failed(sent, call, refused.into(), beneath)
                                }
                                Over::Call => {
                                    let host = sent.host().clone();
                                    let drops = || state.set(State::Refused { refused: None });
                                    Err(Self::too_late(&host, drops))
                                }
                            }
                        }
                    }
                }
                StateProj::NotSent { refused, call, host } => {
                    let refused = refused.take().expect("polled after it was ready");
                    Self::was_not_sent(host, call, refused.into(), Beneath::NOTHING)
                }
                StateProj::Waits { queued, call, host } => {
                    match ready!(queued.poll(host, call.scope, cx)) {
                        Left::Sent(future, sent) => {
                            Ok(State::First { future: Some(future), sent, call: call.take() })
                        }
                        Left::NotSent(error, beneath) => {
                            Self::was_not_sent(host, call, error, beneath)
                        }
                        Left::TooLate => {
                            let host = host.clone();
                            let drops = || state.set(State::Refused { refused: None });
                            Err(Self::too_late(&host, drops))
                        }
                    }
                }
                StateProj::ByLayer { all, .. } => return all.as_mut().poll(cx),
                StateProj::Refused { refused } => {
                    let refused = refused.take().expect("polled after it was ready");
                    tell(Event::Refused(&refused));
                    Err(refused.into())
                }
            };
            match next {
                Ok(next) => state.set(next),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl<F, A, K, T, E, C> fmt::Debug for PipelineFuture<F, A, K, T, E, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.state {
            State::First { .. } => "PipelineFuture(first attempt)",
            State::NotSent { .. } => "PipelineFuture(first attempt, refused)",
            State::Waits { .. } => "PipelineFuture(first attempt, waiting)",
            State::ByLayer { .. } => "PipelineFuture(layer by layer)",
            State::Refused { .. } => "PipelineFuture(refused)",
        })
    }
}
