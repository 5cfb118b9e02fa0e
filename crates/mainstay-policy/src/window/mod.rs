//! The results that a policy still remembers: a ring of slices, each one word per kind of hit.

mod cut;
mod slice;

#[cfg(test)]
mod tests;

pub(crate) use cut::Cut;

use std::sync::OnceLock;

use cut::Numbering;
use slice::Slice;

use crate::live::Live;
use crate::moment::Moment;
use crate::sync::{AcqRel, Acquire, AtomicU64, Line, Relaxed, Release, update};

/// Counts up to so many kinds of hits among the results of the last so and so long, or of the last
/// so many.
///
/// A result goes into the slice of its time (or of its number). Whoever is the first in a new slice
/// empties those that the ring has come round to. Recording is one exchange on one word for each
/// kind, looking back is one load per slice.
///
/// It can be cut otherwise. Then numbers go on so far beyond the ring that what was counted by the
/// old ones is old for the new ones, and nobody who is held up in between does any harm.
#[derive(Debug)]
pub(crate) struct Window<const KINDS: usize> {
    rings: [Ring; KINDS],
    numbering: Numbering<KINDS>,
    shared: Line<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// The newest slice. A result from before it counts as one of now.
    newest: AtomicU64,
    /// How many results there have been, where they are what is counted by.
    recorded: AtomicU64,
}

/// The newest slice: its number, and in the lowest bits twice how often the window was cut otherwise,
/// and one while it is. So whoever makes another the newest by outdated numbers fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Newest(u64);

impl Newest {
    const CHANGES_BITS: u32 = 8;
    const CHANGES: u64 = (1 << Self::CHANGES_BITS) - 1;
    const MOST_NUMBER: u64 = u64::MAX >> Self::CHANGES_BITS;

    #[inline]
    const fn number(self) -> u64 {
        self.0 >> Self::CHANGES_BITS
    }

    const fn changes(self) -> u64 {
        self.0 & Self::CHANGES
    }

    const fn is_changing(self) -> bool {
        self.0 & 1 != 0
    }

    const fn at(self, number: u64) -> Self {
        let number = if number > Self::MOST_NUMBER { Self::MOST_NUMBER } else { number };
        Self(number << Self::CHANGES_BITS | self.changes())
    }

