//! What is learnt of an attempt while it is polled.

use std::cell::Cell;

use mainstay_policy::Outcome;

/// What whoever polled an attempt learns of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Beneath {
    /// It stands in a queue of ours: nothing of it has been sent.
    pub(crate) is_queued: bool,
    /// So many attempts a driver further in has made of it and told the ends of, now that it has
    /// ended; zero if there is none, or it told nothing.
    pub(crate) told: u32,
    /// One of those had been sent, whatever its end says: the last one may have been refused.
    pub(crate) was_sent: bool,
}

impl Beneath {
    pub(crate) const NOTHING: Self = Self { is_queued: false, told: 0, was_sent: false };

    /// What has been learnt here so far.
    #[inline]
    pub(super) fn here() -> Self {
        Self::unpack(BENEATH.get())
    }

    /// This has been learnt here.
    #[inline]
    pub(super) fn learnt(self) {
        BENEATH.set(self.pack());
    }

    /// The same, and what had been learnt before.
    #[inline]
    pub(super) fn replaces(self) -> Self {
        Self::unpack(BENEATH.replace(self.pack()))
    }

    #[inline]
    const fn pack(self) -> Word {
        let queues = if self.is_queued { QUEUES } else { 0 };
        let sent = if self.was_sent { SENT } else { 0 };
        (self.told, queues | sent)
    }

    #[inline]
    const fn unpack((told, marks): Word) -> Self {
        Self { is_queued: marks & QUEUES != 0, told, was_sent: marks & SENT != 0 }
    }

    /// Whether something was sent of an attempt that has ended so.
    pub(crate) fn was_sent(self, outcome: Outcome) -> bool {
        self.was_sent || outcome != Outcome::Refused
    }
}

/// The same for the thread: how many were told, and two marks. With a `bool` in it, each look at it
/// would be dearer.
type Word = (u32, u32);

const QUEUES: u32 = 1;
const SENT: u32 = 2;

thread_local! {
    static BENEATH: Cell<Word> = const { Cell::new(Beneath::NOTHING.pack()) };
}
