//! A moment in 39 bits, to share a word with other things.

use std::time::Duration;

use crate::moment::Moment;

/// Whole milliseconds, rounded up, so that what waits for a stamp never comes early.
///
/// Reaches 8.7 years to either side of [`Moment::ORIGIN`] and saturates there: what waits for the
/// last stamp has waited it out as soon as time is past it, so nothing waits for ever.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Stamp(u64);

const MILLI: u64 = 1_000_000;
const START: u64 = Moment::ORIGIN.as_nanos() - (1 << (Stamp::BITS - 1)) * MILLI;

impl Stamp {
    pub(crate) const BITS: u32 = 39;
    const MOST: u64 = (1 << Self::BITS) - 1;

    /// The first stamp that is not before the moment.
    pub(crate) fn at_or_after(moment: Moment) -> Self {
        let millis = moment.as_nanos().saturating_sub(START).div_ceil(MILLI);
        Self(millis.min(Self::MOST))
    }

    pub(crate) const fn moment(self) -> Moment {
        Moment::from_nanos(START + self.0 * MILLI)
    }

    /// How long until then; `None` once it has come.
    pub(crate) fn left(self, now: Moment) -> Option<Duration> {
        (now < self.moment()).then(|| self.moment().since(now))
    }

    /// The lowest [`Stamp::BITS`] bits of the word.
    pub(crate) const fn unpack(word: u64) -> Self {
        Self(word & Self::MOST)
    }

    pub(crate) const fn pack(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_the_next_whole_millisecond() {
        let origin = Stamp::at_or_after(Moment::ORIGIN);
        assert_eq!(origin.moment(), Moment::ORIGIN);
        let later = Stamp::at_or_after(Moment::ORIGIN + Duration::from_nanos(1));
        assert_eq!(later.moment(), Moment::ORIGIN + Duration::from_millis(1));
        assert_eq!(Stamp::unpack(later.pack() | 1 << Stamp::BITS), later);
        let earlier = Moment::ORIGIN - Duration::from_secs(86_400);
        assert_eq!(Stamp::at_or_after(earlier).moment(), earlier);
    }

    #[test]
    fn what_waits_for_a_stamp_waits_until_just_then() {
        let stamp = Stamp::at_or_after(Moment::ORIGIN + Duration::from_millis(5));
        let left = |micros| stamp.left(Moment::ORIGIN + Duration::from_micros(micros));
        assert_eq!(left(0), Some(Duration::from_millis(5)));
        assert_eq!(left(4_999), Some(Duration::from_micros(1)));
        assert_eq!(left(5_000), None);
        assert_eq!(left(5_001), None);
    }

    #[test]
    fn the_ends_of_time_hold_and_are_waited_out() {
        let last = Stamp::at_or_after(Moment::MAX);
        assert_eq!(last.left(Moment::MAX), None);
        assert!(last.moment() > Moment::ORIGIN + Duration::from_secs(8 * 365 * 86_400));
        let first = Stamp::at_or_after(Moment::MIN);
        assert_eq!(first.pack(), 0);
        assert_eq!(first.left(Moment::ORIGIN), None);
    }
}