    /// A change begins, or is done.
    const fn changed(self) -> Self {
        Self(self.0 & !Self::CHANGES | self.0.wrapping_add(1) & Self::CHANGES)
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
    /// An empty window for those kinds that are asked for; the first one must be, if any is.
    pub(crate) fn new(cut: Cut, asked: [bool; KINDS]) -> Self {
        let counts = cut.counts(asked);
        Self {
            rings: counts.map(Ring::new),
            numbering: Numbering::new(cut, counts),
            shared: Line(Shared { newest: AtomicU64::new(0), recorded: AtomicU64::new(0) }),
        }
    }

    /// Counts a result, for the first so many kinds; says in which slice.
    // Always: too large for the compiler's own measure, and not half as large once it is in place.
    #[inline(always)]
    pub(crate) fn record<const TOLD: usize>(&self, hits: [bool; TOLD], now: Moment) -> u64 {
        let newest = self.newest().number();
        let number = match self.numbering.is_in(newest, now) {
            true => newest, // mostly
            false => self.next(now),
        };
        for (ring, hit) in self.rings.iter().zip(hits) {
            if let Some(word) = ring.slot(number) {
                count(word, number, hit);
            }
        }
        number
    }

    /// How many were hits of this kind, and of how many; nothing where nobody asked for it.
    pub(crate) fn counts(&self, kind: usize, now: Moment) -> Counts {
        let (cut, seen) = (&self.numbering, self.newest());
        if seen.is_changing() {
            return Counts::default(); // it is about to be empty
        }
        let newest = seen.number();
        let count = cut.counts().get(kind).map_or(0, Live::get);
        let current = if cut.by_time() { cut.number(newest, now.as_nanos()) } else { newest };
        let first = (current + 1).saturating_sub(count);
        let Some(ring) = self.rings.get(kind) else { return Counts::default() };
        (first..=newest).fold(Counts::default(), |counts, number| {
            let word = ring.slot(number).map_or(0, |word| word.load(Acquire));
            let slice = Slice::unpack(word);
            if slice.tag != Slice::tag(number) {
                return counts;
            }
            Counts { total: counts.total + slice.total, hits: counts.hits + slice.hits }
        })
    }

    /// The number of the slice that a moment lies in, where the window is one of time; of one that
    /// is gone by, the newest.
    pub(crate) fn number(&self, now: Moment) -> u64 {
        self.numbering.number(self.newest().number(), now.as_nanos())
    }

    /// When the slice with this number begins.
    pub(crate) fn start(&self, number: u64) -> Moment {
        let newest = self.newest().number();
        let away = number.abs_diff(newest).saturating_mul(self.numbering.slice());
        let start = self.numbering.start(newest);
        Moment::from_nanos(match number < newest {
            true => start.saturating_sub(away),
            false => start.saturating_add(away),
        })
    }

    /// The number of the slice with which this one is forgotten.
    pub(crate) fn leaves(&self, number: u64) -> u64 {
        number.saturating_add(self.numbering.count())
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        for word in self.rings.iter().flat_map(Ring::all) {
            word.store(0, Release);
        }
    }

    /// Goes on cut like this, and for those kinds that are asked for. It is empty then, unless it is
    /// cut as before; a kind that nobody had asked for is.
    ///
    /// Not to be called twice at once. Who records meanwhile counts for the slice that was the newest;
    /// nobody waits.
    pub(crate) fn change(&self, cut: Cut, asked: [bool; KINDS], now: Moment) {
        let (numbering, counts) = (&self.numbering, cut.counts(asked));
        let before = numbering.counts().each_ref().map(Live::get);
        let is_cut = numbering.is_cut(cut);
        if is_cut && before == counts {
            return;
        }
        let changing = update(&self.shared.newest, |newest| {
            let changing = Newest(newest).changed();
            (Some(changing.0), changing)
        });
        let mut number = changing.number();
        if !is_cut {
            number += Ring::MOST as u64 + 1; // beyond the ring
            let recorded = || self.shared.recorded.load(Relaxed);
            let at = if cut.by_time { now.as_nanos() } else { recorded() };
            numbering.begin(cut, number, at);
        }
        for ((ring, count), before) in self.rings.iter().zip(counts).zip(before) {
            ring.hold(count);
            if !is_cut || before == 0 {
                ring.all().iter().for_each(|word| word.store(0, Release));
            }
        }
        numbering.hold(counts);
        self.shared.newest.store(changing.changed().at(number).0, Release); // nobody else has
    }

    #[inline]
    fn newest(&self) -> Newest {
        Newest(self.shared.newest.load(Acquire))
    }

    /// The slice that the next result counts in, which is not the newest, or one of results.
    #[inline(never)]
    fn next(&self, now: Moment) -> u64 {
        let newest = self.newest();
        let at = match self.numbering.by_time() {
            true => now.as_nanos(),
            false => self.shared.recorded.fetch_add(1, Relaxed),
        };
        self.advance(newest, at)
    }

    /// Makes the slice that this lies in the newest, if it is, and before that empties those that
    /// lie where it and those between it and the one before will. Tells the newest.
    fn advance(&self, seen: Newest, at: u64) -> u64 {
        loop {
            let newest = self.newest();
            let before = newest.number();
            if newest.changes() != seen.changes() || newest.is_changing() {
                return before; // its numbers say nothing of where this lies
            }
            let number = self.numbering.number(before, at);
            if number <= before {
                return before;
            }
            for ring in &self.rings {
                let first = (before + 1).max((number + 1).saturating_sub(ring.places()));
                for word in (first..=number).filter_map(|passed| ring.slot(passed)) {
                    self.empty(word, newest);
                }
            }
            let exchange =
                self.shared.newest.compare_exchange(newest.0, newest.at(number).0, AcqRel, Acquire);
            if exchange.is_ok() {
                return number;
            }
        }
    }

    /// Empties a slice, unless the ring has gone on: then there may be new results in it.
    fn empty(&self, word: &AtomicU64, newest: Newest) {
        update(word, |word| {
            let is_old = self.newest() == newest;
            ((is_old && word != 0).then_some(0), ())
        });
    }
}

/// Counts a result in the slice with this number, or the one that is there by now.
#[inline]
fn count(word: &AtomicU64, number: u64, hit: bool) {
    let is_counted = update(word, |word| {
        let next = Slice::one_more(word, number, hit);
        (next, next.is_some())
    });
    if !is_counted {
        count_anew(word, number, hit);
    }
}

#[cold]
fn count_anew(word: &AtomicU64, number: u64, hit: bool) {
    update(word, |word| (Slice::unpack(word).with(number, hit).pack(word), ()));
}

/// The slices of one kind, each at the place that the lowest bits of its number say: so there are as
/// many places as the next power of two, and none if nobody asks for the kind.
#[derive(Debug)]
struct Ring {
    words: Box<[AtomicU64]>,
    /// In their place, once a change has asked for more than there are.
    grown: OnceLock<Box<[AtomicU64]>>,
}

impl Ring {
    const MOST: usize = {
        assert!(Cut::MOST_SLICES.is_power_of_two());
        Cut::MOST_SLICES
    };

    fn new(count: u64) -> Self {
        let places = if count == 0 { 0 } else { count.next_power_of_two() };
        Self { words: (0..places).map(|_| AtomicU64::new(0)).collect(), grown: OnceLock::new() }
    }

    /// Makes room for so many.
    fn hold(&self, count: u64) {
        if count > self.places() {
            let _ = self.grown.set((0..Self::MOST).map(|_| AtomicU64::new(0)).collect());
        }
    }

    #[inline]
    fn all(&self) -> &[AtomicU64] {
        self.grown.get().unwrap_or(&self.words)
    }

    fn places(&self) -> u64 {
        self.all().len() as u64
    }

    #[expect(clippy::cast_possible_truncation, reason = "only its lowest bits count")]
    #[inline]
    fn slot(&self, number: u64) -> Option<&AtomicU64> {
        let all = self.all();
        let last = all.len().checked_sub(1)?;
        all.get(number as usize & last)
    }
}
