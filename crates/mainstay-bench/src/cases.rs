//! What is measured.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use mainstay::adaptive::{AdaptiveGuard, AdaptiveLimit, Aimd};
use mainstay::breaker::{BreakerGuard, CircuitBreaker};
use mainstay::budget::{Budget, RetryBudget};
use mainstay::concurrency::{Concurrency, ConcurrencyGuard};
use mainstay::deadline::DeadlineLayer;
use mainstay::guard::{Guard, GuardLayer, Guarded};
use mainstay::observe::ObserveLayer;
use mainstay::policy::SettingsError;
use mainstay::rate_limit::{RateLimit, RateLimitGuard};
use mainstay::retry::{Retried, Retry, RetryLayer};
use mainstay::throttle::{Throttle, ThrottleGuard};
use mainstay::timeout::TimeoutLayer;
use tower::limit::{ConcurrencyLimit, RateLimit as TowerRateLimit};
use tower::retry::Retry as TowerRetry;
use tower::timeout::Timeout as TowerTimeout;
use tower::{Layer, Service};

use crate::calls::{calls, rate};
use crate::http::{BareHttp, Stream, gets, posts, standard, tower4};
#[cfg(feature = "peers")]
use crate::peers::tr6;
use crate::services::{Bare, Plain, TowerPolicy};

/// Something to be measured.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// What it may cost; nothing is said of what is not ours.
    pub(crate) bar: Option<Bar>,
    /// Makes so many calls, one after the other.
    pub(crate) run: fn(u64) -> u64,
    /// The size of a call's future.
    pub(crate) size: fn() -> usize,
    /// Calls in a second that so many threads make through one stack.
    pub(crate) rate: Option<fn(usize) -> f64>,
}

/// What a call may cost.
pub(crate) struct Bar {
    /// Exactly.
    pub(crate) allocations: u64,
    /// About: compilers differ.
    pub(crate) instructions: Option<u32>,
}

/// One call's bar: so many instructions if that was said, and so many allocations.
const fn at_most(instructions: Option<u32>, allocations: u64) -> Option<Bar> {
    Some(Bar { allocations, instructions })
}

macro_rules! case {
    ($name:literal, $bar:expr, $service:expr) => {
        Case {
            rate: Some(|threads| rate($service, threads, calls)),
            ..case!(alone $name, $bar, $service)
        }
    };
    (alone $name:literal, $bar:expr, $service:expr) => {
        Case {
            name: $name,
            bar: $bar,
            run: |n| calls($service, n),
            size: || size(|| $service),
            rate: None,
        }
    };
}

macro_rules! http_case {
    ($name:literal, $bar:expr, $calls:ident of $body:ty, $service:expr) => {
        Case {
            name: $name,
            bar: $bar,
            run: |n| $calls($service, n),
            size: || size_over::<$body, _>(|| $service),
            rate: Some(|threads| rate($service, threads, $calls)),
        }
    };
}

pub(crate) const CASES: &[Case] = &[
    case!("bare", at_most(None, 0), Bare),
    case!("concurrency", at_most(Some(100), 0), over(slots())),
    case!("tower ConcurrencyLimit", None, ConcurrencyLimit::new(Bare, 64)),
    case!("adaptive", at_most(None, 0), over(adaptive())),
    case!("rate limit, smooth", at_most(Some(200), 0), over(smooth())),
    case!(alone "tower RateLimit (not Clone)", None, tower_rate()),
    case!("breaker", at_most(Some(260), 0), over(breaker())),
    case!("throttle", at_most(None, 0), over(throttle())),
    case!(
        "breaker + concurrency + rate",
        at_most(Some(400), 0),
        over((slots(), smooth(), breaker()))
    ),
    case!("refused by an open breaker", at_most(None, 0), over(open())),
    case!("retry, not repeatable", at_most(None, 0), retry(Plain::<false>)),
    case!("retry, repeatable", at_most(None, 1), retry(Plain::<true>)),
    case!("tower Retry", None, TowerRetry::new(TowerPolicy, Bare)),
    case!("attempt timeout", at_most(None, 0), TimeoutLayer::new(LONG).layer(Bare)),
    case!("deadline", at_most(None, 0), DeadlineLayer::of(Some(LONG), Plain::<false>).layer(Bare)),
    case!(alone "tower Timeout", None, TowerTimeout::new(Bare, LONG)),
    case!("observe, nobody listens", at_most(None, 0), observed()),
    http_case!("bare-http-post", None, posts of Stream, BareHttp),
    http_case!("standard-post", at_most(Some(1300), 0), posts of Stream, standard()),
    http_case!("tower4-post", None, posts of Stream, tower4::<Stream, false>()),
    #[cfg(feature = "peers")]
    http_case!("tr6-post", None, posts of Stream, tr6::<Stream>()),
    http_case!("bare-http-get", None, gets of Full<Bytes>, BareHttp),
    http_case!("standard-get", at_most(None, 3), gets of Full<Bytes>, standard()),
    http_case!("tower4-get", None, gets of Full<Bytes>, tower4::<Full<Bytes>, true>()),
    #[cfg(feature = "peers")]
    http_case!("tr6-get", None, gets of Full<Bytes>, tr6::<Full<Bytes>>()),
];

const LONG: Duration = Duration::from_secs(60);

fn size<S: Service<u64>>(_: impl FnOnce() -> S) -> usize {
    size_of::<S::Future>()
}

fn size_over<B, S: Service<Request<B>>>(_: impl FnOnce() -> S) -> usize {
    size_of::<S::Future>()
}

fn over<G: Guard<u64> + Send + Sync + 'static>(guard: G) -> Guarded<Bare, G, Plain> {
    GuardLayer::of(guard, Plain).layer(Bare)
}

#[expect(clippy::unwrap_used, reason = "the settings are written here")]
fn made<T>(made: Result<T, SettingsError>) -> T {
    made.unwrap()
}

fn slots() -> ConcurrencyGuard {
    made(ConcurrencyGuard::new(Concurrency::limit(64)))
}

fn adaptive() -> AdaptiveGuard {
    made(AdaptiveGuard::new(AdaptiveLimit::aimd(Aimd::new())))
}

fn smooth() -> RateLimitGuard {
    made(RateLimitGuard::new(RateLimit::per_second(100_000_000).burst(1_000_000)))
}

fn breaker() -> BreakerGuard {
    made(BreakerGuard::new(CircuitBreaker::new()))
}

fn open() -> BreakerGuard {
    let breaker = breaker();
    breaker.isolate();
    breaker
}

fn throttle() -> ThrottleGuard {
    made(ThrottleGuard::new(Throttle::new()))
}

fn retry<const REPEATABLE: bool>(
    protocol: Plain<REPEATABLE>,
) -> Retried<Bare, Plain<REPEATABLE>, Arc<Budget>> {
    let budget = Arc::new(made(Budget::new(RetryBudget::new())));
    made(RetryLayer::of(Retry::up_to(3), budget, protocol)).layer(Bare)
}

fn observed() -> impl Service<u64, Response = u64> + Clone + Send {
    ObserveLayer::of(Plain::<false>).layer(Bare)
}

fn tower_rate() -> TowerRateLimit<Bare> {
    TowerRateLimit::new(Bare, tower::limit::rate::Rate::new(u64::MAX, Duration::from_secs(3_600)))
}
