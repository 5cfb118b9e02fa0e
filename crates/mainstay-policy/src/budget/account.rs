//! The account in one word: 40 bits of millionths available, 24 bits of attempts waiting.

/// One extra attempt, in the unit of the account.
const ONE: u64 = 1_000_000;
const WAITING_BITS: u32 = 24;

/// What is available, and what is paid for and waits to be sent.
///
/// Invariant: `available + waiting × ONE ≤ reserve × ONE`. That is the whole proof of the bound:
/// whatever an interval begins with is at most the reserve, and only deposits add to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Account {
    available: u64,
    waiting: u64,
}

impl Account {
    pub(super) fn full(reserve: u32) -> Self {
        Self { available: u64::from(reserve) * ONE, waiting: 0 }
    }

    /// What one call pays in.
    pub(super) fn share(ratio: f64) -> u64 {
        // The sliver mends 0.29 × 10⁶ = 289 999.999…; rounding down keeps the promise.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a checked ratio is between 0 and 1"
        )]
        let share = (ratio * 1e6 + 1e-6) as u64;
        share
    }

    pub(super) const fn unpack(word: u64) -> Self {
        Self { available: word >> WAITING_BITS, waiting: word & ((1 << WAITING_BITS) - 1) }
    }

    pub(super) const fn pack(self) -> u64 {
        self.available << WAITING_BITS | self.waiting
    }

    pub(super) fn deposit(self, share: u64, reserve: u32) -> Self {
        let room = (u64::from(reserve) * ONE).saturating_sub(self.waiting * ONE);
        Self { available: (self.available + share).min(room), ..self }
    }

    pub(super) fn withdraw(self) -> Option<Self> {
        let available = self.available.checked_sub(ONE)?;
        Some(Self { available, waiting: self.waiting + 1 })
    }

    pub(super) fn spend(self) -> Option<Self> {
        Some(Self { waiting: self.waiting.checked_sub(1)?, ..self })
    }

    pub(super) fn refund(self) -> Option<Self> {
        let waiting = self.waiting.checked_sub(1)?;
        Some(Self { available: self.available + ONE, waiting })
    }

    pub(super) fn available(self) -> u32 {
        u32::try_from(self.available / ONE).unwrap_or(u32::MAX)
    }

    pub(super) fn waiting(self) -> u32 {
        u32::try_from(self.waiting).unwrap_or(u32::MAX)
    }
}
