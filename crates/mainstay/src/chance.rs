//! The only source of randomness.
#![expect(clippy::disallowed_types, reason = "this is the room where chance is drawn")]

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use mainstay_policy::Draw;

/// 128 bits that no other call gets, in this process or another.
///
/// A counter under a keyed hash whose 128-bit key the operating system gave. A small generator
/// with 64 bits of state would do for jitter and not here: among 10⁹ keys two would be equal in
/// one fleet of twenty, and a server would give one caller the answer to another.
pub(crate) fn unique() -> u128 {
    static KEY: OnceLock<RandomState> = OnceLock::new();
    static NEXT: AtomicU64 = AtomicU64::new(0);

    let key = KEY.get_or_init(RandomState::new);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let half = |which: u8| u128::from(key.hash_one((n, which)));
    half(0) << 64 | half(1)
}

/// A hash that nobody outside can foresee: whoever chooses the keys of a map, as hosts in URLs are
/// chosen, could else make it slow.
pub(crate) type Hashing = RandomState;

/// 64 bits for a decision.
pub(crate) fn draw() -> Draw {
    #[expect(clippy::cast_possible_truncation, reason = "the low half is as good as the high")]
    Draw::new(unique() as u64)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_are_equal_and_every_bit_falls_both_ways() {
        let drawn: Vec<u128> = (0..10_000).map(|_| unique()).collect();
        assert_eq!(drawn.iter().collect::<BTreeSet<_>>().len(), drawn.len());
        for bit in 0..128 {
            let ones = drawn.iter().filter(|n| *n >> bit & 1 == 1).count();
            assert!((4_700..5_300).contains(&ones), "bit {bit} was set {ones} times of 10 000");
        }
    }
}
