//! The results that a breaker still remembers: a ring of slices, each one word per rule.

use super::settings::Span;
use crate::moment::Moment;
use crate::sync::{AcqRel, Acquire, AtomicU64, Line, Relaxed, Release, update};

/// Counts failures and slow calls among the results of the last so and so long, or of the last so
/// many.
///
/// A result goes into the slice of its time (or of its number). Whoever is the first in a new slice
/// empties those that the ring has come round to. Recording is one exchange on one word for each
/// rule, looking back is one load per slice.
#[derive(Debug)]
pub(super) struct Window {
    failures: Box<[AtomicU64]>,
    /// Empty where no rule asks for slow calls.
    slow: Box<[AtomicU64]>,
    slice: u64,
    shared: Line<Shared>,
    by_time: bool,
}

#[derive(Debug)]
struct Shared {
    /// The number of the newest slice. A result from before it counts as one of now.
    newest: AtomicU64,
    /// How many results there have been, where they are what is counted by.
    recorded: AtomicU64,
}

/// What a window holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Counts {
    pub(super) total: u64,
    pub(super) hits: u64,
}

impl Counts {
    /// Whether at least this part of enough results are hits.
    pub(super) fn exceed(self, ratio: f64, min_calls: u32) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "a window counts far below 2^52")]
        let (hits, total) = (self.hits as f64, self.total as f64);
        // The sliver keeps 3 of 10 at a ratio of 0.3, whose product is 3.0000000000000004.
        self.total >= u64::from(min_calls) && hits + 1e-9 >= ratio * total
    }
}

impl Window {
    pub(super) fn new(span: Span, slow: bool) -> Self {
        let (count, slice) = span.slices();
        let ring = |count: u64| (0..count).map(|_| AtomicU64::new(0)).collect();
        Self {
            failures: ring(count),
            slow: ring(if slow { count } else { 0 }),
            slice,
            shared: Line(Shared { newest: AtomicU64::new(0), recorded: AtomicU64::new(0) }),
            by_time: matches!(span, Span::Time(_)),
        }
    }

    /// Counts a result.
    pub(super) fn record(&self, failed: bool, slow: bool, now: Moment) {
        let number = match self.by_time {
            true => now.as_nanos() / self.slice,
            false => self.shared.recorded.fetch_add(1, Relaxed) / self.slice,
        };
        let number = self.advance(number);
        for (ring, hit) in [(&self.failures, failed), (&self.slow, slow)] {
            if let Some(word) = slot(ring, number) {
                update(word, |word| (Slice::unpack(word).with(number, hit).pack(word), ()));
            }
        }
    }

    /// How many failed, and of how many.
    pub(super) fn failures(&self, now: Moment) -> Counts {
        self.counts(&self.failures, now)
    }

    /// How many were slow, and of how many; nothing where no rule asks.
    pub(super) fn slow(&self, now: Moment) -> Counts {
        self.counts(&self.slow, now)
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        for word in self.failures.iter().chain(&self.slow) {
            word.store(0, Release);
        }
    }

    fn counts(&self, ring: &[AtomicU64], now: Moment) -> Counts {
        let newest = self.shared.newest.load(Acquire);
        let current = if self.by_time { newest.max(now.as_nanos() / self.slice) } else { newest };
        let first = (current + 1).saturating_sub(ring.len() as u64);
        let mut counts = Counts::default();
        for number in first..=newest {
            let slice = slot(ring, number).map(|word| Slice::unpack(word.load(Acquire)));
            if let Some(slice) = slice.filter(|slice| slice.tag == Slice::tag(number)) {
                counts.total += slice.total;
                counts.hits += slice.hits;
            }
        }
        counts
    }

