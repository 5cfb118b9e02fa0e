use std::collections::HashSet;
use std::time::Duration;

use super::*;
use crate::backoff::Backoff;

mod by_hand;
mod probes;
mod slow_calls;
mod windows;

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
