//! Turns: places in a first-come-first-served queue, counted.
//!
//! What gives turns (a rate limit, a cool-down) is asked by whoever stands first, and by a newcomer
//! only while nobody stands. The queue of wakers is its owner's; this is the count that decides who
//! may pass it by.
//!
//! ```
//! use mainstay_policy::turn::{Arrival, Turnstile};
//!
//! let turnstile = Turnstile::new();
//! assert_eq!(turnstile.arrive(), Arrival::Pass);
//!
//! // The limit said "later", so the call stands; a newcomer must stand behind it.
//! let place = turnstile.join(1, 100).expect("there is room");
//! assert_eq!(turnstile.arrive(), Arrival::Stand);
//!
//! // Its turn came, or it was dropped: either way it leaves nothing behind.
//! let ahead = turnstile.leave(place);
//! assert_eq!(ahead.calls, 0);
//! ```

use std::time::Duration;

use crate::moment::Moment;
use crate::sync::{AtomicU64, Line, Relaxed, update};

/// When a call may start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Turn {
    /// Now.
    Now,
    /// Not before this moment; ask again then.
    At(Moment),
    /// Never: it costs more than the limit ever gives at once.
    Never,
}

impl Turn {
    /// What both say together: the later of the two.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Never, _) | (_, Self::Never) => Self::Never,
            (Self::At(one), Self::At(other)) => Self::At(one.max(other)),
            (Self::At(moment), Self::Now) | (Self::Now, Self::At(moment)) => Self::At(moment),
            (Self::Now, Self::Now) => Self::Now,
        }
    }

    /// Whether it comes while it is still of use: before this moment.
    #[must_use]
    #[inline]
    pub fn comes_before(self, end: Moment) -> bool {
        match self {
            Self::Now => true,
            Self::At(moment) => moment < end,
            Self::Never => false,
        }
    }
}

/// Whether a turn that came at `since` is too old to be used: longer ago than a late timer explains.
#[must_use]
pub fn is_stale(since: Moment, now: Moment) -> bool {
    const LATE: Duration = Duration::from_millis(2);

    now.since(since) > LATE
}

/// How many calls stand in a queue and what they cost together.
///
/// One word: 24 bits of calls, 40 of cost.
#[derive(Debug)]
pub struct Turnstile {
    word: Line<AtomicU64>,
}

/// What a newcomer finds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Arrival {
    /// Nobody stands: it may ask at once.
    Pass,
    /// Somebody stands: it must [`join`](Turnstile::join), even if a turn is free, for that turn
    /// is theirs.
    Stand,
}

/// A place in the queue; goes back through [`Turnstile::leave`], whether its turn came or not.
#[derive(PartialEq, Eq, Debug)]
#[must_use = "a place that is not left holds everybody up who comes later"]
pub struct Place {
    cost: u32,
    ahead: Ahead,
}

impl Place {
    /// Who stood before it when it was taken.
    #[must_use]
    #[inline]
    pub const fn ahead(&self) -> Ahead {
        self.ahead
    }
}

/// Who stands in the queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ahead {
    /// How many calls.
    pub calls: u32,
    /// What they cost together.
    pub cost: u64,
}

impl Default for Turnstile {
    fn default() -> Self {
        Self::new()
    }
}

impl Turnstile {
    /// The most calls that can stand.
    pub const MOST_CALLS: u32 = (1 << 24) - 1;

    /// A queue where nobody stands.
    #[must_use]
    pub fn new() -> Self {
        Self { word: Line(AtomicU64::new(0)) }
    }

    /// May a newcomer ask without queueing?
    #[inline]
    pub fn arrive(&self) -> Arrival {
        match self.ahead().calls {
            0 => Arrival::Pass,
            _ => Arrival::Stand,
        }
    }

    /// Takes a place at the end, unless `max_calls` stand already.
    ///
    /// # Errors
    ///
    /// Who stands, if that is too many.
    pub fn join(&self, cost: u32, max_calls: u32) -> Result<Place, Ahead> {
        update(&self.word, |word| {
            let ahead = Ahead::unpack(word);
            if ahead.calls >= max_calls.min(Self::MOST_CALLS) {
                return (None, Err(ahead));
            }
            let next = Ahead { calls: ahead.calls + 1, cost: ahead.cost + u64::from(cost) };
            match next.pack() {
                Some(word) => (Some(word), Ok(Place { cost, ahead })),
                None => (None, Err(ahead)),
            }
        })
    }

