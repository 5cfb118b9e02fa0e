//! Tells the server how long it may take.

use std::task::{Context, Poll};
use std::time::Duration;

use ::http::{HeaderMap, HeaderName, HeaderValue};
use mainstay_policy::deadline;
use tower_layer::Layer;
use tower_service::Service;

use crate::clock;
use crate::http::RequestView;
use crate::http::grpc::{TIMEOUT, Timeout};
use crate::scope::Scope;

/// Tells the server what is left of the call's time, so that it need not work for nobody.
///
/// It stands at the bottom, where each attempt is sent, and says what is left *then*; what it says
/// is rounded down, and at least one unit. Without a [`DeadlineLayer`](super::DeadlineLayer) further
/// out, in the same task, it says nothing. Where the request already says something shorter, that
/// stays, and so does what cannot be read. A value costs an allocation.
///
/// ```
/// use mainstay::deadline::{DeadlineHeaderLayer, DeadlineLayer};
/// use std::time::Duration;
/// use tower::ServiceBuilder;
///
/// let stack = ServiceBuilder::new()
///     .layer(DeadlineLayer::new(Duration::from_secs(20)))
///     // Retry, guards and the attempt timeout stand here.
///     .layer(DeadlineHeaderLayer::grpc());
/// # let _ = stack;
/// ```
#[derive(Clone, Debug)]
pub struct DeadlineHeaderLayer {
    name: HeaderName,
    unit: Unit,
}

#[derive(Clone, Copy, Debug)]
enum Unit {
    Grpc,
    Whole(Duration),
}

impl DeadlineHeaderLayer {
    /// `grpc-timeout`, as gRPC writes it.
    #[must_use]
    pub const fn grpc() -> Self {
        Self { name: TIMEOUT, unit: Unit::Grpc }
    }

    /// Whole milliseconds, in a field of this name.
    #[must_use]
    pub const fn millis(name: HeaderName) -> Self {
        Self { name, unit: Unit::Whole(Duration::from_millis(1)) }
    }

    /// Whole seconds, in a field of this name.
    #[must_use]
    pub const fn seconds(name: HeaderName) -> Self {
        Self { name, unit: Unit::Whole(Duration::from_secs(1)) }
    }

    /// The field that it writes.
    #[must_use]
    pub const fn name(&self) -> &HeaderName {
        &self.name
    }

    fn write(&self, headers: &mut HeaderMap) {
        let until = Scope::current().until;
        if until == mainstay_policy::Moment::MAX {
            return;
        }
        let left = deadline::left(until, clock::now()).unwrap_or_default();
        let mut before = None;
        for said in headers.get_all(&self.name) {
            match self.unit.read(said) {
                Some(said) => before = Some(before.map_or(said, |before| said.min(before))),
                None => return, // nobody here knows whether it is shorter
            }
        }
        if let Some(value) = self.unit.value(left, before) {
            headers.insert(self.name.clone(), value);
        }
    }
}

impl Unit {
    fn read(self, value: &HeaderValue) -> Option<Duration> {
        let text = value.to_str().ok()?;
        match self {
            Self::Grpc => text.parse::<Timeout>().ok().map(|timeout| timeout.duration()),
            Self::Whole(unit) => {
                let nanos = unit.as_nanos().saturating_mul(text.trim().parse::<u64>().ok()?.into());
                Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
            }
        }
    }

    fn value(self, left: Duration, before: Option<Duration>) -> Option<HeaderValue> {
        match self {
            Self::Grpc => {
                let nanos = deadline::told(left, Duration::from_nanos(1), before)?;
                Timeout::of(Duration::from_nanos(nanos)).to_value()
            }
            Self::Whole(unit) => deadline::told(left, unit, before).map(HeaderValue::from),
        }
    }
}

impl<S> Layer<S> for DeadlineHeaderLayer {
    type Service = DeadlineHeader<S>;

    fn layer(&self, inner: S) -> DeadlineHeader<S> {
        DeadlineHeader { inner, layer: self.clone() }
    }
}

/// A service that tells how long it may take; made by [`DeadlineHeaderLayer`].
#[derive(Clone, Debug)]
pub struct DeadlineHeader<S> {
    inner: S,
    layer: DeadlineHeaderLayer,
}

impl<S> DeadlineHeader<S> {
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

impl<S, Req> Service<Req> for DeadlineHeader<S>
where
    S: Service<Req>,
    Req: RequestView,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Req) -> S::Future {
        self.layer.write(request.headers_mut());
        self.inner.call(request)
    }
}
