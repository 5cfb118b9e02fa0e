//! Who is in, who waits and how many may be in, in one word of three times 20 bits.

use super::Wake;

/// The transitions of [`Slots`](super::Slots), as pure functions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Places {
    pub(super) in_use: u32,
    pub(super) waiting: u32,
    pub(super) limit: u32,
}

impl Places {
    const BITS: u32 = 20;
    const MOST: u32 = (1 << Self::BITS) - 1;

    pub(super) const fn free(limit: u32) -> Self {
        Self { in_use: 0, waiting: 0, limit }
    }

    /// A newcomer takes a slot, past nobody.
    #[inline]
    pub(super) fn enter(self) -> Option<Self> {
        let may = self.has_room() && self.waiting == 0;
        may.then_some(Self { in_use: self.in_use + 1, ..self })
    }

    /// A newcomer takes a place in the queue.
    pub(super) fn queue(self, max_waiting: u32) -> Option<Self> {
        let may = self.waiting < max_waiting.min(Self::MOST);
        may.then_some(Self { waiting: self.waiting + 1, ..self })
    }

    /// The first waiter takes a slot.
    pub(super) fn claim(self) -> Option<Self> {
        let waiting = self.waiting.checked_sub(1)?;
        self.has_room().then_some(Self { in_use: self.in_use + 1, waiting, ..self })
    }

    pub(super) fn give_up(self) -> Self {
        Self { waiting: self.waiting.saturating_sub(1), ..self }
    }

    #[inline]
    pub(super) fn leave(self) -> Self {
        Self { in_use: self.in_use.saturating_sub(1), ..self }
    }

    pub(super) const fn resize(self, limit: u32) -> Self {
        Self { limit, ..self }
    }

    /// Whom there is a slot for.
    #[inline]
    pub(super) const fn wake(self) -> Wake {
        if self.has_room() && self.waiting > 0 { Wake::First } else { Wake::Nobody }
    }

    const fn has_room(self) -> bool {
        self.in_use < self.limit
    }

    #[inline]
    pub(super) const fn pack(self) -> u64 {
        (self.in_use as u64) << (2 * Self::BITS)
            | (self.waiting as u64) << Self::BITS
            | self.limit as u64
    }

    #[expect(clippy::cast_possible_truncation, reason = "each field is cut to its bits")]
    #[inline]
    pub(super) const fn unpack(word: u64) -> Self {
        Self {
            in_use: (word >> (2 * Self::BITS)) as u32 & Self::MOST,
            waiting: (word >> Self::BITS) as u32 & Self::MOST,
            limit: word as u32 & Self::MOST,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_gives_back_what_was_packed() {
        for (in_use, waiting, limit) in [(0, 0, 1), (1, 2, 3), (Places::MOST, 5, Places::MOST)] {
            let places = Places { in_use, waiting, limit };
            assert_eq!(Places::unpack(places.pack()), places);
        }
    }

    #[test]
    fn the_queue_never_spills_over_its_bits() {
        let full = Places { in_use: 0, waiting: Places::MOST, limit: 1 };
        assert_eq!(full.queue(u32::MAX), None);
    }
}
