//! What the time says that a call took.

use super::*;

#[test]
fn slow_calls_open_it_though_they_succeed() {
    let settings = opens_after(9).slow_calls(ms(50), 0.5).min_calls(2);
    let breaker = breaker(settings);
    let slow = || {
        let ticket = granted(breaker.admit(at(0)));
        breaker.settle(ticket, Verdict::Success, at(50))
    };
    let quick = granted(breaker.admit(at(0)));
    assert_eq!(breaker.settle(quick, Verdict::Success, at(49)), None);
    assert_eq!(slow(), opened(60, Cause::SlowCalls));
    let snapshot = breaker.snapshot(at(50));
    assert_eq!((snapshot.slow_calls, snapshot.failures, snapshot.calls), (1, 0, 2));

    // A probe as slow as what opened it has failed.
    let probe = granted(breaker.admit(at(60)));
    let failed = breaker.settle(probe, Verdict::Success, at(110));
    assert_eq!(failed, opened(120, Cause::ProbeFailed));
}

#[test]
fn slow_calls_open_it_when_they_fail_as_well() {
    let breaker = breaker(opens_after(9).consecutive_failures(None).slow_calls(ms(50), 0.5));
    let times_out = || {
        let ticket = granted(breaker.admit(at(0)));
        breaker.settle(ticket, Verdict::Failure, at(50))
    };
    assert_eq!((0..9).find_map(|_| times_out()), None);
    assert_eq!(times_out(), opened(60, Cause::SlowCalls));
}

#[test]
fn a_slow_success_ends_a_row_of_failures() {
    let breaker = breaker(opens_after(2).slow_calls(ms(50), 1.0).min_calls(9));
    assert_eq!(call(&breaker, Verdict::Failure, 0), None);
    let ticket = granted(breaker.admit(at(0)));
    assert_eq!(breaker.settle(ticket, Verdict::Success, at(50)), None);
    assert_eq!(call(&breaker, Verdict::Failure, 60), None);
    assert_eq!(breaker.snapshot(at(60)).consecutive_failures, 1);
}

#[test]
fn who_gives_up_late_has_timed_out() {
    let breaker = breaker(opens_after(1).abandoned_after(Some(ms(30))));
    let ticket = granted(breaker.admit(at(0)));
    assert_eq!(breaker.settle(ticket, Verdict::Abandoned, at(29)), None);
    let ticket = granted(breaker.admit(at(0)));
    let timed_out = breaker.settle(ticket, Verdict::Abandoned, at(30));
    assert_eq!(timed_out, opened(40, Cause::ConsecutiveFailures));

    let never = super::breaker(opens_after(1).abandoned_after(None));
    let ticket = granted(never.admit(at(0)));
    assert_eq!(never.settle(ticket, Verdict::Abandoned, at(1_000_000)), None);
}

#[test]
fn a_success_counts_for_the_moment_of_its_admission_where_its_time_does_not_matter() {
    let mut n = 0;
    let mut settles_by = |settings: CircuitBreaker, verdict| {
        let breaker = breaker(settings);
        n += 1;
        let ticket = granted(breaker.admit(at(n)));
        breaker
            .settles_by(&ticket, verdict)
            .map(|by| (by == at(n), breaker.settle(ticket, verdict, by)))
    };
    let plain = CircuitBreaker::new();
    assert_eq!(settles_by(plain, Verdict::Success), Some((true, None)));
    assert_eq!(settles_by(plain, Verdict::Ignored), Some((true, None)));
    assert_eq!(settles_by(plain, Verdict::Failure), None);
    assert_eq!(settles_by(plain, Verdict::Abandoned), None);
    let slow = plain.slow_calls(Duration::from_secs(1), 0.5);
    assert_eq!(settles_by(slow, Verdict::Success), None);
}
