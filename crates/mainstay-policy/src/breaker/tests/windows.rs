//! The failures of the last so many calls, or of the last so and so long.

use super::*;

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
