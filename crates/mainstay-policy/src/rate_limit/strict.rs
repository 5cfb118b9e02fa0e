//! At most so many starts in any window: a ring that remembers the last starts.

use std::sync::OnceLock;
use std::time::Duration;

use super::settings::RateLimit;
use crate::live::Changes;
use crate::moment::{Moment, nanos};
use crate::sync::{Acquire, AtomicU64, Line, Release, update, yield_now};
use crate::turn::Turn;

/// Position *k* of all starts may be taken once position *k* − N is a window ago.
///
/// A start claims its positions by moving the cursor and then writes its moment there, with a bit
/// that says in which lap round the ring: whoever needs a position that is claimed and not yet
/// written can tell, and waits.
#[derive(Debug)]
pub(super) struct Strict {
    limits: AtomicU64,
    first: Ring,
    changes: Changes,
}

/// A ring; the next one takes over when more must be remembered than it holds. Each holds at least
/// twice what the one before it did, so there are never more than twenty-one.
#[derive(Debug)]
struct Ring {
    cursor: Line<AtomicU64>,
    slots: Box<[AtomicU64]>,
    next: OnceLock<Box<Ring>>,
}

/// At most `count` starts in any `window`; one word: 24 bits and 40 of microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Limits {
    count: u64,
    window: Duration,
}

/// Who needs a position that its owner has not yet written asks again after this. The owner is
/// between two instructions.
const SOON: Duration = Duration::from_millis(1);

/// In a cursor: nothing starts from this ring any more.
const CLOSED: u64 = 1 << 63;
/// In a cursor: the next ring is there.
const HANDED_OVER: u64 = 1 << 62;
const POSITION: u64 = HANDED_OVER - 1;
/// In a slot: whether it was written in an even lap.
const LAP: u64 = 1 << 63;

impl Limits {
    const WINDOW_BITS: u32 = 40;

    pub(super) fn new(settings: &RateLimit) -> Self {
        Self { count: settings.count.max(1).into(), window: settings.period }
    }

    fn pack(self) -> u64 {
        (self.count << Self::WINDOW_BITS) | (nanos(self.window) / 1_000)
    }

    const fn unpack(word: u64) -> Self {
        let window = Duration::from_micros(word & ((1 << Self::WINDOW_BITS) - 1));
        Self { count: word >> Self::WINDOW_BITS, window }
    }
}

impl Strict {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits: AtomicU64::new(limits.pack()),
            first: Ring::new(limits.count, 0),
            changes: Changes::default(),
        }
    }

    pub(super) fn peek(&self, cost: u32, now: Moment) -> Turn {
        let ring = self.ring();
        ring.turn(ring.cursor.load(Acquire), cost.into(), self.limits(), now)
    }

    pub(super) fn take(&self, cost: u32, now: Moment) -> Turn {
        let ring = self.ring();
        let cost = u64::from(cost);
        let (claimed, turn) = update(&ring.cursor, |cursor| {
            let turn = ring.turn(cursor, cost, self.limits(), now);
            // A moment that goes backwards counts as the latest seen.
            let last = cursor.checked_sub(1).and_then(|last| ring.read(last));
            let claims = turn == Turn::Now && cost > 0;
            let claimed = claims.then(|| (cursor, last.unwrap_or(now).max(now)));
            (claimed.map(|_| cursor + cost), (claimed, turn))
        });
        if let Some((position, start)) = claimed {
            (position..position + cost).for_each(|position| ring.write(position, start));
        }
        turn
    }

    /// When something that costs this could start behind all that.
    pub(super) fn forecast(&self, ahead: u64, cost: u32, now: Moment) -> Turn {
        let limits = self.limits();
        if u64::from(cost) > limits.count {
            return Turn::Never;
        }
        let behind = ahead.saturating_add(cost.max(1).into()) - 1;
        let ring = self.ring();
        let cursor = ring.cursor.load(Acquire) & POSITION;
        let free = ring.free_at(cursor + behind % limits.count, limits, now).unwrap_or(now);
        let laps = u32::try_from(behind / limits.count).unwrap_or(u32::MAX);
        let start = free.max(now) + limits.window.saturating_mul(laps);
        if start > now { Turn::At(start) } else { Turn::Now }
    }

    /// How many could start now.
    pub(super) fn available(&self, now: Moment) -> u32 {
        let limits = self.limits();
        let ring = self.ring();
        let cursor = ring.cursor.load(Acquire) & POSITION;
        let free = (cursor..cursor + limits.count)
            .take_while(|&position| {
                ring.free_at(position, limits, now).is_some_and(|free| free <= now)
            })
            .count();
        u32::try_from(free).unwrap_or(u32::MAX)
    }

    /// When the last start is a window ago, if nothing more starts; `None` while one is being
    /// written.
    pub(super) fn full_from(&self) -> Option<Moment> {
        let ring = self.ring();
        let cursor = ring.cursor.load(Acquire) & POSITION;
        match cursor.checked_sub(1) {
            None => Some(Moment::MIN),
            Some(last) => Some(ring.read(last)? + self.limits().window),
        }
    }

    /// Goes on with other limits: no start from now on is one too many for them, whatever came
    /// before. A start that overlaps the change is judged by the limits before it or after it.
    pub(super) fn change(&self, new: Limits) {
        let _change = self.changes.begin();
        let ring = self.ring();
        if new.count > ring.capacity() {
            // Nothing may start between the copy and the hand-over; who asks is told "soon".
            let cursor = update(&ring.cursor, |cursor| (Some(cursor | CLOSED), cursor));
            let grown = ring.grown(new.count.max(2 * ring.capacity()), cursor);
            self.limits.store(new.pack(), Release);
            let _ = ring.next.set(Box::new(grown));
            ring.cursor.store(cursor | CLOSED | HANDED_OVER, Release);
        } else {
            self.limits.store(new.pack(), Release);
        }
    }

    fn limits(&self) -> Limits {
        Limits::unpack(self.limits.load(Acquire))
    }

    fn ring(&self) -> &Ring {
        let mut ring = &self.first;
        while ring.cursor.load(Acquire) & HANDED_OVER != 0 {
            let Some(next) = ring.next.get() else { break };
            ring = next;
        }
        ring
    }
}