    /// Makes this slice the newest, if it is, and empties those between it and the one before.
    fn advance(&self, number: u64) -> u64 {
        let newest = &self.shared.newest;
        let seen = newest.load(Acquire);
        if number <= seen {
            return seen;
        }
        let before = newest.fetch_max(number, AcqRel);
        let ring = self.failures.len() as u64;
        // After so long a pause tags no longer tell what is older.
        let far = number.saturating_sub(before) > Slice::TAGS / 4;
        for passed in (before + 1).max((number + 1).saturating_sub(ring))..=number {
            for word in [&self.failures, &self.slow].into_iter().filter_map(|r| slot(r, passed)) {
                update(word, |word| {
                    // Another thread may be counting in it already, or further on.
                    let old = far || Slice::unpack(word).is_before(passed);
                    ((old && word != 0).then_some(0), ())
                });
            }
        }
        number.max(before)
    }
}

fn slot(ring: &[AtomicU64], number: u64) -> Option<&AtomicU64> {
    let index = number.checked_rem(ring.len() as u64)?;
    ring.get(usize::try_from(index).ok()?)
}

/// One slice: 12 bits of its number, to tell it from the one that the ring had here before, and 26
/// each of results and of hits among them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Slice {
    tag: u64,
    total: u64,
    hits: u64,
}

impl Slice {
    const TAGS: u64 = 1 << 12;
    const COUNT_BITS: u32 = 26;
    const MOST: u64 = (1 << Self::COUNT_BITS) - 1;

    const fn tag(number: u64) -> u64 {
        number % Self::TAGS
    }

    /// Whether it is older than the slice with this number. What the ring has passed is empty, so
    /// nothing is far from it in either direction.
    const fn is_before(self, number: u64) -> bool {
        let behind = Self::tag(number).wrapping_sub(self.tag) % Self::TAGS;
        0 < behind && behind < Self::TAGS / 2
    }

    /// With one more result, told for the slice with this number; if the ring has gone on since, it
    /// counts for the slice that is there now. A slice that is full, after 67 million, counts no
    /// more.
    fn with(self, number: u64, hit: bool) -> Self {
        let empty = Self { tag: Self::tag(number), total: 0, hits: 0 };
        let slice = if self.total == 0 || self.is_before(number) { empty } else { self };
        if slice.total == Self::MOST {
            return self;
        }
        Self { total: slice.total + 1, hits: slice.hits + u64::from(hit), ..slice }
    }

    /// The word, if it is another than that.
    fn pack(self, than: u64) -> Option<u64> {
        let word = self.tag << (2 * Self::COUNT_BITS) | self.total << Self::COUNT_BITS | self.hits;
        (word != than).then_some(word)
    }

