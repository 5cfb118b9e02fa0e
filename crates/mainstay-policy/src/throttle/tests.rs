use std::time::Duration;

use super::*;

/// On the second, where slices of a second begin.
fn at(seconds: u64) -> Moment {
    Moment::from_nanos((4_000_000_000 + seconds) * 1_000_000_000)
}

/// Ten slices of a second, one request per accepted one, and no floor.
fn strict() -> Throttler {
    let window = Duration::from_secs(10);
    let settings = Throttle::new().per_accepted(1.0).window(window).min_requests(1);
    Throttler::new(settings.max_rejection(1.0)).unwrap()
}

/// Lets a call through, whatever the probability.
fn granted(throttler: &Throttler, now: u64) -> Ticket {
    match throttler.admit(at(now), Draw::MOST) {
        Admission::Granted(ticket) => ticket,
        Admission::Refused(refusal) => panic!("{refusal:?}"),
    }
}

fn refused(throttler: &Throttler, now: u64) -> f64 {
    match throttler.admit(at(now), Draw::LEAST) {
        Admission::Refused(refusal) => refusal.probability,
        Admission::Granted(_) => panic!("there was nothing to refuse it for"),
    }
}

fn call(throttler: &Throttler, verdict: Verdict, now: u64) {
    throttler.settle(granted(throttler, now), verdict, at(now));
}

fn holds(throttler: &Throttler, now: u64) -> (u64, u64) {
    let ThrottleSnapshot { requests, accepted, .. } = throttler.snapshot(at(now));
    (requests, accepted)
}

#[test]
fn while_the_server_accepts_everything_nothing_is_refused() {
    let throttler = strict();
    for second in 0..100 {
        call(&throttler, Verdict::Accepted, second);
        assert!(matches!(throttler.admit(at(second), Draw::LEAST), Admission::Granted(_)));
    }
    assert_eq!(holds(&throttler, 99), (10, 10));
    assert_eq!(throttler.at_rest_from(), Some(Moment::MIN));
}

#[test]
fn the_dice_need_not_be_thrown_while_all_that_is_held_was_accepted() {
    let throttler = strict();
    assert!(throttler.lets_all_through(at(0)));
    call(&throttler, Verdict::Accepted, 0);
    assert!(throttler.lets_all_through(at(0)));
    call(&throttler, Verdict::NotAccepted, 3);
    assert!(!throttler.lets_all_through(at(12)));
    assert!(throttler.lets_all_through(at(13)));
}

#[test]
fn what_it_refuses_counts_as_a_request() {
    let throttler = strict();
    call(&throttler, Verdict::NotAccepted, 0);
    assert_eq!(refused(&throttler, 0), 1.0 / 2.0);
    assert_eq!(refused(&throttler, 0), 2.0 / 3.0);
    assert_eq!(refused(&throttler, 0), 3.0 / 4.0);
    call(&throttler, Verdict::Accepted, 0);
    let expected = ThrottleSnapshot { requests: 5, accepted: 1, probability: 4.0 / 6.0 };
    assert_eq!(throttler.snapshot(at(0)), expected);
}

#[test]
fn the_draw_decides_and_the_share_that_it_decides_is_the_probability() {
    let throttler = strict();
    (0..3).for_each(|_| call(&throttler, Verdict::NotAccepted, 0));
    assert_eq!(throttler.probability(at(0)), 0.75);
    let three_quarters = 3 << 62;
    let admit = |bits| throttler.admit(at(0), Draw::new(bits));
    assert!(matches!(admit(three_quarters), Admission::Granted(_)));
    let expected = Admission::Refused(Refusal { probability: 0.75 });
    assert_eq!(admit(three_quarters - 1), expected);
}

#[test]
fn a_result_leaves_the_window_and_takes_its_refusals_along() {
    let throttler = strict();
    call(&throttler, Verdict::NotAccepted, 3);
    call(&throttler, Verdict::Accepted, 5);
    assert_eq!(throttler.at_rest_from(), Some(at(13)));
    assert_eq!((holds(&throttler, 12), throttler.probability(at(12))), ((2, 1), 1.0 / 3.0));
    assert_eq!((holds(&throttler, 13), throttler.probability(at(13))), ((1, 1), 0.0));
    assert_eq!(holds(&throttler, 15), (0, 0));
}

#[test]
fn it_is_at_rest_when_the_last_refusal_has_left() {
    let throttler = strict();
    call(&throttler, Verdict::NotAccepted, 3);
    assert_eq!(refused(&throttler, 8), 0.5);
    assert_eq!(throttler.at_rest_from(), Some(at(18)));
    assert_eq!((holds(&throttler, 17), throttler.probability(at(17))), ((1, 0), 0.5));
    assert_eq!((holds(&throttler, 18), throttler.probability(at(18))), ((0, 0), 0.0));
}

