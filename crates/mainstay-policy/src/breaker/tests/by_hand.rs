//! What is done to it from outside.

use super::*;

#[test]
fn isolated_refuses_until_released() {
    let breaker = breaker(opens_after(1));
    let before = granted(breaker.admit(at(0)));
    assert_eq!(breaker.isolate(), Some(Transition::Isolated));
    assert_eq!(breaker.isolate(), None);
    let refusal = Refusal { state: BreakerState::Isolated, retry_in: None };
    assert_eq!(refused(breaker.admit(at(1_000_000))), refusal);
    assert_eq!(breaker.snapshot(at(0)).state, BreakerState::Isolated);

    assert_eq!(breaker.release(), Some(Transition::Closed));
    assert_eq!(breaker.release(), None);
    assert_eq!(breaker.settle(before, Verdict::Failure, at(1)), None);
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn release_leaves_alone_what_is_not_isolated() {
    let breaker = breaker(opens_after(1));
    assert!(call(&breaker, Verdict::Failure, 0).is_some());
    assert_eq!(breaker.release(), None);
    assert_eq!(breaker.state(), BreakerState::Open);
}

#[test]
fn reset_closes_it_and_forgets() {
    let breaker = breaker(opens_after(2));
    let before = granted(breaker.admit(at(0)));
    assert!(calls(&breaker, Verdict::Failure, 2, 0).is_some());
    assert_eq!(breaker.reset(), Some(Transition::Closed));
    assert_eq!(call(&breaker, Verdict::Failure, 1), None);
    assert_eq!(breaker.reset(), None); // it was closed; the row is forgotten all the same
    assert_eq!(call(&breaker, Verdict::Failure, 2), None);
    assert_eq!(breaker.settle(before, Verdict::Failure, at(3)), None);
    assert_eq!(breaker.snapshot(at(3)).consecutive_failures, 1);
    assert_eq!(breaker.isolate(), Some(Transition::Isolated));
    assert_eq!(breaker.reset(), Some(Transition::Closed));
}
