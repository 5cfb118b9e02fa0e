//! The layer that makes request bodies repeatable.

use std::task::{Context, Poll};

use ::http::Request;
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::limits::Limits;
use super::replay::ReplayBody;
use crate::BoxError;

pub(super) const BODY_LIMIT: usize = 64 * 1024;
const TOTAL_LIMIT: usize = 64 * 1024 * 1024;

/// Makes streaming request bodies repeatable, as [`ReplayBody`].
///
/// It stands outside of the retry layer, which then finds a body that it can copy. Bodies that
/// are in memory anyway do not need it; they can be copied behind it as before it, whatever their
/// size, and no limit counts them. A [`ReplayBody`] is handed on as it is.
///
/// | setting | default | why |
/// |---|---|---|
/// | [`limit`](ReplayLayer::limit) | 64 KiB | most requests of an API fit; an upload is sent once |
/// | [`total`](ReplayLayer::total) | 64 MiB | a thousand calls at once, each with a full record |
///
/// A body that would pass either is sent, but not kept, and so not repeated.
///
/// # What is shared
///
/// The total counts for all services that one layer value and its clones make. Settings made
/// after a service was made do not reach that service.
///
/// ```
/// use bytes::Bytes;
/// use http::Request;
/// use http_body_util::{BodyExt, Full};
/// use mainstay::http::body::{Copies, ReplayBody, ReplayLayer, copies};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), mainstay::BoxError> {
/// let service = ServiceBuilder::new()
///     .layer(ReplayLayer::new().limit(256 * 1024))
///     // The retry layer stands here.
///     .service(service_fn(async |request: Request<ReplayBody>| {
///         assert_eq!(copies(request.body()), Copies::Afterwards);
///         Ok::<_, mainstay::BoxError>("sent")
///     }));
///
/// let upload = Full::new(Bytes::from("any body, however it streams")).boxed();
/// assert_eq!(service.oneshot(Request::new(upload)).await?, "sent");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ReplayLayer {
    limits: Limits,
}

impl Default for ReplayLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl ReplayLayer {
    /// Keeps up to 64 KiB of each body, and 64 MiB in all.
    pub fn new() -> Self {
        Self { limits: Limits::new(BODY_LIMIT, TOTAL_LIMIT) }
    }

    /// The most bytes that are kept of one body.
    pub const fn limit(mut self, bytes: usize) -> Self {
        self.limits.per_body = bytes;
        self
    }

    /// The most bytes that are kept of all bodies together.
    pub const fn total(mut self, bytes: usize) -> Self {
        self.limits.total = bytes;
        self
    }

    /// The bytes that are kept right now, of all bodies together.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.limits.kept()
    }
}

impl<S> Layer<S> for ReplayLayer {
    type Service = Replay<S>;

    fn layer(&self, inner: S) -> Replay<S> {
        Replay { inner, limits: self.limits.clone() }
    }
}

/// A service whose requests can be repeated further in; made by [`ReplayLayer`].
#[derive(Clone, Debug)]
pub struct Replay<S> {
    inner: S,
    limits: Limits,
}

impl<S> Replay<S> {
    /// The service inside.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service inside, to change it.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Gives up this service for the one inside.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, B> Service<Request<B>> for Replay<S>
where
    S: Service<Request<ReplayBody>>,
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        self.inner.call(request.map(|body| ReplayBody::within(&self.limits, body)))
    }
}
