use super::*;

fn at(millis: u64) -> Moment {
    Moment::ORIGIN + Duration::from_millis(millis)
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn limiter(settings: RateLimit) -> Limiter {
    Limiter::new(settings).unwrap()
}

fn take(limiter: &Limiter, millis: u64) -> Turn {
    limiter.take(1, at(millis), at(millis))
}

/// How many start at once.
fn starts(limiter: &Limiter, millis: u64) -> usize {
    (0..10_000).take_while(|_| take(limiter, millis) == Turn::Now).count()
}

const fn ten_a_second() -> RateLimit {
    RateLimit::per_second(10)
}

#[test]
fn a_smooth_limit_spaces_starts_evenly() {
    let limiter = limiter(ten_a_second());
    assert_eq!(take(&limiter, 0), Turn::Now);
    assert_eq!(take(&limiter, 0), Turn::At(at(100)));
    assert_eq!(take(&limiter, 99), Turn::At(at(100)));
    assert_eq!(take(&limiter, 100), Turn::Now);
    assert_eq!(take(&limiter, 100), Turn::At(at(200)));
}

#[test]
fn a_burst_is_saved_up_and_no_more_than_it() {
    let limiter = limiter(ten_a_second().burst(3));
    assert_eq!(starts(&limiter, 0), 3);
    assert_eq!(starts(&limiter, 200), 2);
    assert_eq!(limiter.snapshot(at(250)).available, 0);
    assert_eq!(limiter.snapshot(at(400)).available, 2);
    assert_eq!(limiter.at_rest_from(), Some(at(500)));
    assert_eq!(starts(&limiter, 60_000), 3);
}

#[test]
fn what_costs_more_waits_longer_and_what_costs_more_than_the_burst_never_starts() {
    let limiter = limiter(ten_a_second().burst(3));
    assert_eq!(limiter.take(2, at(0), at(0)), Turn::Now);
    assert_eq!(limiter.take(3, at(0), at(0)), Turn::At(at(200)));
    assert_eq!(limiter.take(4, at(0), at(0)), Turn::Never);
    assert_eq!(limiter.peek(4, at(0), at(0)), Turn::Never);
    assert_eq!(limiter.take(1, at(0), at(0)), Turn::Now);
}

#[test]
fn to_look_takes_nothing() {
    for settings in [ten_a_second(), ten_a_second().strict()] {
        let limiter = limiter(settings);
        (0..20).for_each(|_| assert_eq!(limiter.peek(1, at(0), at(0)), Turn::Now));
        assert_eq!(limiter.at_rest_from(), Some(Moment::MIN));
    }
}

#[test]
fn a_waiter_that_wakes_late_costs_the_next_nothing() {
    let limiter = limiter(ten_a_second());
    assert_eq!(take(&limiter, 0), Turn::Now);
    let late = at(101);
    assert_eq!(limiter.take(1, at(0), late), Turn::Now);
    assert_eq!(take(&limiter, 101), Turn::At(at(200)));
}

#[test]
fn who_did_not_stand_is_not_late() {
    let limiter = limiter(ten_a_second());
    assert_eq!(take(&limiter, 0), Turn::Now);
    assert_eq!(take(&limiter, 101), Turn::Now);
    assert_eq!(take(&limiter, 101), Turn::At(at(201)));
}

#[test]
fn lateness_is_made_up_for_only_so_far() {
    let limiter = limiter(ten_a_second());
    assert_eq!(take(&limiter, 0), Turn::Now);
    assert_eq!(limiter.take(1, at(0), at(150)), Turn::Now);
    assert_eq!(take(&limiter, 150), Turn::At(at(248))); // 150 - CATCH_UP + 100
    assert_eq!(Limiter::CATCH_UP, ms(2));
}

#[test]
fn a_rate_that_does_not_divide_its_period_is_kept_from_below() {
    let limiter = limiter(RateLimit::per_second(3));
    assert_eq!(take(&limiter, 0), Turn::Now);
    let third = Duration::from_nanos(333_333_334);
    assert_eq!(take(&limiter, 0), Turn::At(at(0) + third));
}

#[test]
fn a_forecast_says_when_a_call_behind_others_would_start() {
    let limiter = limiter(ten_a_second().burst(2));
    assert_eq!(limiter.forecast(0, 1, at(0)), Turn::Now);
    assert_eq!(limiter.forecast(1, 1, at(0)), Turn::Now);
    assert_eq!(limiter.forecast(4, 1, at(0)), Turn::At(at(300)));
    assert_eq!(starts(&limiter, 0), 2);
    assert_eq!(limiter.forecast(0, 1, at(0)), Turn::At(at(100)));
    assert_eq!(limiter.forecast(2, 2, at(50)), Turn::At(at(400)));
    assert_eq!(limiter.forecast(u64::MAX, 1, at(0)), Turn::At(Moment::MAX));
    assert_eq!(limiter.forecast(0, 3, at(0)), Turn::Never);
}

#[test]
fn a_faster_pace_keeps_what_was_saved_and_a_slower_one_does_too() {
    let limiter = limiter(ten_a_second().burst(10));
    assert_eq!((0..6).filter(|_| take(&limiter, 0) == Turn::Now).count(), 6);
    limiter.change(RateLimit::per_second(100).burst(10), at(0)).unwrap();
    assert_eq!(limiter.snapshot(at(0)).available, 4);
    limiter.change(RateLimit::per_second(1).burst(10), at(0)).unwrap();
    assert_eq!(limiter.snapshot(at(0)).available, 4);
    assert_eq!(starts(&limiter, 0), 4);
    assert_eq!(take(&limiter, 0), Turn::At(at(1_000)));
}

#[test]
fn a_larger_burst_gives_nothing_that_was_not_saved_and_a_smaller_one_takes_what_is_too_much() {
    let limiter = limiter(ten_a_second().burst(5));
    assert_eq!(starts(&limiter, 0), 5);
    limiter.change(ten_a_second().burst(50), at(0)).unwrap();
    assert_eq!(starts(&limiter, 0), 0);
    assert_eq!(limiter.snapshot(at(3_000)).available, 30);
    limiter.change(ten_a_second().burst(2), at(3_000)).unwrap();
    assert_eq!(starts(&limiter, 3_000), 2);
}

#[test]
fn what_is_owed_beyond_the_burst_stays_owed_for_as_long() {
    let slow = Pace::new(&RateLimit::per_second(1), 1);
    let fast = Pace::new(&RateLimit::per_second(1_000), 1);
    let (now, owed) = (1_000_000_000_000, 3_000_000_000);
    // One second is the burst of one; two more are owed beyond it.
    assert_eq!(slow.restate(now + owed, fast, now), now + 2_000_000_000 + 1_000_000);
}

#[test]
fn a_kind_cannot_be_changed_into_the_other() {
    let says =
        |from: RateLimit, to: RateLimit| limiter(from).change(to, at(0)).unwrap_err().to_string();
    assert_eq!(
        says(ten_a_second(), ten_a_second().strict()),
        "`strict` is true, but must stay of its kind, smooth or strict: a new limiter is needed"
    );
    assert!(says(ten_a_second().strict(), ten_a_second()).starts_with("`strict` is false"));
    assert!(says(ten_a_second(), ten_a_second().pace(true)).starts_with("`pace` is true"));
    for settings in [ten_a_second(), ten_a_second().strict()] {
        for pace in [false, true] {
            let settings = settings.pace(pace);
            assert_eq!(limiter(settings).change(settings, at(0)), Ok(()));
        }
    }
    let strict = ten_a_second().strict();
    assert!(says(strict, strict.pace(true)).starts_with("`pace` is true"));
    assert!(says(ten_a_second(), RateLimit::per_second(0)).starts_with("`count` is 0"));
}

#[test]
fn a_strict_limit_never_has_more_in_any_window() {
    let limiter = limiter(RateLimit::per_second(3).strict());
    assert_eq!(take(&limiter, 0), Turn::Now);
    assert_eq!(starts(&limiter, 900), 2);
    assert_eq!(take(&limiter, 999), Turn::At(at(1_000)));
    assert_eq!(starts(&limiter, 1_000), 1);
    assert_eq!(take(&limiter, 1_000), Turn::At(at(1_900)));
    assert_eq!(starts(&limiter, 1_950), 2);
    assert_eq!(limiter.snapshot(at(1_999)).available, 0);
    assert_eq!(limiter.snapshot(at(2_000)).available, 1);
    assert_eq!(limiter.at_rest_from(), Some(at(2_950)));
}

#[test]
fn a_strict_cost_takes_so_many_places() {
    let limiter = limiter(RateLimit::per_second(5).strict());
    assert_eq!(limiter.take(3, at(0), at(0)), Turn::Now);
    assert_eq!(limiter.take(2, at(0), at(400)), Turn::Now);
    assert_eq!(limiter.take(4, at(0), at(500)), Turn::At(at(1_400)));
    assert_eq!(limiter.take(3, at(0), at(500)), Turn::At(at(1_000)));
    assert_eq!(limiter.take(6, at(0), at(9_000)), Turn::Never);
    assert_eq!(limiter.take(0, at(0), at(500)), Turn::Now);
}

#[test]
fn a_strict_forecast_counts_whole_windows() {
    let limiter = limiter(RateLimit::per_second(3).strict());
    assert_eq!(limiter.forecast(2, 1, at(0)), Turn::Now);
    assert_eq!(limiter.forecast(3, 1, at(0)), Turn::At(at(1_000)));
    assert_eq!(take(&limiter, 0), Turn::Now);
    assert_eq!(starts(&limiter, 500), 2);
    assert_eq!(limiter.forecast(0, 1, at(600)), Turn::At(at(1_000)));
    assert_eq!(limiter.forecast(0, 2, at(600)), Turn::At(at(1_500)));
    assert_eq!(limiter.forecast(2, 1, at(600)), Turn::At(at(1_500)));
    assert_eq!(limiter.forecast(3, 1, at(600)), Turn::At(at(2_000)));
    assert_eq!(limiter.forecast(u64::MAX, 1, at(0)), Turn::At(at(1_500) + ms(1_000) * u32::MAX));
}

#[test]
fn a_strict_limit_that_is_changed_counts_what_came_before() {
    let limiter = limiter(RateLimit::per_second(4).strict());
    assert_eq!(starts(&limiter, 0), 4);
    limiter.change(RateLimit::per(4, ms(3_000)).strict(), at(0)).unwrap();
    assert_eq!(take(&limiter, 1_000), Turn::At(at(3_000)));
    limiter.change(RateLimit::per_second(2).strict(), at(0)).unwrap();
    assert_eq!(starts(&limiter, 1_000), 2);
    // Three more than there is room for now: a larger ring takes over.
    limiter.change(RateLimit::per_second(9).strict(), at(0)).unwrap();
    assert_eq!(starts(&limiter, 1_000), 7);
    assert_eq!(take(&limiter, 1_500), Turn::At(at(2_000)));
    limiter.change(RateLimit::per_second(40).strict(), at(0)).unwrap();
    // Nine started in the last second; the four before them are forgotten and count as later.
    assert_eq!(starts(&limiter, 1_500), 40 - 9 - 4);
}

#[test]
fn a_start_at_a_moment_before_the_last_counts_as_one_at_the_last() {
    let limiter = limiter(RateLimit::per(2, ms(10)).strict());
    assert_eq!(take(&limiter, 5), Turn::Now);
    assert_eq!(take(&limiter, 0), Turn::Now);
    assert_eq!(limiter.at_rest_from(), Some(at(15)));
    limiter.change(RateLimit::per(1, ms(10)).strict(), at(5)).unwrap();
    assert_eq!(take(&limiter, 10), Turn::At(at(15)));
}

#[test]
fn what_a_small_ring_has_forgotten_counts_as_no_older_than_what_it_remembers() {
    let limiter = limiter(RateLimit::per(2, ms(10)).strict());
    for millis in [0, 10, 20, 30] {
        assert_eq!(starts(&limiter, millis), 2);
    }
    limiter.change(RateLimit::per(6, ms(1_000)).strict(), at(30)).unwrap();
    // Eight started in the last second; the ring knows of two and takes the others for as late.
    assert_eq!(take(&limiter, 31), Turn::At(at(1_030)));
    assert_eq!(starts(&limiter, 1_030), 6);
}

#[test]
fn what_a_server_says_is_left_is_not_exceeded() {
    for settings in [ten_a_second().burst(9), ten_a_second().strict()] {
        let limiter = limiter(settings);
        limiter.learn(Told { left: 2, reset: at(5_000) }, at(0));
        assert_eq!(starts(&limiter, 0), 2);
        assert_eq!(take(&limiter, 4_999), Turn::At(at(5_000)));
        assert_eq!(limiter.snapshot(at(0)).told, Some(Told { left: 0, reset: at(5_000) }));
        assert_eq!(limiter.at_rest_from(), Some(at(5_000)));
        assert!(starts(&limiter, 5_000) >= 7);
    }
}

#[test]
fn for_one_reset_the_least_that_was_said_counts() {
    let limiter = limiter(ten_a_second().burst(10));
    let tell = |left, reset| limiter.learn(Told { left, reset: at(reset) }, at(0));
    let told = || limiter.snapshot(at(0)).told.map(|told| (told.left, told.reset));
    tell(5, 5_000);
    tell(7, 5_400); // an older answer that comes later; resets are told in whole seconds
    assert_eq!(told(), Some((5, at(5_000))));
    tell(4, 4_000);
    assert_eq!(told(), Some((4, at(5_000))));
    tell(3, 6_000);
    assert_eq!(told(), Some((3, at(5_000))));
    tell(3, 3_999); // sooner, and no tighter
    assert_eq!(told(), Some((3, at(5_000))));
    tell(2, 3_999); // another quota, and tighter
    assert_eq!(told(), Some((2, at(3_999))));
    tell(8, 7_000); // a new reset
    assert_eq!(told(), Some((8, at(7_000))));
    limiter.learn(Told { left: 9, reset: at(7_500) }, at(7_000)); // the old one is over
    assert_eq!(limiter.snapshot(at(7_000)).told, Some(Told { left: 9, reset: at(7_500) }));
}

/// "In five seconds", with every answer.
#[test]
fn a_reset_that_moves_on_with_every_answer_is_a_new_one_once_it_is_a_second_later() {
    let limiter = limiter(ten_a_second().burst(10));
    limiter.learn(Told { left: 1, reset: at(5_000) }, at(0));
    for now in [900, 1_800, 2_700, 4_900, 5_000, 5_900] {
        limiter.learn(Told { left: 50, reset: at(now + 5_000) }, at(now));
    }
    assert_eq!(limiter.snapshot(at(5_900)).told, Some(Told { left: 50, reset: at(9_900) }));
}

#[test]
fn more_than_can_be_counted_counts_as_the_most_that_can() {
    let limiter = limiter(ten_a_second());
    limiter.learn(Told { left: u32::MAX, reset: at(5_000) }, at(0));
    let told = Some(Told { left: 33_554_431, reset: at(5_000) });
    assert_eq!(limiter.snapshot(at(0)).told, told);
}

#[test]
fn what_was_told_can_be_forgotten() {
    let limiter = limiter(ten_a_second());
    limiter.learn(Told { left: 0, reset: Moment::MAX }, at(0));
    assert!(matches!(take(&limiter, 0), Turn::At(_)));
    limiter.forget_told();
    assert_eq!(take(&limiter, 0), Turn::Now);
}

#[test]
fn what_is_told_and_the_limit_both_hold() {
    let limiter = limiter(ten_a_second());
    assert_eq!(take(&limiter, 0), Turn::Now);
    limiter.learn(Told { left: 0, reset: at(50) }, at(0));
    assert_eq!(take(&limiter, 0), Turn::At(at(100)));
    assert_eq!(limiter.peek(1, at(0), at(0)), Turn::At(at(100)));
    limiter.learn(Told { left: 0, reset: at(7_000) }, at(50));
    assert_eq!(take(&limiter, 50), Turn::At(at(7_000)));
    assert_eq!(limiter.take(2, at(50), at(50)), Turn::Never);
}

#[test]
fn a_reset_that_is_over_says_nothing() {
    let limiter = limiter(ten_a_second());
    limiter.learn(Told { left: 0, reset: at(5) }, at(5));
    assert_eq!(limiter.snapshot(at(5)).told, None);
    assert_eq!(take(&limiter, 5), Turn::Now);
}

#[test]
fn a_forecast_knows_of_the_reset() {
    let limiter = limiter(ten_a_second().burst(10));
    limiter.learn(Told { left: 3, reset: at(5_000) }, at(0));
    assert_eq!(limiter.forecast(2, 1, at(0)), Turn::Now);
    assert_eq!(limiter.forecast(3, 1, at(0)), Turn::At(at(5_000)));
    assert_eq!(limiter.forecast(0, 4, at(0)), Turn::At(at(5_000)));
}

#[test]
fn a_new_reset_is_paced_anew() {
    let limiter = limiter(RateLimit::per_second(1_000).burst(1_000).pace(true));
    limiter.learn(Told { left: 2, reset: at(60_000) }, at(0));
    assert_eq!(starts(&limiter, 0), 1);
    limiter.learn(Told { left: 10, reset: at(60_500) }, at(500)); // the same reset
    assert_eq!(take(&limiter, 500), Turn::At(at(30_000)));
    limiter.learn(Told { left: 10, reset: at(62_000) }, at(2_000)); // another one
    assert_eq!(take(&limiter, 2_000), Turn::At(at(8_000)));
    limiter.learn(Told { left: 2, reset: at(64_000) }, at(4_000)); // spaced more widely
    assert_eq!(take(&limiter, 4_000), Turn::At(at(8_000)));
    limiter.forget_told();
    limiter.learn(Told { left: 10, reset: at(62_000) }, at(2_000));
    assert_eq!(starts(&limiter, 2_000), 1);
    limiter.learn(Told { left: 10, reset: at(99_000) }, at(62_000)); // the old one is over
    assert_eq!(starts(&limiter, 62_000), 1);
}

#[test]
fn the_same_reset_told_again_leaves_the_spacing_as_it_is() {
    let limiter = limiter(RateLimit::per_second(1_000).burst(1_000).pace(true));
    let tell = || limiter.learn(Told { left: 10, reset: at(10_000) }, at(0));
    tell();
    assert_eq!(limiter.take(2, at(0), at(0)), Turn::Now); // two of ten shares
    tell();
    assert_eq!(take(&limiter, 0), Turn::At(at(2_000)));
}

/// "In 60 seconds", with every answer, a tenth of a second after the start.
#[test]
fn a_reset_that_moves_on_with_every_answer_is_paced_all_the_same() {
    let limiter = limiter(RateLimit::per_second(1_000).burst(1_000).pace(true));
    let mut left = 20;
    let mut started = Vec::new();
    limiter.learn(Told { left, reset: at(60_000) }, at(0));
    for tenth in 0..600 {
        if take(&limiter, tenth * 100) == Turn::Now {
            started.push(tenth * 100);
            left -= 1;
            limiter.learn(Told { left, reset: at(tenth * 100 + 60_100) }, at(tenth * 100 + 100));
        }
    }
    assert!(started.len() <= 20);
    assert!(started.windows(2).all(|two| two[1] - two[0] >= 2_900), "{started:?}");
}

#[test]
fn with_pacing_what_is_left_is_spread_over_the_time_that_is_left() {
    let limiter = limiter(RateLimit::per_second(1_000).burst(1_000).pace(true));
    limiter.learn(Told { left: 4, reset: at(8_000) }, at(0));
    assert_eq!(limiter.forecast(0, 1, at(0)), Turn::Now);
    assert_eq!(limiter.forecast(1, 1, at(0)), Turn::At(at(2_000)));
    assert_eq!(starts(&limiter, 0), 1);
    assert_eq!(take(&limiter, 0), Turn::At(at(2_000)));
    assert_eq!(limiter.forecast(0, 1, at(0)), Turn::At(at(2_000)));
    assert_eq!(limiter.forecast(2, 1, at(0)), Turn::At(at(6_000)));
    assert_eq!(limiter.forecast(3, 1, at(0)), Turn::At(at(8_000)));
    assert_eq!(starts(&limiter, 2_000), 1);
    assert_eq!(limiter.take(2, at(2_000), at(4_000)), Turn::Now);
    assert_eq!(take(&limiter, 4_000), Turn::At(at(8_000)));
    assert_eq!(starts(&limiter, 8_000), 1_000);
}
