//! The results that a breaker still remembers: a ring of slices, each one word.

use super::settings::Span;
use crate::moment::{Moment, nanos};
use crate::sync::{AtomicU64, Line, Relaxed, update};

/// Counts hits among the results of the last so and so long, or of the last so many.
///
/// A result goes into the slice of its time (or of its number); a slice is emptied when the ring
/// comes round to it, by whoever gets there first. Recording is one exchange on one word, looking
/// back is one load per slice.
#[derive(Debug)]
pub(super) struct Window {
    slices: Box<[AtomicU64]>,
    measure: Measure,
}

#[derive(Debug)]
enum Measure {
    Time { slice: u64 },
    Calls { slice: u64, recorded: Line<AtomicU64> },
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
    const TIME_SLICES: u64 = 10;
    const MOST_CALL_SLICES: u64 = 64;

    pub(super) fn new(span: Span) -> Self {
        let (count, measure) = match span {
            Span::Time(time) => {
                let slice = nanos(time).div_ceil(Self::TIME_SLICES).max(1);
                (Self::TIME_SLICES, Measure::Time { slice })
            }
            Span::Calls(calls) => {
                let calls = u64::from(calls.max(1));
                let slice = calls.div_ceil(Self::MOST_CALL_SLICES);
                let recorded = Line(AtomicU64::new(0));
                (calls.div_ceil(slice), Measure::Calls { slice, recorded })
            }
        };
        Self { slices: (0..count).map(|_| AtomicU64::new(0)).collect(), measure }
    }

    /// Counts a result and says what the window holds with it.
    pub(super) fn record(&self, generation: u32, hit: bool, now: Moment) -> Tick {
        let number = match &self.measure {
            Measure::Time { slice } => now.as_nanos() / slice,
            Measure::Calls { slice, recorded } => recorded.fetch_add(1, Relaxed) / slice,
        };
        let tag = Tag::new(generation, number);
        if let Some(word) = self.slot(number) {
            update(word, |word| {
                let next = Slice::unpack(word).with(tag, hit);
                (next.map(Slice::pack), ())
            });
        }
        Tick { generation, number }
    }

    /// What the window holds at a tick.
    pub(super) fn counts(&self, tick: Tick) -> Counts {
        let Tick { generation, number } = tick;
        let first = number.saturating_sub(self.slices.len() as u64 - 1);
        let mut counts = Counts::default();
        for number in first..=number {
            let slice = self.slot(number).map(|word| Slice::unpack(word.load(Relaxed)));
            if let Some(slice) = slice.filter(|slice| slice.tag == Tag::new(generation, number)) {
                counts.total += u64::from(slice.total);
                counts.hits += u64::from(slice.hits);
            }
        }
        counts
    }

    /// Where the window is now.
    pub(super) fn tick(&self, generation: u32, now: Moment) -> Tick {
        let number = match &self.measure {
            Measure::Time { slice } => now.as_nanos() / slice,
            Measure::Calls { slice, recorded } => recorded.load(Relaxed).saturating_sub(1) / slice,
        };
        Tick { generation, number }
    }

    fn slot(&self, number: u64) -> Option<&AtomicU64> {
        let index = number % self.slices.len() as u64;
        self.slices.get(usize::try_from(index).ok()?)
    }
}

/// A place in the window: the slice with this number, in this generation of the breaker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Tick {
    generation: u32,
    number: u64,
}

/// Which slice a word holds: eight bits of the generation, so that a breaker that has closed again
/// starts with an empty window, and 24 of the number, so that what the ring has come round to is
/// known to be old.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Tag {
    generation: u8,
    number: u32,
}

impl Tag {
    const NUMBER: u64 = (1 << 24) - 1;

    #[expect(clippy::cast_possible_truncation, reason = "the low bits are what is wanted")]
    const fn new(generation: u32, number: u64) -> Self {
        Self { generation: generation as u8, number: (number & Self::NUMBER) as u32 }
    }

