//! A timeout for each attempt, up to the head of its answer, and one for bodies that fall silent.
//!
//! ```
//! use mainstay::timeout::TimeoutLayer;
//! use mainstay::{CallError, Error, LiftLayer, Reason};
//! use std::convert::Infallible;
//! use std::time::Duration;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
//! let hangs = service_fn(|_: &str| std::future::pending::<Result<(), Infallible>>());
//! let service = ServiceBuilder::new()
//!     .layer(TimeoutLayer::new(Duration::from_secs(5)))
//!     .layer(LiftLayer::new())
//!     .service(hangs);
//!
//! let error = service.oneshot("any request").await.unwrap_err();
//! assert_eq!(error.refused().map(|refused| refused.reason()), Some(Reason::TimedOut));
//! # Ok::<(), Error<Infallible>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is shared
//!
//! Nothing but the settings.
//!
//! # What ends a call
//!
//! The head of the answer, as with tower's own timeout. A body that stops in the middle is the
//! business of [`BodyIdleLayer`], which stands by itself or behind
//! [`body_idle`](TimeoutLayer::body_idle). Time begins with the call, and an answer that is there
//! when it is over is handed on.
//!
//! An attempt that timed out may have been processed, so only what may be asked twice is retried.
//!
//! # Beneath a deadline
//!
//! Where a [`DeadlineLayer`](crate::deadline::DeadlineLayer) that polls this ends the call
//! sooner, no second timer is made, and it is the deadline that refuses.

mod body;
mod future;

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use mainstay_policy::Moment;
use tower_layer::{Layer, Stack};
use tower_service::Service;

use crate::clock;
use crate::error::CallError;

pub use body::{BodyIdle, BodyIdleFuture, BodyIdleLayer, TimeoutBody};
pub use future::TimeoutFuture;
pub(crate) use future::timed_out;

/// Gives each attempt a time in which the head of its answer must be there.
#[derive(Clone, Debug)]
pub struct TimeoutLayer {
    limit: Duration,
    name: Option<Arc<str>>,
}

impl TimeoutLayer {
    /// So long for each attempt.
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

    /// When the time of an attempt is over that is sent now.
    #[inline]
    pub(crate) fn until(&self, now: Moment) -> Moment {
        now + self.limit
    }

    pub(crate) const fn limit(&self) -> Duration {
        self.limit
    }

    pub(crate) const fn name(&self) -> Option<&Arc<str>> {
        self.name.as_ref()
    }

    /// The same, and a body that stays silent for so long fails. The answers are those of
    /// [`BodyIdleLayer`]; where that is to [keep the error](BodyIdleLayer::keep_error), stack the two
    /// by hand.
    #[must_use]
    pub fn body_idle(self, limit: Duration) -> Stack<Self, BodyIdleLayer> {
        let idle = match &self.name {
            Some(name) => BodyIdleLayer::new(limit).named(Arc::clone(name)),
            None => BodyIdleLayer::new(limit),
        };
        Stack::new(self, idle)
    }
}

impl<S> Layer<S> for TimeoutLayer {
    type Service = Timeout<S>;

    fn layer(&self, inner: S) -> Timeout<S> {
        Timeout { inner, layer: self.clone() }
    }
}

/// A service whose attempts end in time; made by [`TimeoutLayer`].
#[derive(Clone, Debug)]
pub struct Timeout<S> {
    inner: S,
    layer: TimeoutLayer,
}

impl<S> Timeout<S> {
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

impl<S, Req> Service<Req> for Timeout<S>
where
    S: Service<Req>,
    S::Error: CallError,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = TimeoutFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let until = self.layer.until(clock::now());
        TimeoutFuture::new(self.inner.call(request), until, self.layer.name.clone())
    }
}

#[cfg(test)]
mod tests;
