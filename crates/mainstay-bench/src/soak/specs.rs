//! Random pipelines that can be built.

use std::time::Duration;

use http::Method;
use mainstay::adaptive::{AdaptiveLimit, Aimd, Gradient2};
use mainstay::breaker::{CircuitBreaker, Span};
use mainstay::budget::RetryBudget;
use mainstay::concurrency::Concurrency;
use mainstay::cooldown::CoolDown;
use mainstay::hedge::Hedge;
use mainstay::http::RetryRules;
use mainstay::pipeline::{Hold, HostSpec, PipelineSpec};
use mainstay::rate_limit::RateLimit;
use mainstay::retry::{Backoff, Retry};
use mainstay::throttle::Throttle;

use crate::chance::Chance;

/// The longest that a server asks for; every cool-down heeds that much.
pub(super) const LONGEST_ASKED: u32 = 200;

/// One that the linter has nothing against. Whether it cools down does not change within a phase, so
/// that it is known what a server may count on.
pub(super) fn spec(chance: &mut Chance, cools_down: bool) -> PipelineSpec {
    loop {
        let spec = draw(chance, cools_down);
        if spec.check().is_ok() {
            return spec;
        }
    }
}

fn draw(chance: &mut Chance, cools_down: bool) -> PipelineSpec {
    let deadline = chance.ms(200, 2_000);
    let mut spec = PipelineSpec::named("soak").deadline(deadline);
    if chance.percent(80) {
        let backoff = Backoff::exponential(chance.ms(1, 20)).cap(chance.ms(20, 200));
        let asked = chance.ms(0, 400).min(deadline);
        spec = spec.retry(Retry::up_to(chance.of(2, 4)).backoff(backoff).longest_asked(asked));
    }
    if chance.percent(30) {
        spec = spec.hedge(Hedge::after(chance.ms(1, 30)).extra_attempts(chance.of(1, 2)));
    }
    if chance.percent(70) {
        let ratio = chance.one_of(&[0.1, 0.25, 0.5]);
        spec = spec.budget(RetryBudget::new().ratio(ratio).reserve(chance.of(1, 50)));
    }
    if chance.percent(30) {
        let all = RetryRules::standard().idempotent(Method::POST).twice_at_once(Method::POST);
        spec = spec.rules(all);
    }
    if chance.percent(70) {
        spec = spec.attempt_timeout(chance.ms(20, 500).min(deadline));
    }
    if chance.percent(30) {
        spec = spec.body_idle(chance.ms(20, 100));
    }
    let host = host(chance, cools_down);
    spec.per_host(|_| host)
}

fn host(chance: &mut Chance, cools_down: bool) -> HostSpec {
    let mut host = HostSpec::default();
    let wait = |chance: &mut Chance| chance.ms(1, 500);
    match chance.of(0, 3) {
        0 => {}
        1 => {
            let limit = AdaptiveLimit::aimd(Aimd::new()).max(chance.of(2, 30));
            host = host.adaptive(limit.max_waiting(chance.of(0, 50)).max_wait(wait(chance)));
        }
        2 => {
            let limit = AdaptiveLimit::gradient2(Gradient2::new()).max(chance.of(2, 30));
            host = host.adaptive(limit.max_waiting(chance.of(0, 50)).max_wait(wait(chance)));
        }
        _ => {
            let limit = Concurrency::limit(chance.of(1, 30));
            host = host.concurrency(limit.max_waiting(chance.of(0, 50)).max_wait(wait(chance)));
        }
    }
    if chance.percent(30) {
        host = host.hold(Hold::Body { idle: chance.ms(20, 100) });
    }
    if chance.percent(40) {
        let rate = RateLimit::per(chance.of(5, 100), chance.ms(50, 500));
        let burst = chance.of(1, 10);
        host = host.rate_limit(if chance.percent(50) { rate.burst(burst) } else { rate.strict() });
    }
    if cools_down {
        let longest = Duration::from_millis(LONGEST_ASKED.into());
        let cool_down = CoolDown::new().unasked(chance.ms(1, 50)).max(longest * 2);
        host = host.cool_down(cool_down.ramp(chance.ms(0, 100)).step(Duration::from_millis(10)));
    }
    if chance.percent(80) {
        host = host.max_wait(wait(chance));
    }
    if chance.percent(20) {
        let throttle = Throttle::new().min_requests(chance.of(1, 20));
        host = host.throttle(throttle.window(chance.ms(100, 2_000)));
    }
    if chance.percent(50) {
        let open = Backoff::exponential(chance.ms(1, 50)).cap(chance.ms(50, 300));
        let breaker = CircuitBreaker::new().consecutive_failures(Some(chance.of(1, 6)));
        let breaker = breaker.probes(chance.of(1, 3)).window(Span::Calls(20));
        host = host.circuit_breaker(breaker.open_time(open));
    }
    host
}
