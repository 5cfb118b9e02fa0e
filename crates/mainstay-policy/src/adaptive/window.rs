//! The calls that will move the limit together: two words of sums and one of when they are over.

use std::time::Duration;

use super::rules::Gradient2;
use super::sample::Sample;
use crate::live::Live;
use crate::moment::{Moment, nanos};
use crate::sync::{AcqRel, Acquire, AtomicU64, Line, update};

/// Collects how calls ended, until they are enough and the window's time is over.
///
/// Recording is one exchange. Whoever moves the end on takes what has been collected; what others
/// record in between goes with it or stays for the next window, and is never counted twice.
#[derive(Debug)]
pub(super) struct Window {
    shared: Line<Shared>,
    length: Live<Duration>,
    min_calls: Live<u32>,
}

#[derive(Debug)]
struct Shared {
    times: AtomicU64,
    /// Changed only by drops, and where more are in flight than before in this window.
    strain: AtomicU64,
    /// When the window is over; zero before the first call.
    ends: AtomicU64,
}

/// What a window holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Collected {
    times: Times,
    drops: u32,
    /// The most that were in flight.
    pub(super) in_flight: u32,
}

impl Collected {
    /// How long calls took on average, in microseconds.
    #[expect(clippy::cast_precision_loss, reason = "a sum of 46 bits")]
    pub(super) fn mean(&self) -> Option<f64> {
        let Times { calls, micros } = self.times;
        (calls > 0).then(|| micros as f64 / f64::from(calls))
    }

    /// Whether at least this part of the calls was dropped.
    pub(super) fn has_dropped(&self, share: f64) -> bool {
        let calls = f64::from(self.calls());
        // The sliver keeps 3 of 10 at a share of 0.3, whose product is 3.0000000000000004.
        self.drops > 0 && f64::from(self.drops) + 1e-9 >= share * calls
    }

    pub(super) fn calls(&self) -> u32 {
        self.times.calls + self.drops
    }
}

impl Window {
    pub(super) fn new(rule: &Gradient2) -> Self {
        let [times, strain, ends] = [(); 3].map(|()| AtomicU64::new(0));
        Self {
            shared: Line(Shared { times, strain, ends }),
            length: Live::new(rule.window),
            min_calls: Live::new(rule.min_calls),
        }
    }

    /// The window that is on ends when it would have, if that holds enough.
    pub(super) fn change(&self, rule: &Gradient2) {
        self.length.set(rule.window);
        self.min_calls.set(rule.min_calls);
    }

    /// Counts a call that ended while so many were in flight; gives what the window has collected,
    /// if that was its end.
    pub(super) fn record(&self, sample: Sample, in_flight: u32, now: Moment) -> Option<Collected> {
        let dropped = match sample {
            Sample::Took(took) if took >= Times::SHORTEST => {
                self.add(took);
                false
            }
            Sample::Dropped => true,
            Sample::Took(_) | Sample::Nothing => return None,
        };
        update(&self.shared.strain, |word| {
            let next = Strain::unpack(word).with(dropped, in_flight).pack();
            ((next != word).then_some(next), ())
        });
        let is_over = update(&self.shared.ends, |word| {
            let (next, is_over) = self.pass(Moment::from_nanos(word), now);
            (next.map(Moment::as_nanos), is_over)
        });
        is_over.then(|| self.take())
    }

    /// What it has collected so far.
    pub(super) fn look(&self) -> Collected {
        let times = Times::unpack(self.shared.times.load(Acquire));
        let Strain { drops, in_flight } = Strain::unpack(self.shared.strain.load(Acquire));
        Collected { times, drops, in_flight }
    }

    fn add(&self, took: Duration) {
        update(&self.shared.times, |word| {
            let next = Times::unpack(word).with(took).pack();
            ((next != word).then_some(next), ())
        });
    }

    /// The window's new end, if it gets one, and whether that ends a window.
    fn pass(&self, ends: Moment, now: Moment) -> (Option<Moment>, bool) {
        if ends == Moment::MIN {
            (Some(now + self.length.get()), false)
        } else if now < ends || self.look().calls() < self.min_calls.get() {
            (None, false)
        } else {
            (Some(now + self.length.get()), true)
        }
    }

    fn take(&self) -> Collected {
        let times = Times::unpack(self.shared.times.swap(0, AcqRel));
        let Strain { drops, in_flight } = Strain::unpack(self.shared.strain.swap(0, AcqRel));
        Collected { times, drops, in_flight }
    }
}

/// Calls that were not dropped, in 18 bits, and the sum of the times that they took, in 46 bits of
/// microseconds. It cannot overflow: a call counts for at most [`Times::LONGEST`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Times {
    calls: u32,
    micros: u64,
}

impl Times {
    const SUM_BITS: u32 = 46;
    /// After so many a window counts no more; it lasts a second, mostly.
    const MOST: u32 = (1 << (64 - Self::SUM_BITS)) - 1;
    /// What is quicker has not been to a server.
    const SHORTEST: Duration = Duration::from_micros(100);
    /// Four minutes and a half, in microseconds.
    const LONGEST: u64 = (1 << 28) - 1;

    fn with(self, took: Duration) -> Self {
        if self.calls == Self::MOST {
            return self;
        }
        let micros = (nanos(took) / 1_000).min(Self::LONGEST);
        Self { calls: self.calls + 1, micros: self.micros + micros }
    }

