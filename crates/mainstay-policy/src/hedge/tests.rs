use super::*;
use crate::retry::Ended;

fn at(millis: u64) -> Moment {
    Moment::ORIGIN + ms(millis)
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// At the 90th percentile of ten observations or more, remembered for ten seconds.
fn settings() -> Hedge {
    Hedge::at_percentile(90.0).min_observations(10).memory(ms(10_000))
}

fn hedger(settings: Hedge) -> Hedger {
    Hedger::new(settings).unwrap()
}

fn take(hedger: &Hedger, calls: usize, millis: u64) {
    (0..calls).for_each(|_| hedger.observe(Outcome::Success, ms(millis)));
}

/// How long after an attempt that is sent at this time the next one goes out.
fn delay(hedger: &Hedger, now: u64) -> Duration {
    hedger.next_at(1, at(now)).unwrap().since(at(now))
}

/// The end of the bucket: what a latency comes to when it is observed.
fn seen(millis: u64) -> Duration {
    let latencies = Latencies::up_to(Hedge::LONGEST);
    latencies.count(Half::One, ms(millis));
    latencies::end(latencies.at_rank(1))
}

#[test]
fn a_fixed_delay_is_what_it_is_whatever_is_observed() {
    let hedger = hedger(Hedge::after(ms(70)));
    take(&hedger, 1_000, 5);
    assert_eq!(hedger.next_at(1, at(3)), Some(at(73)));
    let expected = HedgeSnapshot { delay: ms(70), observations: 0, learned: None };
    assert_eq!(hedger.snapshot(), expected);
    assert_eq!(hedger.at_rest_from(), Some(Moment::MIN));
}

#[test]
fn each_extra_attempt_goes_out_a_delay_after_the_one_before_and_there_is_an_end_of_them() {
    let one = hedger(Hedge::after(ms(70)));
    assert_eq!([one.next_at(1, at(0)), one.next_at(2, at(70))], [Some(at(70)), None]);
    let three = hedger(Hedge::after(ms(70)).extra_attempts(3));
    let sent = [1, 2, 3, 4, u32::MAX].map(|sent| three.next_at(sent, at(5)).is_some());
    assert_eq!(sent, [true, true, true, false, false]);
}

#[test]
fn until_enough_is_observed_the_longest_delay_counts() {
    let hedger = hedger(settings().max_delay(ms(500)));
    take(&hedger, 9, 20);
    assert_eq!(delay(&hedger, 0), ms(500));
    assert_eq!(hedger.snapshot().learned, None);
    take(&hedger, 1, 20);
    assert_eq!(delay(&hedger, 100), seen(20));
    let expected = HedgeSnapshot { delay: seen(20), observations: 10, learned: Some(seen(20)) };
    assert_eq!(hedger.snapshot(), expected);
}

#[test]
fn the_delay_is_the_percentile_and_never_shorter() {
    let hedger = hedger(settings());
    (1..=100).for_each(|millis| take(&hedger, 1, millis));
    assert_eq!(delay(&hedger, 0), seen(90));
    assert!(seen(90) > ms(90) && seen(90) < ms(90) * 33 / 32);
}

#[test]
fn what_was_seen_is_gone_by_for_a_tenth_of_a_second() {
    let hedger = hedger(settings());
    take(&hedger, 10, 20);
    assert_eq!(delay(&hedger, 0), seen(20));
    take(&hedger, 90, 40);
    assert_eq!([delay(&hedger, 0), delay(&hedger, 99)], [seen(20); 2]);
    assert_eq!(delay(&hedger, 100), seen(40));
}

#[test]
fn the_bounds_hold_whatever_is_observed() {
    let bounds = settings().min_delay(ms(10)).max_delay(ms(50));
    for (observed, delayed) in [(1, ms(10)), (20, seen(20)), (50, ms(50)), (3_000, ms(50))] {
        let hedger = hedger(bounds);
        take(&hedger, 10, observed);
        assert_eq!(delay(&hedger, 0), delayed);
    }
}

#[test]
fn what_is_old_leaves_once_there_is_enough_that_is_newer() {
    let hedger = hedger(settings());
    take(&hedger, 20, 20);
    assert_eq!(delay(&hedger, 0), seen(20)); // one half is full, and another is begun
    take(&hedger, 9, 70);
    assert_eq!((delay(&hedger, 5_000), hedger.snapshot().observations), (seen(70), 29));
    assert_eq!((delay(&hedger, 90_000), hedger.snapshot().observations), (seen(70), 29));
    take(&hedger, 1, 70);
    assert_eq!((delay(&hedger, 90_100), hedger.snapshot().observations), (seen(70), 10));
    // And not before its time.
    take(&hedger, 500, 30);
    assert_eq!((delay(&hedger, 95_099), hedger.snapshot().observations), (seen(30), 510));
    assert_eq!((delay(&hedger, 95_200), hedger.snapshot().observations), (seen(30), 500));
}

#[test]
fn after_a_long_pause_it_still_knows_what_it_knew() {
    let hedger = hedger(settings());
    take(&hedger, 10, 20);
    assert_eq!(delay(&hedger, 0), seen(20));
    assert_eq!(delay(&hedger, 86_400_000), seen(20));
}

#[test]
fn a_quick_failure_is_no_quick_server_and_a_slow_one_is_a_slow_one() {
    use Outcome::{Abandoned, Fatal, Invalid, Refused, Throttled, Transient};
    let hedger = hedger(settings());
    take(&hedger, 20, 20);
    assert_eq!(delay(&hedger, 0), seen(20));
    let counted = |outcome, took| {
        let before = hedger.snapshot().observations;
        hedger.observe(outcome, took);
        hedger.snapshot().observations - before
    };
    let just_under = seen(20) - Duration::from_nanos(1);
    for outcome in [Transient, Throttled, Abandoned] {
        assert_eq!(
            (counted(outcome, just_under), counted(outcome, seen(20))),
            (0, 1),
            "{outcome:?}"
        );
    }
    for outcome in [Invalid, Refused] {
        assert_eq!((counted(outcome, ms(1)), counted(outcome, ms(9_000))), (0, 0), "{outcome:?}");
    }
    assert_eq!((counted(Fatal, ms(1)), counted(Fatal, ms(9_000))), (1, 1));
}

#[test]
fn it_is_at_rest_when_nobody_has_asked_for_as_long_as_it_remembers() {
    let hedger = hedger(settings());
    assert!(hedger.at_rest_from().unwrap() < at(0));
    assert_eq!(delay(&hedger, 7), ms(30_000));
    assert_eq!(hedger.at_rest_from(), Some(at(107) + ms(10_000)));
}

#[test]
fn a_moment_from_before_is_answered_by_what_is_known() {
    let hedger = hedger(settings());
    take(&hedger, 10, 20);
    assert_eq!(delay(&hedger, 60_000), seen(20));
    take(&hedger, 90, 40);
    assert_eq!(delay(&hedger, 50_000), seen(20));
    assert_eq!(hedger.next_at(1, Moment::MAX), Some(Moment::MAX));
}

#[test]
fn settings_that_cannot_work_make_no_hedge() {
    assert!(Hedger::new(Hedge::after(Duration::ZERO)).is_err());
    assert!(Hedger::new(Hedge::at_percentile(0.95)).is_err());
}

#[test]
fn nothing_goes_out_that_could_not_end_in_time_or_after_a_failure() {
    let hedger = hedger(Hedge::after(ms(10)).extra_attempts(2));
    let (now, then) = (at(0), at(10));
    let mut race = Race::new();
    assert_eq!(hedger.next_of(&race, now, Moment::MAX), Some(then));
    assert_eq!(hedger.next_of(&race, now, then), None, "its time is over");
    assert_eq!(hedger.next_of(&race, now, then + Duration::from_nanos(1)), Some(then));

    assert!(!hedger.is_next_the_last(&race));
    race.send();
    assert!(hedger.is_next_the_last(&race));
    assert_eq!(hedger.next_of(&race, then, Moment::MAX), Some(then + ms(10)));
    let mut failed = race;
    let _ = failed.end(Ended::new(Outcome::Transient));
    assert_eq!(hedger.next_of(&failed, then, Moment::MAX), None);
    race.send();
    assert_eq!(hedger.next_of(&race, then, Moment::MAX), None, "these were all");
}

#[test]
fn changed_it_looks_for_other_things_in_what_it_has_observed() {
    let hedger = hedger(settings().max_delay(ms(500)));
    take(&hedger, 90, 20);
    take(&hedger, 10, 400);
    assert_eq!(delay(&hedger, 0), seen(20));
    assert_eq!(hedger.change(settings().max_delay(ms(500)).min_delay(ms(70))), Ok(()));
    assert_eq!(delay(&hedger, 1), ms(70), "the bounds hold at once");
    let later = Hedge::at_percentile(95.0).min_observations(20).extra_attempts(2);
    assert_eq!(hedger.change(later), Ok(()));
    assert_eq!(delay(&hedger, 99), seen(20));
    assert_eq!(delay(&hedger, 100), seen(400), "the percentile when it looks again");
    assert_eq!(hedger.snapshot().observations, 100);
    assert_eq!([2, 3].map(|sent| hedger.next_at(sent, at(100)).is_some()), [true, false]);
    let wrong = settings().memory(ms(1));
    assert_eq!(hedger.change(wrong), wrong.check());
    assert_eq!(delay(&hedger, 200), seen(400));
}

#[test]
fn a_longer_longest_delay_tells_longer_ones_apart_from_then_on() {
    let hedger = hedger(settings().max_delay(ms(50)));
    take(&hedger, 10, 900);
    assert_eq!(delay(&hedger, 0), ms(50));
    assert_eq!(hedger.change(settings().max_delay(ms(2_000))), Ok(()));
    assert_eq!(hedger.snapshot().observations, 10);
    assert!(delay(&hedger, 100) <= seen(50), "they were not told apart");
    take(&hedger, 190, 900);
    assert_eq!(delay(&hedger, 200), seen(900));
}

#[test]
fn from_a_fixed_delay_to_a_learned_one_and_back_what_was_observed_stays() {
    let hedger = hedger(Hedge::after(ms(70)));
    take(&hedger, 10, 20);
    assert_eq!(hedger.change(settings().max_delay(ms(500))), Ok(()));
    assert_eq!((delay(&hedger, 0), hedger.snapshot().observations), (ms(500), 0));
    take(&hedger, 10, 20);
    assert_eq!(delay(&hedger, 100), seen(20));
    assert_eq!(hedger.change(Hedge::after(ms(7))), Ok(()));
    assert_eq!((delay(&hedger, 200), hedger.snapshot().observations), (ms(7), 0));
    assert_eq!(hedger.change(settings()), Ok(()));
    assert_eq!((delay(&hedger, 300), hedger.snapshot().observations), (seen(20), 10));
}