impl Ring {
    fn new(capacity: u64, cursor: u64) -> Self {
        Self {
            cursor: Line(AtomicU64::new(cursor)),
            slots: (0..capacity).map(|_| AtomicU64::new(0)).collect(),
            next: OnceLock::new(),
        }
    }

    /// A larger ring with the same history. What this one has forgotten counts as no older than
    /// the oldest that it remembers.
    fn grown(&self, capacity: u64, cursor: u64) -> Self {
        let grown = Self::new(capacity, cursor);
        let oldest = cursor.saturating_sub(self.capacity());
        for position in cursor.saturating_sub(capacity)..cursor {
            grown.write(position, self.written(position.max(oldest)));
        }
        grown
    }

    fn capacity(&self) -> u64 {
        self.slots.len() as u64
    }

    /// When the positions from the cursor on may be taken.
    fn turn(&self, cursor: u64, cost: u64, limits: Limits, now: Moment) -> Turn {
        if cursor & CLOSED != 0 || limits.count > self.capacity() {
            return Turn::At(now + SOON); // the next ring is on its way
        }
        if cost > limits.count {
            return Turn::Never;
        }
        let free = (cursor..cursor + cost)
            .map(|position| self.free_at(position, limits, now).unwrap_or(now + SOON))
            .max();
        match free {
            Some(free) if free > now => Turn::At(free),
            Some(_) | None => Turn::Now,
        }
    }

    /// When a position may be taken; `None` while one that it needs is being written.
    fn free_at(&self, position: u64, limits: Limits, now: Moment) -> Option<Moment> {
        // What it overwrites must be written, or the writer would come after us.
        if let Some(overwritten) = position.checked_sub(self.capacity()) {
            self.read(overwritten)?;
        }
        match position.checked_sub(limits.count) {
            Some(before) => Some(self.read(before)? + limits.window),
            None => Some(now),
        }
    }

    fn slot(&self, position: u64) -> Option<&AtomicU64> {
        self.slots.get(usize::try_from(position % self.capacity()).ok()?)
    }

    fn lap(&self, position: u64) -> u64 {
        if position / self.capacity() % 2 == 0 { LAP } else { 0 }
    }

    fn write(&self, position: u64, moment: Moment) {
        if let Some(slot) = self.slot(position) {
            slot.store(moment.as_nanos() | self.lap(position), Release);
        }
    }

    fn read(&self, position: u64) -> Option<Moment> {
        let word = self.slot(position)?.load(Acquire);
        (word & LAP == self.lap(position)).then(|| Moment::from_nanos(word & !LAP))
    }