    const fn pack(self) -> u64 {
        (self.calls as u64) << Self::SUM_BITS | self.micros
    }

    const fn unpack(word: u64) -> Self {
        let calls = (word >> Self::SUM_BITS) as u32;
        Self { calls, micros: word & ((1 << Self::SUM_BITS) - 1) }
    }
}

/// Calls that were dropped, and the most that were in flight.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Strain {
    drops: u32,
    in_flight: u32,
}

impl Strain {
    fn with(self, dropped: bool, in_flight: u32) -> Self {
        let drops = (self.drops + u32::from(dropped)).min(Times::MOST);
        Self { drops, in_flight: self.in_flight.max(in_flight) }
    }

    const fn pack(self) -> u64 {
        (self.drops as u64) << u32::BITS | self.in_flight as u64
    }

    #[expect(clippy::cast_possible_truncation, reason = "two halves")]
    const fn unpack(word: u64) -> Self {
        Self { drops: (word >> u32::BITS) as u32, in_flight: word as u32 }
    }
}

#[cfg(test)]
impl Collected {
    pub(super) fn of(calls: u32, micros: u64, drops: u32, in_flight: u32) -> Self {
        Self { times: Times { calls, micros }, drops, in_flight }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second, and at least three calls.
    fn window() -> Window {
        Window::new(&Gradient2::new().min_calls(3))
    }

    fn at(millis: u64) -> Moment {
        Moment::ORIGIN + Duration::from_millis(millis)
    }

    const fn took(micros: u64) -> Sample {
        Sample::Took(Duration::from_micros(micros))
    }

    #[test]
    fn a_window_is_over_after_its_time_and_is_given_once() {
        let window = window();
        assert_eq!(window.record(took(1_000), 2, at(0)), None);
        assert_eq!(window.record(took(3_000), 7, at(1)), None);
        assert_eq!(window.record(Sample::Dropped, 4, at(999)), None);
        let whole = Collected::of(3, 9_000, 1, 7);
        assert_eq!(window.record(took(5_000), 5, at(1_000)), Some(whole));
        assert_eq!(whole.mean(), Some(3_000.0));
        assert_eq!(window.look(), Collected::of(0, 0, 0, 0));
        assert_eq!(window.record(took(1_000), 2, at(1_999)), None);
    }

    #[test]
    fn a_window_that_holds_too_few_calls_lasts_longer() {
        let window = window();
        assert_eq!(window.record(took(1_000), 1, at(0)), None);
        assert_eq!(window.record(took(1_000), 1, at(60_000)), None);
        let whole = Collected::of(2, 2_000, 1, 1);
        assert_eq!(window.record(Sample::Dropped, 1, at(60_001)), Some(whole));
        assert_eq!(window.record(took(1_000), 1, at(61_000)), None);
    }

    #[test]
    fn what_was_quicker_than_a_tenth_of_a_millisecond_has_not_been_to_a_server() {
        let window = window();
        let quick = Sample::Took(Duration::from_nanos(99_999));
        for sample in [quick, Sample::Nothing] {
            assert_eq!(window.record(sample, 9, at(0)), None);
        }
        assert_eq!(window.look(), Collected::of(0, 0, 0, 0));
        assert_eq!(window.record(took(100), 1, at(0)), None);
        assert_eq!(window.look(), Collected::of(1, 100, 0, 1));
    }

    #[test]
    fn the_longest_call_and_the_last_that_counts_spill_over_nothing() {
        let full = Times { calls: Times::MOST, micros: 7 };
        assert_eq!(full.with(Duration::MAX), full);
        let longest = Times::LONGEST * u64::from(Times::MOST);
        let almost = Times { calls: Times::MOST - 1, micros: longest - Times::LONGEST };
        let times = almost.with(Duration::MAX);
        assert_eq!(times, Times { calls: Times::MOST, micros: longest });
        assert_eq!(Times::unpack(times.pack()), times);
        let strain = Strain { drops: Times::MOST, in_flight: 3 }.with(true, u32::MAX);
        assert_eq!(strain, Strain { drops: Times::MOST, in_flight: u32::MAX });
        assert_eq!(Strain::unpack(strain.pack()), strain);
    }

    #[test]
    fn the_share_of_drops_counts_them_among_all_calls() {
        let has = |calls, drops, share| Collected::of(calls, 0, drops, 1).has_dropped(share);
        assert!(has(9, 1, 0.1) && !has(10, 1, 0.1));
        assert!(has(7, 3, 0.3) && !has(8, 3, 0.3));
        assert!(has(0, 1, 1.0) && !has(1, 1, 1.0));
        assert!(has(100_000, 1, f64::MIN_POSITIVE) && !has(100_000, 0, f64::MIN_POSITIVE));
        assert_eq!(Collected::of(0, 0, 5, 1).mean(), None);
    }

    #[test]
    fn time_that_goes_backwards_ends_no_window() {
        let window = window();
        for _ in 0..5 {
            assert_eq!(window.record(took(1_000), 1, at(5_000)), None);
        }
        assert_eq!(window.record(took(1_000), 1, Moment::MIN), None);
        assert!(window.record(took(1_000), 1, Moment::MAX).is_some());
    }
}
