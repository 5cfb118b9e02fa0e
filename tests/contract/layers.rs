//! The list: what the probes must know of each layer.

mod drivers;
mod pipelines;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use governor::{Quota, RateLimiter};
use http::{Request, Response};
use http_body_util::Full;
use mainstay::adaptive::{AdaptiveLimit, AdaptiveLimitLayer, Aimd};
use mainstay::breaker::{BreakerGuard, BreakerState, CircuitBreaker, CircuitBreakerLayer};
use mainstay::budget::{Budget, RetryBudget};
use mainstay::coalesce::{CoalesceLayer, CollectLayer};
use mainstay::concurrency::{Concurrency, ConcurrencyGuard, ConcurrencyLayer};
use mainstay::cooldown::{CoolDown, CoolDownLayer};
use mainstay::guard::{GuardLayer, PerKey};
use mainstay::hedge::{Hedge, HedgeLayer};
use mainstay::http::body::{ReplayBody, ReplayLayer};
use mainstay::http::{AnswerRefusalsLayer, Http, Key};
use mainstay::observe::ObserveLayer;
use mainstay::policy::backoff::Backoff;
use mainstay::rate_limit::{GovernorLayer, RateLimit, RateLimitGuard, RateLimitLayer, TokioClock};
use mainstay::retry::{Retry, RetryLayer};
use mainstay::throttle::{Throttle, ThrottleLayer};
use mainstay::{Error, LiftLayer};
use mainstay_testkit::contract::{State, Subject, SubjectBuilder};

use drivers::{
    body_idle, chaos, deadline, deadline_header, deadline_that_is_over, fallback,
    fallback_on_a_service, stall, timeout,
};

/// Every layer, once for each state that the probes are to find it in. A name begins with that of
/// the layer's type.
pub(crate) fn all() -> Vec<Subject> {
    vec![
        adaptive(),
        answers_refusals(),
        body_idle(),
        breaker_by_hand(),
        breaker_after_failures(),
        breaker_after_one_failure(),
        chaos(),
        coalesce(),
        coalesce_of_equal_requests(),
        collects(),
        concurrency(),
        concurrency_where_nobody_waits(),
        cool_down(),
        deadline(),
        deadline_that_is_over(),
        deadline_header(),
        fallback(),
        fallback_on_a_service(),
        governor(),
        guards(),
        guards_with_an_open_breaker(),
        guards_that_both_let_wait(),
        hedge(),
        hedge_at_once(),
        guards_per_key(),
        guards_in_shadow(),
        holds_bodies(),
        lift(),
        observe(),
        observe_with_a_report(),
        pipelines::standard(),
        pipelines::with_everything(),
        pipelines::several(),
        pipelines::in_shadow(),
        pipelines::with_a_breaker(),
        rate_limit(),
        rate_limit_where_nobody_waits(),
        replay(),
        stall(),
        timeout(),
        retry(),
        retry_without_a_wait(),
        throttle(),
    ]
}

type Req = Request<String>;
type Res = Response<String>;
type Fails = Error<io::Error>;

/// As long as one must wait for one's turn.
const PERIOD: Duration = Duration::from_secs(5);

/// A layer over HTTP, whose answers are a 200.
fn http<L>(name: &str, layer: impl Fn() -> L + 'static) -> SubjectBuilder<L, Req, Res, Fails> {
    Subject::of(name, layer, request, || answer(200), || Error::Inner(dead()))
}

fn request() -> Req {
    Request::new(String::from("ask"))
}

fn answer(status: u16) -> Result<Res, Fails> {
    let mut answer = Response::new(String::from("answer"));
    *answer.status_mut() = status.try_into().unwrap();
    Ok(answer)
}

fn dead() -> io::Error {
    io::Error::other("this instance is dead")
}

/// A limit that cannot move, so that what it holds can be compared.
fn adaptive() -> Subject {
    let limit = AdaptiveLimit::aimd(Aimd::new()).min(2).max(2);
    http("AdaptiveLimitLayer", move || AdaptiveLimitLayer::new(limit).unwrap())
        .clean(|layer| format!("{:?}", layer.handle().snapshot()))
        .waiting(State::in_flight(2))
        .build()
}

fn answers_refusals() -> Subject {
    http("AnswerRefusalsLayer", AnswerRefusalsLayer::new).lets_all_through().build()
}

const OPEN_TIME: Duration = Duration::from_secs(10);

fn opens_at_the_second_failure() -> CircuitBreaker {
    let open_time = Backoff::constant(OPEN_TIME);
    CircuitBreaker::new().consecutive_failures(Some(2)).open_time(open_time)
}

fn breaker(name: &str) -> SubjectBuilder<CircuitBreakerLayer, Req, Res, Fails> {
    http(name, || CircuitBreakerLayer::new(opens_at_the_second_failure()).unwrap())
        .clean(|layer| closed_or_not(layer.handle().state()))
}

