//! How a window is cut into slices, and which of them a result counts in.

use std::time::Duration;

use crate::live::Live;
use crate::moment::{Moment, nanos};

/// How a window is cut into slices.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub(crate) count: u64,
    /// How long each is: in nanoseconds or in results.
    pub(crate) slice: u64,
    pub(super) by_time: bool,
}

impl Cut {
    const TIME_SLICES: u64 = 10;
    pub(super) const MOST_SLICES: usize = 64;

    /// Ten slices: a result leaves between nine tenths of the time and all of it after it came.
    pub(crate) fn of_time(time: Duration) -> Self {
        let slice = nanos(time).div_ceil(Self::TIME_SLICES).max(1);
        Self { count: Self::TIME_SLICES, slice, by_time: true }
    }

    /// One result per slice up to 64; above that results leave a part at a time, and it holds up
    /// to a 32nd fewer.
    pub(crate) fn of_results(results: u32) -> Self {
        let results = u64::from(results.max(1));
        let slice = results.div_ceil(Self::MOST_SLICES as u64);
        Self { count: results / slice, slice, by_time: false }
    }

    /// How many slices there are of each kind.
    pub(super) fn counts<const KINDS: usize>(self, asked: [bool; KINDS]) -> [u64; KINDS] {
        asked.map(|asked| if asked { self.count } else { 0 })
    }
}

/// How slices are numbered and where they lie: the cut that is in force.
#[derive(Debug)]
pub(super) struct Numbering<const KINDS: usize> {
    by_time: Live<bool>,
    line: Line,
    /// The same where the window is one of time, and nothing where it is not: no moment lies there.
    times: Line,
    /// How many slices there are of each kind; none where nobody asks for it.
    counts: [Live<u64>; KINDS],
}

/// Slices in a row.
#[derive(Debug)]
struct Line {
    slice: Live<u64>,
    /// Where the slice with the number 0 begins. After a change that is before the beginning of
    /// time, mostly: it has gone round, and comes round again where a number is added.
    origin: Live<u64>,
}

impl Line {
    #[inline]
    fn start(&self, number: u64) -> u64 {
        self.origin.get().wrapping_add(number.wrapping_mul(self.slice.get()))
    }

    fn set(&self, slice: u64, origin: u64) {
        self.slice.set(slice);
        self.origin.set(origin);
    }
}

impl<const KINDS: usize> Numbering<KINDS> {
    pub(super) fn new(cut: Cut, counts: [u64; KINDS]) -> Self {
        let [line, times] = [(); 2].map(|()| Line { slice: Live::new(0), origin: Live::new(0) });
        let numbering =
            Self { by_time: Live::new(false), line, times, counts: counts.map(Live::new) };
        numbering.begin(cut, 0, 0);
        numbering
    }

    /// Another cut, whose numbers go on from this one, which begins now.
    pub(super) fn begin(&self, cut: Cut, number: u64, now: u64) {
        let origin = now.wrapping_sub(number.wrapping_mul(cut.slice));
        self.by_time.set(cut.by_time);
        self.line.set(cut.slice, origin);
        let (slice, origin) = if cut.by_time { (cut.slice, origin) } else { (0, 0) };
        self.times.set(slice, origin);
    }

    pub(super) fn hold(&self, counts: [u64; KINDS]) {
        self.counts.iter().zip(counts).for_each(|(live, count)| live.set(count));
    }

    pub(super) fn is_cut(&self, cut: Cut) -> bool {
        self.slice() == cut.slice && self.by_time() == cut.by_time && self.count() == cut.count
    }

    pub(super) fn by_time(&self) -> bool {
        self.by_time.get()
    }

    pub(super) fn slice(&self) -> u64 {
        self.line.slice.get()
    }

    #[inline]
    pub(super) const fn counts(&self) -> &[Live<u64>; KINDS] {
        &self.counts
    }

    /// How many slices there are of a kind that is asked for.
    pub(super) fn count(&self) -> u64 {
        self.counts.iter().map(Live::get).max().unwrap_or(0)
    }

    pub(super) fn start(&self, number: u64) -> u64 {
        self.line.start(number)
    }

    /// Whether this moment lies in the newest slice or before it, where the window is one of time.
    /// A product tells it sooner than a quotient.
    #[inline]
    pub(super) fn is_in(&self, newest: u64, now: Moment) -> bool {
        now.as_nanos() < self.times.start(newest + 1)
    }

    /// The slice that something lies in, which is the newest or after it.
    pub(super) fn number(&self, newest: u64, at: u64) -> u64 {
        newest.saturating_add(at.saturating_sub(self.start(newest)) / self.slice().max(1))
    }
}
