//! The only source of randomness, and it is none: what is seeded comes out the same in every run.

use std::time::Duration;

/// Chance that comes out the same in every run: a sequence that begins with a seed.
///
/// ```
/// use mainstay_testkit::Chance;
///
/// let mut chance = Chance::seeded(7);
/// let ill = (0..1_000).filter(|_| chance.percent(5.0)).count();
/// assert!((30..70).contains(&ill));
/// assert_eq!(Chance::seeded(7).below(6), Chance::seeded(7).below(6));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chance {
    state: u64,
}

impl Chance {
    /// The sequence that begins with this seed.
    #[must_use]
    pub const fn seeded(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The sequence with this number, of those that stand beside each other from here on: what is
    /// drawn from one changes no other.
    #[must_use]
    pub const fn nth(&self, number: u64) -> Self {
        Self { state: mix(mix(self.state).wrapping_add(mix(number))) }
    }

    /// 64 bits, each as likely to be set as not.
    pub const fn bits(&mut self) -> u64 {
        // Sebastiano Vigna's splitmix64.
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.state)
    }

    /// Whether something happens that does in this share of all cases: never at 0, always at 100.
    pub fn percent(&mut self, share: f64) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "53 bits are what an f64 holds")]
        let part = (self.bits() >> 11) as f64 / (1_u64 << 53) as f64;
        part * 100.0 < share
    }

    /// A number below this one, or zero where there is none.
    pub fn below(&mut self, end: u64) -> u64 {
        let wide = (u128::from(self.bits()) * u128::from(end)) >> 64;
        u64::try_from(wide).unwrap_or(0) // it is below `end`
    }

    /// A duration between the two, or the first where the second is not above it.
    pub fn between(&mut self, least: Duration, most: Duration) -> Duration {
        let width = most.saturating_sub(least).as_nanos();
        let width = u64::try_from(width).unwrap_or(u64::MAX - 1);
        least + Duration::from_nanos(self.below(width + 1))
    }
}

const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_sequence_and_another_seed_another() {
        let draw = |seed| {
            let mut chance = Chance::seeded(seed);
            [(); 3].map(|()| chance.bits())
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert_eq!(draw(0), [0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4, 0x06C4_5D18_8009_454F]);
    }

    #[test]
    fn sequences_beside_each_other_share_nothing() {
        let one = Chance::seeded(0);
        let firsts: Vec<_> = (0..100).map(|n| one.nth(n).bits()).collect();
        let mut distinct = firsts.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), 100);
        assert_eq!(firsts[7], Chance::seeded(0).nth(7).bits());
    }

    #[test]
    fn shares_and_bounds_are_kept() {
        let mut chance = Chance::seeded(7);
        assert!((0..1_000).all(|_| !chance.percent(0.0) && chance.percent(100.0)));
        let dice: Vec<_> = (0..1_000).map(|_| chance.below(6)).collect();
        assert!((0..6).all(|side| dice.contains(&side)) && dice.iter().all(|side| *side < 6));
        assert_eq!(chance.below(0), 0);

        let (two, three) = (Duration::from_nanos(2), Duration::from_nanos(3));
        let drawn: Vec<_> = (0..100).map(|_| chance.between(two, three)).collect();
        assert!(drawn.contains(&two) && drawn.contains(&three));
        assert!(drawn.iter().all(|drawn| (two..=three).contains(drawn)));
        assert_eq!(chance.between(three, two), three);
        assert!(chance.between(Duration::ZERO, Duration::MAX) > Duration::ZERO);
    }
}