/// Whether it is open or half-open is up to when somebody last asked.
fn closed_or_not(state: BreakerState) -> String {
    match state {
        BreakerState::Closed => "closed".to_owned(),
        _ => "not closed".to_owned(),
    }
}

fn breaker_by_hand() -> Subject {
    let isolated = State::by_hand(
        |layer: &CircuitBreakerLayer| _ = layer.handle().isolate(),
        |layer| _ = layer.handle().release(),
    );
    breaker("CircuitBreakerLayer, isolated").refusing(isolated).build()
}

fn breaker_after_failures() -> Subject {
    let open = State::after(2, || answer(503), OPEN_TIME * 2);
    breaker("CircuitBreakerLayer, open").refusing(open).build()
}

/// Its first call after the open time is a probe.
fn breaker_after_one_failure() -> Subject {
    let settings = opens_at_the_second_failure().consecutive_failures(Some(1));
    let layer = move || CircuitBreakerLayer::new(settings).unwrap();
    http("CircuitBreakerLayer, after one failure", layer)
        .clean(|layer| closed_or_not(layer.handle().state()))
        .refusing(State::after(1, || answer(503), OPEN_TIME * 2))
        .after_panic("not closed")
        .build()
}

fn concurrency() -> Subject {
    http("ConcurrencyLayer", || ConcurrencyLayer::new(Concurrency::limit(2)).unwrap())
        .clean(|layer| format!("{:?}", layer.handle().snapshot()))
        .waiting(State::in_flight(2))
        .build()
}

fn concurrency_where_nobody_waits() -> Subject {
    let limit = Concurrency::limit(1).max_waiting(0);
    let layer = move || ConcurrencyLayer::new(limit).unwrap();
    http("ConcurrencyLayer, nobody waits", layer)
        .clean(|layer| format!("{:?}", layer.handle().snapshot()))
        .refusing(State::in_flight(1))
        .build()
}

type Guards = GuardLayer<(BreakerGuard, ConcurrencyGuard)>;

fn both(name: &str) -> SubjectBuilder<Guards, Req, Res, Fails> {
    let guards = || {
        let slots = ConcurrencyGuard::new(Concurrency::limit(1)).unwrap();
        GuardLayer::new((BreakerGuard::new(opens_at_the_second_failure()).unwrap(), slots))
    };
    http(name, guards).clean(|layer| {
        let (breaker, slots) = layer.guard();
        format!("{}, {:?}", closed_or_not(breaker.state()), slots.snapshot())
    })
}

fn guards() -> Subject {
    both("GuardLayer, breaker and slots").waiting(State::in_flight(1)).build()
}

fn guards_with_an_open_breaker() -> Subject {
    let open = State::after(2, || answer(503), OPEN_TIME * 2);
    both("GuardLayer, breaker and slots, open").refusing(open).build()
}

/// A call waits at the second, with what the first gave.
fn guards_that_both_let_wait() -> Subject {
    let slots = |limit| ConcurrencyGuard::new(Concurrency::limit(limit)).unwrap();
    http("GuardLayer, slots behind slots", move || GuardLayer::new((slots(5), slots(1))))
        .clean(|layer| {
            let (outer, inner) = layer.guard();
            format!("{:?}, {:?}", outer.snapshot(), inner.snapshot())
        })
        .waiting(State::in_flight(1))
        .build()
}

fn holds_bodies() -> Subject {
    http("HoldLayer", || ConcurrencyLayer::new(Concurrency::limit(1)).unwrap().hold_bodies())
        .clean(|layer| format!("{:?}", layer.guard().snapshot()))
        .waiting(State::in_flight(1))
        .build()
}

fn observe() -> Subject {
    http("ObserveLayer, nobody listens", ObserveLayer::new).lets_all_through().build()
}

fn observe_with_a_report() -> Subject {
    http("ObserveLayer, with a report", || ObserveLayer::new().on_report(|_| {}))
        .lets_all_through()
        .build()
}

fn rate_limit() -> Subject {
    let one = State::after(1, || answer(200), PERIOD);
    http("RateLimitLayer", || RateLimitLayer::new(RateLimit::per(1, PERIOD)).unwrap())
        .clean(|layer| format!("{} wait", layer.handle().waiting()))
        .waiting(one)
        .build()
}

fn rate_limit_where_nobody_waits() -> Subject {
    let layer = || {
        let limit = RateLimitGuard::new(RateLimit::per(10, PERIOD).burst(10)).unwrap();
        RateLimitLayer::of(limit.max_waiting(0), Http::new())
    };
    http("RateLimitLayer, nobody waits", layer)
        .clean(|layer| format!("{} wait", layer.handle().waiting()))
        .refusing(State::after(10, || answer(200), PERIOD))
        .build()
}

fn governor() -> Subject {
    let layer = || {
        let quota = Quota::with_period(PERIOD).unwrap();
        GovernorLayer::new(Arc::new(RateLimiter::direct_with_clock(quota, TokioClock)))
    };
    http("GovernorLayer", layer)
        .clean(|layer| format!("{} wait", layer.handle().waiting()))
        .waiting(State::after(1, || answer(200), PERIOD))
        .build()
}

