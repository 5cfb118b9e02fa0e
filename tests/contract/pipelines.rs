//! Pipelines: the standard one, one with everything in it, and one whose breaker opens.

use std::time::Duration;

use mainstay::Error;
use mainstay::breaker::BreakerState;
use mainstay::concurrency::Concurrency;
use mainstay::cooldown::CoolDown;
use mainstay::hedge::Hedge;
use mainstay::pipeline::{GuardKind, Hold, HostHandle, Pipeline, PipelineSpec, Pipelines};
use mainstay::policy::backoff::Backoff;
use mainstay::rate_limit::RateLimit;
use mainstay::retry::Retry;
use mainstay::throttle::Throttle;
use mainstay_testkit::contract::{State, Subject, SubjectBuilder};

use super::{Fails, OPEN_TIME, Req, Res, answer, dead, http, opens_at_the_second_failure, request};

const LONG: Duration = Duration::from_secs(3_000);

/// What calls hold of a pipeline, of all hosts together.
fn held(pipeline: &Pipeline) -> String {
    let hosts = pipeline.hosts();
    let sum = |count: fn(&HostHandle) -> Option<u32>| hosts.iter().filter_map(count).sum::<u32>();
    let in_use = sum(|host| Some(host.concurrency()?.snapshot().in_use));
    let waiting = sum(|host| Some(host.concurrency()?.snapshot().waiting));
    let in_line = sum(|host| Some(host.turns()?.waiting()));
    let paid = sum(|host| Some(host.budget()?.waiting));
    format!("{in_use} in use, {waiting} waiting, {in_line} in line, {paid} on their way")
}

fn pipeline(name: &str, spec: PipelineSpec) -> SubjectBuilder<Pipeline, Req, Res, Fails> {
    let layer = move || spec.clone().build().unwrap();
    Subject::of(name, layer, request, || answer(200), || Error::Inner(dead())).clean(held)
}

pub(super) fn standard() -> Subject {
    pipeline("Pipeline, standard", PipelineSpec::standard())
        .waiting(State::in_flight(64))
        .tries_again_after(|| answer(503))
        .timers(4) // two attempts time out before the third, and each is followed by a pause
        .build()
}

/// All that there is, with more time than any probe takes.
fn everything() -> PipelineSpec {
    let one = Concurrency::limit(1).max_wait(LONG);
    Pipeline::named("everything")
        .deadline(LONG)
        .retry(Retry::up_to(3).backoff(Backoff::constant(Duration::from_secs(1))))
        .hedge(Hedge::after(Duration::from_secs(2_000)))
        .per_host(|host| {
            host.concurrency(one)
                .hold(Hold::Body { idle: Duration::from_secs(30) })
                .rate_limit(RateLimit::per_second(1_000).burst(1_000))
                .cool_down(CoolDown::new())
                .throttle(Throttle::new())
                .circuit_breaker(opens_at_the_second_failure().consecutive_failures(Some(50)))
        })
        .attempt_timeout(Duration::from_secs(2_500))
        .body_idle(Duration::from_secs(30))
}

pub(super) fn with_everything() -> Subject {
    let layer = || everything().build().unwrap();
    http("PipelineLayer, with everything", move || layer().keep_error())
        .waiting(State::in_flight(1))
        .tries_again_after(|| answer(503))
        .timers(2) // the hedge, and the time of the first attempt
        .build()
}

pub(super) fn several() -> Subject {
    let layer = || Pipelines::new(Pipeline::named("others").per_host(|host| host.concurrency(1)));
    http("PipelinesLayer", move || layer().unwrap().keep_error())
        .waiting(State::in_flight(1))
        .build()
}

pub(super) fn in_shadow() -> Subject {
    let spec = everything().per_host(|host| {
        let all = [GuardKind::Concurrency, GuardKind::Turns, GuardKind::CircuitBreaker];
        all.into_iter().fold(host, |host, guard| host.shadow(guard))
    });
    pipeline("Pipeline, in shadow", spec).lets_all_through().timers(2).build()
}

pub(super) fn with_a_breaker() -> Subject {
    let spec = Pipeline::named("breaker")
        .per_host(|host| host.circuit_breaker(opens_at_the_second_failure()));
    let is_closed = |host: &HostHandle| {
        host.circuit_breaker().is_some_and(|breaker| breaker.state() == BreakerState::Closed)
    };
    pipeline("Pipeline, whose breaker is open", spec)
        .clean(move |pipeline| format!("closed: {}", pipeline.hosts().iter().all(is_closed)))
        .refusing(State::after(2, || answer(503), OPEN_TIME * 2))
        .build()
}
