//! What is held on to until the body of an answer has ended.

mod held;

pub use held::HeldBody;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::http::Response;
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::Guard;
use super::future::{Attempt, GuardedFuture};
use super::guarded::{GuardLayer, Guarded};
use crate::error::CallError;
use crate::http::Http;
use crate::protocol::{EndOfBody, Protocol};

/// Asks a guard before each attempt, and holds what it gave to the end of the answer's body; made
/// by [`GuardLayer::hold_bodies`].
///
/// The answer is a `Response<HeldBody<B>>`. Three allocations per answer whose body has not ended
/// with its head.
///
/// # What ends it
///
/// The end of the body, an error in it, its drop, or thirty seconds in which none of it was read
/// ([`idle`](HoldLayer::idle)): then what was held goes back although the body can still be read,
/// so that a caller who puts an answer aside does not keep everybody else from theirs.
#[derive(Debug)]
pub struct HoldLayer<G, P = Http> {
    inner: GuardLayer<G, P>,
    idle: Duration,
}

impl<G, P> HoldLayer<G, P> {
    pub(super) const fn new(inner: GuardLayer<G, P>) -> Self {
        Self { inner, idle: Duration::from_secs(30) }
    }

    /// After how long without a read what is held goes back; 30 s by default, because an answer
    /// that is read at all is read more often. Zero: with the head.
    #[must_use]
    pub const fn idle(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// The guard, to look at it or to change its limits.
    #[must_use]
    pub fn guard(&self) -> &G {
        self.inner.guard()
    }
}

impl<G, P> Clone for HoldLayer<G, P> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), idle: self.idle }
    }
}

impl<S, G, P> Layer<S> for HoldLayer<G, P> {
    type Service = Holding<S, G, P>;

    fn layer(&self, inner: S) -> Self::Service {
        Holding { inner: self.inner.layer(inner), idle: self.idle }
    }
}

/// A service whose attempts a guard is asked about, and whose bodies are held on to; made by
/// [`HoldLayer`].
#[derive(Debug)]
pub struct Holding<S, G, P = Http> {
    inner: Guarded<S, G, P>,
    idle: Duration,
}

impl<S, G, P> Holding<S, G, P> {
    /// The service beneath.
    pub const fn get_ref(&self) -> &S {
        self.inner.get_ref()
    }

    /// The service beneath.
    pub const fn get_mut(&mut self) -> &mut S {
        self.inner.get_mut()
    }

    /// The service beneath.
    pub fn into_inner(self) -> S {
        self.inner.into_inner()
    }
}

impl<S: Clone, G, P> Clone for Holding<S, G, P> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), idle: self.idle }
    }
}

impl<S, Req, B, G, P> Service<Req> for Holding<S, G, P>
where
    S: Service<Req, Response = Response<B>> + Clone + Send + 'static,
    S::Error: CallError,
    S::Future: Send,
    Req: Send + 'static,
    B: Body,
    G: Guard<Req> + Send + Sync + 'static,
    P: Protocol<Req, Response<B>, S::Error> + EndOfBody + Send + Sync + 'static,
    P::About: Send,
{
    type Response = Response<HeldBody<B>>;
    type Error = S::Error;
    type Future = HoldingFuture<S::Future, S::Error, Attempt<Req, G, P, P::About>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        HoldingFuture { inner: self.inner.call(request), idle: self.idle }
    }
}

pin_project! {
    /// The response future of [`Holding`].
    #[must_use = "futures do nothing unless polled"]
    pub struct HoldingFuture<F, E, A> {
        #[pin]
        inner: GuardedFuture<F, E, A>,
        idle: Duration,
    }
}

impl<Req, F, B, E, G, P> Future for HoldingFuture<F, E, Attempt<Req, G, P, P::About>>
where
    F: Future<Output = Result<Response<B>, E>>,
    E: CallError,
    Req: Send + 'static,
    B: Body,
    G: Guard<Req> + Send + Sync + 'static,
    P: Protocol<Req, Response<B>, E> + EndOfBody + Send + Sync + 'static,
{
    type Output = Result<Response<HeldBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let end = ready!(this.inner.as_mut().poll_end(cx));
        let Some(attempt) = this.inner.attempt() else {
            return Poll::Ready(end.map(|answer| answer.map(HeldBody::free)));
        };
        let head = attempt.ending(end.as_ref());
        Poll::Ready(match end {
            Ok(answer) if !answer.body().is_end_stream() => {
                let lease = attempt.live.settle_head(&head);
                Ok(answer.map(|body| HeldBody::held(body, lease, head, *this.idle)))
            }
            end => {
                attempt.live.settle(&head);
                end.map(|answer| answer.map(HeldBody::free))
            }
        })
    }
}

impl<F, E, A> fmt::Debug for HoldingFuture<F, E, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HoldingFuture").field(&self.inner).finish()
    }
}
