//! The first attempt of a call; where it fails, the rest follows in a box.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tower_service::Service;

use super::course::Shared;
use super::rest::{Kept, Rest, rest};
use crate::budget::{self, Budgets};
use crate::error::CallError;
use crate::protocol::{Discard, Protocol};
use crate::scope::{self, Beneath, Scope};

pin_project! {
    /// The response future of [`Retried`](super::Retried).
    #[must_use = "futures do nothing unless polled"]
    pub struct RetriedFuture<F, T, C> {
        #[pin]
        state: State<F, T, C>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, T, C> {
        First { #[pin] future: F, call: Option<C> },
        Rest { rest: Rest<T> },
    }
}

/// A call on its first attempt.
pub struct Call<Req, S, P, B, A, C> {
    shared: Arc<Shared<P, B>>,
    about: A,
    scope: Scope,
    /// Only what may be repeated has it, and pays one allocation for it.
    kept: Option<Box<Kept<Req, S, C>>>,
}

/// A call to this service.
pub(super) type CallOf<Req, S, P, B> = Call<
    Req,
    S,
    P,
    B,
    <P as Protocol<Req, <S as Service<Req>>::Response, <S as Service<Req>>::Error>>::About,
    <B as Budgets<Req>>::Account,
>;

/// How a call to this service ends.
pub(super) type End<Req, S> = Result<<S as Service<Req>>::Response, <S as Service<Req>>::Error>;

impl<Req, S, P, B> RetriedFuture<S::Future, End<Req, S>, CallOf<Req, S, P, B>>
where
    S: Service<Req> + Clone,
    P: Protocol<Req, S::Response, S::Error>,
    B: Budgets<Req>,
{
    /// Starts the first attempt; the service is ready.
    pub(super) fn starts(service: &mut S, mut request: Req, shared: Arc<Shared<P, B>>) -> Self {
        let protocol = &*shared.protocol;
        protocol.prepare(&mut request);
        let (account, scope) = budget::begin(&shared.budgets, &request);
        let about = protocol.about(&request);
        let kept = shared.keep(&request, &about, || (service.clone(), account));
        let future = scope.around(|| service.call(request));
        let call = Call { shared, about, scope, kept };
        Self { state: State::First { future, call: Some(call) } }
    }
}

impl<Req, S, P, B> CallOf<Req, S, P, B>
where
    S: Service<Req> + Send + 'static,
    S::Response: Send,
    S::Error: CallError + Send,
    S::Future: Send,
    Req: Send + 'static,
    P: Protocol<Req, S::Response, S::Error> + Discard<S::Response> + Send + Sync + 'static,
    P::About: Send,
    B: Budgets<Req> + Send + Sync + 'static,
{
    /// The first attempt has ended.
    fn goes_on(self, end: End<Req, S>, beneath: Beneath) -> Next<End<Req, S>> {
        let Self { shared, about, scope, kept } = self;
        let ending = shared.protocol.end(&about, end.as_ref());
        let Some(mut kept) = kept else {
            shared.explains(scope, &ending, beneath);
            return Next::Ends(end);
        };
        match kept.next::<_, _, S::Response, S::Error>(&shared, scope, &ending, beneath) {
            None => Next::Ends(end),
            Some(again) => Next::GoesOn(Box::pin(rest(kept, shared, about, scope, end, again))),
        }
    }
}

/// What becomes of a call after its first attempt.
enum Next<T> {
    Ends(T),
    GoesOn(Rest<T>),
}

#[expect(clippy::expect_used, reason = "a future that is polled after its end may panic")]
impl<Req, S, P, B> Future for RetriedFuture<S::Future, End<Req, S>, CallOf<Req, S, P, B>>
where
    S: Service<Req> + Send + 'static,
    S::Response: Send,
    S::Error: CallError + Send,
    S::Future: Send,
    Req: Send + 'static,
    P: Protocol<Req, S::Response, S::Error> + Discard<S::Response> + Send + Sync + 'static,
    P::About: Send,
    B: Budgets<Req> + Send + Sync + 'static,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProj::First { future, call } => {
                    let scope = call.as_ref().expect("polled after it was ready").scope;
                    let (polled, beneath) = scope::attempt(|| scope.around(|| future.poll(cx)));
                    let Poll::Ready(end) = polled else {
                        if beneath.is_queued {
                            scope::is_queued();
                        }
                        return Poll::Pending;
                    };
                    let call = call.take().expect("polled after it was ready");
                    match call.goes_on(end, beneath) {
                        Next::Ends(end) => return Poll::Ready(end),
                        Next::GoesOn(rest) => state.set(State::Rest { rest }),
                    }
                }
                StateProj::Rest { rest } => return rest.as_mut().poll(cx),
            }
        }
    }
}

impl<F, T, C> fmt::Debug for RetriedFuture<F, T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.state {
            State::First { .. } => "RetriedFuture(first attempt)",
            State::Rest { .. } => "RetriedFuture(further attempts)",
        })
    }
}

impl<Req, S, P, B, A: fmt::Debug, C> fmt::Debug for Call<Req, S, P, B, A, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("about", &self.about).finish_non_exhaustive()
    }
}
