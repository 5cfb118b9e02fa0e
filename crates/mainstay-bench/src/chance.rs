//! The only source of randomness, and it is none: a seed comes out the same in every run.

use std::time::Duration;

/// Sebastiano Vigna's splitmix64.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) const fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// A sequence of its own.
    pub(crate) fn fork(&mut self) -> Self {
        Self(self.bits())
    }

    pub(crate) const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From the first to the last, both included.
    pub(crate) const fn of(&mut self, first: u32, last: u32) -> u32 {
        let width = (last - first) as u64 + 1;
        let drawn = (((self.bits() >> 32) * width) >> 32) as u32;
        first + drawn
    }

    pub(crate) const fn percent(&mut self, share: u32) -> bool {
        self.of(0, 99) < share
    }

    pub(crate) const fn ms(&mut self, least: u32, most: u32) -> Duration {
        Duration::from_millis(self.of(least, most) as u64)
    }

    pub(crate) fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        #[expect(clippy::cast_possible_truncation, reason = "there are few")]
        let last = all.len() as u32 - 1;
        all[self.of(0, last) as usize]
    }
}
