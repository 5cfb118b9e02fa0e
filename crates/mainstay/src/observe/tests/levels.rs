//! How loud it is.

use tracing::Level;

use super::listener::Listener;
use super::*;
use crate::breaker::{BreakerGuard, CircuitBreaker, CircuitBreakerLayer, Transition};
use crate::http::Http;

const LOUD: [Level; 3] = [Level::INFO, Level::WARN, Level::ERROR];
const ALL: [Level; 5] = [Level::TRACE, Level::DEBUG, Level::INFO, Level::WARN, Level::ERROR];

#[tokio::test]
async fn a_call_that_goes_well_makes_no_event_at_all() {
    let (listener, _guard) = Listener::listens();
    let answer = ObserveLayer::new().layer(stack(|_| async { well() })).oneshot(get()).await;
    assert!(answer.is_ok());
    assert_eq!(listener.counts(ALL), [0; 5]);
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_told_at_debug_and_nothing_of_it_at_info() {
    let (listener, _guard) = Listener::listens();
    let answer = ObserveLayer::new().layer(at_the_second_attempt()).oneshot(get()).await;
    assert!(answer.is_ok());
    // The success; the failure, the begin and end of the wait, the second attempt.
    assert_eq!(listener.counts(ALL), [1, 4, 0, 0, 0]);
}

#[tokio::test]
async fn a_breaker_that_opens_warns_once_and_its_refusals_are_told_at_debug() {
    let (listener, _guard) = Listener::listens();
    let settings = CircuitBreaker::new().consecutive_failures(Some(2));
    let breaker = CircuitBreakerLayer::new(settings).unwrap();
    let mut service = breaker.layer(stack(|_| async { status(503) }));
    for _ in 0..2 {
        assert!(service.ready().await.unwrap().call(get()).await.is_ok());
    }
    let told = listener.told();
    let [(level, _, fields)] = &told.events[..] else { panic!("{told:?}") };
    assert_eq!(*level, Level::WARN);
    assert_eq!(fields["mainstay.layer"], "circuit breaker");
    assert_eq!(fields["mainstay.state"], "open");

    for refused in 1..=3 {
        assert!(service.ready().await.unwrap().call(get()).await.is_err());
        assert_eq!(listener.counts(ALL), [0, 1, 0, 0, 0], "refusal {refused}");
    }
}

#[test]
fn each_change_of_a_breaker_is_told_once_whoever_set_it_off() {
    let (listener, _guard) = Listener::listens();
    let breaker = BreakerGuard::new(CircuitBreaker::new()).unwrap().named("billing");
    let handle = CircuitBreakerLayer::of(breaker, Http::new()).handle();
    let said = |transition: Option<Transition>, state, level| {
        assert!(transition.is_some());
        let told = listener.told();
        let [(at, None, fields)] = &told.events[..] else { panic!("{told:?}") };
        assert_eq!((fields["mainstay.state"].as_str(), *at), (state, level));
        assert_eq!(fields["mainstay.name"], "billing");
    };
    said(handle.isolate(), "isolated", Level::WARN);
    said(handle.release(), "closed", Level::INFO);
    said(handle.isolate(), "isolated", Level::WARN);
    said(handle.reset(), "closed", Level::INFO);
    assert_eq!(handle.reset(), None);
    assert_eq!(listener.counts(ALL), [0; 5], "it was closed, and is");
}

#[test]
fn a_refusal_says_who_why_and_when_and_a_shadow_s_says_that_it_is_one() {
    let (listener, _guard) = Listener::listens();
    tell(Event::Refused(&open()));
    tell(Event::WouldRefuse(&open()));
    let told = listener.told();
    let [(Level::DEBUG, None, real), (Level::DEBUG, None, shadow)] = &told.events[..] else {
        panic!("{told:?}")
    };
    let of = |name| real.get(name).map(String::as_str);
    assert_eq!(of("mainstay.layer"), Some("circuit breaker"));
    assert_eq!(of("mainstay.name"), Some("billing"));
    assert_eq!(of("error.type"), Some("open"));
    assert_eq!(of("mainstay.retry_in"), Some("1.5"));
    assert_eq!(of("mainstay.shadow"), None);
    assert_eq!(shadow["mainstay.shadow"], "true");
}

#[test]
fn what_a_shadow_would_do_and_what_is_answered_instead_is_told_at_debug() {
    let (listener, _guard) = Listener::listens();
    tell(Event::WouldWait { layer: "rate limit", name: None });
    tell(Event::FellBack { name: None, outcome: Outcome::Transient });
    let told = listener.told();
    let [(Level::DEBUG, _, waits), (Level::DEBUG, _, fell)] = &told.events[..] else {
        panic!("{told:?}")
    };
    assert_eq!(waits["mainstay.shadow"], "true");
    assert_eq!(fell["mainstay.outcome"], "transient");
}

#[test]
fn a_warning_is_a_warning() {
    let (listener, _guard) = Listener::listens();
    let warning =
        Event::Warning { layer: "stall", name: None, what: "held the executor", took: None };
    tell(warning);
    assert_eq!(listener.counts(LOUD), [0, 1, 0]);
}
