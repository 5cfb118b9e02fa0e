//! What a server says is left, and until when.

use std::time::Duration;

use super::Told;
use crate::moment::Moment;
use crate::stamp::Stamp;
use crate::sync::{AcqRel, Acquire, AtomicU64, Line, Release, update};
use crate::turn::Turn;

/// At most as many starts until the reset as the server said were left.
///
/// One word, 39 bits of reset and 25 of what is left; zero when nothing was said. Beside it, for
/// pacing, when the next may start.
#[derive(Debug)]
pub(super) struct Quota {
    shared: Line<Shared>,
    pace: bool,
}

#[derive(Debug)]
struct Shared {
    word: AtomicU64,
    next: AtomicU64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Said {
    left: u64,
    reset: Stamp,
}

/// Resets are told in whole seconds; within this they are the same one.
const SAME_RESET: Duration = Duration::from_secs(1);

impl Said {
    const MOST_LEFT: u64 = (1 << (64 - Stamp::BITS)) - 1;

    const fn unpack(word: u64) -> Option<Self> {
        if word == 0 {
            return None;
        }
        Some(Self { left: word >> Stamp::BITS, reset: Stamp::unpack(word) })
    }

    const fn pack(self) -> u64 {
        self.left << Stamp::BITS | self.reset.pack()
    }

    /// What holds after the server has spoken again. Answers come in any order, so for the same
    /// reset the least that was said holds, whenever it was said.
    ///
    /// * The reset stays the one that was told first: for a server that says "in 60 seconds" with
    ///   every answer it would else move on for ever, and the least of all it has said with it.
    /// * Of a reset that comes sooner only what is tighter is believed: it is that of another quota.
    fn then(self, told: Self, now: Moment) -> Self {
        if self.is_over(now) {
            return told;
        }
        let (known, new) = (self.reset.moment(), told.reset.moment());
        if new > known + SAME_RESET {
            told
        } else if known > new + SAME_RESET {
            if told.left < self.left { told } else { self }
        } else {
            Self { left: self.left.min(told.left), ..self }
        }
    }

    fn is_over(self, now: Moment) -> bool {
        self.reset.left(now).is_none()
    }

    /// What one start gets of the time that is left.
    fn share(self, now: Moment) -> Duration {
        let left = u32::try_from(self.left).unwrap_or(u32::MAX).max(1);
        self.reset.left(now).unwrap_or_default() / left
    }
}

impl Quota {
    pub(super) fn new(pace: bool) -> Self {
        let shared = Shared { word: AtomicU64::new(0), next: AtomicU64::new(0) };
        Self { shared: Line(shared), pace }
    }

    /// Whether what is left is spread over the time that is left.
    pub(super) const fn paces(&self) -> bool {
        self.pace
    }

    /// Whether nothing has been told that may still hold.
    #[inline]
    pub(super) fn is_silent(&self) -> bool {
        self.shared.word.load(Acquire) == 0
    }

    /// What the server said is left now, and until when.
    pub(super) fn said(&self, now: Moment) -> Option<Told> {
        let said = Said::unpack(self.shared.word.load(Acquire))?;
        said.reset.left(now)?;
        let left = u32::try_from(said.left).unwrap_or(u32::MAX);
        Some(Told { left, reset: said.reset.moment() })
    }

    pub(super) fn learn(&self, told: Told, now: Moment) {
        let left = u64::from(told.left).min(Said::MOST_LEFT);
        let told = Said { left, reset: Stamp::at_or_after(told.reset) };
        if told.is_over(now) {
            return;
        }
        let (before, said) = update(&self.shared.word, |word| {
            let before = Said::unpack(word).filter(|before| !before.is_over(now));
            let said = before.map_or(told, |before| before.then(told, now));
            ((said.pack() != word).then_some(said.pack()), (before, said))
        });
        // The spacing goes on, but no slower than what holds now asks for.
        let latest = match before {
            None => Moment::MIN,
            Some(before) if before.reset == said.reset => return,
            Some(_) => now + said.share(now),
        };
        update(&self.shared.next, |next| {
            ((next > latest.as_nanos()).then_some(latest.as_nanos()), ())
        });
    }

    pub(super) fn forget(&self) {
        self.shared.word.store(0, Release);
        self.shared.next.store(0, Release);
    }

    pub(super) fn peek(&self, cost: u32, now: Moment) -> Turn {
        let Some(said) = self.said(now) else { return Turn::Now };
        if said.left < cost {
            return Turn::At(said.reset);
        }
        let next = Moment::from_nanos(self.shared.next.load(Acquire)).min(said.reset);
        if self.pace && now < next { Turn::At(next) } else { Turn::Now }
    }

    /// When something that costs this could start behind all that.
    pub(super) fn forecast(&self, ahead: u64, cost: u32, now: Moment) -> Turn {
        let Some(said) = self.said(now) else { return Turn::Now };
        let all = ahead.saturating_add(cost.into());
        if u64::from(said.left) < all {
            return Turn::At(said.reset);
        }
        let next = Moment::from_nanos(self.shared.next.load(Acquire)).max(now);
        if !self.pace || (next == now && ahead == 0) {
            return Turn::Now;
        }
        // Evenly, from the next start on.
        let share = said.reset.since(next) / said.left.max(1);
        let behind = u32::try_from(ahead).unwrap_or(u32::MAX);
        Turn::At((next + share.saturating_mul(behind)).min(said.reset))
    }

    /// Until when what was said holds.
    pub(super) fn holds_until(&self) -> Moment {
        let said = Said::unpack(self.shared.word.load(Acquire));
        said.map_or(Moment::MIN, |said| said.reset.moment())
    }

    /// Takes from what is left, after [`peek`](Self::peek) has said "now".
    pub(super) fn take(&self, cost: u32, now: Moment) -> Turn {
        let (turn, said) = update(&self.shared.word, |word| {
            let Some(said) = Said::unpack(word) else { return (None, (Turn::Now, None)) };
            if said.is_over(now) {
                return (None, (Turn::Now, None));
            }
            match said.left.checked_sub(cost.into()) {
                Some(left) => {
                    let next = Said { left, ..said };
                    (Some(next.pack()), (Turn::Now, Some(said)))
                }
                None => (None, (Turn::At(said.reset.moment()), None)),
            }
        });
        if let Some(said) = said.filter(|_| self.pace) {
            let gap = said.share(now).saturating_mul(cost);
            self.shared.next.fetch_max((now + gap).as_nanos(), AcqRel);
        }
        turn
    }
}
