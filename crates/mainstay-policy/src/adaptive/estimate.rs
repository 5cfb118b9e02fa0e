//! What Gradient2 has learnt, in one word: the limit with its fraction, how long calls usually
//! take, and how much of that is known.

use std::time::Duration;

use super::in_force::{Gradient, InForce};
use super::window::Collected;

/// The transitions of Gradient2, as pure functions.
///
/// 31 bits of the limit and 29 of the time, as floating numbers without their sign (and without the
/// last two bits of the time, a part in a million), and four bits of a count.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Estimate {
    pub(super) limit: f64,
    /// How long calls usually take, in microseconds; nothing before the first window.
    usual: f64,
    /// How many windows that is the plain mean of, at most [`Estimate::WARM_UP`].
    windows: u32,
}

impl Estimate {
    const WARM_UP: u32 = 10;
    const WINDOWS_BITS: u32 = 4;
    const TIME_BITS: u32 = 29;
    /// Bits of a time that are not kept.
    const CUT: u32 = 31 - Self::TIME_BITS;

    pub(super) fn at(limit: u32) -> Self {
        Self { limit: f64::from(limit), usual: 0.0, windows: 0 }
    }

    /// After a window.
    pub(super) fn step(self, settings: &InForce, rule: &Gradient, window: &Collected) -> Self {
        let backoff_ratio = settings.backoff_ratio();
        if backoff_ratio < 1.0 && window.has_dropped(rule.drop_share()) {
            return self.moved(settings, self.limit * backoff_ratio);
        }
        let Some(now) = window.mean() else { return self };
        let learnt = self.learn(rule, now);
        if f64::from(window.in_flight) < self.limit / 2.0 {
            return learnt;
        }
        let gradient = (rule.tolerance() * learnt.usual / now).clamp(0.5, 1.0);
        let next = self.limit * gradient + f64::from(rule.queue());
        let smoothing = rule.smoothing();
        learnt.moved(settings, self.limit * (1.0 - smoothing) + next * smoothing)
    }

    /// Set by hand.
    pub(super) fn set(self, limit: u32) -> Self {
        Self { limit: f64::from(limit), ..self }
    }

