//! The dice of an attempt.

use std::sync::atomic::{AtomicU32, Ordering};

use mainstay_policy::Draw;

use crate::chance;

/// The dice of an attempt, which are thrown once, however often it asks.
///
/// They are small, since every attempt of a pipeline carries them, whether it has a throttle or not.
#[derive(Debug, Default)]
pub struct Dice(AtomicU32);

/// They lie as they were made.
const UNTHROWN: u32 = 0;

impl Dice {
    /// How they fell.
    pub(super) fn thrown(&self) -> Draw {
        match self.0.load(Ordering::Relaxed) {
            UNTHROWN => self.throw(),
            fell => drawn(fell),
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "any 32 bits of these are as good")]
    fn throw(&self) -> Draw {
        // The lowest bit moves no probability by more than 2⁻³².
        let fell = chance::unique() as u32 | 1;
        let before = self.0.compare_exchange(UNTHROWN, fell, Ordering::Relaxed, Ordering::Relaxed);
        drawn(before.err().unwrap_or(fell))
    }
}

fn drawn(fell: u32) -> Draw {
    Draw::new(u64::from(fell) << u32::BITS | u64::from(fell))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dice_fall_once_and_each_in_its_own_way() {
        let dice: Vec<Dice> = (0..1_000).map(|_| Dice::default()).collect();
        let half = |dice: &Dice| dice.thrown().happens(0.5);
        let first: Vec<Draw> = dice.iter().map(Dice::thrown).collect();
        assert_eq!(dice.iter().map(Dice::thrown).collect::<Vec<_>>(), first);
        let fell = dice.iter().filter(|dice| half(dice)).count();
        assert!((350..650).contains(&fell), "{fell} of 1 000");
    }
}
