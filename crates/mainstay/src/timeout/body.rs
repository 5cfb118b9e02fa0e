//! Bodies that fall silent.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::http::Response;
use http_body::{Body, Frame, SizeHint};
use mainstay_policy::Moment;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::clock::{self, Timer};
use crate::error::{Error, Reason, Refused};
use crate::observe::{Event, tell};

/// Fails a body whose next piece does not come in time.
///
/// Time runs while somebody waits for the next piece, and begins anew with each: a reader who is
/// slow is not blamed on the server, and a body that trickles may take for ever.
///
/// # What is shared
///
/// Nothing but the settings.
#[derive(Clone, Debug)]
pub struct BodyIdleLayer {
    limit: Duration,
    name: Option<Arc<str>>,
}

impl BodyIdleLayer {
    /// So long for each piece of a body.
    #[must_use]
    pub const fn new(limit: Duration) -> Self {
        Self { limit, name: None }
    }

    /// A name that its refusals say.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }
}

impl<S> Layer<S> for BodyIdleLayer {
    type Service = BodyIdle<S>;

    fn layer(&self, inner: S) -> BodyIdle<S> {
        BodyIdle { inner, layer: self.clone() }
    }
}

/// A service whose answers have a [`TimeoutBody`]; made by [`BodyIdleLayer`].
#[derive(Clone, Debug)]
pub struct BodyIdle<S> {
    inner: S,
    layer: BodyIdleLayer,
}

impl<S> BodyIdle<S> {
    /// The service beneath.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service beneath.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The service beneath.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, Req, B> Service<Req> for BodyIdle<S>
where
    S: Service<Req, Response = Response<B>>,
{
    type Response = Response<TimeoutBody<B>>;
    type Error = S::Error;
    type Future = BodyIdleFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        BodyIdleFuture { inner: self.inner.call(request), layer: self.layer.clone() }
    }
}

pin_project! {
    /// The response future of [`BodyIdle`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct BodyIdleFuture<F> {
        #[pin]
        inner: F,
        layer: BodyIdleLayer,
    }
}

impl<F, B, E> Future for BodyIdleFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<TimeoutBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = ready!(this.inner.poll(cx))?;
        Poll::Ready(Ok(answer.map(|body| TimeoutBody::of(body, this.layer))))
    }
}

pin_project! {
    /// A body that fails when it stays silent for too long.
    ///
    /// Its error is [`Error::Refused`] then, with [`Reason::TimedOut`], and the body beneath is
    /// dropped at once, and its connection with it. Any other error is the body's own.
    #[derive(Debug)]
    pub struct TimeoutBody<B> {
        #[pin]
        inner: Option<B>,
        limit: Duration,
        // Set while somebody waits.
        until: Option<Moment>,
        name: Option<Arc<str>>,
        timer: Timer,
    }
}

impl<B> TimeoutBody<B> {
    /// This body, whose pieces may take so long each.
    pub fn new(body: B, limit: Duration) -> Self {
        Self::of(body, &BodyIdleLayer::new(limit))
    }

    fn of(body: B, layer: &BodyIdleLayer) -> Self {
        let (limit, name) = (layer.limit, layer.name.clone());
        Self { inner: Some(body), limit, until: None, name, timer: Timer::default() }
    }
}

impl<B: Body> Body for TimeoutBody<B> {
    type Data = B::Data;
    type Error = Error<B::Error>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, Self::Error>>> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        if let Poll::Ready(item) = inner.poll_frame(cx) {
            *this.until = None;
            return Poll::Ready(item.map(|frame| frame.map_err(Error::Inner)));
        }
        let limit = *this.limit;
        let until = *this.until.get_or_insert_with(|| clock::now() + limit);
        ready!(this.timer.poll(until, cx));
        this.inner.set(None);
        let refused = Refused::new("body timeout", Reason::TimedOut).named_if(this.name.as_ref());
        tell(Event::Refused(&refused));
        Poll::Ready(Some(Err(refused.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