    /// The limit as a count.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it lies inside the bounds"
    )]
    pub(super) fn whole(self) -> u32 {
        self.limit as u32
    }

    /// How long calls usually take.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an average of times below five minutes"
    )]
    pub(super) fn usual(self) -> Option<Duration> {
        (self.windows > 0).then(|| Duration::from_nanos((self.usual * 1e3) as u64))
    }

    /// The same inside the bounds.
    pub(super) fn within(self, settings: &InForce) -> Self {
        self.moved(settings, self.limit)
    }

    fn moved(self, settings: &InForce, limit: f64) -> Self {
        Self { limit: settings.bounds().nearest_of(limit), ..self }
    }

    /// Takes into account how long the calls of a window took.
    fn learn(self, rule: &Gradient, now: f64) -> Self {
        let windows = self.windows + u32::from(self.windows < Self::WARM_UP);
        let part = if self.windows < Self::WARM_UP {
            1.0 / f64::from(windows)
        } else {
            2.0 / (f64::from(rule.long_window()) + 1.0)
        };
        let usual = self.usual * (1.0 - part) + now * part;
        // After an overload the average is too high for long; this brings it down.
        let usual = if usual > 2.0 * now { usual * 0.95 } else { usual };
        Self { usual, windows, ..self }
    }

    #[expect(clippy::cast_possible_truncation, reason = "what a word holds is that exact")]
    pub(super) fn pack(self) -> u64 {
        let limit = u64::from((self.limit as f32).to_bits());
        let usual = u64::from((self.usual as f32).to_bits() >> Self::CUT);
        limit << (Self::TIME_BITS + Self::WINDOWS_BITS)
            | usual << Self::WINDOWS_BITS
            | u64::from(self.windows)
    }

    #[expect(clippy::cast_possible_truncation, reason = "each field is cut to its bits")]
    pub(super) fn unpack(word: u64) -> Self {
        let bits = |shift: u32, count: u32| (word >> shift) as u32 & ((1 << count) - 1);
        let limit = f32::from_bits(bits(Self::TIME_BITS + Self::WINDOWS_BITS, 31));
        let usual = f32::from_bits(bits(Self::WINDOWS_BITS, Self::TIME_BITS) << Self::CUT);
        Self {
            limit: f64::from(limit),
            usual: f64::from(usual),
            windows: bits(0, Self::WINDOWS_BITS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AdaptiveLimit, Gradient2};
    use super::*;

    fn settings() -> AdaptiveLimit {
        AdaptiveLimit::gradient2(Gradient2::new()).min(2).max(40)
    }

    fn step(estimate: Estimate, settings: AdaptiveLimit, window: &Collected) -> Estimate {
        let rule = Gradient::new(&Gradient2::new());
        estimate.step(&InForce::new(&settings), &rule, window)
    }

    /// So many windows in which the mean call takes so long.
    fn after(estimate: Estimate, windows: u32, micros: u64, in_flight: u32) -> Estimate {
        let window = Collected::of(1, micros, 0, in_flight);
        (0..windows).fold(estimate, |estimate, _| step(estimate, settings(), &window))
    }

    #[track_caller]
    fn assert_close(figure: f64, expected: f64) {
        assert!((figure - expected).abs() < 1e-9, "{figure}, expected {expected}");
    }

    #[test]
    fn while_calls_take_as_long_as_usual_it_rises_by_a_fifth_of_the_queue() {
        let one = after(Estimate::at(20), 1, 1_000, 20);
        assert_close(one.limit, 20.8);
        assert_close(after(one, 4, 1_000, 20).limit, 24.0);
        assert_close(after(one, 100, 1_000, 40).limit, 40.0);
        assert_eq!(after(one, 100, 1_000, 40).whole(), 40);
    }

    #[test]
    fn calls_that_take_up_to_the_tolerance_longer_are_as_usual() {
        let known = after(Estimate::at(20), 10, 1_000, 1);
        assert_close(after(known, 1, 1_500, 20).limit, 20.8);
        assert!(after(known, 1, 1_510, 20).limit < 20.8);
    }

    #[test]
    fn calls_that_take_longer_lower_it_by_at_most_half_of_a_fifth() {
        let known = after(Estimate::at(20), 10, 1_000, 1);
        assert_close(known.limit, 20.0);
        // 0.8 × 20 + 0.2 × (20 × 1.5 × 1003.327787.../2000 + 4)
        assert_close(after(known, 1, 2_000, 20).limit, 19.809_983_361_064_89);
        // 0.8 × 20 + 0.2 × (20 × 0.5 + 4), however long they take
        assert_close(after(known, 1, 4_000, 20).limit, 18.8);
        assert_close(after(known, 1, 200_000_000, 20).limit, 18.8);
        // On and on: where half of it and the queue are as much as it, at 8.
        let fallen = after(known, 100, 200_000_000, 20).limit;
        assert!((fallen - 8.0).abs() < 0.001, "{fallen}");
    }

    #[test]
    fn it_stays_where_less_than_half_of_it_is_in_use() {
        let known = after(Estimate::at(20), 10, 1_000, 1);
        assert_close(after(known, 5, 1_000, 9).limit, 20.0);
        assert_close(after(known, 5, 9_000, 9).limit, 20.0);
        assert_close(after(known, 1, 1_000, 10).limit, 20.8);
        // Half of a limit with a fraction is more than half of its whole part.
        let more = after(known, 1, 1_000, 10);
        assert_close(after(more, 1, 1_000, 10).limit, 20.8);
    }

    #[test]
    fn what_is_usual_is_the_mean_of_ten_windows_and_then_an_average_of_six_hundred() {
        let usual = |estimate: Estimate| estimate.usual;
        let ten = (1..=10).fold(Estimate::at(20), |then, n| after(then, 1, 1_000 + n * 100, 1));
        assert_close(usual(ten), 1_550.0);
        assert_close(usual(after(ten, 1, 2_151, 1)), 1_552.0);
        assert_eq!(ten.usual(), Some(Duration::from_micros(1_550)));
        assert_eq!(Estimate::at(20).usual(), None);
    }

    #[test]
    fn what_is_more_than_twice_too_high_comes_down_by_a_twentieth_a_window() {
        let slow = after(Estimate::at(20), 10, 4_000, 1);
        // (4000 × 599 + 2 × 1000) / 601 × 0.95, and not without the last factor
        assert_close(after(slow, 1, 1_000, 1).usual, 3_790.515_806_988_353);
        assert_close(after(slow, 1, 2_000, 1).usual, 3_993.344_425_956_739);
        assert!(after(slow, 20, 1_000, 1).usual <= 2_000.0);
    }

    #[test]
    fn a_window_with_too_many_drops_leaves_nine_tenths_whether_in_use_or_not() {
        let after = |calls, drops| {
            let window = Collected::of(calls, 1_000 * u64::from(calls), drops, 1);
            step(Estimate::at(20), settings(), &window)
        };
        assert_close(after(9, 1).limit, 18.0);
        assert_close(after(0, 10).limit, 18.0);
        assert_close(after(10, 1).limit, 20.0);
        assert_close(after(10, 0).limit, 20.0);
        assert_eq!(after(9, 1).usual(), None);
        assert_eq!(after(10, 1).usual(), Some(Duration::from_millis(1)));
        let low = step(Estimate::at(2), settings(), &Collected::of(0, 0, 10, 1));
        assert_close(low.limit, 2.0);
    }

    #[test]
    fn where_drops_leave_all_of_it_a_window_counts_by_its_other_calls() {
        let deaf = settings().backoff_ratio(1.0);
        let after = |window| step(Estimate::at(20), deaf, &window);
        assert_close(after(Collected::of(1, 1_000, 9, 20)).limit, 20.8);
        assert_eq!(after(Collected::of(0, 0, 10, 20)), Estimate::at(20));
    }

    #[test]
    fn a_window_without_calls_changes_nothing() {
        let none = Collected::of(0, 0, 0, 40);
        assert_eq!(step(Estimate::at(20), settings(), &none), Estimate::at(20));
    }

    #[test]
    fn set_by_hand_it_keeps_what_it_knows_of_time() {
        let known = after(Estimate::at(20), 10, 1_000, 1);
        assert_eq!(known.set(30), Estimate { limit: 30.0, ..known });
    }

    #[test]
    fn a_word_gives_back_what_was_packed_to_a_part_in_a_million() {
        for (limit, usual, windows) in [
            (1.0, 0.0, 0),
            (20.8, 1_552.123_4, 10),
            (1_048_575.0, 268_435_455.0, 3),
            (199.999, 100.0, 1),
        ] {
            let estimate = Estimate { limit, usual, windows };
            let again = Estimate::unpack(estimate.pack());
            assert_eq!(again.windows, windows);
            assert!((again.limit - limit).abs() <= limit * 1e-7);
            assert!((again.usual - usual).abs() <= usual * 1e-6);
            assert_eq!(Estimate::unpack(again.pack()), again);
        }
    }
}
