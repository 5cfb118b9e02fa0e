//! What is held on to until the body of an answer has ended.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use ::http::{HeaderMap, Response};
use http_body::{Body, Frame, SizeHint};
use mainstay_policy::Outcome;
use pin_project_lite::pin_project;
use tokio::task::unconstrained;
use tokio::time::Sleep;
use tower_layer::Layer;
use tower_service::Service;

use super::Guard;
use super::future::GuardedFuture;
use super::guarded::{GuardLayer, Guarded};
use super::live::Lease;
use crate::clock;
use crate::error::CallError;
use crate::http::Http;
use crate::protocol::{EndOfBody, Ending, Protocol};

/// Asks a guard before each attempt, and holds what it gave to the end of the answer's body; made
/// by [`GuardLayer::hold_bodies`].
///
/// The answer is a `Response<HeldBody<B>>`. Two allocations per answer whose body has not ended
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
    /// that is read at all is read more often.
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
    type Future = HoldingFuture<Req, S, G, P>;

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
    pub struct HoldingFuture<Req, S, G, P>
    where
        S: Service<Req>,
        G: Guard<Req>,
        P: Protocol<Req, S::Response, S::Error>,
    {
        #[pin]
        inner: GuardedFuture<Req, S, G, P>,
        idle: Duration,
    }
}

impl<Req, S, B, G, P> Future for HoldingFuture<Req, S, G, P>
where
    S: Service<Req, Response = Response<B>>,
    S::Error: CallError,
    Req: Send + 'static,
    B: Body,
    G: Guard<Req> + Send + Sync + 'static,
    P: Protocol<Req, Response<B>, S::Error> + EndOfBody + Send + Sync + 'static,
{
    type Output = Result<Response<HeldBody<B>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let idle = *this.idle;
        this.inner.poll_end(cx, |end, attempt| {
            let Some(attempt) = attempt else {
                return end.map(|answer| answer.map(HeldBody::free));
            };
            let head = attempt.ending(end.as_ref());
            match end {
                Ok(answer) if !answer.body().is_end_stream() => {
                    let lease = attempt.live.settle_head(&head);
                    Ok(answer.map(|body| HeldBody::held(body, lease, head, idle)))
                }
                end => {
                    attempt.live.settle(&head);
                    end.map(|answer| answer.map(HeldBody::free))
                }
            }
        })
    }
}

impl<Req, S, G, P> fmt::Debug for HoldingFuture<Req, S, G, P>
where
    S: Service<Req>,
    G: Guard<Req>,
    P: Protocol<Req, S::Response, S::Error>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HoldingFuture").field(&self.inner).finish()
    }
}

pin_project! {
    /// The body of an answer that guards still hold something for; made by [`HoldLayer`].
    pub struct HeldBody<B> {
        #[pin]
        body: B,
        hold: Option<Hold>,
    }
}

/// What is held, and the timer that gives it back where nobody reads.
struct Hold {
    timer: Pin<Box<Sleep>>,
    idle: Duration,
    leash: Arc<dyn Leash>,
    waker: Waker,
}

/// What is held until a body ends, whatever it is.
trait Leash: Send + Sync {
    /// The body is waited for, and not its reader.
    fn server_is_slow(&self, is_slow: bool);
    /// It ended, or broke.
    fn end(&self, end: Result<Option<&HeaderMap>, ()>);
    /// It was dropped before its end.
    fn abandon(&self);
}

/// A [`Lease`] that is shared by a body and its timer.
struct Shared<Req, G: Guard<Req>, P> {
    lease: Mutex<Option<Lease<Req, G, P>>>,
    head: Ending,
    server_is_slow: AtomicBool,
    request: PhantomData<fn(Req)>,
}

