//! A point in time as a plain number.

use std::ops::{Add, Sub};
use std::time::Duration;

/// A point in time, given to every policy that needs one; no policy reads a clock.
///
/// It counts nanoseconds. Where zero lies is the business of whoever makes moments:
/// [`Moment::ORIGIN`] stands in the middle, so that there is room before it as well as after it.
/// Arithmetic saturates at [`Moment::MIN`] and [`Moment::MAX`], 146 years to either side.
///
/// ```
/// use mainstay_policy::Moment;
/// use std::time::Duration;
///
/// let start = Moment::ORIGIN;
/// let later = start + Duration::from_millis(250);
/// assert_eq!(later.since(start), Duration::from_millis(250));
/// assert_eq!(start.since(later), Duration::ZERO); // never negative
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Moment(u64);

impl Moment {
    /// The earliest moment there is.
    pub const MIN: Self = Self(0);
    /// Where a process starts to count.
    pub const ORIGIN: Self = Self(1 << 62);
    /// The latest moment there is. The highest bit stays free for what a policy packs beside it.
    pub const MAX: Self = Self((1 << 63) - 1);

    /// The moment that many nanoseconds after [`Moment::MIN`], at most [`Moment::MAX`].
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        if nanos > Self::MAX.0 { Self::MAX } else { Self(nanos) }
    }

    /// Nanoseconds since [`Moment::MIN`].
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this moment is; zero if it is not after it.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    /// Saturates at [`Moment::MAX`].
    #[inline]
    fn add(self, duration: Duration) -> Self {
        Self(self.0 + nanos(duration).min(Self::MAX.0 - self.0))
    }
}

impl Sub<Duration> for Moment {
    type Output = Self;

    /// Saturates at [`Moment::MIN`].
    #[inline]
    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(duration)))
    }
}

/// Nanoseconds of a duration; what does not fit (584 years) counts as the most that does.
#[inline]
pub(crate) const fn nanos(duration: Duration) -> u64 {
    // The way of nearly every one: of less than 136 years, neither step goes too far.
    if duration.as_secs() >> 32 == 0 {
        return duration.as_secs() * 1_000_000_000 + duration.subsec_nanos() as u64;
    }
    nanos_of_many(duration)
}

#[cold]
const fn nanos_of_many(duration: Duration) -> u64 {
    let whole = duration.as_secs().saturating_mul(1_000_000_000);
    whole.saturating_add(duration.subsec_nanos() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_and_a_duration_add_up() {
        let start = Moment::ORIGIN;
        assert_eq!((start + Duration::from_secs(3)) - Duration::from_secs(3), start);
        assert_eq!((start + Duration::from_nanos(7)).as_nanos(), (1 << 62) + 7);
        assert_eq!((start + Duration::from_nanos(7)).since(start), Duration::from_nanos(7));
    }

    #[test]
    fn the_ends_of_time_hold() {
        assert_eq!(Moment::ORIGIN + Duration::MAX, Moment::MAX);
        assert_eq!(Moment::ORIGIN - Duration::MAX, Moment::MIN);
        assert_eq!(Moment::MAX + Duration::from_nanos(1), Moment::MAX);
        assert_eq!(Moment::MAX.as_nanos(), u64::MAX >> 1);
        assert_eq!(Moment::from_nanos(u64::MAX), Moment::MAX);
        assert_eq!(Moment::from_nanos(u64::MAX >> 1), Moment::MAX);
        assert_eq!(Moment::from_nanos(5).as_nanos(), 5);
        assert_eq!(Moment::MIN.since(Moment::MAX), Duration::ZERO);
    }

    #[test]
    fn a_duration_has_all_its_nanoseconds_however_long_it_is() {
        let all = |secs, rest| nanos(Duration::new(secs, rest));
        assert_eq!(all(1, 999_999_999), 1_999_999_999);
        assert_eq!(all((1 << 32) - 1, 999_999_999), 4_294_967_295_999_999_999);
        assert_eq!(all(1 << 32, 1), 4_294_967_296_000_000_001);
        assert_eq!(all(1 << 34, 999_999_999), 17_179_869_184_999_999_999);
    }

    #[test]
    fn a_duration_of_more_than_584_years_counts_as_584() {
        assert_eq!(nanos(Duration::MAX), u64::MAX);
        assert_eq!(nanos(Duration::from_nanos(u64::MAX)), u64::MAX);
        assert_eq!(nanos(Duration::from_nanos(u64::MAX - 1)), u64::MAX - 1);
        let just_over = Duration::from_nanos(u64::MAX) + Duration::from_nanos(1);
        assert_eq!(nanos(just_over), u64::MAX);
    }
}
