//! A rate and a burst: the generic cell rate algorithm on one word.

use std::time::Duration;

use super::settings::RateLimit;
use crate::live::Changes;
use crate::moment::{Moment, nanos};
use crate::sync::{Acquire, AtomicU64, Line, Relaxed, update};
use crate::turn::Turn;

/// The word holds the theoretical arrival time: when the limiter would be full again. Its highest
/// bit says which of two paces is in force, so that one exchange changes the pace and restates
/// what is owed in it.
#[derive(Debug)]
pub(super) struct Smooth {
    word: Line<AtomicU64>,
    paces: [PaceCell; 2],
    changes: Changes,
}

#[derive(Debug)]
struct PaceCell {
    interval: AtomicU64,
    tolerance: AtomicU64,
}

/// How far apart starts are, and how much may be owed at most: a burst of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Pace {
    interval: u64,
    tolerance: u64,
}

/// How late a waiter may wake without its lateness costing rate.
///
/// A timer is up to a millisecond late, and every waiter after it would be later still. So a
/// waiter counts as having started when it could have, but not more than this ago.
pub(super) const CATCH_UP: Duration = Duration::from_millis(2);

const SECOND_PACE: u64 = 1 << 63;

impl Pace {
    pub(super) fn new(settings: &RateLimit, burst: u32) -> Self {
        // Rounded up: a rate that does not divide its period is kept from below.
        let interval = nanos(settings.period).div_ceil(settings.count.max(1).into()).max(1);
        Self { interval, tolerance: interval.saturating_mul(burst.into()) }
    }

    #[inline]
    fn cost(self, cost: u64) -> u64 {
        self.interval.saturating_mul(cost)
    }

    /// The earliest start of something that costs this.
    #[inline]
    fn earliest(self, tat: u64, cost: u64) -> u64 {
        tat.saturating_add(cost).saturating_sub(self.tolerance)
    }

    /// May this start? The second answer is the word's time if it does.
    #[inline]
    pub(super) fn start(self, tat: u64, cost: u32, since: Moment, now: Moment) -> (Turn, u64) {
        let cost = self.cost(cost.into());
        if cost > self.tolerance {
            return (Turn::Never, tat);
        }
        let earliest = self.earliest(tat, cost);
        let now_nanos = now.as_nanos();
        if now_nanos < earliest {
            return (Turn::At(Moment::from_nanos(earliest)), tat);
        }
        let as_of = earliest.max(since.as_nanos()).max((now - CATCH_UP).as_nanos()).min(now_nanos);
        let next = tat.max(as_of).saturating_add(cost);
        (Turn::Now, next.min(Moment::MAX.as_nanos()))
    }

    /// The time that says in `new` pace what `tat` says in this one: what has been saved up stays,
    /// at most the new burst; what is owed beyond the burst stays owed for as long.
    pub(super) fn restate(self, tat: u64, new: Self, now: u64) -> u64 {
        let owed = tat.saturating_sub(now);
        let beyond = owed.saturating_sub(self.tolerance);
        let saved = self.tolerance.saturating_sub(owed);
        let saved = u128::from(saved) * u128::from(new.interval) / u128::from(self.interval);
        let saved = u64::try_from(saved).unwrap_or(u64::MAX).min(new.tolerance);
        now.saturating_add(beyond).saturating_add(new.tolerance - saved).min(Moment::MAX.as_nanos())
    }
}

impl Smooth {
    pub(super) fn new(pace: Pace) -> Self {
        let cell = |pace: Pace| PaceCell {
            interval: AtomicU64::new(pace.interval),
            tolerance: AtomicU64::new(pace.tolerance),
        };
        let paces = [cell(pace), cell(pace)];
        Self { word: Line(AtomicU64::new(0)), paces, changes: Changes::default() }
    }

    pub(super) fn peek(&self, cost: u32, since: Moment, now: Moment) -> Turn {
        let (tat, pace) = self.split(self.word.load(Acquire));
        pace.start(tat, cost, since, now).0
    }

    #[inline]
    pub(super) fn take(&self, cost: u32, since: Moment, now: Moment) -> Turn {
        update(&self.word, |word| {
            let (tat, pace) = self.split(word);
            let (turn, next) = pace.start(tat, cost, since, now);
            let next = next | word & SECOND_PACE;
            ((turn == Turn::Now).then_some(next), turn)
        })
    }

    /// When something that costs this could start behind all that.
    pub(super) fn forecast(&self, ahead: u64, cost: u32, now: Moment) -> Turn {
        let (tat, pace) = self.split(self.word.load(Acquire));
        if pace.cost(cost.into()) > pace.tolerance {
            return Turn::Never;
        }
        let all = pace.cost(ahead.saturating_add(cost.into()));
        let earliest = Moment::from_nanos(pace.earliest(tat.max(now.as_nanos()), all));
        if earliest > now { Turn::At(earliest) } else { Turn::Now }
    }

    /// How many could start now.
    pub(super) fn available(&self, now: Moment) -> u32 {
        let (tat, pace) = self.split(self.word.load(Acquire));
        let saved = pace.tolerance.saturating_sub(tat.saturating_sub(now.as_nanos()));
        u32::try_from(saved / pace.interval).unwrap_or(u32::MAX)
    }

    /// When all that can be saved up is, if nothing more starts.
    pub(super) fn full_from(&self) -> Moment {
        Moment::from_nanos(self.split(self.word.load(Acquire)).0)
    }

    /// Goes on in another pace.
    ///
    /// A start that overlaps the change is judged by the pace before it or after it.
    pub(super) fn change(&self, new: Pace, now: Moment) {
        let _change = self.changes.begin();
        let spare = usize::from(self.word.load(Acquire) & SECOND_PACE == 0);
        if let Some(cell) = self.paces.get(spare) {
            cell.interval.store(new.interval, Relaxed);
            cell.tolerance.store(new.tolerance, Relaxed);
        }
        update(&self.word, |word| {
            let (tat, old) = self.split(word);
            let restated = old.restate(tat, new, now.as_nanos());
            (Some(restated | !word & SECOND_PACE), ())
        });
    }

    #[inline]
    fn split(&self, word: u64) -> (u64, Pace) {
        let [first, second] = &self.paces;
        let cell = if word & SECOND_PACE == 0 { first } else { second };
        let pace =
            Pace { interval: cell.interval.load(Relaxed), tolerance: cell.tolerance.load(Relaxed) };
        (word & !SECOND_PACE, pace)
    }
}
