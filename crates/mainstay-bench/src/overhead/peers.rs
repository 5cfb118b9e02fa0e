//! The pieces of others, before the same services.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use failsafe::futures::{CircuitBreaker, ResponseFuture};
use failsafe::{Any, Config};
use futures_util::future::{Ready, ready};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, Service, ServiceBuilder};
use tower_resilience::bulkhead::BulkheadLayer;
use tower_resilience::circuitbreaker::CircuitBreakerLayer;
use tower_resilience::ratelimiter::RateLimiterLayer;
use tower_resilience::retry::RetryLayer;
use tower_resilience::timelimiter::TimeLimiterLayer;

use super::http::{ATTEMPT, BareHttp, DEADLINE};
use super::services::Bare;

/// More than is ever asked for.
const ENOUGH: u32 = 1_000_000_000;

#[expect(clippy::unwrap_used, reason = "the settings are written here")]
fn slots() -> BulkheadLayer {
    BulkheadLayer::builder().max_concurrent_calls(64).build().unwrap()
}

#[expect(clippy::unwrap_used, reason = "the settings are written here")]
fn rate() -> RateLimiterLayer {
    RateLimiterLayer::builder().limit_for_period(ENOUGH as usize).build().unwrap()
}

#[expect(clippy::unwrap_used, reason = "the settings are written here")]
fn breaker() -> CircuitBreakerLayer {
    CircuitBreakerLayer::builder().build().unwrap()
}

pub(crate) fn tr_slots() -> impl Service<u64, Response = u64> + Clone + Send {
    slots().layer(Bare)
}

pub(crate) fn tr_rate() -> impl Service<u64, Response = u64> + Clone + Send {
    rate().layer(Bare)
}

pub(crate) fn tr_breaker() -> impl Service<u64, Response = u64> + Clone + Send {
    breaker().layer(Bare)
}

pub(crate) fn tr_three() -> impl Service<u64, Response = u64> + Clone + Send {
    ServiceBuilder::new().layer(slots()).layer(rate()).layer(breaker()).service(Bare)
}

/// Six layers of tower-resilience: slots, the whole call's time, a retry, a rate, a breaker, an
/// attempt's time.
pub(crate) fn six_layers<S, Req>(
    service: S,
) -> impl Service<Req, Response = S::Response, Error: std::fmt::Display> + Clone + Send
where
    S: Service<Req, Future: Send, Response: Send, Error: Clone + std::error::Error + Send + Sync>
        + Clone
        + Send
        + Sync
        + 'static,
    Req: Clone + Send + 'static,
{
    let retry =
        RetryLayer::builder().max_attempts(3).exponential_backoff(Duration::from_millis(100));
    ServiceBuilder::new()
        .layer(slots())
        .layer(TimeLimiterLayer::builder().timeout_duration(DEADLINE).build())
        .layer(retry.build())
        .layer(rate())
        .layer(breaker())
        .layer(TimeLimiterLayer::builder().timeout_duration(ATTEMPT).build())
        .service(service)
}

pub(crate) fn tr6<B>() -> impl Service<Request<B>, Response = Response<Full<Bytes>>> + Clone + Send
where
    B: Clone + Send + 'static,
{
    six_layers(BareHttp)
}

/// failsafe's breaker around a call that ends at once.
#[derive(Clone, Debug)]
pub(crate) struct Failsafe<B>(B);

pub(crate) fn failsafe() -> Failsafe<impl CircuitBreaker + Clone + Send> {
    Failsafe(Config::new().build())
}

impl<B: CircuitBreaker> Service<u64> for Failsafe<B> {
    type Response = u64;
    type Error = failsafe::Error<Infallible>;
    type Future =
        ResponseFuture<Ready<Result<u64, Infallible>>, B::FailurePolicy, B::Instrument, Any>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u64) -> Self::Future {
        self.0.call(ready(Ok(std::hint::black_box(request))))
    }
}

/// governor's limiter, asked before each call.
#[derive(Clone, Debug)]
pub(crate) struct Governed(Arc<DefaultDirectRateLimiter>);

pub(crate) fn governed() -> Governed {
    let each = std::num::NonZeroU32::MIN.saturating_add(ENOUGH - 1);
    Governed(Arc::new(RateLimiter::direct(Quota::per_second(each))))
}

impl Service<u64> for Governed {
    type Response = u64;
    type Error = ();
    type Future = Ready<Result<u64, ()>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u64) -> Self::Future {
        ready(self.0.check().map(|()| std::hint::black_box(request)).map_err(drop))
    }
}

/// One number that every call counts up: the least that calls on a shared stack can have in common.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counted(Arc<AtomicU64>);

impl Service<u64> for Counted {
    type Response = u64;
    type Error = Infallible;
    type Future = Ready<Result<u64, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u64) -> Self::Future {
        ready(Ok(request + self.0.fetch_add(1, Ordering::AcqRel) % 2))
    }
}
