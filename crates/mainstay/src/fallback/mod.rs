//! Something else to answer when a call has failed.
//!
//! ```
//! use http::{Request, Response, StatusCode};
//! use mainstay::LiftLayer;
//! use mainstay::fallback::{FallbackLayer, value};
//! use std::convert::Infallible;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let down = service_fn(|_: Request<()>| async {
//!     let mut answer = Response::new("no rates today");
//!     *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
//!     Ok::<_, Infallible>(answer)
//! });
//! let service = ServiceBuilder::new()
//!     .layer(FallbackLayer::new(value(Response::new("the rates of yesterday"))))
//!     .layer(LiftLayer::new())
//!     .service(down);
//!
//! let answer = service.oneshot(Request::new(())).await?;
//! assert_eq!(answer.into_body(), "the rates of yesterday");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What is answered is a [`value`], what a [`function`] makes of the failure, or of the failure and
//! [what was kept](with) of the request, or the answer of another [`service`]; or an [`Instead`] of
//! your own. When, [`FallbackOn`] says.
//!
//! # What is shared
//!
//! The value, the function or the service that is fallen back on: all services that one layer value
//! and its clones make use the same one.
//!
//! # What ends a call
//!
//! What is fallen back on: its answer or error is the call's, and there is no fallback after it. No
//! deadline further in bounds it; one further out does.

mod future;
mod instead;

use std::sync::Arc;
use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

use crate::http::Http;
use crate::protocol::Protocol;

use future::Call;

pub use future::FallbackFuture;
pub use instead::{
    Failed, Function, Instead, Other, OtherFuture, Value, With, function, service, value, with,
};
pub use mainstay_policy::fallback::FallbackOn;

#[derive(Debug)]
struct Shared<I, P> {
    instead: I,
    protocol: P,
}

/// Answers something else when a call has failed.
#[derive(Debug)]
pub struct FallbackLayer<I, P = Http> {
    shared: Arc<Shared<I, P>>,
    on: FallbackOn,
    name: Option<Arc<str>>,
}

impl<I> FallbackLayer<I> {
    /// Falls back on this, in HTTP.
    pub fn new(instead: I) -> Self {
        Self::of(instead, Http::new())
    }
}

impl<I, P> FallbackLayer<I, P> {
    /// Falls back on this, in another protocol or in HTTP with other rules.
    pub fn of(instead: I, protocol: P) -> Self {
        let shared = Arc::new(Shared { instead, protocol });
        Self { shared, on: FallbackOn::new(), name: None }
    }

    /// After which ends of a call.
    #[must_use]
    pub const fn on(mut self, on: FallbackOn) -> Self {
        self.on = on;
        self
    }

    /// A name that its events say.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }
}

impl<I, P> Clone for FallbackLayer<I, P> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), on: self.on, name: self.name.clone() }
    }
}

impl<S, I, P> Layer<S> for FallbackLayer<I, P> {
    type Service = Fallback<S, I, P>;

    fn layer(&self, inner: S) -> Self::Service {
        Fallback { inner, layer: self.clone() }
    }
}

/// A service with something to fall back on; made by [`FallbackLayer`].
#[derive(Debug)]
pub struct Fallback<S, I, P = Http> {
    inner: S,
    layer: FallbackLayer<I, P>,
}

impl<S, I, P> Fallback<S, I, P> {
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

impl<S: Clone, I, P> Clone for Fallback<S, I, P> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), layer: self.layer.clone() }
    }
}

impl<S, Req, I, P> Service<Req> for Fallback<S, I, P>
where
    S: Service<Req>,
    I: Instead<Req, S::Response, S::Error>,
    P: Protocol<Req, S::Response, S::Error>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = FallbackFuture<S::Future, Call<Req, I, P, I::Kept, P::About>, I::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        FallbackFuture::new(&mut self.inner, request, self.layer.clone())
    }
}

#[cfg(test)]
mod tests;
