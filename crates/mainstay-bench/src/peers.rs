//! The layers of tower-resilience, over the same requests.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Service, ServiceBuilder};
use tower_resilience::bulkhead::BulkheadLayer;
use tower_resilience::circuitbreaker::CircuitBreakerLayer;
use tower_resilience::ratelimiter::RateLimiterLayer;
use tower_resilience::retry::RetryLayer;
use tower_resilience::timelimiter::TimeLimiterLayer;

use crate::http::{ATTEMPT, BareHttp, DEADLINE};

/// Six of its layers: slots, the whole call's time, a retry, a rate, a breaker, an attempt's time.
#[expect(clippy::unwrap_used, reason = "the settings are written here")]
pub(crate) fn tr6<B>() -> impl Service<Request<B>, Response = Response<Full<Bytes>>> + Clone + Send
where
    B: Clone + Send + 'static,
{
    let never = 1_000_000_000;
    ServiceBuilder::new()
        .layer(BulkheadLayer::builder().max_concurrent_calls(64).build().unwrap())
        .layer(TimeLimiterLayer::builder().timeout_duration(DEADLINE).build())
        .layer(
            RetryLayer::builder()
                .max_attempts(3)
                .exponential_backoff(Duration::from_millis(100))
                .build(),
        )
        .layer(RateLimiterLayer::builder().limit_for_period(never).build().unwrap())
        .layer(CircuitBreakerLayer::builder().build().unwrap())
        .layer(TimeLimiterLayer::builder().timeout_duration(ATTEMPT).build())
        .service(BareHttp)
}
