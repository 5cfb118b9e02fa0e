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
use crate::protocol::{EndOfBody, Ending, Protocol};

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
        let this = self.project();
        let (answer, holder) = ready!(this.inner.poll_head(cx, *this.idle))?;
        Poll::Ready(Ok(answer.map(|body| holder.hold(body))))
    }
}

/// What is held for an answer whose body has not been looked at yet.
pub(crate) struct Holder<'a, Req, G: Guard<Req>, P, A> {
    attempt: &'a mut Attempt<Req, G, P, A>,
    /// What the head said.
    head: Ending,
    idle: Duration,
}

/// An answer and what is held for it, or an error.
type Head<'a, Res, E, Req, G, P, A> = Result<(Res, Holder<'a, Req, G, P, A>), E>;

impl<Req, F, Res, E, G, P, A> GuardedFuture<F, E, Attempt<Req, G, P, A>>
where
    F: Future<Output = Result<Res, E>>,
    E: CallError,
    G: Guard<Req>,
    P: Protocol<Req, Res, E, About = A>,
{
    /// Polls on to the head of an answer, of which nothing is settled; an error is.
    pub(crate) fn poll_head<'a>(
        self: Pin<&'a mut Self>,
        cx: &mut Context<'_>,
        idle: Duration,
    ) -> Poll<Head<'a, Res, E, Req, G, P, A>> {
        let (future, attempt) = match ready!(self.poll_running(cx)) {
            Ok(running) => running,
            Err(error) => return Poll::Ready(Err(error)),
        };
        let end = ready!(attempt.poll(future, cx));
        let head = attempt.ending(end.as_ref());
        Poll::Ready(match end {
            Ok(answer) => Ok((answer, Holder { attempt, head, idle })),
            Err(error) => {
                attempt.live.settle(&head);
                Err(error)
            }
        })
    }
}

impl<Req, G, P, A> Holder<'_, Req, G, P, A>
where
    Req: 'static,
    G: Guard<Req> + Send + Sync + 'static,
    P: EndOfBody + Send + Sync + 'static,
{
    /// Puts what is held into the body, or settles it if that has ended with its head.
    pub(crate) fn hold<B: Body>(self, body: B) -> HeldBody<B> {
        let Self { attempt, head, idle } = self;
        if body.is_end_stream() {
            attempt.live.settle(&head);
            return HeldBody::free(body);
        }
        let lease = attempt.live.settle_head(&head);
        HeldBody::held(body, lease, head, idle)
    }
}

impl<F, E, A> fmt::Debug for HoldingFuture<F, E, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HoldingFuture").field(&self.inner).finish()
    }
}
