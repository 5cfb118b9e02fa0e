//! When the time of a call is over, what is left of it, and whose timer says so.
//!
//! ```
//! use mainstay_policy::Moment;
//! use mainstay_policy::deadline::{Watch, left, until, watch};
//! use std::time::Duration;
//!
//! let now = Moment::ORIGIN;
//! let around = now + Duration::from_secs(3); // somebody further out ends it then
//! let end = until(now, Some(Duration::from_secs(20)), None, around);
//! assert_eq!(left(end, now), Some(Duration::from_secs(3)));
//! assert_eq!(watch(end, around), Watch::FurtherOut); // and so nobody here needs a timer
//! ```

use std::time::Duration;

use crate::moment::Moment;

/// When a call's time is over that begins now: the nearest of the time that a layer gives it, of
/// what its caller asked for, and of what holds around it. [`Moment::MAX`] where nobody said
/// anything.
#[must_use]
#[inline]
pub fn until(
    now: Moment,
    within: Option<Duration>,
    asked: Option<Moment>,
    around: Moment,
) -> Moment {
    let given = within.map_or(Moment::MAX, |within| now + within);
    given.min(asked.unwrap_or(Moment::MAX)).min(around)
}

/// What is left of the time; `None` once it is over, at that very moment too.
#[must_use]
#[inline]
pub fn left(until: Moment, now: Moment) -> Option<Duration> {
    (now < until).then(|| until.since(now))
}

/// Whose timer ends a wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Watch {
    /// One that must be made here.
    Here,
    /// None is needed here: whoever polls this has one that comes as early.
    FurtherOut,
    /// Nobody's, for it has no end.
    Nowhere,
}

/// Whose timer ends a wait that is over then, where one further out ends it at `watched`.
#[must_use]
#[inline]
pub fn watch(until: Moment, watched: Moment) -> Watch {
    if until == Moment::MAX {
        Watch::Nowhere
    } else if watched <= until {
        Watch::FurtherOut
    } else {
        Watch::Here
    }
}

/// Whose timer ends an attempt that is over then. At the same moment as the call it has a timer of
/// its own: what stands between the two learns from its error that the server did not answer.
#[must_use]
#[inline]
pub fn watch_attempt(until: Moment, watched: Moment) -> Watch {
    match watch(until, watched) {
        Watch::FurtherOut if watched == until => Watch::Here,
        watch => watch,
    }
}

/// How long a server is told that it may take: what is left in whole units, rounded down so that
/// it is never longer, but at least one, because zero is read as "no limit" by some. What it was
/// told before stays if that is shorter.
#[must_use]
pub fn told(left: Duration, unit: Duration, before: Option<Duration>) -> Option<u64> {
    if before.is_some_and(|before| before <= left) {
        return None;
    }
    let units = left.as_nanos() / unit.as_nanos().max(1);
    Some(u64::try_from(units).unwrap_or(u64::MAX).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn at(n: u64) -> Moment {
        Moment::ORIGIN + secs(n)
    }

    #[test]
    fn the_nearest_end_counts() {
        let never = Moment::MAX;
        assert_eq!(until(at(1), None, None, never), never);
        assert_eq!(until(at(1), Some(secs(5)), None, never), at(6));
        assert_eq!(until(at(1), Some(secs(5)), Some(at(3)), never), at(3));
        assert_eq!(until(at(1), Some(secs(5)), Some(at(9)), never), at(6));
        assert_eq!(until(at(1), Some(secs(5)), Some(at(3)), at(2)), at(2));
        assert_eq!(until(at(1), None, None, at(2)), at(2));
        assert_eq!(until(at(1), Some(Duration::MAX), None, never), never);
    }

    #[test]
    fn at_its_end_nothing_is_left() {
        assert_eq!(left(at(5), at(2)), Some(secs(3)));
        assert_eq!(left(at(5), at(5)), None);
        assert_eq!(left(at(5), at(6)), None);
    }

    #[test]
    fn one_timer_is_enough() {
        assert_eq!(watch(at(5), Moment::MAX), Watch::Here);
        assert_eq!(watch(at(5), at(6)), Watch::Here);
        assert_eq!(watch(at(5), at(5)), Watch::FurtherOut);
        assert_eq!(watch(at(5), at(4)), Watch::FurtherOut);
        assert_eq!(watch(Moment::MAX, Moment::MAX), Watch::Nowhere);
        assert_eq!(watch(Moment::MAX, at(4)), Watch::Nowhere);
    }

    #[test]
    fn an_attempt_that_ends_with_its_call_ends_by_itself() {
        assert_eq!(watch_attempt(at(5), at(6)), Watch::Here);
        assert_eq!(watch_attempt(at(5), at(5)), Watch::Here);
        assert_eq!(watch_attempt(at(5), at(4)), Watch::FurtherOut);
        assert_eq!(watch_attempt(Moment::MAX, Moment::MAX), Watch::Nowhere);
    }

    #[test]
    fn a_server_is_told_no_more_than_is_left_and_never_zero() {
        let milli = Duration::from_millis(1);
        assert_eq!(told(Duration::from_micros(2_900), milli, None), Some(2));
        assert_eq!(told(Duration::from_micros(900), milli, None), Some(1));
        assert_eq!(told(secs(2), secs(1), Some(secs(3))), Some(2));
        assert_eq!(told(secs(2), secs(1), Some(secs(2))), None);
        assert_eq!(told(secs(2), Duration::ZERO, None), Some(2_000_000_000));
        assert_eq!(told(Duration::MAX, Duration::ZERO, None), Some(u64::MAX));
    }
}
