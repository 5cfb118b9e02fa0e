//! Who is in, who waits and how many may be in, in one word of three times 20 bits.

use super::Wake;

/// The transitions of [`Slots`](super::Slots), as pure functions of the word: who is in stands
/// highest, then who waits, then the limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Places(u64);

impl Places {
    const BITS: u32 = 20;
    const MOST: u32 = (1 << Self::BITS) - 1;
    const ONE_WAITS: u64 = 1 << Self::BITS;
    const ONE_IN: u64 = 1 << (2 * Self::BITS);

    pub(super) const fn free(limit: u32) -> Self {
        Self(limit as u64)
    }

    #[inline]
    pub(super) const fn of(word: u64) -> Self {
        Self(word)
    }

    #[inline]
    pub(super) const fn word(self) -> u64 {
        self.0
    }

    #[inline]
    pub(super) const fn in_use(self) -> u32 {
        (self.0 >> (2 * Self::BITS)) as u32
    }

    #[expect(clippy::cast_possible_truncation, reason = "it is cut to its bits")]
    #[inline]
    pub(super) const fn waiting(self) -> u32 {
        (self.0 >> Self::BITS) as u32 & Self::MOST
    }

    #[expect(clippy::cast_possible_truncation, reason = "it is cut to its bits")]
    #[inline]
    pub(super) const fn limit(self) -> u32 {
        self.0 as u32 & Self::MOST
    }

    /// A newcomer takes a slot, past nobody.
    #[inline]
    pub(super) fn enter(self) -> Option<Self> {
        let may = self.has_room() && self.waiting() == 0;
        may.then_some(Self(self.0 + Self::ONE_IN))
    }

    /// A newcomer takes a place in the queue.
    pub(super) fn queue(self, max_waiting: u32) -> Option<Self> {
        let may = self.waiting() < max_waiting.min(Self::MOST);
        may.then_some(Self(self.0 + Self::ONE_WAITS))
    }

    /// The first waiter takes a slot.
    pub(super) fn claim(self) -> Option<Self> {
        let may = self.has_room() && self.waiting() > 0;
        may.then_some(Self(self.0 + Self::ONE_IN - Self::ONE_WAITS))
    }

    pub(super) fn give_up(self) -> Self {
        if self.waiting() == 0 { self } else { Self(self.0 - Self::ONE_WAITS) }
    }

    #[inline]
    pub(super) fn leave(self) -> Self {
        if self.in_use() == 0 { self } else { Self(self.0 - Self::ONE_IN) }
    }

    pub(super) const fn resize(self, limit: u32) -> Self {
        Self(self.0 & !(Self::MOST as u64) | limit as u64)
    }

    /// Whom there is a slot for.
    #[inline]
    pub(super) const fn wake(self) -> Wake {
        if self.waiting() > 0 && self.has_room() { Wake::First } else { Wake::Nobody }
    }

    #[inline]
    const fn has_room(self) -> bool {
        self.in_use() < self.limit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(places: Places) -> (u32, u32, u32) {
        (places.in_use(), places.waiting(), places.limit())
    }

    #[test]
    fn each_transition_changes_its_own_bits() {
        let places = Places::free(2);
        assert_eq!(read(places), (0, 0, 2));
        let Some(places) = places.enter() else { panic!("it is free") };
        assert_eq!(read(places), (1, 0, 2));
        let Some(places) = places.queue(7) else { panic!("there is room") };
        assert_eq!(read(places), (1, 1, 2));
        assert_eq!(places.enter(), None); // past nobody
        let Some(places) = places.claim() else { panic!("one is free") };
        assert_eq!(read(places), (2, 0, 2));
        assert_eq!((places.enter(), places.claim()), (None, None));
        assert_eq!(read(places.resize(Places::MOST)), (2, 0, Places::MOST));
        assert_eq!(read(places.leave().leave()), (0, 0, 2));
        assert_eq!(places.leave().leave().leave(), Places::free(2));
        assert_eq!(Places::free(2).give_up(), Places::free(2));
    }

    #[test]
    fn the_queue_never_spills_over_its_bits() {
        let full = Places::of(u64::from(Places::MOST) * Places::ONE_WAITS + 1);
        assert_eq!(read(full), (0, Places::MOST, 1));
        assert_eq!(full.queue(u32::MAX), None);
    }
}
