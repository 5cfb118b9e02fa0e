//! Random pipelines, all of which can be built.

use std::time::Duration;

use http::{Method, StatusCode};
use mainstay::adaptive::{AdaptiveLimit, Aimd, Gradient2};
use mainstay::breaker::{CircuitBreaker, Span};
use mainstay::budget::RetryBudget;
use mainstay::concurrency::Concurrency;
use mainstay::cooldown::CoolDown;
use mainstay::hedge::Hedge;
use mainstay::http::{IdempotencyKeys, RetryRules};
use mainstay::pipeline::{FixedAnswer, GuardKind, Hold, HostSpec, Line, PipelineSpec};
use mainstay::rate_limit::RateLimit;
use mainstay::retry::{Backoff, Jitter, Retry};
use mainstay::throttle::Throttle;
use proptest::option::{of, weighted};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::{ms, secs};

/// A time up to so many milliseconds; half of them are whole ones.
pub(crate) fn time(least: u64, most: u64) -> impl Strategy<Value = Duration> {
    let micros = (least * 1_000..=most * 1_000).prop_map(Duration::from_micros);
    prop_oneof![(least..=most).prop_map(ms), micros]
}

fn backoffs() -> impl Strategy<Value = Backoff> {
    let jitters = select(vec![Jitter::None, Jitter::Full, Jitter::Equal, Jitter::Decorrelated]);
    let growing = (any::<bool>(), time(1, 100), time(100, 1_000), jitters);
    let growing = growing.prop_map(|(doubles, base, cap, jitter)| {
        let growing = if doubles { Backoff::exponential(base) } else { Backoff::linear(base) };
        growing.cap(cap).jitter(jitter)
    });
    prop_oneof![time(0, 200).prop_map(Backoff::constant), growing]
}

fn retries() -> impl Strategy<Value = Retry> {
    let parts = (1..=4_u32, backoffs(), time(0, 2_000));
    parts.prop_map(|(n, backoff, asked)| Retry::up_to(n).backoff(backoff).longest_asked(asked))
}

fn hedges() -> impl Strategy<Value = Hedge> {
    let observed = (50.0..90.0, time(1, 50), time(50, 500)).prop_map(|(percentile, min, max)| {
        Hedge::at_percentile(percentile).min_observations(10).min_delay(min).max_delay(max)
    });
    let delays = prop_oneof![time(1, 500).prop_map(Hedge::after), observed];
    (delays, 1..=3_u32).prop_map(|(hedge, extra)| hedge.extra_attempts(extra))
}

fn budgets() -> impl Strategy<Value = RetryBudget> {
    let parts = (select(vec![0.0, 0.1, 0.25, 0.5, 1.0]), 1..=8_u32);
    parts.prop_map(|(ratio, reserve)| RetryBudget::new().ratio(ratio).reserve(reserve))
}

fn slots() -> impl Strategy<Value = Concurrency> {
    (1..=5_u32, 0..=20_u32, time(0, 1_500)).prop_map(|(limit, waiting, wait)| {
        Concurrency::limit(limit).max_waiting(waiting).max_wait(wait)
    })
}

fn adaptive() -> impl Strategy<Value = AdaptiveLimit> {
    let parts = (any::<bool>(), 1..=6_u32, 0..=20_u32, time(0, 1_500));
    parts.prop_map(|(gradient, max, waiting, wait)| {
        let limit = match gradient {
            true => AdaptiveLimit::gradient2(Gradient2::new()),
            false => AdaptiveLimit::aimd(Aimd::new()),
        };
        limit.max(max).max_waiting(waiting).max_wait(wait)
    })
}

fn rates() -> impl Strategy<Value = RateLimit> {
    let parts = (1..=20_u32, 50..=1_000_u64, of(1..=5_u32));
    parts.prop_map(|(count, period, burst)| {
        let rate = RateLimit::per(count, ms(period));
        burst.map_or(rate.strict(), |burst| rate.burst(burst))
    })
}