    /// Waits out a writer that is between two instructions.
    fn written(&self, position: u64) -> Moment {
        loop {
            match self.read(position) {
                Some(moment) => return moment,
                None => yield_now(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::ORIGIN + Duration::from_millis(millis)
    }

    fn strict(count: u32) -> Strict {
        Strict::new(Limits::new(&RateLimit::per_second(count)))
    }

    #[test]
    fn the_limits_fit_their_word() {
        for (count, period) in [(1, Duration::from_micros(1)), (1_000_000, RateLimit::LONGEST)] {
            let limits = Limits::new(&RateLimit::per(count, period));
            assert_eq!(Limits::unpack(limits.pack()), limits);
        }
    }

    #[test]
    fn a_ring_knows_what_was_written_in_this_lap_and_nothing_else() {
        let ring = Ring::new(3, 0);
        for position in 0..20 {
            if position >= 3 {
                assert_eq!(ring.read(position - 3), Some(at(position - 3)));
            }
            assert_eq!(ring.read(position), None);
            ring.write(position, at(position));
            assert_eq!(ring.read(position), Some(at(position)));
        }
    }

    /// What a start that has claimed its place and not yet written it leaves to be seen.
    fn claim_without_writing(strict: &Strict) {
        let cursor = strict.ring().cursor.load(Acquire);
        strict.ring().cursor.store(cursor + 1, Release);
    }

    #[test]
    fn who_needs_a_place_that_is_being_written_is_told_to_come_back_soon() {
        let strict = strict(2);
        assert_eq!(strict.take(2, at(0)), Turn::Now);
        claim_without_writing(&strict);
        assert_eq!(strict.take(1, at(5_000)), Turn::Now); // needs the other place
        assert_eq!(strict.take(1, at(9_000)), Turn::At(at(9_001)));
        assert_eq!((strict.available(at(9_000)), strict.full_from()), (0, Some(at(6_000))));
        strict.ring().write(2, at(4_000));
        assert_eq!(strict.take(1, at(9_000)), Turn::Now);
    }

    #[test]
    fn the_last_start_counts_once_it_is_written() {
        let strict = strict(2);
        claim_without_writing(&strict);
        assert_eq!(strict.full_from(), None);
        strict.ring().write(0, at(3));
        assert_eq!(strict.full_from(), Some(at(1_003)));
    }

    /// With a smaller count than places, a start waits for the writer it would overwrite, too.
    #[test]
    fn nobody_overwrites_what_is_being_written() {
        let strict = strict(3);
        claim_without_writing(&strict);
        strict.change(Limits::new(&RateLimit::per_second(1)));
        strict.ring().write(1, at(0));
        strict.ring().write(2, at(0));
        strict.ring().cursor.store(3, Release);
        assert_eq!(strict.take(1, at(5_000)), Turn::At(at(5_001)));
        strict.ring().write(0, at(0));
        assert_eq!(strict.take(1, at(5_000)), Turn::Now);
    }

    #[test]
    fn a_ring_that_is_too_small_closes_and_hands_over_to_one_twice_as_large() {
        let strict = strict(4);
        assert_eq!(strict.take(3, at(0)), Turn::Now);
        let changed = |count| {
            strict.change(Limits::new(&RateLimit::per_second(count)));
            strict.ring().capacity()
        };
        assert_eq!((changed(2), changed(4)), (4, 4));
        assert_eq!((changed(5), changed(16), changed(100)), (8, 16, 100));
        assert_eq!(strict.first.cursor.load(Acquire), 3 | CLOSED | HANDED_OVER);
        assert_eq!(strict.first.turn(3 | CLOSED, 1, strict.limits(), at(0)), Turn::At(at(1)));
        assert_eq!(strict.ring().cursor.load(Acquire), 3);
        assert_eq!(strict.available(at(999)), 97);
    }

    #[test]
    fn limits_that_are_ahead_of_their_ring_let_nothing_start() {
        let ring = Ring::new(4, 0);
        let five = Limits::new(&RateLimit::per_second(5));
        assert_eq!(ring.turn(0, 1, five, at(0)), Turn::At(at(1)));
        let four = Limits::new(&RateLimit::per_second(4));
        assert_eq!(ring.turn(0, 1, four, at(0)), Turn::Now);
        assert_eq!(ring.turn(CLOSED, 1, four, at(0)), Turn::At(at(1)));
    }
}
