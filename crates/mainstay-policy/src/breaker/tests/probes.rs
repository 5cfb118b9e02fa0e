//! What is let through to a server that was not well, and what its end decides.

use super::*;

#[test]
fn a_probe_that_succeeds_closes_it() {
    let breaker = breaker(opens_after(1));
    assert!(call(&breaker, Verdict::Failure, 0).is_some());
    assert_eq!(call(&breaker, Verdict::Success, 10), Some(Transition::Closed));
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn a_probe_that_fails_opens_it_for_longer_until_it_has_closed() {
    let backoff = Backoff::exponential(ms(10)).cap(ms(50)).jitter(crate::backoff::Jitter::None);
    let breaker = breaker(opens_after(1).open_time(backoff));
    let failed = |until| opened(until, Cause::ProbeFailed);
    assert_eq!(call(&breaker, Verdict::Failure, 0), opened(10, Cause::ConsecutiveFailures));
    assert_eq!(call(&breaker, Verdict::Failure, 10), failed(30));
    assert_eq!(call(&breaker, Verdict::Failure, 30), failed(70));
    assert_eq!(call(&breaker, Verdict::Failure, 70), failed(120));
    assert_eq!(breaker.snapshot(at(70)).openings, 4);
    assert_eq!(call(&breaker, Verdict::Success, 120), Some(Transition::Closed));
    assert_eq!(call(&breaker, Verdict::Failure, 200), opened(210, Cause::ConsecutiveFailures));
}

#[test]
fn a_late_answer_from_before_the_trip_is_no_answer_to_the_probe() {
    let breaker = breaker(opens_after(1));
    let slow = granted(breaker.admit(at(0)));
    let slower = granted(breaker.admit(at(0)));
    let failing = granted(breaker.admit(at(0)));
    let trip = breaker.settle(failing, Verdict::Failure, at(1));
    assert_eq!(trip, opened(11, Cause::ConsecutiveFailures));
    assert_eq!(breaker.settle(slower, Verdict::Failure, at(2)), None);

    let probe = granted(breaker.admit(at(11)));
    assert_eq!(breaker.settle(slow, Verdict::Success, at(12)), None);
    assert_eq!(refused(breaker.admit(at(12))), half_open_for(99));

    assert_eq!(breaker.settle(probe, Verdict::Success, at(13)), Some(Transition::Closed));
}

#[test]
fn a_dropped_probe_gives_its_place_back_and_decides_nothing() {
    let breaker = breaker(opens_after(1));
    assert!(call(&breaker, Verdict::Failure, 0).is_some());
    for nothing in [Verdict::Abandoned, Verdict::Ignored] {
        let dropped = granted(breaker.admit(at(10)));
        assert_eq!(breaker.snapshot(at(10)).probes_out, 1);
        assert_eq!(breaker.settle(dropped, nothing, at(11)), None);
        assert_eq!(breaker.snapshot(at(11)).probes_out, 0);
    }
    assert_eq!(call(&breaker, Verdict::Success, 12), Some(Transition::Closed));
}

#[test]
fn a_probe_that_hangs_is_given_up_and_its_answer_comes_too_late() {
    let breaker = breaker(opens_after(1));
    assert!(call(&breaker, Verdict::Failure, 0).is_some());
    let hanging = granted(breaker.admit(at(10)));
    assert_eq!(refused(breaker.admit(at(109))), half_open_for(1));
    let next = granted(breaker.admit(at(110)));
    assert_eq!(refused(breaker.admit(at(110))), half_open_for(100));
    assert_eq!(breaker.settle(hanging, Verdict::Failure, at(111)), None);
    assert_eq!(breaker.settle(next, Verdict::Success, at(112)), Some(Transition::Closed));
}

#[test]
fn probes_go_one_by_one_and_then_more_at_a_time() {
    let breaker = breaker(opens_after(1).probes(5));
    assert!(call(&breaker, Verdict::Failure, 0).is_some());
    let first = granted(breaker.admit(at(10)));
    assert_eq!(refused(breaker.admit(at(10))), half_open_for(100));
    assert_eq!(breaker.settle(first, Verdict::Success, at(10)), None);
    let second = granted(breaker.admit(at(11)));
    let third = granted(breaker.admit(at(11)));
    assert_eq!(refused(breaker.admit(at(11))), half_open_for(100));
    assert_eq!(breaker.settle(second, Verdict::Success, at(12)), None);
    assert_eq!(breaker.settle(third, Verdict::Success, at(12)), None);
    let snapshot = breaker.snapshot(at(12));
    assert_eq!((snapshot.probes_passed, snapshot.probes_out), (3, 0));
    assert_eq!(call(&breaker, Verdict::Success, 13), None);
    assert_eq!(call(&breaker, Verdict::Success, 13), Some(Transition::Closed));
}

#[test]
fn probes_that_are_given_up_leave_those_that_succeeded_counted() {
    let breaker = breaker(opens_after(1).probes(2));
    assert!(call(&breaker, Verdict::Failure, 0).is_some());
    assert_eq!(call(&breaker, Verdict::Success, 10), None);
    let _hanging = granted(breaker.admit(at(10)));
    assert_eq!(refused(breaker.admit(at(50))), half_open_for(60));
    assert_eq!(call(&breaker, Verdict::Success, 110), Some(Transition::Closed));
}