fn cool_downs() -> impl Strategy<Value = CoolDown> {
    (time(1, 500), time(500, 3_000), time(0, 500)).prop_map(|(unasked, max, ramp)| {
        CoolDown::new().unasked(unasked).max(max).ramp(ramp).step(ms(50))
    })
}

fn breakers() -> impl Strategy<Value = CircuitBreaker> {
    let parts = (1..=6_u32, backoffs(), 1..=3_u32);
    parts.prop_map(|(failures, open_time, probes)| {
        let breaker = CircuitBreaker::new().consecutive_failures(Some(failures)).probes(probes);
        breaker.open_time(open_time).window(Span::Calls(20))
    })
}

fn throttles() -> impl Strategy<Value = Throttle> {
    (1..=20_u32, time(100, 5_000))
        .prop_map(|(requests, window)| Throttle::new().min_requests(requests).window(window))
}

fn lines() -> impl Strategy<Value = Line> {
    let parts = (weighted(0.3, 0..=20_u32), weighted(0.8, time(0, 1_500)));
    parts.prop_map(|(max_waiting, max_wait)| {
        let mut line = Line::default();
        (line.max_waiting, line.max_wait) = (max_waiting, max_wait);
        line
    })
}

fn hosts() -> BoxedStrategy<HostSpec> {
    let kinds = vec![
        GuardKind::Concurrency,
        GuardKind::Adaptive,
        GuardKind::Turns,
        GuardKind::Throttle,
        GuardKind::CircuitBreaker,
    ];
    let shadow = prop_oneof![3 => Just(Vec::new()), 1 => subsequence(kinds, 0..=2)];
    let limits = (weighted(0.5, slots()), weighted(0.2, adaptive()), shadow);
    let turns = (weighted(0.3, rates()), weighted(0.3, cool_downs()), lines());
    let others = (weighted(0.2, throttles()), weighted(0.3, breakers()));
    let hosts = (limits.boxed(), turns.boxed(), others.boxed());
    let hosts = hosts.prop_map(|(limits, turns, others)| {
        let mut host = HostSpec::default();
        (host.concurrency, host.adaptive, host.shadow) = limits;
        (host.rate_limit, host.cool_down, host.line) = turns;
        (host.throttle, host.circuit_breaker) = others;
        host
    });
    hosts.boxed()
}

/// Everything that may be sent again may be, and at once.
fn rules() -> impl Strategy<Value = RetryRules> {
    let all = RetryRules::standard().idempotent(Method::POST).twice_at_once(Method::POST);
    prop_oneof![3 => Just(RetryRules::standard()), 1 => Just(all)]
}

/// All sorts of pipelines; boxed, as their parts are, since they are too large for a thread's stack.
pub(crate) fn specs() -> BoxedStrategy<PipelineSpec> {
    let ends = (weighted(0.5, time(100, 5_000)), weighted(0.8, time(20, 1_000)));
    let again = (weighted(0.8, retries()), weighted(0.5, hedges()), weighted(0.7, budgets()));
    let bodies = (any::<bool>(), weighted(0.1, time(10, 1_000)));
    let rules = (rules(), any::<bool>(), any::<bool>());
    let all = (ends.boxed(), again.boxed(), rules.boxed(), bodies, hosts(), of(hosts()));
    let specs = all.prop_map(|(ends, again, (rules, keys, falls_back), bodies, host, other)| {
        let mut spec = PipelineSpec::named("random").rules(rules);
        (spec.deadline, spec.attempt_timeout) = ends;
        (spec.retry, spec.hedge, spec.budget) = again;
        spec.idempotency_keys = keys.then(IdempotencyKeys::new);
        spec.fallback = falls_back.then(|| FixedAnswer::new(StatusCode::IM_A_TEAPOT));
        spec.body_idle = bodies.1;
        let hold = if bodies.0 { Hold::Body { idle: secs(60) } } else { Hold::Head };
        let spec = spec.per_host(|_| host.hold(hold));
        other.into_iter().fold(spec, |spec, other| spec.host("b.test", |_| other.hold(hold)))
    });
    specs.prop_filter("it can be built", |spec| spec.check().is_ok()).boxed()
}
