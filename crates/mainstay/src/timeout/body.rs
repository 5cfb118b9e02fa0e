//! Bodies that fall silent.

use std::future::Future;
use std::marker::PhantomData;
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
use crate::error::{Carry, Lifted, Reason, Refused, Unchanged};
use crate::observe::{Event, tell};
use crate::scope::run_out;

/// Fails a body whose next piece does not come in time.
///
/// Time runs while somebody waits for the next piece, and begins anew with each: a reader who is
/// slow is not blamed on the server, and a body that trickles may take for ever.
///
/// The body's error `E` becomes [`Error<E>`](crate::Error), which carries the timeout; one that can
/// carry it already, as `BoxError` can, [stays what it is](BodyIdleLayer::keep_error) on demand.
///
/// # What is shared
///
/// Nothing but the settings.
#[derive(Clone, Debug)]
pub struct BodyIdleLayer<C = Lifted> {
    limit: Duration,
    name: Option<Arc<str>>,
    carries: PhantomData<fn() -> C>,
}

impl BodyIdleLayer {
    /// So long for each piece of a body.
    #[must_use]
    pub const fn new(limit: Duration) -> Self {
        Self { limit, name: None, carries: PhantomData }
    }

    /// Leaves the type of the body's error as it is; it must be a [`CallError`](crate::CallError).
    #[must_use]
    pub fn keep_error(self) -> BodyIdleLayer<Unchanged> {
        BodyIdleLayer { limit: self.limit, name: self.name, carries: PhantomData }
    }
}

impl<C> BodyIdleLayer<C> {
    /// A name that its refusals say.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }
}

impl<S, C: Clone> Layer<S> for BodyIdleLayer<C> {
    type Service = BodyIdle<S, C>;

    fn layer(&self, inner: S) -> BodyIdle<S, C> {
        BodyIdle { inner, layer: self.clone() }
    }
}

/// A service whose answers have a [`TimeoutBody`]; made by [`BodyIdleLayer`].
#[derive(Clone, Debug)]
pub struct BodyIdle<S, C = Lifted> {
    inner: S,
    layer: BodyIdleLayer<C>,
}

impl<S, C> BodyIdle<S, C> {
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

impl<S, Req, B, C> Service<Req> for BodyIdle<S, C>
where
    S: Service<Req, Response = Response<B>>,
    C: Clone,
{
    type Response = Response<TimeoutBody<B, C>>;
    type Error = S::Error;
    type Future = BodyIdleFuture<S::Future, C>;

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
    pub struct BodyIdleFuture<F, C = Lifted> {
        #[pin]
        inner: F,
        layer: BodyIdleLayer<C>,
    }
}

impl<F, B, E, C> Future for BodyIdleFuture<F, C>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<TimeoutBody<B, C>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = ready!(this.inner.poll(cx))?;
        Poll::Ready(Ok(answer.map(|body| TimeoutBody::of(body, this.layer))))
    }
}

pin_project! {
    /// A body that fails when it stays silent for too long.
    ///
    /// Its error is a refusal then, with [`Reason::TimedOut`], and the body beneath is dropped at
    /// once, and its connection with it. Any other error is the body's own.
    #[derive(Debug)]
    pub struct TimeoutBody<B, C = Lifted> {
        #[pin]
        inner: Option<B>,
        limit: Duration,
        // Set while somebody waits.
        until: Option<Moment>,
        name: Option<Arc<str>>,
        timer: Timer,
        carries: PhantomData<fn() -> C>,
    }
}

impl<B> TimeoutBody<B> {
    /// This body, whose pieces may take so long each.
    pub fn new(body: B, limit: Duration) -> Self {
        Self::of(body, &BodyIdleLayer::new(limit))
    }
}

impl<B, C> TimeoutBody<B, C> {
    /// The same with an error of this kind.
    pub(crate) fn carrying(body: B, limit: Duration, name: Option<Arc<str>>) -> Self {
        let (timer, carries) = (Timer::default(), PhantomData);
        Self { inner: Some(body), limit, until: None, name, timer, carries }
    }

    fn of(body: B, layer: &BodyIdleLayer<C>) -> Self {
        let (limit, name, carries) = (layer.limit, layer.name.clone(), PhantomData);
        Self { inner: Some(body), limit, until: None, name, timer: Timer::default(), carries }
    }
}

impl<B: Body, C: Carry<B::Error>> Body for TimeoutBody<B, C> {
    type Data = B::Data;
    type Error = C::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, Self::Error>>> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        if let Poll::Ready(item) = inner.poll_frame(cx) {
            *this.until = None;
            return Poll::Ready(item.map(|frame| frame.map_err(C::inner)));
        }
        let limit = *this.limit;
        if limit == Duration::MAX {
            return Poll::Pending; // no timer for what never ends
        }
        let until = *this.until.get_or_insert_with(|| clock::now() + limit);
        ready!(this.timer.poll(until, cx));
        run_out(|| this.inner.set(None));
        let refused = Refused::new("body timeout", Reason::TimedOut).named_if(this.name.as_ref());
        tell(Event::Refused(&refused));
        Poll::Ready(Some(Err(C::refused(refused))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
