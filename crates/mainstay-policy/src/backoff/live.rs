//! What a schedule is made of as words, for one that is changed while calls read it.

use super::{Growth, Jitter};
use crate::live::Word;

impl Word for Growth {
    fn pack(self) -> u64 {
        match self {
            // A factor is at least 1, so it is never one of these two, which are none.
            Self::Constant => 0,
            Self::Linear => 1,
            Self::Exponential { factor } => factor.to_bits(),
        }
    }

    fn unpack(word: u64) -> Self {
        match word {
            0 => Self::Constant,
            1 => Self::Linear,
            factor => Self::Exponential { factor: f64::from_bits(factor) },
        }
    }
}

impl Word for Jitter {
    fn pack(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Full => 1,
            Self::Equal => 2,
            Self::Decorrelated => 3,
        }
    }

    fn unpack(word: u64) -> Self {
        match word {
            0 => Self::None,
            1 => Self::Full,
            2 => Self::Equal,
            _ => Self::Decorrelated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_gives_back_what_was_packed() {
        let exponential = [1.0, 1.5, f64::MAX].map(|factor| Growth::Exponential { factor });
        for growth in [Growth::Constant, Growth::Linear].into_iter().chain(exponential) {
            assert_eq!(Growth::unpack(growth.pack()), growth);
        }
        for jitter in [Jitter::None, Jitter::Full, Jitter::Equal, Jitter::Decorrelated] {
            assert_eq!(Jitter::unpack(jitter.pack()), jitter);
        }
    }
}
