//! The layers in their order.

use std::time::Duration;

use mainstay::breaker::{BreakerState, CircuitBreaker, CircuitBreakerLayer};
use mainstay::concurrency::{Concurrency, ConcurrencyLayer};
use mainstay::cooldown::{CoolDown, CoolDownLayer};
use mainstay::deadline::DeadlineLayer;
use mainstay::hedge::{Hedge, HedgeLayer};
use mainstay::rate_limit::{RateLimit, RateLimitLayer};
use mainstay::retry::{Backoff, Retry, RetryLayer};
use mainstay::timeout::TimeoutLayer;
use tower::ServiceBuilder;
use tower::layer::util::{Identity, Stack};

/// Longer than any test takes.
pub(crate) const LONG: Duration = Duration::from_secs(600);

/// Three attempts, a few milliseconds apart.
pub(crate) fn retry() -> RetryLayer {
    let backoff = Backoff::constant(Duration::from_millis(5));
    RetryLayer::new(Retry::up_to(3).backoff(backoff)).unwrap()
}

/// Those that most stacks have.
#[derive(Clone, Debug)]
pub(crate) struct Layers {
    pub(crate) slots: ConcurrencyLayer,
    pub(crate) rate: RateLimitLayer,
    pub(crate) breaker: CircuitBreakerLayer,
    cool_down: CoolDownLayer,
    hedge: HedgeLayer,
    retry: RetryLayer,
}

type Outer = Stack<HedgeLayer, Stack<RetryLayer, Stack<DeadlineLayer, Identity>>>;
type Guards<L> = Stack<
    CircuitBreakerLayer,
    Stack<RateLimitLayer, Stack<CoolDownLayer, Stack<ConcurrencyLayer, L>>>,
>;
pub(crate) type All = ServiceBuilder<Stack<TimeoutLayer, Guards<Outer>>>;

impl Layers {
    pub(crate) fn new() -> Self {
        Self {
            slots: ConcurrencyLayer::new(Concurrency::limit(2)).unwrap(),
            rate: RateLimitLayer::new(RateLimit::per_second(1_000).burst(100)).unwrap(),
            breaker: CircuitBreakerLayer::new(CircuitBreaker::new()).unwrap(),
            cool_down: CoolDownLayer::new(CoolDown::new()).unwrap(),
            hedge: HedgeLayer::new(Hedge::after(LONG)).unwrap(),
            retry: retry(),
        }
    }

    /// Sends again what this protocol lets be sent again.
    pub(crate) fn stack(&self) -> All {
        ServiceBuilder::new()
            .layer(DeadlineLayer::new(LONG))
            .layer(self.retry.clone())
            .layer(self.hedge.clone())
            .layer(self.slots.clone())
            .layer(self.cool_down.clone())
            .layer(self.rate.clone())
            .layer(self.breaker.clone())
            .layer(TimeoutLayer::new(LONG))
    }

    #[track_caller]
    pub(crate) fn assert_at_rest(&self) {
        assert_eq!(self.slots.handle().snapshot().in_use, 0);
        assert_eq!(self.rate.handle().waiting(), 0);
        assert_eq!(self.breaker.handle().state(), BreakerState::Closed);
    }
}