    const fn unpack(word: u64) -> Self {
        let total = (word >> Self::COUNT_BITS) & Self::MOST;
        Self { tag: word >> (2 * Self::COUNT_BITS), total, hits: word & Self::MOST }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Ten slices of a second.
    fn window() -> Window {
        Window::new(Span::Time(Duration::from_secs(10)), true)
    }

    fn at(second: u64) -> Moment {
        Moment::from_nanos(second * 1_000_000_000)
    }

    fn total(window: &Window, second: u64) -> u64 {
        window.failures(at(second)).total
    }

    #[test]
    fn a_word_gives_back_what_was_packed() {
        for (tag, total, hits) in [(0, 0, 1), (4_095, Slice::MOST, 7), (9, 1, 0)] {
            let slice = Slice { tag, total, hits };
            assert_eq!(slice.pack(0).map(Slice::unpack), Some(slice));
            assert_eq!(slice.pack(slice.pack(0).unwrap()), None);
        }
    }

    #[test]
    fn failures_and_slow_calls_are_counted_apart() {
        let window = window();
        for (failed, slow) in [(true, false), (true, true), (false, true), (true, false)] {
            window.record(failed, slow, at(5));
        }
        assert_eq!(window.failures(at(5)), Counts { total: 4, hits: 3 });
        assert_eq!(window.slow(at(5)), Counts { total: 4, hits: 2 });
        window.clear();
        assert_eq!((window.failures(at(5)), window.slow(at(5))), Default::default());
    }

    #[test]
    fn without_a_rule_for_slow_calls_none_are_counted() {
        let window = Window::new(Span::Calls(10), false);
        window.record(true, true, at(5));
        assert_eq!((window.failures(at(5)).hits, window.slow(at(5))), (1, Counts::default()));
    }

    #[test]
    fn a_result_that_comes_late_counts_as_one_of_now() {
        let window = window();
        window.record(false, false, at(20_000));
        window.record(true, false, at(19_999));
        window.record(true, false, at(3));
        assert_eq!(window.failures(at(20_009)), Counts { total: 3, hits: 2 });
        assert_eq!(window.failures(at(20_010)), Counts::default());
    }

    /// Tags go round after 4096 slices; a slice that the ring has passed is empty by then, whether
    /// or not anything was ever recorded in it.
    #[test]
    fn what_the_ring_has_passed_is_gone_for_good() {
        let window = window();
        window.record(true, true, at(3));
        for step in [4, 9, 10, 11, 40_960] {
            let before = total(&window, 3);
            window.record(false, false, at(3 + step));
            assert!(before <= 1 && total(&window, 3 + 40_960) <= 1);
            window.clear();
            window.record(true, true, at(3 + step));
        }
        // A slice that was counted in once, and from then on only passed by.
        let window = self::window();
        window.record(true, true, at(4));
        (1..=4_096).for_each(|n| window.record(false, false, at(3 + 5 * n)));
        let now = 4 + 5 * 4_096; // the same slot and the same tag
        window.record(false, false, at(now));
        assert_eq!((window.failures(at(now)).hits, window.slow(at(now)).hits), (0, 0));
    }

    #[test]
    fn after_a_pause_of_any_length_just_what_is_young_enough_is_held() {
        for pause in 1..9_000 {
            let window = window();
            (100..110).for_each(|second| window.record(true, true, at(second)));
            let now = 109 + pause;
            window.record(false, false, at(now));
            let held = 10_u64.saturating_sub(pause);
            let expected = Counts { total: held + 1, hits: held };
            assert_eq!(window.failures(at(now)), expected, "after {pause} slices");
            assert_eq!(window.slow(at(now)), expected, "after {pause} slices");
        }
    }

    #[test]
    fn what_nobody_has_asked_for_since_is_not_taken_for_new() {
        let window = window();
        window.record(true, true, at(3));
        let same_slot_and_tag = 3 + 20_480;
        assert_eq!(total(&window, same_slot_and_tag), 0);
        window.record(false, false, at(same_slot_and_tag));
        assert_eq!(window.failures(at(same_slot_and_tag)), Counts { total: 1, hits: 0 });
    }

    /// A thread that was held up between taking its number and counting.
    #[test]
    fn who_comes_late_wipes_nothing_newer() {
        let newer = Slice { tag: Slice::tag(20), total: 3, hits: 2 };
        assert_eq!(newer.with(10, true), Slice { total: 4, hits: 3, ..newer });
        assert_eq!(newer.with(20, true), Slice { total: 4, hits: 3, ..newer });
        assert_eq!(newer.with(30, true), Slice { tag: Slice::tag(30), total: 1, hits: 1 });
        let around = Slice { tag: 2, total: 3, hits: 2 };
        assert!(around.is_before(4_096 + 12) && !around.is_before(4_096 + 2));
        assert!(!around.is_before(4_090)); // which is behind it, across the end of the tags
        let empty = Slice { tag: 9, total: 0, hits: 0 };
        assert_eq!(empty.with(5, false), Slice { tag: 5, total: 1, hits: 0 });
    }

    #[test]
    fn a_full_slice_counts_no_more() {
        let full = Slice { tag: 5, total: Slice::MOST, hits: 9 };
        assert_eq!(full.with(5, true), full);
        assert_eq!(full.with(6, true), Slice { tag: 6, total: 1, hits: 1 });
        let almost = Slice { total: Slice::MOST - 1, ..full };
        assert_eq!(almost.with(5, true), Slice { hits: 10, ..full });
    }
}
