//! Those who wait for slots, in the order in which they came.

use std::collections::VecDeque;
use std::task::Waker;

use mainstay_policy::concurrency::{Slot, Waiting};

/// Who stands in line, and what was given to whom and has not yet been fetched.
///
/// Both are sorted by the numbers that who comes is given, so whoever has a number is found at once.
/// Who leaves from the middle leaves a gap, and gaps are closed when there are more of them than of
/// others.
#[derive(Debug, Default)]
pub(super) struct Line {
    next: u64,
    standing: VecDeque<(u64, Option<Standing>)>,
    gaps: usize,
    given: VecDeque<(u64, Slot)>,
}

/// One who waits, with a waker from its first poll on.
pub(super) type Standing = (Waiting, Option<Waker>);

impl Line {
    /// Stands last, and has this number.
    pub(super) fn join(&mut self, waiting: Waiting) -> u64 {
        let number = self.next;
        self.next += 1;
        self.standing.push_back((number, Some((waiting, None))));
        number
    }

    /// Takes the first out of the line.
    pub(super) fn pop_first(&mut self) -> Option<(u64, Standing)> {
        while let Some((number, standing)) = self.standing.pop_front() {
            match standing {
                Some(standing) => return Some((number, standing)),
                None => self.gaps -= 1,
            }
        }
        None
    }

    /// Puts the first one back.
    pub(super) fn stays_first(&mut self, number: u64, standing: Standing) {
        self.standing.push_front((number, Some(standing)));
    }

    /// The one who was first has been given this.
    pub(super) fn gives(&mut self, number: u64, slot: Slot) {
        self.given.push_back((number, slot));
    }

    /// What was given to this one.
    pub(super) fn fetch(&mut self, number: u64) -> Option<Slot> {
        let at = self.given.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        self.given.remove(at).map(|(_, slot)| slot)
    }

    /// The waker of this one, if it stands.
    pub(super) fn waker(&mut self, number: u64) -> Option<&mut Option<Waker>> {
        let at = self.place(number)?;
        self.standing[at].1.as_mut().map(|(_, waker)| waker)
    }

    /// This one leaves the line, if it stands.
    pub(super) fn leave(&mut self, number: u64) -> Option<Standing> {
        let at = self.place(number)?;
        let left = self.standing[at].1.take()?;
        self.gaps += 1;
        if self.gaps * 2 > self.standing.len() {
            self.standing.retain(|(_, standing)| standing.is_some());
            self.gaps = 0;
        }
        Some(left)
    }

    fn place(&self, number: u64) -> Option<usize> {
        self.standing.binary_search_by_key(&number, |(number, _)| *number).ok()
    }

    /// Whether nobody has left anything behind.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.standing.is_empty() && self.given.is_empty() && self.gaps == 0
    }
}

#[cfg(test)]
mod tests {
    use mainstay_policy::concurrency::{Concurrency, Entry, Slots};

    use super::*;

    fn waiting(slots: &Slots) -> Waiting {
        match slots.enter() {
            Entry::Queued(waiting) => waiting,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn who_leaves_from_the_middle_is_passed_over_and_leaves_nothing_behind() {
        let slots = Slots::new(Concurrency::limit(1).max_waiting(100)).unwrap();
        let _taken = slots.try_enter().unwrap();
        let mut line = Line::default();
        let all: Vec<_> = (0..100).map(|_| line.join(waiting(&slots))).collect();
        for number in all.iter().filter(|number| *number % 10 != 3) {
            assert!(line.leave(*number).is_some());
            assert!(line.leave(*number).is_none());
            assert!(line.gaps * 2 <= line.standing.len());
        }
        assert!(line.waker(53).is_some() && line.waker(54).is_none());
        let (first, standing) = line.pop_first().unwrap();
        line.stays_first(first, standing);
        let left: Vec<_> = std::iter::from_fn(|| line.pop_first()).map(|(it, _)| it).collect();
        assert_eq!(left, [3, 13, 23, 33, 43, 53, 63, 73, 83, 93]);
        assert!(line.is_empty());
    }

    #[test]
    fn what_was_given_is_fetched_once_and_by_whom_it_was_given_to() {
        let slots = Slots::new(Concurrency::limit(2)).unwrap();
        let mut line = Line::default();
        line.gives(4, slots.try_enter().unwrap());
        line.gives(9, slots.try_enter().unwrap());
        assert!(line.fetch(5).is_none());
        assert!(line.fetch(9).is_some() && line.fetch(9).is_none());
        assert!(line.fetch(4).is_some() && line.is_empty());
    }
}
