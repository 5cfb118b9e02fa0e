use super::*;

fn at(millis: u64) -> Moment {
    Moment::ORIGIN + ms(millis)
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn gate() -> Gate {
    Gate::new(CoolDown::new()).unwrap()
}

fn throttled(asked: u64) -> Signal {
    Signal::Throttled { asked: Some(ms(asked)) }
}

fn cooling(until: u64, asked: u64) -> Option<CoolingDown> {
    Some(CoolingDown { until: at(until), asked: at(asked) })
}

fn starts(gate: &Gate, millis: u64) -> usize {
    (0..5_000).take_while(|_| gate.take(at(millis)) == Turn::Now).count()
}

#[test]
fn a_429_closes_it_at_once_for_as_long_as_was_asked() {
    let gate = gate();
    assert_eq!(gate.tell(throttled(3_000), at(0)), cooling(3_000, 3_000));
    assert_eq!(gate.take(at(2_999)), Turn::At(at(3_000)));
    assert_eq!(gate.retry_in(at(2_000)), Some(ms(1_000)));
    assert_eq!(gate.snapshot(at(2_000)).opens_in, Some(ms(1_000)));
    assert_eq!(gate.retry_in(at(3_000)), None);
    assert_eq!(gate.take(at(3_000)), Turn::Now);
}

#[test]
fn a_429_that_does_not_say_for_how_long_closes_it_for_a_second() {
    for asked in [None, Some(Duration::ZERO)] {
        let gate = gate();
        assert_eq!(gate.tell(Signal::Throttled { asked }, at(0)), cooling(1_000, 1_000));
    }
}

#[test]
fn it_never_closes_for_longer_than_allowed_and_says_what_was_asked() {
    let gate = gate();
    assert_eq!(gate.tell(throttled(3_600_000), at(0)), cooling(60_000, 3_600_000));
    assert_eq!(gate.retry_in(at(0)), Some(ms(3_600_000)));
    assert_eq!(gate.take(at(60_000)), Turn::Now);
}

#[test]
fn what_was_asked_at_an_earlier_closing_is_forgotten() {
    let gate = gate();
    assert!(gate.tell(throttled(3_600_000), at(0)).is_some());
    assert!(gate.tell(throttled(1_000), at(61_000)).is_some()); // in the ramp
    assert_eq!(gate.retry_in(at(61_500)), Some(ms(3_600_000 - 61_500)));
    assert!(gate.tell(throttled(1_000), at(90_000)).is_some()); // long after it
    assert_eq!(gate.retry_in(at(90_000)), Some(ms(1_000)));
}

#[test]
fn each_change_is_noticed_once_by_whoever_asks_next() {
    let gate = gate();
    assert_eq!(gate.noticed(at(0)), None);
    assert!(gate.tell(throttled(1_000), at(0)).is_some());
    assert_eq!(gate.noticed(at(0)), Some(GateState::Closed));
    assert!(gate.tell(throttled(1_000), at(500)).is_some());
    assert_eq!(gate.noticed(at(500)), None, "it stays closed");
    assert_eq!(gate.noticed(at(1_500)), Some(GateState::Ramping));
    assert_eq!(gate.noticed(at(3_499)), None);
    assert_eq!(gate.noticed(at(3_500)), Some(GateState::Open));
    assert_eq!(gate.noticed(at(3_500)), None);

    assert!(gate.tell(throttled(1_000), at(4_000)).is_some());
    assert_eq!(gate.noticed(at(9_000)), None, "it closed and opened, and nobody asked");
}

#[test]
fn by_hand_it_opens_without_a_ramp() {
    let gate = gate();
    assert!(gate.tell(throttled(3_600_000), at(0)).is_some());
    assert_eq!(gate.noticed(at(0)), Some(GateState::Closed));
    gate.reset();
    assert_eq!((gate.noticed(at(0)), gate.retry_in(at(0))), (Some(GateState::Open), None));
    assert_eq!(starts(&gate, 0), 5_000);
    assert_eq!(gate.tell(throttled(1_000), at(0)), cooling(1_000, 1_000));
    assert_eq!(gate.retry_in(at(0)), Some(ms(1_000)), "what was asked before is forgotten");
}

#[test]
fn it_may_be_forgotten_when_nothing_that_was_told_matters_any_more() {
    let gate = gate();
    assert_eq!(gate.at_rest_from(), Some(Moment::MIN));
    assert_eq!(gate.tell(Signal::Overloaded { asked: ms(500) }, at(0)), None);
    assert_eq!(gate.at_rest_from(), Some(at(1_000)));
    assert!(gate.tell(throttled(3_000), at(0)).is_some());
    assert_eq!(gate.at_rest_from(), Some(at(33_000)), "what is learnt matters for so long");
}

#[test]
fn the_longest_that_was_asked_counts_and_less_changes_nothing() {
    let gate = gate();
    assert!(gate.tell(throttled(3_000), at(0)).is_some());
    assert_eq!(gate.tell(throttled(1_000), at(1_000)), None);
    assert_eq!(gate.tell(throttled(2_000), at(1_000)), None);
    assert_eq!(gate.take(at(2_000)), Turn::At(at(3_000)));
    assert_eq!(gate.tell(throttled(3_000), at(1_000)), cooling(4_000, 4_000));
}

#[test]
fn one_overloaded_machine_does_not_close_it_and_two_answers_within_a_second_do() {
    let overloaded = Signal::Overloaded { asked: ms(500) };
    let again = gate();
    assert_eq!(again.tell(overloaded, at(0)), None);
    assert_eq!(again.take(at(0)), Turn::Now);
    assert_eq!(again.tell(overloaded, at(1_000)), cooling(1_500, 1_500));
    let later = gate();
    assert_eq!(later.tell(overloaded, at(0)), None);
    assert_eq!(later.tell(overloaded, at(1_001)), None);
    assert_eq!(later.tell(Signal::Overloaded { asked: Duration::ZERO }, at(1_001)), None);
    assert_eq!(later.tell(overloaded, at(0)), None); // told late, and not within a second
    assert_eq!(later.tell(overloaded, at(2_001)), cooling(2_501, 2_501));
}

#[test]
fn nothing_left_closes_it_until_the_reset() {
    let gate = gate();
    let exhausted = |reset| Signal::Exhausted { reset: at(reset) };
    assert_eq!(gate.tell(exhausted(7_000), at(0)), cooling(7_000, 7_000));
    assert_eq!(gate.tell(exhausted(6_000), at(6_000)), None);
}

#[test]
fn a_reset_that_is_over_closes_nothing() {
    let gate = gate();
    assert_eq!(gate.tell(Signal::Exhausted { reset: at(5) }, at(5)), None);
    assert_eq!(gate.snapshot(at(5)).state, GateState::Open);
    assert_eq!(starts(&gate, 5), 5_000);
}

#[test]
fn it_opens_in_steps_of_twice_as_many() {
    let gate = gate();
    assert!(gate.tell(throttled(1_000), at(0)).is_some());
    assert_eq!(starts(&gate, 1_000), 1);
    assert_eq!(gate.take(at(1_099)), Turn::At(at(1_100)));
    assert_eq!(gate.retry_in(at(1_099)), Some(ms(1)));
    assert_eq!([1_100, 1_200, 1_350].map(|now| starts(&gate, now)), [2, 4, 8]);
    assert_eq!(gate.snapshot(at(2_999)).state, GateState::Ramping);
    assert_eq!(starts(&gate, 3_000), 5_000);
}

#[test]
fn a_step_gives_what_it_has_once_however_the_clock_stumbles() {
    let gate = gate();
    assert!(gate.tell(throttled(1_000), at(0)).is_some());
    assert_eq!(starts(&gate, 1_100), 2);
    assert_eq!(gate.take(at(1_050)), Turn::At(at(1_200)));
}

#[test]
fn a_429_in_the_ramp_closes_it_again_and_the_ramp_starts_anew() {
    let gate = gate();
    assert!(gate.tell(throttled(1_000), at(0)).is_some());
    assert_eq!(starts(&gate, 1_250), 4);
    assert_eq!(gate.tell(throttled(500), at(1_250)), cooling(1_750, 1_750));
    assert_eq!(starts(&gate, 1_749), 0);
    assert_eq!(starts(&gate, 1_750), 1);
}

#[test]
fn an_empty_queue_ends_the_ramp_but_not_the_closed_time() {
    let gate = gate();
    assert!(gate.tell(throttled(1_000), at(0)).is_some());
    gate.queue_emptied(at(999));
    assert_eq!(gate.take(at(999)), Turn::At(at(1_000)));
    gate.queue_emptied(at(1_000));
    assert_eq!(starts(&gate, 1_000), 5_000);
    assert_eq!(gate.tell(throttled(1_000), at(1_000)), cooling(2_000, 2_000));
}

#[test]
fn without_a_ramp_all_start_at_once() {
    let gate = Gate::new(CoolDown::new().ramp(Duration::ZERO)).unwrap();
    assert!(gate.tell(throttled(1_000), at(0)).is_some());
    assert_eq!(starts(&gate, 999), 0);
    assert_eq!(starts(&gate, 1_000), 5_000);
}

#[test]
fn a_step_that_the_ramp_cuts_short_ends_with_it() {
    let gate = Gate::new(CoolDown::new().ramp(ms(150))).unwrap();
    assert!(gate.tell(throttled(1_000), at(0)).is_some());
    assert_eq!(starts(&gate, 1_100), 2);
    assert_eq!(gate.take(at(1_100)), Turn::At(at(1_150)));
    assert_eq!(starts(&gate, 1_150), 5_000);
}

#[test]
fn who_stands_behind_others_starts_in_the_step_that_has_room_for_it() {
    let gate = gate();
    assert_eq!(gate.forecast(9, at(0)), Turn::Now);
    assert!(gate.tell(throttled(1_000), at(0)).is_some());
    let forecast = |ahead, now| match gate.forecast(ahead, at(now)) {
        Turn::At(moment) => moment.since(at(0)).as_millis(),
        Turn::Now => 0,
        Turn::Never => panic!("it opens"),
    };
    // 1 starts when it opens, 2 more a step later, then 4, and all when the ramp is over.
    assert_eq!(
        [0, 1, 2, 3, 6, 7].map(|ahead| forecast(ahead, 0)),
        [1_000, 1_100, 1_100, 1_200, 1_200, 1_300]
    );
    assert_eq!(forecast(u32::MAX, 0), 3_000);
    assert_eq!(forecast(0, 1_150), 0);
    assert_eq!(starts(&gate, 1_150), 2);
    assert_eq!([0, 3, 4].map(|ahead| forecast(ahead, 1_150)), [1_200, 1_200, 1_300]);
    assert_eq!(forecast(99, 3_000), 0);
}

/// As `gate`, but for the ramp: four steps of half a second.
fn slower() -> CoolDown {
    CoolDown::new().ramp(ms(2_000)).step(ms(500))
}

#[test]
fn a_change_leaves_a_closed_gate_closed_for_as_long_as_it_was_told() {
    let gate = gate();
    assert!(gate.tell(throttled(30_000), at(0)).is_some());
    assert_eq!(gate.change(slower().max(ms(5_000)), at(1_000)), Ok(()));
    assert_eq!(gate.take(at(29_999)), Turn::At(at(30_000)));
    assert_eq!(gate.take(at(30_000)), Turn::Now);
    assert_eq!(gate.take(at(30_100)), Turn::At(at(30_500)), "the ramp is the new one");

    let other = CoolDown::new().max(ms(5_000)).unasked(ms(3_000));
    assert_eq!(gate.change(other, at(60_000)), Ok(()));
    assert_eq!(gate.tell(Signal::Throttled { asked: None }, at(60_000)), cooling(63_000, 63_000));
    assert_eq!(gate.tell(throttled(9_000), at(60_000)), cooling(65_000, 69_000));
}

#[test]
fn a_change_in_the_ramp_goes_on_by_the_new_steps() {
    let gate = gate();
    assert!(gate.tell(throttled(1_000), at(0)).is_some());
    assert_eq!(starts(&gate, 1_300), 8);
    assert_eq!(gate.change(slower(), at(1_300)), Ok(()));
    assert_eq!(gate.take(at(1_499)), Turn::At(at(3_000)), "the fourth step is taken, and the last");
    assert_eq!(gate.change(CoolDown::new(), at(1_500)), Ok(()));
    assert_eq!(starts(&gate, 1_500), 32);
    assert_eq!(gate.change(CoolDown::new().ramp(ms(0)), at(1_500)), Ok(()));
    assert_eq!(gate.state(at(1_500)), GateState::Open);
}

#[test]
fn a_longer_ramp_holds_nobody_back_after_one_that_is_over() {
    let gate = gate();
    assert!(gate.tell(throttled(1_000), at(0)).is_some());
    assert_eq!(gate.change(slower().ramp(ms(15_000)), at(3_000)), Ok(()));
    assert_eq!(gate.state(at(3_000)), GateState::Open);
    assert_eq!(starts(&gate, 3_000), 5_000);
}

#[test]
fn a_change_that_cannot_be_changes_nothing() {
    let gate = gate();
    let wrong = slower().unasked(ms(90_000));
    assert_eq!(gate.change(wrong, at(0)), wrong.check());
    assert_eq!(gate.tell(Signal::Throttled { asked: None }, at(0)), cooling(1_000, 1_000));
}

/// A pause, and another after so many starts in so many milliseconds; when the gate opens.
fn pauses_twice(gate: &Gate, starts: usize, within: u64, asked: u64) -> u64 {
    assert!(gate.tell(throttled(asked), at(0)).is_some());
    let mut started = 0;
    for now in asked..asked + within {
        while started < starts && gate.take(at(now)) == Turn::Now {
            started += 1;
        }
    }
    assert_eq!(started, starts);
    assert!(gate.tell(throttled(asked), at(asked + within)).is_some());
    asked + within + asked
}

fn starts_within(gate: &Gate, millis: std::ops::Range<u64>) -> usize {
    millis.map(|now| starts(gate, now)).sum()
}

#[test]
fn of_a_second_short_pause_it_learns_how_many_the_server_takes() {
    let gate = gate();
    let opens = pauses_twice(&gate, 30, 500, 1_000);
    assert_eq!(gate.snapshot(at(opens)).interval, Some(ms(50)));
    let second = |nth: u64| opens + nth * 1_000..opens + (nth + 1) * 1_000;
    assert_eq!(starts_within(&gate, second(0)), 21);
    assert_eq!(gate.state(at(opens + 999)), GateState::Ramping);
    gate.queue_emptied(at(opens + 999));
    assert_eq!(starts_within(&gate, second(1)), 20, "an empty queue does not end it");
    assert_eq!(starts_within(&gate, second(8)), 44, "twice as many");
    assert_eq!(gate.state(at(opens + 29_999)), GateState::Ramping);
    assert_eq!(gate.state(at(opens + 30_000)), GateState::Open);
    assert_eq!(starts(&gate, opens + 30_000), 5_000);
}

#[test]
fn what_was_learnt_is_learnt_anew_at_every_pause() {
    let gate = gate();
    let opens = pauses_twice(&gate, 30, 500, 1_000);
    assert_eq!(starts_within(&gate, opens..opens + 2_000), 41);
    assert!(gate.tell(throttled(1_000), at(opens + 2_000)).is_some());
    let interval = gate.snapshot(at(opens + 2_000)).interval.unwrap();
    assert_eq!(interval.as_millis(), 3_000 / 41);
    assert!(gate.tell(throttled(1_000), at(opens + 3_500)).is_some(), "nothing has started");
    assert_eq!(gate.snapshot(at(opens + 3_500)).interval, Some(interval));
}

#[test]
fn a_server_that_says_when_it_takes_more_has_no_pace() {
    let gate = gate();
    let opens = pauses_twice(&gate, 30, 500, 2_001);
    assert_eq!(gate.snapshot(at(opens)).interval, None);
    assert_eq!(starts_within(&gate, opens..opens + 600), 63);

    for signal in [throttled(2_001), Signal::Exhausted { reset: at(opens + 4_000) }] {
        let gate = self::gate();
        let opens = pauses_twice(&gate, 30, 500, 1_000);
        assert!(gate.tell(signal, at(opens + 100)).is_some());
        assert_eq!(gate.snapshot(at(opens + 100)).interval, None, "{signal:?}");
    }
}

#[test]
fn a_pause_long_after_another_teaches_nothing() {
    for (later, is_learnt) in [(30_999, true), (31_000, false)] {
        let gate = gate();
        assert!(gate.tell(throttled(1_000), at(0)).is_some());
        assert_eq!(starts(&gate, 1_000), 1);
        assert!(gate.tell(throttled(1_000), at(later)).is_some());
        assert_eq!(gate.snapshot(at(later)).interval.is_some(), is_learnt, "{later}");
    }
}

#[test]
fn a_ramp_that_has_ended_goes_on_counting() {
    let gate = gate();
    assert!(gate.tell(throttled(1_000), at(0)).is_some());
    assert_eq!(starts(&gate, 1_000), 1);
    gate.queue_emptied(at(1_000));
    assert_eq!((0..29).filter(|_| gate.take(at(1_001)) == Turn::Now).count(), 29);
    assert!(gate.tell(throttled(1_000), at(1_500)).is_some());
    assert_eq!(gate.snapshot(at(1_500)).interval, Some(ms(50)));
}

#[test]
fn without_a_ramp_or_by_hand_there_is_nothing_to_learn() {
    let sudden = Gate::new(CoolDown::new().ramp(Duration::ZERO)).unwrap();
    let opens = pauses_twice(&sudden, 30, 500, 1_000);
    assert_eq!(starts(&sudden, opens), 5_000);

    let gate = gate();
    let opens = pauses_twice(&gate, 30, 500, 1_000);
    gate.reset();
    assert_eq!(starts(&gate, opens), 5_000);
    assert_eq!(gate.snapshot(at(opens)).interval, None);
}

#[test]
fn who_stands_in_line_is_told_when_its_turn_comes() {
    let gate = gate();
    let opens = pauses_twice(&gate, 15, 500, 1_000); // ten a second
    let (forecast, mut now) = (|ahead| gate.forecast(ahead, at(opens - 1)), opens);
    let (mut early, forecasts) = (0, [0, 1, 9, 30, 200].map(|ahead| (ahead, forecast(ahead))));
    for ahead in 0..=200 {
        while gate.take(at(now)) != Turn::Now {
            now += 1;
        }
        if let Some((_, Turn::At(turn))) = forecasts.iter().find(|(it, _)| *it == ahead) {
            assert!(*turn <= at(now) && *turn + ms(100) > at(now), "{ahead}: {turn:?}");
            early += 1;
        }
    }
    assert_eq!(early, forecasts.len());
    assert_eq!(gate.forecast(0, at(now)), gate.take(at(now)));
}

/// A window of a minute, and one request too many right after it.
#[test]
fn a_short_pause_after_a_long_one_teaches_nothing_since_nothing_started_in_the_long_one() {
    let gate = gate();
    assert!(gate.tell(throttled(60_000), at(0)).is_some());
    assert_eq!(starts(&gate, 60_000), 1);
    assert!(gate.tell(throttled(1_000), at(60_150)).is_some());
    assert_eq!(gate.snapshot(at(60_150)).interval, None);
}

#[test]
fn a_longer_pause_that_is_asked_for_while_it_is_closed_is_taken_at_its_word() {
    for longer in [throttled(30_000), Signal::Exhausted { reset: at(32_490) }] {
        let gate = gate();
        let opens = pauses_twice(&gate, 30, 500, 1_000);
        assert!(gate.snapshot(at(opens)).interval.is_some());
        assert!(gate.tell(longer, at(opens - 10)).is_some());
        assert_eq!(gate.snapshot(at(opens)).interval, None, "{longer:?}");
        let later = opens + 30_000;
        assert_eq!(starts(&gate, later), 1);
        assert!(gate.tell(throttled(1_000), at(later + 100)).is_some());
        assert_eq!(gate.snapshot(at(later + 100)).interval, None, "{longer:?}");
    }
}

#[test]
fn where_few_had_to_be_started_it_is_no_slower_than_after_a_pause_each_time() {
    let gate = gate();
    assert!(gate.tell(throttled(1_000), at(0)).is_some());
    assert_eq!(gate.take(at(10_000)), Turn::Now);
    assert!(gate.tell(throttled(1_000), at(20_000)).is_some());
    assert_eq!(gate.snapshot(at(20_000)).interval, Some(ms(1_000)));
}

#[test]
fn once_its_closing_does_not_matter_any_more_it_is_as_cheap_as_a_new_one() {
    let gate = gate();
    assert!(gate.tell(throttled(1_000), at(0)).is_some());
    assert!(!gate.is_open());
    assert_eq!(gate.take(at(31_000)), Turn::Now);
    assert!(gate.is_open());
}
