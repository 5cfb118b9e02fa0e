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

use super::calls::{calls, rate};
use super::floor::Floor;
use super::http::{BareHttp, Stream, gets, posts, standard, tower4};
use super::peers::{Counted, failsafe, governed, tr_breaker, tr_rate, tr_slots, tr_three, tr6};
use super::services::{Bare, Plain, TowerPolicy};

/// Something to be measured.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) peer: &'static str,
    /// What an instruction count is net of, and what its ratio is to.
    pub(crate) bare: &'static str,
    /// Makes so many calls, one after the other.
    pub(crate) run: fn(u64) -> u64,
    /// The size of a call's future.
    pub(crate) size: fn() -> usize,
    /// Calls in a second that so many threads make through one stack, where it can be shared.
    pub(crate) rate: Option<fn(usize) -> f64>,
}

pub(crate) const OURS: &str = "mainstay";
const NOBODY: &str = "nobody";
const TOWER: &str = "tower";
const TR: &str = "tower-resilience";

macro_rules! case {
    ($name:literal, $peer:expr, $service:expr) => {
        Case {
            rate: Some(|threads| rate($service, threads, calls)),
            ..case!(alone $name, $peer, $service)
        }
    };
    (alone $name:literal, $peer:expr, $service:expr) => {
        Case {
            name: $name,
            peer: $peer,
            bare: "bare",
            run: |n| calls($service, n),
            size: || size(|| $service),
            rate: None,
        }
    };
}

macro_rules! http_case {
    ($name:literal, $peer:expr, $calls:ident of $body:ty, $bare:literal, $service:expr) => {
        Case {
            name: $name,
            peer: $peer,
            bare: $bare,
            run: |n| $calls($service, n),
            size: || size_over::<$body, _>(|| $service),
            rate: Some(|threads| rate($service, threads, $calls)),
        }
    };
    (post $name:literal, $peer:expr, $service:expr) => {
        http_case!($name, $peer, posts of Stream, "bare-http-post", $service)
    };
    (get $name:literal, $peer:expr, $service:expr) => {
        http_case!($name, $peer, gets of Full<Bytes>, "bare-http", $service)
    };
}

/// All of them, the bare services first.
pub(crate) const CASES: &[Case] = &[
    case!("bare", NOBODY, Bare),
    case!("shared-atomic", NOBODY, Counted::default()),
    case!("concurrency", OURS, over(slots())),
    case!("tower-concurrency", TOWER, ConcurrencyLimit::new(Bare, 64)),
    case!("tr-bulkhead", TR, tr_slots()),
    case!("rate", OURS, over(smooth())),
    case!(alone "tower-rate", TOWER, tower_rate()), // it is not Clone
    case!("tr-rate", TR, tr_rate()),
    case!("governor", "governor", governed()),
    case!("breaker", OURS, over(breaker())),
    case!("tr-breaker", TR, tr_breaker()),
    case!("failsafe", "failsafe", failsafe()),
    case!("fused3", OURS, over((slots(), smooth(), breaker()))),
    case!("tr3", TR, tr_three()),
    case!("floor3", "by hand", Floor::new()),
    case!("refusal", OURS, over(open())),
    case!("adaptive", OURS, over(adaptive())),
    case!("throttle", OURS, over(throttle())),
    case!("retry-no-copy", OURS, retry(Plain::<false>)),
    case!("retry", OURS, retry(Plain::<true>)),
    case!("tower-retry", TOWER, TowerRetry::new(TowerPolicy, Bare)),
    case!("timeout", OURS, TimeoutLayer::new(LONG).layer(Bare)),
    case!("deadline", OURS, DeadlineLayer::of(Some(LONG), Plain::<false>).layer(Bare)),
    case!("tower-timeout", TOWER, TowerTimeout::new(Bare, LONG)),
    case!("observe-unheard", OURS, observed()),
    http_case!(post "bare-http-post", NOBODY, BareHttp),
    http_case!(post "standard-post", OURS, standard()),
    http_case!(post "tower4-post", TOWER, tower4::<Stream, false>()),
    http_case!(post "tr6-post", TR, tr6::<Stream>()),
    http_case!(get "bare-http", NOBODY, BareHttp),
    http_case!(get "standard-get", OURS, standard()),
    http_case!(get "tower4-get", TOWER, tower4::<Full<Bytes>, true>()),
    http_case!(get "tr6-get", TR, tr6::<Full<Bytes>>()),
];

/// The one of that name.
pub(crate) fn named(name: &str) -> Option<&'static Case> {
    CASES.iter().find(|case| case.name == name)
}

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