    /// Leaves the queue: the turn came, or nobody waits for it any more. Says who still stands.
    ///
    /// Whoever leaves as the first wakes the next.
    pub fn leave(&self, place: Place) -> Ahead {
        let Place { cost, .. } = place;
        update(&self.word, |word| {
            let ahead = Ahead::unpack(word);
            let calls = ahead.calls.saturating_sub(1);
            let left = Ahead { calls, cost: ahead.cost.saturating_sub(cost.into()) };
            (left.pack(), left)
        })
    }

    /// Who stands.
    #[must_use]
    #[inline]
    pub fn ahead(&self) -> Ahead {
        Ahead::unpack(self.word.load(Relaxed))
    }
}

impl Ahead {
    const COST_BITS: u32 = 40;

    fn pack(self) -> Option<u64> {
        let fits = self.cost < 1 << Self::COST_BITS;
        fits.then_some(u64::from(self.calls) << Self::COST_BITS | self.cost)
    }

    #[inline]
    const fn unpack(word: u64) -> Self {
        let cost = word & ((1 << Self::COST_BITS) - 1);
        Self { calls: (word >> Self::COST_BITS) as u32, cost }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_left_leaves_nothing_behind() {
        let turnstile = Turnstile::default();
        let first = turnstile.join(3, 10).unwrap();
        let second = turnstile.join(4, 10).unwrap();
        assert_eq!(first.ahead(), Ahead::default());
        assert_eq!(second.ahead(), Ahead { calls: 1, cost: 3 });
        assert_eq!(turnstile.ahead(), Ahead { calls: 2, cost: 7 });
        assert_eq!(turnstile.leave(first), Ahead { calls: 1, cost: 4 });
        assert_eq!(turnstile.arrive(), Arrival::Stand);
        assert_eq!(turnstile.leave(second), Ahead { calls: 0, cost: 0 });
        assert_eq!(turnstile.arrive(), Arrival::Pass);
    }

    #[test]
    fn a_full_queue_says_who_stands_in_it() {
        let turnstile = Turnstile::new();
        let _place = turnstile.join(5, 1).unwrap();
        assert_eq!(turnstile.join(1, 1), Err(Ahead { calls: 1, cost: 5 }));
        assert_eq!(turnstile.join(1, 0), Err(Ahead { calls: 1, cost: 5 }));
        assert_eq!(Turnstile::MOST_CALLS, 16_777_215);
        assert!(turnstile.join(1, 2).is_ok());
    }

    #[test]
    fn no_cost_spills_into_the_count() {
        let turnstile = Turnstile::new();
        let mut places: Vec<_> =
            (0..255).map(|_| turnstile.join(u32::MAX, u32::MAX).unwrap()).collect();
        places.push(turnstile.join(255, u32::MAX).unwrap());
        let full = Ahead { calls: 256, cost: (1 << 40) - (1 << 32) };
        assert_eq!(turnstile.ahead(), full);
        places.push(turnstile.join(u32::MAX, u32::MAX).unwrap());
        assert_eq!(turnstile.join(1, u32::MAX), Err(Ahead { calls: 257, cost: (1 << 40) - 1 }));
        assert!(turnstile.join(0, u32::MAX).is_ok());
        for place in places {
            turnstile.leave(place);
        }
        assert_eq!(turnstile.ahead(), Ahead { calls: 1, cost: 0 });
    }

    #[test]
    fn a_turn_is_stale_when_no_timer_is_so_late() {
        let at = Moment::from_nanos;
        assert!(!is_stale(at(0), at(2_000_000)) && is_stale(at(0), at(2_000_001)));
        assert!(!is_stale(at(5), at(0)));
    }

    #[test]
    fn a_turn_is_of_use_before_the_end_and_not_at_it() {
        let at = Moment::from_nanos;
        assert!(Turn::Now.comes_before(Moment::MIN));
        assert!(Turn::At(at(3)).comes_before(at(4)));
        assert!(!Turn::At(at(4)).comes_before(at(4)));
        assert!(!Turn::Never.comes_before(Moment::MAX));
    }

    #[test]
    fn two_turns_together_are_the_later_one() {
        let at = |n| Turn::At(Moment::from_nanos(n));
        assert_eq!(Turn::Now.and(Turn::Now), Turn::Now);
        assert_eq!(Turn::Now.and(at(3)), at(3));
        assert_eq!(at(3).and(Turn::Now), at(3));
        assert_eq!(at(3).and(at(5)), at(5));
        assert_eq!(at(5).and(at(3)), at(5));
        assert_eq!(at(5).and(Turn::Never), Turn::Never);
        assert_eq!(Turn::Never.and(Turn::Now), Turn::Never);
    }
}
