//! The account in one word: 40 bits of millionths available, 4 that say by which terms, 20 of
//! attempts waiting.

use super::RetryBudget;
use crate::live::Word;

/// One extra attempt, in the unit of the account.
const ONE: u64 = 1_000_000;
const WAITING_BITS: u32 = 20;
const CHANGES_BITS: u32 = 4;

/// What calls pay in, and what the account holds at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Terms {
    share: u32,
    pub(super) reserve: u32,
}

impl Terms {
    pub(super) fn of(settings: RetryBudget) -> Self {
        // The sliver mends 0.29 × 10⁶ = 289 999.999…; rounding down keeps the promise.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a checked ratio is between 0 and 1"
        )]
        let share = (settings.ratio * 1e6 + 1e-6) as u32;
        Self { share, reserve: settings.reserve }
    }
}

impl Word for Terms {
    fn pack(self) -> u64 {
        u64::from(self.share) << u32::BITS | u64::from(self.reserve)
    }

    #[expect(clippy::cast_possible_truncation, reason = "two halves")]
    #[inline]
    fn unpack(word: u64) -> Self {
        Self { share: (word >> u32::BITS) as u32, reserve: word as u32 }
    }
}

/// What is available, and what is paid for and waits to be sent.
///
/// Invariant: `available + waiting × ONE ≤ reserve × ONE`. That is the whole proof of the bound:
/// whatever an interval begins with is at most the reserve, and only deposits add to it. Where a
/// change has left less of a reserve than waits, nothing is available until enough of it is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Account {
    available: u64,
    /// How often the terms have changed, as far as there are bits for it; who goes by outdated
    /// terms fails in the exchange.
    changes: u64,
    waiting: u64,
}

impl Account {
    pub(super) fn full(reserve: u32) -> Self {
        Self { available: u64::from(reserve) * ONE, changes: 0, waiting: 0 }
    }

    #[inline]
    pub(super) const fn unpack(word: u64) -> Self {
        Self {
            available: word >> (CHANGES_BITS + WAITING_BITS),
            changes: word >> WAITING_BITS & ((1 << CHANGES_BITS) - 1),
            waiting: word & ((1 << WAITING_BITS) - 1),
        }
    }

    #[inline]
    pub(super) const fn pack(self) -> u64 {
        self.available << (CHANGES_BITS + WAITING_BITS)
            | self.changes << WAITING_BITS
            | self.waiting
    }

    /// Which of two terms are in force.
    #[inline]
    pub(super) const fn goes_by_second(self) -> bool {
        self.changes & 1 != 0
    }

    pub(super) fn is_full(self, terms: Terms) -> bool {
        self.waiting == 0 && self.available == self.room(terms)
    }

    /// Goes by the other terms, which are these.
    pub(super) fn change(self, terms: Terms) -> Self {
        let changes = (self.changes + 1) & ((1 << CHANGES_BITS) - 1);
        Self { available: self.available.min(self.room(terms)), changes, ..self }
    }

    #[inline]
    pub(super) fn deposit(self, terms: Terms) -> Self {
        let available = (self.available + u64::from(terms.share)).min(self.room(terms));
        Self { available, ..self }
    }

    pub(super) fn withdraw(self, _: Terms) -> Option<Self> {
        let available = self.available.checked_sub(ONE)?;
        Some(Self { available, waiting: self.waiting + 1, ..self })
    }

    pub(super) fn spend(self, _: Terms) -> Option<Self> {
        Some(Self { waiting: self.waiting.checked_sub(1)?, ..self })
    }

    pub(super) fn refund(self, terms: Terms) -> Option<Self> {
        let spent = self.spend(terms)?;
        Some(Self { available: (self.available + ONE).min(spent.room(terms)), ..spent })
    }

    /// The most that can be available beside what waits.
    #[inline]
    fn room(self, terms: Terms) -> u64 {
        (u64::from(terms.reserve) * ONE).saturating_sub(self.waiting * ONE)
    }

    pub(super) fn available(self) -> u32 {
        u32::try_from(self.available / ONE).unwrap_or(u32::MAX)
    }

    pub(super) fn waiting(self) -> u32 {
        u32::try_from(self.waiting).unwrap_or(u32::MAX)
    }
}