/// Counted when they start, 64 calls of a batch would be refused but for the first few, by a
/// server that is well.
#[test]
fn a_batch_that_has_no_answers_yet_is_not_refused() {
    let throttler = Throttler::new(Throttle::new()).unwrap();
    let batch: Vec<_> = (0..64)
        .map(|_| match throttler.admit(at(0), Draw::LEAST) {
            Admission::Granted(ticket) => ticket,
            Admission::Refused(refusal) => panic!("{refusal:?}"),
        })
        .collect();
    assert_eq!(throttler.snapshot(at(0)).requests, 0);
    batch.into_iter().for_each(|ticket| throttler.settle(ticket, Verdict::Accepted, at(1)));
    assert_eq!(holds(&throttler, 1), (64, 64));
}

#[test]
fn a_script_whose_first_calls_fail_may_go_on() {
    let throttler = Throttler::new(Throttle::new()).unwrap();
    for _ in 0..9 {
        call(&throttler, Verdict::NotAccepted, 0);
        assert_eq!(throttler.probability(at(0)), 0.0);
    }
    call(&throttler, Verdict::NotAccepted, 0);
    assert_eq!(throttler.probability(at(0)), 0.9); // 10 of 11 would be more than ever is refused
}

#[test]
fn what_says_nothing_of_the_server_is_not_counted() {
    let throttler = strict();
    call(&throttler, Verdict::Ignored, 0);
    assert_eq!((holds(&throttler, 0), throttler.at_rest_from()), ((0, 0), Some(Moment::MIN)));
}

#[test]
fn every_outcome_says_what_it_says() {
    for (outcome, verdict) in [
        (Outcome::Success, Verdict::Accepted),
        (Outcome::Fatal, Verdict::Accepted),
        (Outcome::Transient, Verdict::NotAccepted),
        (Outcome::Throttled, Verdict::NotAccepted),
        (Outcome::Invalid, Verdict::Ignored),
        (Outcome::Refused, Verdict::Ignored),
        (Outcome::Abandoned, Verdict::Ignored),
    ] {
        assert_eq!(Verdict::from(outcome), verdict, "{outcome:?}");
    }
}

/// A thread that was held up tells an older moment: its call counts as one of now, and no sooner
/// than that is it forgotten.
#[test]
fn an_end_that_is_told_late_counts_as_one_of_now() {
    let throttler = strict();
    let slow = granted(&throttler, 0);
    call(&throttler, Verdict::Accepted, 20);
    throttler.settle(slow, Verdict::NotAccepted, at(12));
    assert_eq!((holds(&throttler, 29), throttler.probability(at(29))), ((2, 1), 1.0 / 3.0));
    assert_eq!(throttler.at_rest_from(), Some(at(30)));
    // And who asks with an older moment is told what holds now.
    assert_eq!(throttler.probability(at(12)), 1.0 / 3.0);
}

#[test]
fn settings_that_cannot_work_make_no_throttle() {
    assert!(Throttler::new(Throttle::new().min_requests(0)).is_err());
}

fn settings() -> Throttle {
    Throttle::new().per_accepted(1.0).window(Duration::from_secs(10)).min_requests(1)
}

#[test]
fn changed_it_judges_what_it_holds_by_the_new_numbers() {
    let throttler = strict();
    (0..3).for_each(|_| call(&throttler, Verdict::NotAccepted, 0));
    call(&throttler, Verdict::Accepted, 0);
    assert_eq!(throttler.probability(at(0)), 3.0 / 5.0);
    assert_eq!(throttler.change(settings().per_accepted(2.0), at(0)), Ok(()));
    assert_eq!(throttler.probability(at(0)), 2.0 / 5.0);
    assert_eq!(throttler.change(settings().max_rejection(0.25), at(0)), Ok(()));
    assert_eq!(throttler.probability(at(0)), 0.25);
    assert_eq!(throttler.change(settings().min_requests(5), at(0)), Ok(()));
    assert_eq!(throttler.probability(at(0)), 0.0);
    assert_eq!(holds(&throttler, 9), (4, 1));
}

#[test]
fn with_another_window_it_begins_anew() {
    let throttler = strict();
    (0..3).for_each(|_| call(&throttler, Verdict::NotAccepted, 0));
    let longer = settings().window(Duration::from_secs(100));
    assert_eq!(throttler.change(longer, at(1)), Ok(()));
    assert_eq!((holds(&throttler, 1), throttler.probability(at(1))), ((0, 0), 0.0));
    assert!(throttler.lets_all_through(at(1)));
    assert!(throttler.at_rest_from().unwrap() <= at(1));

    call(&throttler, Verdict::NotAccepted, 2);
    assert_eq!((holds(&throttler, 91), refused(&throttler, 91)), ((1, 0), 0.5));
    assert_eq!(throttler.at_rest_from(), Some(at(191)), "what was refused here counts as well");
}

#[test]
fn a_change_that_cannot_be_changes_nothing() {
    let throttler = strict();
    call(&throttler, Verdict::NotAccepted, 0);
    let wrong = settings().per_accepted(0.5).window(Duration::from_secs(60));
    assert_eq!(throttler.change(wrong, at(0)), wrong.check());
    assert_eq!((holds(&throttler, 0), throttler.probability(at(0))), ((1, 0), 0.5));
}
