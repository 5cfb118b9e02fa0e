use super::*;

fn at(millis: u64) -> Moment {
    Moment::ORIGIN + ms(millis)
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn aimd(initial: u32) -> AdaptiveSlots {
    AdaptiveSlots::new(AdaptiveLimit::aimd(Aimd::new()).initial(initial)).unwrap()
}

fn gradient2(initial: u32) -> AdaptiveSlots {
    AdaptiveSlots::new(AdaptiveLimit::gradient2(Gradient2::new()).initial(initial)).unwrap()
}

fn enter(slots: &AdaptiveSlots) -> Slot {
    slots.try_enter().expect("a slot is free")
}

fn queued(slots: &AdaptiveSlots) -> Waiting {
    match slots.enter() {
        Entry::Queued(waiting) => waiting,
        entry @ (Entry::Granted(_) | Entry::Full) => panic!("{entry:?}"),
    }
}

/// So many calls at once, all of them ending so.
fn calls(slots: &AdaptiveSlots, count: usize, outcome: Outcome, took: Duration, now: Moment) {
    let all: Vec<_> = (0..count).map(|_| enter(slots)).collect();
    for slot in all {
        let _ = slots.leave(slot, outcome, took, now);
    }
}

const fn moved(from: u32, to: u32) -> Option<Moved> {
    Some(Moved { from, to })
}

#[test]
fn a_success_raises_the_limit_and_wakes_for_both_slots_that_are_free_now() {
    let slots = aimd(1);
    let slot = enter(&slots);
    let [first, second] = [(); 2].map(|()| queued(&slots));
    let effect = slots.leave(slot, Outcome::Success, ms(5), at(5));
    assert_eq!(effect, Effect { wake: Wake::First, moved: moved(1, 2) });
    let Claim::Granted(_, Wake::First) = slots.claim(first) else { panic!("two are free") };
    let Claim::Granted(_, Wake::Nobody) = slots.claim(second) else { panic!("two are free") };
    assert_eq!(slots.snapshot().in_use, 2);
}

#[test]
fn a_limit_that_was_cut_below_those_in_flight_lets_nobody_in_until_enough_have_left() {
    let slots = aimd(3);
    let [one, two, three] = [(); 3].map(|()| enter(&slots));
    let waiting = queued(&slots);
    let throttled = |slot| slots.leave(slot, Outcome::Throttled, ms(1), at(1));
    assert_eq!(throttled(one), Effect { wake: Wake::Nobody, moved: moved(3, 2) });
    assert_eq!(throttled(two), Effect { wake: Wake::Nobody, moved: moved(2, 1) });
    assert_eq!(throttled(three), Effect { wake: Wake::First, moved: None });
    assert_eq!(slots.give_up(waiting), Wake::Nobody);
}

#[test]
fn every_outcome_says_what_the_table_says() {
    use Outcome::{Abandoned, Fatal, Invalid, Refused, Success, Throttled, Transient};
    for (outcome, took, expected) in [
        (Success, ms(5_000), moved(2, 3)),
        (Fatal, ms(5_000), moved(2, 3)),
        (Success, ms(5_001), moved(2, 1)),
        (Transient, ms(1), moved(2, 1)),
        (Throttled, ms(1), moved(2, 1)),
        (Abandoned, ms(4_999), None),
        (Abandoned, ms(5_000), moved(2, 1)),
        (Invalid, ms(5_001), None),
        (Refused, ms(5_001), None),
    ] {
        let slots = aimd(2);
        let slot = enter(&slots);
        let effect = slots.leave(slot, outcome, took, at(0));
        assert_eq!(effect.moved, expected, "{outcome:?} after {took:?}");
        assert_eq!(slots.snapshot().in_use, 0);
    }
}

#[test]
fn gradient2_moves_once_a_window_and_tells_it_once() {
    let slots = gradient2(20);
    calls(&slots, 20, Outcome::Success, ms(50), at(0));
    let expected = AdaptiveSnapshot { in_use: 0, waiting: 0, limit: 20, usual: None, calls: 20 };
    assert_eq!(slots.snapshot(), expected);
    let slot = enter(&slots);
    let effect = slots.leave(slot, Outcome::Success, ms(50), at(1_000));
    assert_eq!(effect.moved, None); // 20.8
    assert_eq!(slots.snapshot().usual, Some(ms(50)));
    calls(&slots, 20, Outcome::Success, ms(50), at(1_500));
    let slot = enter(&slots);
    let effect = slots.leave(slot, Outcome::Success, ms(50), at(2_000));
    assert_eq!(effect, Effect { wake: Wake::Nobody, moved: moved(20, 21) });
    assert_eq!(slots.snapshot().calls, 0);
}

#[test]
fn a_window_that_ends_wakes_for_the_slot_and_for_the_room_that_it_makes() {
    let rule = Gradient2::new().min_calls(1).queue(10);
    let slots = AdaptiveSlots::new(AdaptiveLimit::gradient2(rule).initial(2)).unwrap();
    let [one, two] = [(); 2].map(|()| enter(&slots));
    let _waiting = [(); 4].map(|()| queued(&slots));
    let effect = slots.leave(one, Outcome::Success, ms(50), at(0));
    assert_eq!(effect, Effect { wake: Wake::First, moved: None });
    let effect = slots.leave(two, Outcome::Success, ms(50), at(1_000));
    assert_eq!(effect, Effect { wake: Wake::First, moved: moved(2, 4) });
}

#[test]
fn a_limit_set_by_hand_is_where_it_goes_on_from() {
    for (slots, raised) in [(aimd(20), 31), (gradient2(20), 30)] {
        let effect = slots.resize(30).unwrap();
        assert_eq!(effect, Effect { wake: Wake::Nobody, moved: moved(20, 30) });
        assert_eq!(slots.resize(30).unwrap().moved, None);
        let all: Vec<_> = (0..30).map(|_| enter(&slots)).collect();
        for slot in all.into_iter().take(1) {
            let _ = slots.leave(slot, Outcome::Success, ms(50), at(0));
        }
        assert_eq!(slots.snapshot().limit, raised);
    }
    let slots = gradient2(20);
    let _ = slots.resize(30).unwrap();
    calls(&slots, 10, Outcome::Throttled, ms(1), at(0));
    calls(&slots, 1, Outcome::Throttled, ms(1), at(1_000));
    assert_eq!(slots.snapshot().limit, 27);
}

#[test]
fn a_limit_set_higher_by_hand_wakes_who_waits() {
    for slots in [aimd(1), gradient2(1)] {
        let _slot = enter(&slots);
        let _waiting = queued(&slots);
        assert_eq!(slots.resize(2).unwrap().wake, Wake::First);
    }
}

#[test]
fn a_limit_set_outside_the_bounds_is_refused_and_changes_nothing() {
    for slots in [aimd(20), gradient2(20)] {
        for limit in [0, 201] {
            let error = slots.resize(limit).unwrap_err().to_string();
            let must = "must lie between `min` (1) and `max` (200)";
            assert_eq!(error, format!("`limit` is {limit}, but {must}"));
        }
        assert_eq!(slots.snapshot().limit, 20);
    }
}

#[test]
fn what_was_learnt_is_kept_for_a_minute() {
    for slots in [aimd(20), gradient2(20)] {
        assert_eq!(slots.at_rest_from(), Some(Moment::MIN));
        calls(&slots, 10, Outcome::Throttled, ms(1), at(0));
        calls(&slots, 1, Outcome::Throttled, ms(1), at(1_000));
        assert_ne!(slots.snapshot().limit, 20);
        let from = slots.at_rest_from().unwrap();
        assert!((at(60_000)..=at(61_000)).contains(&from));
        for _ in 0..10 {
            calls(&slots, 1, Outcome::Throttled, ms(1), at(9_000));
        }
        assert_eq!(slots.at_rest_from(), Some(at(69_000)));
        let _slot = enter(&slots);
        assert_eq!(slots.at_rest_from(), None);
    }
}

#[test]
fn a_limit_that_has_not_moved_has_nothing_to_forget() {
    let slots = aimd(20);
    calls(&slots, 9, Outcome::Success, ms(1), at(1_000));
    assert_eq!(slots.at_rest_from(), Some(Moment::MIN));
}

#[test]
fn settings_that_cannot_work_make_no_slots() {
    let none = AdaptiveLimit::aimd(Aimd::new()).min(0);
    assert_eq!(AdaptiveSlots::new(none).unwrap_err(), none.check().unwrap_err());
    let full = AdaptiveLimit::aimd(Aimd::new()).initial(1).max_waiting(0);
    let slots = AdaptiveSlots::new(full).unwrap();
    let _slot = enter(&slots);
    assert_eq!(slots.enter(), Entry::Full);
}

#[test]
fn changed_it_goes_on_from_where_it_is_inside_the_new_bounds() {
    let slots = aimd(20);
    let change = |settings: AdaptiveLimit| slots.change(settings).unwrap().moved;
    let rule = AdaptiveLimit::aimd(Aimd::new());
    assert_eq!(change(rule.initial(7)), None, "where it began plays no part");
    assert_eq!(change(rule.max(10)), moved(20, 10));
    assert_eq!(change(rule.min(15)), moved(10, 15));
    assert_eq!(change(rule.max(200)), None);
    let quick = AdaptiveLimit::aimd(Aimd::new().timeout(ms(10))).backoff_ratio(0.5);
    assert_eq!(change(quick.abandoned_after(Some(ms(20)))), None);
    calls(&slots, 1, Outcome::Success, ms(11), at(1));
    assert_eq!(slots.snapshot().limit, 7);
    calls(&slots, 1, Outcome::Abandoned, ms(20), at(1));
    assert_eq!(slots.snapshot().limit, 3);
    assert!(slots.resize(201).is_err());
}

#[test]
fn a_changed_gradient_keeps_what_it_knows_of_time() {
    let slots = gradient2(20);
    calls(&slots, 20, Outcome::Success, ms(10), at(0));
    calls(&slots, 20, Outcome::Success, ms(10), at(1_000));
    let usual = slots.snapshot().usual;
    assert!(usual.is_some());
    let rule = Gradient2::new().window(ms(10)).min_calls(1).smoothing(1.0).queue(9);
    let effect = slots.change(AdaptiveLimit::gradient2(rule).max(10)).unwrap();
    assert_eq!((effect.moved, slots.snapshot().usual), (moved(20, 10), usual));
    assert!(slots.change(AdaptiveLimit::gradient2(rule).max(50)).unwrap().moved.is_none());
    calls(&slots, 10, Outcome::Success, ms(10), at(1_999));
    assert_eq!(slots.snapshot().limit, 10, "the window that was on");
    calls(&slots, 10, Outcome::Success, ms(10), at(2_000));
    assert_eq!(slots.snapshot().limit, 19, "all of the way, nine more than it was");
}

#[test]
fn another_rule_needs_a_new_limit_and_what_cannot_be_changes_nothing() {
    let (one, other) = (aimd(20), gradient2(20));
    let says = |slots: &AdaptiveSlots, settings: AdaptiveLimit| {
        slots.change(settings.max(5)).unwrap_err().to_string()
    };
    let must = "but must stay what it was: a new limit is needed";
    let gradient = AdaptiveLimit::gradient2(Gradient2::new());
    assert_eq!(says(&one, gradient), format!("`rule` is gradient2, {must}"));
    let rule = AdaptiveLimit::aimd(Aimd::new());
    assert_eq!(says(&other, rule), format!("`rule` is aimd, {must}"));
    assert_eq!(says(&one, rule.min(9)), "`max` is 5, but must not be below `min` (9)");
    assert_eq!([one, other].map(|slots| slots.snapshot().limit), [20, 20]);
}
