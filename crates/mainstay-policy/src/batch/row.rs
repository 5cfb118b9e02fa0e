//! Lanes that may start an input, the next one first.

use std::collections::BTreeSet;

/// The lowest is next: the lane with the fewest running, and of those the one that has been passed
/// over for longest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Rank {
    pub(super) running: u32,
    pub(super) turn: u64,
    pub(super) lane: usize,
}

/// Lanes by their rank. There is mostly one, which is kept apart.
#[derive(Debug, Default)]
pub(super) struct Row {
    first: Option<Rank>,
    others: BTreeSet<Rank>,
}

impl Row {
    /// The next one.
    pub(super) const fn first(&self) -> Option<Rank> {
        self.first
    }

    pub(super) fn insert(&mut self, rank: Rank) {
        match self.first {
            None => self.first = Some(rank),
            Some(first) if first < rank => _ = self.others.insert(rank),
            Some(first) => {
                self.others.insert(first);
                self.first = Some(rank);
            }
        }
    }

    pub(super) fn remove(&mut self, rank: Rank) {
        if self.first == Some(rank) {
            self.first = self.others.pop_first();
        } else {
            self.others.remove(&rank);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_the_lowest_whatever_comes_and_goes() {
        let rank = |lane| Rank { running: [0, 2, 4, 1, 3][lane % 5], turn: 0, lane };
        let (mut row, mut all) = (Row::default(), BTreeSet::new());
        for lane in (0..20).chain(0..20).chain(5..15) {
            if all.remove(&rank(lane)) {
                row.remove(rank(lane));
            } else {
                all.insert(rank(lane));
                row.insert(rank(lane));
            }
            assert_eq!(row.first(), all.first().copied());
        }
    }
}
