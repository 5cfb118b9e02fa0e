//! A call, and what is answered when it has failed.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use mainstay_policy::fallback::may_be_sent_again;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{Failed, FallbackLayer, Instead, Shared};
use crate::observe::{Event, tell};
use crate::protocol::Protocol;

pin_project! {
    /// The response future of [`Fallback`](super::Fallback).
    #[must_use = "futures do nothing unless polled"]
    pub struct FallbackFuture<F, C, I> {
        #[pin]
        state: State<F, C, I>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, C, I> {
        Running { #[pin] inner: F, call: Option<C> },
        Instead { #[pin] instead: I },
    }
}

/// What is known of a call that is on its way.
#[derive(Debug)]
pub struct Call<Req, I, P, Kept, About> {
    layer: FallbackLayer<I, P>,
    kept: Kept,
    about: About,
    of: PhantomData<fn(Req)>,
}

impl<Req, F, Res, E, I, P> FallbackFuture<F, Call<Req, I, P, I::Kept, P::About>, I::Future>
where
    F: Future<Output = Result<Res, E>>,
    I: Instead<Req, Res, E>,
    P: Protocol<Req, Res, E>,
{
    pub(super) fn new<S>(service: &mut S, request: Req, layer: FallbackLayer<I, P>) -> Self
    where
        S: Service<Req, Response = Res, Error = E, Future = F>,
    {
        let kept = layer.shared.instead.keep(&request, &layer.shared.protocol);
        let about = layer.shared.protocol.about(&request);
        let inner = service.call(request);
        Self {
            state: State::Running {
                inner,
                call: Some(Call { layer, kept, about, of: PhantomData }),
            },
        }
    }
}

#[expect(clippy::expect_used, reason = "a future that is polled after its end may panic")]
impl<Req, F, Res, E, I, P> Future
    for FallbackFuture<F, Call<Req, I, P, I::Kept, P::About>, I::Future>
where
    F: Future<Output = Result<Res, E>>,
    I: Instead<Req, Res, E>,
    P: Protocol<Req, Res, E>,
{
    type Output = Result<Res, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProj::Running { inner, call } => {
                    let end = ready!(inner.poll(cx));
                    let Call { layer, kept, about, .. } =
                        call.take().expect("polled after it was ready");
                    let ending = layer.shared.protocol.end(&about, end.as_ref());
                    let outcome = ending.outcome();
                    if !layer.on.serves(outcome) {
                        return Poll::Ready(end);
                    }
                    let Shared { instead, protocol } = &*layer.shared;
                    let twice = protocol.may_send_twice(&about);
                    let failed = Failed {
                        may_be_sent_again: may_be_sent_again(outcome, ending.repeat(), twice),
                        end,
                        ending,
                    };
                    if !instead.serves(&kept, &failed, protocol) {
                        return Poll::Ready(failed.end);
                    }
                    tell(Event::FellBack { name: layer.name.as_deref(), outcome });
                    let instead = instead.instead(kept, failed);
                    state.set(State::Instead { instead });
                }
                StateProj::Instead { instead } => return instead.poll(cx),
            }
        }
    }
}

impl<F, C, I> fmt::Debug for FallbackFuture<F, C, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.state {
            State::Running { .. } => "FallbackFuture(running)",
            State::Instead { .. } => "FallbackFuture(instead)",
        })
    }
}