fn cool_down() -> Subject {
    http("CoolDownLayer", || CoolDownLayer::new(CoolDown::new().unasked(PERIOD)).unwrap())
        .clean(|layer| format!("{} wait", layer.handle().waiting()))
        .waiting(State::after(1, || answer(429), PERIOD * 2))
        .build()
}

fn hedge() -> Subject {
    let layer = || {
        let budget = Arc::new(Budget::new(RetryBudget::new()).unwrap());
        HedgeLayer::new(Hedge::after(PERIOD)).unwrap().budget(budget)
    };
    http("HedgeLayer", layer)
        .clean(|layer| format!("{} on their way", layer.budgets().snapshot().waiting))
        .lets_all_through()
        .timers(1)
        .build()
}

/// The extra attempt goes out as soon as the first is pending.
fn hedge_at_once() -> Subject {
    let layer = || {
        let budget = Arc::new(Budget::new(RetryBudget::new().reserve(1_000)).unwrap());
        HedgeLayer::new(Hedge::after(Duration::from_millis(1))).unwrap().budget(budget)
    };
    http("HedgeLayer, at once", layer)
        .clean(|layer| format!("{} on their way", layer.budgets().snapshot().waiting))
        .lets_all_through()
        .timers(2)
        .build()
}

/// All wait for the first.
fn coalesce_of_equal_requests() -> Subject {
    let key = |_: &Req| Some(Key::new("the same"));
    let death = || Error::Inner(Arc::new(dead()));
    let answer = || Ok(answer(200).unwrap());
    let layer = move || CoalesceLayer::new(key);
    Subject::of("CoalesceLayer, of equal requests", layer, request, answer, death)
        .clean(|layer| format!("{} in flight", layer.in_flight()))
        .waiting(State::in_flight(1))
        .build()
}

/// Of requests that are all different; whether equal ones are sent once is for its own tests.
fn coalesce() -> Subject {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let key = |_: &Req| Some(Key::new(NEXT.fetch_add(1, Ordering::Relaxed).to_string()));
    let death = || Error::Inner(Arc::new(dead()));
    let answer = || Ok(answer(200).unwrap());
    Subject::of("CoalesceLayer", move || CoalesceLayer::new(key), request, answer, death)
        .clean(|layer| format!("{} in flight", layer.in_flight()))
        .lets_all_through()
        .build()
}

fn collects() -> Subject {
    let answer = || Ok(Response::new(Full::new(Bytes::from("answer"))));
    let death = || Fails::Inner(dead());
    Subject::of("CollectLayer", || CollectLayer::up_to(1024), request, answer, death)
        .lets_all_through()
        .build()
}

fn guards_per_key() -> Subject {
    let slots = || PerKey::<ConcurrencyGuard>::each(Concurrency::limit(2)).unwrap();
    http("GuardLayer, slots per key", move || GuardLayer::new(slots()))
        .clean(|layer| {
            let guards = layer.guard().guards();
            guards.iter().map(|slots| slots.snapshot().in_use).sum::<u32>().to_string()
        })
        .waiting(State::in_flight(2))
        .build()
}

fn guards_in_shadow() -> Subject {
    let layer = || ConcurrencyLayer::new(Concurrency::limit(1)).unwrap().shadow();
    http("GuardLayer, slots in shadow", layer)
        .clean(|layer| format!("{:?}", layer.guard().get_ref().snapshot()))
        .lets_all_through()
        .build()
}

fn throttle() -> Subject {
    http("ThrottleLayer", || ThrottleLayer::new(Throttle::new()).unwrap())
        .clean(|layer| format!("{:?}", layer.handle().snapshot().probability))
        .lets_all_through()
        .build()
}

fn lift() -> Subject {
    Subject::of("LiftLayer", LiftLayer::new, request, || answer(200), || Error::Inner(dead()))
        .lets_all_through()
        .build()
}

fn replay() -> Subject {
    http("ReplayLayer", ReplayLayer::new)
        .sends::<Request<ReplayBody>>()
        .clean(|layer| format!("{} bytes kept", layer.kept()))
        .lets_all_through()
        .build()
}

fn retries(
    name: &str,
    wait: Duration,
) -> SubjectBuilder<RetryLayer<Http, Arc<Budget>>, Req, Res, Fails> {
    let layer = move || {
        let settings = Retry::up_to(3).backoff(Backoff::constant(wait));
        let budget = Budget::new(RetryBudget::new().reserve(1_000)).unwrap();
        RetryLayer::new(settings).unwrap().budget(Arc::new(budget))
    };
    http(name, layer)
        .clean(|layer| format!("{} on their way", layer.budgets().snapshot().waiting))
        .lets_all_through()
        .tries_again_after(|| answer(503))
}

fn retry() -> Subject {
    retries("RetryLayer", Duration::from_secs(1)).build()
}

fn retry_without_a_wait() -> Subject {
    retries("RetryLayer, at once", Duration::ZERO).build()
}
