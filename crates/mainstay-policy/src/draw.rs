//! Chance as a plain number.

use std::time::Duration;

use crate::moment::nanos;

/// One draw of chance: 64 bits that the caller took from a random source.
///
/// Policies never draw for themselves, so a test can say what the dice show.
///
/// ```
/// use mainstay_policy::Draw;
/// use std::time::Duration;
///
/// let (least, most) = (Duration::from_millis(50), Duration::from_millis(100));
/// assert_eq!(Draw::LEAST.between(least, most), least);
/// assert_eq!(Draw::MOST.between(least, most), most);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Draw(u64);

impl Draw {
    /// The draw that gives the least of whatever is asked.
    pub const LEAST: Self = Self(0);
    /// The draw that gives the most of whatever is asked.
    pub const MOST: Self = Self(u64::MAX);

    /// A draw from 64 bits, each as likely to be set as not.
    #[must_use]
    pub const fn new(bits: u64) -> Self {
        Self(bits)
    }

    /// A duration between the two, ends included, every nanosecond as likely as any other.
    ///
    /// `least` where `most` is not above it.
    #[must_use]
    pub fn between(self, least: Duration, most: Duration) -> Duration {
        let width = u128::from(nanos(most.saturating_sub(least))) + 1;
        // Below 2^64, because the draw is: the quotient cannot reach `width`.
        let offset = (u128::from(self.0) * width) >> 64;
        least + Duration::from_nanos(u64::try_from(offset).unwrap_or(u64::MAX))
    }

    /// Whether what has this probability happens: the least draw lets happen whatever can.
    ///
    /// Never at zero or below, nor where it is not a number; always at one and above.
    #[must_use]
    pub fn happens(self, probability: f64) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "53 bits are what an f64 holds")]
        let part = (self.0 >> 11) as f64 / (1_u64 << 53) as f64;
        part < probability
    }

    /// The draw with this number in the sequence that this one begins.
    ///
    /// A policy that needs chance again and again gets one draw when it is made and numbers what
    /// follows; equal seeds and numbers give equal draws.
    #[must_use]
    pub const fn nth(self, number: u64) -> Self {
        // Sebastiano Vigna's splitmix64, entered at step `number + 1`.
        let mut z = self.0.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Self(z ^ (z >> 31))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_are_reached_and_neither_is_passed() {
        let (two, five) = (Duration::from_nanos(2), Duration::from_nanos(5));
        let quarter = 1 << 62;
        let drawn: Vec<_> = [0, quarter - 1, quarter, 2 * quarter, 3 * quarter, u64::MAX]
            .map(|bits| Draw::new(bits).between(two, five).as_nanos())
            .into();
        assert_eq!(drawn, [2, 2, 3, 4, 5, 5]);
    }

    #[test]
    fn an_empty_or_upside_down_range_gives_its_least() {
        let (two, five) = (Duration::from_nanos(2), Duration::from_nanos(5));
        assert_eq!(Draw::MOST.between(five, five), five);
        assert_eq!(Draw::MOST.between(five, two), five);
        assert_eq!(Draw::MOST.between(Duration::ZERO, Duration::MAX).as_nanos(), u64::MAX.into());
    }

    #[test]
    fn what_has_a_probability_happens_in_that_part_of_the_draws() {
        let half = 1 << 63;
        assert!(Draw::new(half - 1).happens(0.5) && !Draw::new(half).happens(0.5));
        assert!(Draw::MOST.happens(1.0) && Draw::MOST.happens(f64::INFINITY));
        assert!(Draw::LEAST.happens(f64::MIN_POSITIVE) && !Draw::MOST.happens(0.999_999_999));
        for never in [0.0, -0.5, f64::NAN] {
            assert!(!Draw::LEAST.happens(never));
        }
    }

    /// The published reference sequence of splitmix64 for the seed 1234567.
    #[test]
    fn the_sequence_is_splitmix64() {
        let seed = Draw::new(1_234_567);
        assert_eq!(seed.nth(0), Draw::new(6_457_827_717_110_365_317));
        assert_eq!(seed.nth(1), Draw::new(3_203_168_211_198_807_973));
        assert_eq!(seed.nth(2), Draw::new(9_817_491_932_198_370_423));
    }
}
