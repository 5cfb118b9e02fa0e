//! The memory that a host's state takes, against what the bounds of a pipeline say.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use allocation_counter::measure;
use http::Request;
use mainstay::adaptive::{AdaptiveGuard, AdaptiveLimit, Gradient2};
use mainstay::breaker::{BreakerGuard, CircuitBreaker, Span};
use mainstay::budget::{Budget, RetryBudget};
use mainstay::concurrency::{Concurrency, ConcurrencyGuard};
use mainstay::cooldown::{CoolDown, PacedGuard};
use mainstay::hedge::{Hedge, Hedger};
use mainstay::http::ByHost;
use mainstay::keyed::Keyed;
use mainstay::pipeline::{HostSpec, PipelineSpec};
use mainstay::rate_limit::RateLimit;
use mainstay::throttle::{Throttle, ThrottleGuard};

/// What is allocated by this and stays.
fn bytes<T>(make: impl FnOnce() -> T) -> u64 {
    let mut kept = None;
    let counted = measure(|| kept = Some(make()));
    black_box(&kept);
    u64::try_from(counted.bytes_current).unwrap()
}

fn most(change: impl FnOnce(HostSpec) -> HostSpec) -> u64 {
    let spec = PipelineSpec::named("a").without_budget().per_host(change);
    spec.bounds().memory.at_most().unwrap()
}

#[test]
fn the_state_of_a_host_takes_no_more_than_its_bound() {
    let nothing = most(|host| host);
    let breaker = CircuitBreaker::new().window(Span::Calls(1_000_000));
    let breaker = breaker.slow_calls(Duration::from_secs(1), 0.5);
    let watched = || {
        let guard = Arc::new(BreakerGuard::new(breaker).unwrap());
        let watch = guard.watch();
        (guard, watch)
    };
    let adaptive = AdaptiveLimit::gradient2(Gradient2::new());
    let strict = RateLimit::per_minute(50_000).strict();
    let paced = || {
        let guard = Arc::new(PacedGuard::new(strict, CoolDown::new()).unwrap());
        let watch = guard.watch();
        (guard, watch)
    };
    for (guard, taken, bound) in [
        (
            "concurrency",
            bytes(|| Arc::new(ConcurrencyGuard::new(Concurrency::limit(9)).unwrap())),
            most(|host| host.concurrency(9)),
        ),
        (
            "adaptive",
            bytes(|| Arc::new(AdaptiveGuard::new(adaptive).unwrap())),
            most(|host| host.adaptive(adaptive)),
        ),
        ("turns", bytes(paced), most(|host| host.rate_limit(strict).cool_down(CoolDown::new()))),
        (
            "throttle",
            bytes(|| Arc::new(ThrottleGuard::new(Throttle::new()).unwrap())),
            most(|host| host.throttle(Throttle::new())),
        ),
        ("breaker", bytes(watched), most(|host| host.circuit_breaker(breaker))),
    ] {
        assert!(taken > 0 && taken <= bound - nothing, "{guard}: {taken} of {bound} - {nothing}");
    }
}

#[test]
fn budget_hedge_and_key_take_no_more_than_their_bound() {
    let spec = PipelineSpec::named("a").without_budget();
    let of = |spec: PipelineSpec| spec.bounds().memory.at_most().unwrap();
    let nothing = of(spec.clone());
    let hedge = Hedge::at_percentile(99.0).max_delay(Hedge::LONGEST);
    let taken = bytes(|| Arc::new(Hedger::new(hedge).unwrap()));
    assert!(taken > 4_000 && taken <= of(spec.clone().hedge(hedge)) - nothing, "{taken}");
    let taken = bytes(|| Arc::new(Budget::new(RetryBudget::new()).unwrap()));
    assert!(taken <= of(spec.budget(RetryBudget::new())) - nothing, "{taken}");

    // The key: its share of a thousand, whose names are as long as they may be, each spelled twice.
    let uris: Vec<_> = (0..1_000)
        .flat_map(|n| {
            let host = format!(
                "{}.{n:04}.example",
                ["a".repeat(60), "b".repeat(60), "c".repeat(60)].join(".")
            );
            [format!("https://{host}/"), format!("https://{}/", host.to_uppercase())]
        })
        .collect();
    let keys = Keyed::new(ByHost, |_| Budget::new(RetryBudget::new()).unwrap());
    let requests: Vec<_> = uris.iter().map(|uri| Request::get(uri).body(()).unwrap()).collect();
    let all = || requests.iter().map(|request| keys.of(request)).collect::<Vec<_>>();
    let taken = bytes(all) / 1_000;
    assert!(taken > 400 && taken <= nothing, "{taken} of {nothing}");
}
