//! The results that a policy still remembers: a ring of slices, each one word per kind of hit.

use std::time::Duration;

use crate::moment::{Moment, nanos};
use crate::sync::{AcqRel, Acquire, AtomicU64, Line, Relaxed, Release, update};

/// Counts up to so many kinds of hits among the results of the last so and so long, or of the last
/// so many.
///
/// A result goes into the slice of its time (or of its number). Whoever is the first in a new slice
/// empties those that the ring has come round to. Recording is one exchange on one word for each
/// kind, looking back is one load per slice.
#[derive(Debug)]
pub(crate) struct Window<const KINDS: usize> {
    /// A ring for each kind; empty where nobody asks for it.
    rings: [Box<[AtomicU64]>; KINDS],
    cut: Cut,
    shared: Line<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// The number of the newest slice. A result from before it counts as one of now.
    newest: AtomicU64,
    /// How many results there have been, where they are what is counted by.
    recorded: AtomicU64,
}

/// How a window is cut into slices.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub(crate) count: u64,
    /// How long each is: in nanoseconds or in results.
    pub(crate) slice: u64,
    by_time: bool,
}

impl Cut {
    const TIME_SLICES: u64 = 10;
    const MOST_RESULT_SLICES: u64 = 64;

    /// Ten slices: a result leaves between nine tenths of the time and all of it after it came.
    pub(crate) fn of_time(time: Duration) -> Self {
        let slice = nanos(time).div_ceil(Self::TIME_SLICES).max(1);
        Self { count: Self::TIME_SLICES, slice, by_time: true }
    }

    /// One result per slice up to 64; above that results leave a part at a time, and it holds up
    /// to a 32nd fewer.
    pub(crate) fn of_results(results: u32) -> Self {
        let results = u64::from(results.max(1));
        let slice = results.div_ceil(Self::MOST_RESULT_SLICES);
        Self { count: results / slice, slice, by_time: false }
    }
}

/// What a window holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) total: u64,
    pub(crate) hits: u64,
}

impl Counts {
    /// Whether at least this part of enough results are hits.
    pub(crate) fn exceed(self, ratio: f64, min_calls: u32) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "a window counts far below 2^52")]
        let (hits, total) = (self.hits as f64, self.total as f64);
        // The sliver keeps 3 of 10 at a ratio of 0.3, whose product is 3.0000000000000004.
        self.total >= u64::from(min_calls) && hits + 1e-9 >= ratio * total
    }
}

impl<const KINDS: usize> Window<KINDS> {
    /// An empty window for those kinds that are asked for; the first one must be.
    pub(crate) fn new(cut: Cut, asked: [bool; KINDS]) -> Self {
        let ring = |asked| (0..if asked { cut.count } else { 0 }).map(|_| AtomicU64::new(0));
        Self {
            rings: asked.map(|asked| ring(asked).collect()),
            cut,
            shared: Line(Shared { newest: AtomicU64::new(0), recorded: AtomicU64::new(0) }),
        }
    }

    /// Counts a result; says in which slice.
    // Always: too large for the compiler's own measure, and not half as large once it is in place.
    #[inline(always)]
    pub(crate) fn record(&self, hits: [bool; KINDS], now: Moment) -> u64 {
        let number = match self.cut.by_time {
            true => self.newest(now),
            false => self.next(),
        };
        for (ring, hit) in self.rings.iter().zip(hits) {
            if let Some(word) = slot(ring, number) {
                update(word, |word| (Slice::counted(word, number, hit), ()));
            }
        }
        number
    }

    /// How many were hits of this kind, and of how many; nothing where nobody asked for it.
    pub(crate) fn counts(&self, kind: usize, now: Moment) -> Counts {
        let Some(ring) = self.rings.get(kind) else { return Counts::default() };
        let newest = self.shared.newest.load(Acquire);
        let current = if self.cut.by_time { newest.max(self.number(now)) } else { newest };
        let first = (current + 1).saturating_sub(ring.len() as u64);
        let place = first.checked_rem(ring.len() as u64).and_then(|at| usize::try_from(at).ok());
        let (behind, ahead) = ring.split_at(place.unwrap_or(0)); // the oldest lies where it is cut
        ahead.iter().chain(behind).enumerate().fold(Counts::default(), |counts, (i, word)| {
            let number = first + i as u64;
            let slice = Slice::unpack(word.load(Acquire));
            if number > newest || slice.tag != Slice::tag(number) {
                return counts;
            }
            Counts { total: counts.total + slice.total, hits: counts.hits + slice.hits }
        })
    }

    /// The number of the slice that a moment lies in, where the window is one of time.
    pub(crate) const fn number(&self, now: Moment) -> u64 {
        now.as_nanos() / self.cut.slice
    }

    /// When the slice with this number begins.
    pub(crate) const fn start(&self, number: u64) -> Moment {
        Moment::from_nanos(number.saturating_mul(self.cut.slice))
    }

    /// The number of the slice that comes to lie where this one is, which is then forgotten.
    pub(crate) const fn leaves(&self, number: u64) -> u64 {
        number.saturating_add(self.cut.count)
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        for word in self.rings.iter().flatten() {
            word.store(0, Release);
        }
    }

    /// The slice that a result of now counts in, where the window is one of time: mostly the newest
    /// that there is, which a product finds sooner than a quotient.
    #[inline]
    fn newest(&self, now: Moment) -> u64 {
        let newest = self.shared.newest.load(Acquire);
        let end = (newest + 1).saturating_mul(self.cut.slice);
        if now.as_nanos() < end { newest } else { self.advance(self.number(now)) }
    }

    /// The slice that the next result counts in, where the window is one of results.
    #[inline(never)]
    fn next(&self) -> u64 {
        self.advance(self.shared.recorded.fetch_add(1, Relaxed) / self.cut.slice)
    }

    /// Makes this slice the newest, if it is, and before that empties those that lie where it and
    /// those between it and the one before will. Tells the newest.
    #[inline(never)]
    fn advance(&self, number: u64) -> u64 {
        let newest = &self.shared.newest;
        loop {
            let before = newest.load(Acquire);
            if number <= before {
                return before;
            }
            let first = (before + 1).max((number + 1).saturating_sub(self.cut.count));
            for passed in first..=number {
                for word in self.rings.iter().filter_map(|ring| slot(ring, passed)) {
                    update(word, |word| {
                        // Once the ring has gone on there may be new results in it.
                        let is_old = newest.load(Acquire) == before;
                        ((is_old && word != 0).then_some(0), ())
                    });
                }
            }
            if newest.compare_exchange(before, number, AcqRel, Acquire).is_ok() {
                return number;
            }
        }
    }
}

#[inline]
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

    /// The word with one more result, if that makes another of it.
    #[inline]
    fn counted(word: u64, number: u64, hit: bool) -> Option<u64> {
        let slice = Self::unpack(word);
        // The way of nearly every result.
        if slice.tag == Self::tag(number) && 0 < slice.total && slice.total < Self::MOST {
            return Some(word + (1 << Self::COUNT_BITS) + u64::from(hit));
        }
        Self::counted_anew(word, number, hit)
    }

    #[inline(never)]
    fn counted_anew(word: u64, number: u64, hit: bool) -> Option<u64> {
        Self::unpack(word).with(number, hit).pack(word)
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
mod tests;