    /// Whether a result for `self` comes too late for a word that holds `other`: it was held up
    /// for more than a whole window, or since before the breaker last closed.
    ///
    /// Both fields go round, so only what is a little ahead counts as ahead.
    const fn is_behind(self, other: Self) -> bool {
        if self.generation != other.generation {
            return other.generation.wrapping_sub(self.generation) < 16;
        }
        let ahead = other.number.wrapping_sub(self.number) as u64 & Self::NUMBER;
        ahead > 0 && ahead < 1024
    }
}

/// One slice: its tag, and up to 65 535 results.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Slice {
    tag: Tag,
    total: u16,
    hits: u16,
}

impl Slice {
    /// With one more result, or `None` if it comes too late.
    fn with(self, tag: Tag, hit: bool) -> Option<Self> {
        let one = Self { tag, total: 1, hits: u16::from(hit) };
        if self.tag == tag {
            // A full slice is halved: its ratio stays, and so does its weight among the others.
            let full = u32::from(self.total == u16::MAX);
            let (total, hits) = (self.total >> full, self.hits >> full);
            Some(Self { tag, total: total + 1, hits: hits + one.hits })
        } else if self.total > 0 && tag.is_behind(self.tag) {
            None
        } else {
            Some(one)
        }
    }

    const fn pack(self) -> u64 {
        (self.tag.generation as u64) << 56
            | (self.tag.number as u64) << 32
            | (self.total as u64) << 16
            | self.hits as u64
    }

    #[expect(clippy::cast_possible_truncation, reason = "each field is cut to its bits")]
    const fn unpack(word: u64) -> Self {
        let tag = Tag { generation: (word >> 56) as u8, number: (word >> 32) as u32 & 0xFF_FFFF };
        Self { tag, total: (word >> 16) as u16, hits: word as u16 }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Ten slices of a second.
    fn window() -> Window {
        Window::new(Span::Time(Duration::from_secs(10)))
    }

    fn at(second: u64) -> Moment {
        Moment::from_nanos(second * 1_000_000_000)
    }

    fn total(window: &Window, generation: u32, second: u64) -> u64 {
        window.counts(window.tick(generation, at(second))).total
    }

    #[test]
    fn a_word_gives_back_what_was_packed() {
        for (generation, number, total, hits) in [(0, 0, 0, 0), (255, Tag::NUMBER, u16::MAX, 7)] {
            let slice = Slice { tag: Tag::new(generation, number), total, hits };
            assert_eq!(Slice::unpack(slice.pack()), slice);
        }
    }

    #[test]
    fn what_was_held_up_for_longer_than_the_window_wipes_nothing_newer() {
        for late_by in [10, 20, 1_020] {
            let window = window();
            window.record(0, false, at(20_000));
            window.record(0, true, at(20_000 - late_by));
            assert_eq!(total(&window, 0, 20_000), 1, "late by {late_by}");
        }
    }

    /// Numbers go round after 2^24 slices, so an old slice can look as if it were ahead.
    #[test]
    fn what_is_further_ahead_than_anybody_is_late_is_an_old_slice() {
        for (ahead, taken) in [(1_016, 0), (1_026, 1)] {
            let window = window();
            window.record(0, false, at(20_000));
            let now = 20_000 + (1 << 24) - ahead;
            window.record(0, true, at(now));
            assert_eq!(total(&window, 0, now), taken, "{ahead} ahead");
        }
    }

    #[test]
    fn a_result_from_before_the_breaker_closed_wipes_nothing_newer() {
        for (old, new) in [(6, 7), (6, 21), (255, 256), (250, 260)] {
            let window = window();
            window.record(new, false, at(30));
            window.record(old, true, at(30));
            assert_eq!((total(&window, new, 30), total(&window, old, 30)), (1, 0));
            window.record(new + 16, false, at(30)); // and a newer one does
            assert_eq!((total(&window, new + 16, 30), total(&window, new, 30)), (1, 0));
        }
    }

    #[test]
    fn an_empty_slice_takes_whatever_comes() {
        // An empty word looks like generation 0, slice 0, which is ahead of these.
        let window = window();
        window.record(250, true, at((1 << 24) - 6));
        assert_eq!(total(&window, 250, (1 << 24) - 6), 1);
    }
}
