use std::collections::HashSet;
use std::time::Duration;

use super::*;
use crate::backoff::Backoff;

const OPEN_TIME: u64 = 10;

fn at(millis: u64) -> Moment {
    Moment::ORIGIN + Duration::from_millis(millis)
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn breaker(settings: CircuitBreaker) -> Breaker {
    Breaker::new(settings, Draw::new(7)).unwrap()
}

/// Nothing but a row of failures opens it; one probe closes it; it is open for ten milliseconds.
fn opens_after(failures: u32) -> CircuitBreaker {
    CircuitBreaker::new()
        .consecutive_failures(Some(failures))
        .failure_ratio(None)
        .open_time(Backoff::constant(ms(OPEN_TIME)))
        .probes(1)
        .probe_time(ms(100))
}

/// Nothing but the ratio opens it.
fn by_ratio(ratio: f64, min_calls: u32, window: Span) -> CircuitBreaker {
    opens_after(1)
        .consecutive_failures(None)
        .failure_ratio(Some(ratio))
        .min_calls(min_calls)
        .window(window)
}

fn granted(admission: Admission) -> Ticket {
    match admission {
        Admission::Granted { ticket, .. } => ticket,
        Admission::Refused(refusal) => panic!("{refusal:?}"),
    }
}

fn refused(admission: Admission) -> Refusal {
    match admission {
        Admission::Refused(refusal) => refusal,
        Admission::Granted { ticket, .. } => panic!("{ticket:?}"),
    }
}

fn call(breaker: &Breaker, verdict: Verdict, millis: u64) -> Option<Transition> {
    let ticket = granted(breaker.admit(at(millis)));
    breaker.settle(ticket, verdict, at(millis))
}

fn calls(breaker: &Breaker, verdict: Verdict, times: u32, millis: u64) -> Option<Transition> {
    (0..times).fold(None, |_, _| call(breaker, verdict, millis))
}

fn opened(until: u64, cause: Cause) -> Option<Transition> {
    Some(Transition::Opened { until: at(until), cause })
}

fn open_for(millis: u64) -> Refusal {
    Refusal { state: BreakerState::Open, retry_in: Some(ms(millis)) }
}

fn half_open_for(millis: u64) -> Refusal {
    Refusal { state: BreakerState::HalfOpen, retry_in: Some(ms(millis)) }
}

#[test]
fn a_row_of_failures_opens_it_and_a_success_ends_the_row() {
    let breaker = breaker(opens_after(3));
    assert_eq!(calls(&breaker, Verdict::Failure, 2, 0), None);
    assert_eq!(call(&breaker, Verdict::Success, 0), None);
    assert_eq!(calls(&breaker, Verdict::Failure, 2, 0), None);
    assert_eq!(breaker.snapshot(at(0)).consecutive_failures, 2);
    assert_eq!(call(&breaker, Verdict::Failure, 5), opened(15, Cause::ConsecutiveFailures));
    assert_eq!(breaker.state(), BreakerState::Open);
}

#[test]
fn what_says_nothing_neither_lengthens_the_row_nor_ends_it() {
    let breaker = breaker(opens_after(2));
    assert_eq!(call(&breaker, Verdict::Failure, 0), None);
    assert_eq!(call(&breaker, Verdict::Abandoned, 0), None);
    assert_eq!(call(&breaker, Verdict::Ignored, 0), None);
    assert_eq!(breaker.snapshot(at(0)).consecutive_failures, 1);
    assert!(call(&breaker, Verdict::Failure, 0).is_some());
}

#[test]
fn open_refuses_until_the_time_is_over_and_says_how_long_that_is() {
    let breaker = breaker(opens_after(1));
    assert!(call(&breaker, Verdict::Failure, 0).is_some());
    assert_eq!(refused(breaker.admit(at(0))), open_for(10));
    assert_eq!(refused(breaker.admit(at(9))), open_for(1));
    assert_eq!(breaker.would_refuse(at(9)), Some(open_for(1)));
    assert_eq!(breaker.would_refuse(at(10)), None);
    assert_eq!(breaker.state(), BreakerState::Open); // nobody has asked yet
    let Admission::Granted { transition, .. } = breaker.admit(at(10)) else { panic!() };
    assert_eq!(transition, Some(Transition::HalfOpened));
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
}

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
fn open_times_are_jittered_by_the_seed_and_differ_from_one_another() {
    let times = |seed| {
        let settings = opens_after(1).open_time(CircuitBreaker::new().open_time);
        let breaker = Breaker::new(settings, Draw::new(seed)).unwrap();
        let mut now = 0;
        let until = |transition| match transition {
            Some(Transition::Opened { until, .. }) => until.since(at(0)).as_millis(),
            other => panic!("{other:?}"),
        };
        (0..4)
            .map(|_| {
                let opened = until(call(&breaker, Verdict::Failure, now));
                let open_for = opened - u128::from(now);
                now = u64::try_from(opened).unwrap();
                open_for
            })
            .collect::<Vec<_>>()
    };
    let (one, other) = (times(1), times(2));
    assert_eq!(one, times(1));
    assert_ne!(one, other);
    let envelopes = [1_000, 2_000, 4_000, 8_000];
    for (open_for, envelope) in one.iter().zip(envelopes) {
        assert!((envelope / 2..=envelope).contains(open_for), "{open_for} of {envelope}");
    }
    let parts: HashSet<_> = one.iter().zip(envelopes).map(|(o, e)| 100 * o / e).collect();
    assert_eq!(parts.len(), 4, "each is drawn anew: {one:?}");
}

#[test]
fn an_open_time_after_a_recovery_is_drawn_anew() {
    let settings = opens_after(1).open_time(CircuitBreaker::new().open_time);
    let breaker = breaker(settings);
    let opens_for = |now: u64| match call(&breaker, Verdict::Failure, now) {
        Some(Transition::Opened { until, .. }) => until.since(at(now)),
        other => panic!("{other:?}"),
    };
    let first = opens_for(0);
    assert_eq!(call(&breaker, Verdict::Success, 10_000), Some(Transition::Closed));
    assert_ne!(opens_for(20_000), first);
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

#[test]
fn a_ratio_opens_it_once_there_are_enough_calls() {
    let breaker = breaker(by_ratio(0.3, 10, Span::Time(ms(10_000))));
    assert_eq!(calls(&breaker, Verdict::Failure, 3, 0), None);
    assert_eq!(calls(&breaker, Verdict::Success, 7, 0), None); // a success never opens it
    assert_eq!(call(&breaker, Verdict::Failure, 0), opened(10, Cause::FailureRatio));
}

#[test]
fn just_the_ratio_is_enough_and_just_below_is_not() {
    let outcome = |good, bad| {
        let breaker = breaker(by_ratio(0.3, 10, Span::Time(ms(10_000))));
        calls(&breaker, Verdict::Success, good, 0);
        calls(&breaker, Verdict::Failure, bad, 0)
    };
    assert_eq!(outcome(7, 3), opened(10, Cause::FailureRatio));
    assert_eq!(outcome(8, 3), None); // 3 of 11
    assert_eq!(outcome(6, 3), None); // 9 calls
}

#[test]
fn results_leave_a_window_of_time_slice_by_slice() {
    let fresh = || {
        let breaker = breaker(by_ratio(0.5, 4, Span::Time(ms(100))));
        assert_eq!(calls(&breaker, Verdict::Failure, 3, 0), None);
        breaker
    };
    let snapshot = fresh().snapshot(at(90));
    assert_eq!((snapshot.calls, snapshot.failures), (3, 3));
    assert_eq!(call(&fresh(), Verdict::Failure, 90), opened(100, Cause::FailureRatio));
    let snapshot = fresh().snapshot(at(100));
    assert_eq!((snapshot.calls, snapshot.failures), (0, 0));
    assert_eq!(call(&fresh(), Verdict::Failure, 100), None);
}

#[test]
fn a_breaker_that_was_well_for_a_day_opens_as_fast_as_a_new_one() {
    for window in [Span::Time(ms(10_000)), Span::Calls(10)] {
        let breaker = breaker(by_ratio(0.5, 10, window));
        (0..86_400).for_each(|second| {
            assert_eq!(call(&breaker, Verdict::Success, second * 1_000), None);
        });
        let failures =
            (0..20).find(|&n| call(&breaker, Verdict::Failure, 86_400_000 + n * 1_000).is_some());
        assert_eq!(failures, Some(4), "the fifth of ten, {window:?}");
    }
}

#[test]
fn a_window_of_calls_holds_the_last_so_many() {
    let breaker = breaker(by_ratio(1.0, 3, Span::Calls(3)));
    assert_eq!(calls(&breaker, Verdict::Success, 1, 0), None);
    assert_eq!(calls(&breaker, Verdict::Failure, 2, 0), None);
    assert_eq!(breaker.snapshot(at(9_999_999)).failures, 2);
    assert_eq!(
        call(&breaker, Verdict::Failure, 9_999_999),
        opened(10_000_009, Cause::FailureRatio)
    );
}

#[test]
fn a_large_window_of_calls_forgets_a_part_at_a_time() {
    let breaker = breaker(by_ratio(1.0, 1, Span::Calls(1_000)));
    // Sixteen results to a slice, 62 slices: the first leaves with the 993rd.
    calls(&breaker, Verdict::Success, 992, 0);
    assert_eq!(breaker.snapshot(at(0)).calls, 992);
    call(&breaker, Verdict::Success, 0);
    assert_eq!(breaker.snapshot(at(0)).calls, 977);
}

#[test]
fn a_hundred_thousand_successes_do_not_make_failures_weigh_more() {
    let breaker = breaker(by_ratio(0.5, 10, Span::Time(ms(10_000))));
    calls(&breaker, Verdict::Success, 100_000, 0);
    assert_eq!(calls(&breaker, Verdict::Failure, 99_999, 0), None);
    assert!(call(&breaker, Verdict::Failure, 0).is_some());
}

#[test]
fn a_long_outage_leaves_it_as_sharp_as_before() {
    for window in [Span::Time(ms(1_000)), Span::Calls(10)] {
        for probes in [1, 15, 254, 255, 256, 257, 600] {
            let breaker = breaker(by_ratio(0.5, 10, window));
            assert!(calls(&breaker, Verdict::Failure, 10, 0).is_some());
            for probe in 1..probes {
                assert!(call(&breaker, Verdict::Failure, probe * 10).is_some());
            }
            assert_eq!(call(&breaker, Verdict::Success, probes * 10), Some(Transition::Closed));
            assert_eq!(breaker.snapshot(at(probes * 10)).calls, 0);
            assert_eq!(calls(&breaker, Verdict::Failure, 9, probes * 10), None);
            assert!(call(&breaker, Verdict::Failure, probes * 10).is_some(), "{probes} probes");
        }
    }
}

#[test]
fn a_breaker_that_has_closed_again_starts_with_an_empty_window() {
    let breaker = breaker(by_ratio(0.5, 4, Span::Time(ms(10_000))));
    assert!(calls(&breaker, Verdict::Failure, 4, 0).is_some());
    assert_eq!(call(&breaker, Verdict::Success, 10), Some(Transition::Closed));
    assert_eq!(breaker.snapshot(at(10)).calls, 0);
    assert_eq!(calls(&breaker, Verdict::Failure, 3, 11), None);
    assert!(call(&breaker, Verdict::Failure, 11).is_some());
}

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
fn a_row_of_failures_opens_it_whatever_the_ratios_say() {
    let breaker = breaker(CircuitBreaker::new().slow_calls(ms(50), 1.0));
    calls(&breaker, Verdict::Success, 100, 0);
    assert_eq!(calls(&breaker, Verdict::Failure, 4, 0), None);
    let Some(Transition::Opened { cause, .. }) = call(&breaker, Verdict::Failure, 0) else {
        panic!("five in a row");
    };
    assert_eq!(cause, Cause::ConsecutiveFailures);
}

#[test]
fn it_may_be_forgotten_a_minute_after_its_last_trouble() {
    let minute = 60_000;
    let breaker = breaker(opens_after(2));
    call(&breaker, Verdict::Success, 5);
    assert_eq!(breaker.at_rest_from(), Some(Moment::MIN));
    call(&breaker, Verdict::Failure, 5);
    assert_eq!(breaker.at_rest_from(), Some(at(5 + minute)));
    call(&breaker, Verdict::Failure, 6);
    assert_eq!(breaker.at_rest_from(), Some(at(16 + minute))); // open until 16
    let probe = granted(breaker.admit(at(20)));
    assert_eq!(breaker.at_rest_from(), Some(at(120 + minute))); // given up at 120
    breaker.settle(probe, Verdict::Success, at(30));
    assert_eq!(breaker.at_rest_from(), Some(at(6 + minute)));
    breaker.isolate();
    assert_eq!(breaker.at_rest_from(), None);

    let day = Span::Time(CircuitBreaker::LONGEST);
    let slow = self::breaker(by_ratio(1.0, 9, day).slow_calls(ms(50), 1.0));
    let ticket = granted(slow.admit(at(0)));
    slow.settle(ticket, Verdict::Success, at(50));
    assert_eq!(slow.at_rest_from(), Some(at(50) + CircuitBreaker::LONGEST));
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

    let never = self::breaker(opens_after(1).abandoned_after(None));
    let ticket = granted(never.admit(at(0)));
    assert_eq!(never.settle(ticket, Verdict::Abandoned, at(1_000_000)), None);
}

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

#[test]
fn outcomes_mean_what_the_table_says() {
    use crate::outcome::Outcome;
    let verdicts = [
        (Outcome::Success, Verdict::Success),
        (Outcome::Fatal, Verdict::Success),
        (Outcome::Transient, Verdict::Failure),
        (Outcome::Throttled, Verdict::Ignored),
        (Outcome::Invalid, Verdict::Ignored),
        (Outcome::Refused, Verdict::Ignored),
        (Outcome::Abandoned, Verdict::Abandoned),
    ];
    for (outcome, verdict) in verdicts {
        assert_eq!(Verdict::from(outcome), verdict);
    }
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