impl<Req, G: Guard<Req>, P> Shared<Req, G, P> {
    fn take(&self) -> Option<Lease<Req, G, P>> {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<Req, G, P> Leash for Shared<Req, G, P>
where
    G: Guard<Req> + Send + Sync,
    P: EndOfBody + Send + Sync,
{
    fn server_is_slow(&self, is_slow: bool) {
        self.server_is_slow.store(is_slow, Ordering::Relaxed);
    }

    fn end(&self, end: Result<Option<&HeaderMap>, ()>) {
        if let Some(mut lease) = self.take() {
            let ending = match end {
                Ok(trailers) => lease.protocol().end_of_body(&self.head, trailers),
                Err(()) => Ending::new(Outcome::Transient),
            };
            lease.let_go(&ending);
        }
    }

    fn abandon(&self) {
        drop(self.take());
    }
}

/// The timer is not the task's but this: it gives back what is held even where nobody polls.
impl<Req, G, P> Wake for Shared<Req, G, P>
where
    G: Guard<Req> + Send + Sync + 'static,
    P: EndOfBody + Send + Sync + 'static,
    Req: 'static,
{
    fn wake(self: Arc<Self>) {
        if let Some(mut lease) = self.take() {
            // A server that says nothing for so long has failed; a reader that reads nothing has
            // left, and says nothing of the server.
            let outcome = match self.server_is_slow.load(Ordering::Relaxed) {
                true => Outcome::Transient,
                false => Outcome::Abandoned,
            };
            lease.let_go(&Ending::new(outcome));
        }
    }
}

impl<B: Body> HeldBody<B> {
    /// Nothing is held for it.
    const fn free(body: B) -> Self {
        Self { body, hold: None }
    }

    fn held<Req, G, P>(
        body: B,
        lease: Option<Lease<Req, G, P>>,
        head: Ending,
        idle: Duration,
    ) -> Self
    where
        Req: 'static,
        G: Guard<Req> + Send + Sync + 'static,
        P: EndOfBody + Send + Sync + 'static,
    {
        let shared = Arc::new(Shared {
            lease: Mutex::new(lease),
            head,
            server_is_slow: AtomicBool::new(false),
            request: PhantomData,
        });
        let waker = Waker::from(Arc::clone(&shared));
        let timer = Box::pin(clock::sleep(idle));
        let mut hold = Hold { timer, idle, leash: shared, waker };
        hold.watch();
        Self { body, hold: Some(hold) }
    }

    /// The body beneath.
    pub const fn get_ref(&self) -> &B {
        &self.body
    }

    /// The body beneath.
    pub const fn get_mut(&mut self) -> &mut B {
        &mut self.body
    }
}

impl Hold {
    /// Sets the timer going, whose end wakes the leash and nobody else.
    fn watch(&mut self) {
        // A task whose budget is spent would wake it at once.
        let timer = pin!(unconstrained(self.timer.as_mut()));
        let _ = timer.poll(&mut Context::from_waker(&self.waker));
    }

    /// Something was read: the time begins anew.
    fn touch(&mut self) {
        self.timer.as_mut().reset(clock::after(self.idle));
        self.watch();
    }
}

impl<B: Body> Body for HeldBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let polled = this.body.as_mut().poll_frame(cx);
        let Some(hold) = this.hold.as_mut() else { return polled };
        hold.leash.server_is_slow(polled.is_pending());
        match &polled {
            Poll::Pending => return polled,
            Poll::Ready(None) => hold.leash.end(Ok(None)),
            Poll::Ready(Some(Err(_))) => hold.leash.end(Err(())),
            Poll::Ready(Some(Ok(frame))) => match frame.trailers_ref() {
                Some(trailers) => hold.leash.end(Ok(Some(trailers))),
                None if this.body.is_end_stream() => hold.leash.end(Ok(None)),
                None => {
                    hold.touch();
                    return polled;
                }
            },
        }
        *this.hold = None;
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body was dropped; where it had come to its end, that was told before.
impl Drop for Hold {
    fn drop(&mut self) {
        self.leash.abandon();
    }
}

impl<B: fmt::Debug> fmt::Debug for HeldBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_held = self.hold.is_some();
        f.debug_struct("HeldBody").field("body", &self.body).field("is_held", &is_held).finish()
    }
}
