//! A closed time and the steps after it, in one word: 39 bits of until when, 5 of the step, 20 of
//! the starts in it.

use std::time::Duration;

use super::settings::CoolDown;
use crate::moment::Moment;
use crate::stamp::Stamp;
use crate::turn::Turn;

/// The transitions of [`Gate`](super::Gate), as pure functions. The word 0 is an open gate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ramp {
    until: Stamp,
    step: u32,
    started: u32,
}

impl Ramp {
    const STEP_BITS: u32 = 5;
    const STARTED_BITS: u32 = 20;
    /// More steps than this are not told apart.
    pub(super) const MOST_STEPS: u32 = (1 << Self::STEP_BITS) - 1;
    const MOST_STARTED: u32 = (1 << Self::STARTED_BITS) - 1;

    /// Closed for longer than it was, or `None`.
    pub(super) fn close(self, until: Stamp) -> Option<Self> {
        (until > self.until).then_some(Self { until, step: 0, started: 0 })
    }

    /// Whether a call may start, and what holds when it does.
    pub(super) fn take(self, settings: &CoolDown, now: Moment) -> (Option<Self>, Turn) {
        if self.closed_for(now).is_some() {
            return (None, Turn::At(self.until.moment()));
        }
        let Some(step) = self.step(settings, now) else { return (None, Turn::Now) };
        // A moment that goes backwards counts as the latest seen.
        let step = step.max(self.step);
        let started = if step == self.step { self.started } else { 0 };
        if started < allowed(step) {
            (Some(Self { step, started: started + 1, ..self }), Turn::Now)
        } else {
            let next = settings.step.saturating_mul(step + 1);
            (None, Turn::At(self.until.moment() + next.min(settings.ramp)))
        }
    }

    /// When a call could start that stands behind so many.
    pub(super) fn forecast(self, settings: &CoolDown, ahead: u32, now: Moment) -> Turn {
        let is_closed = self.closed_for(now).is_some();
        let step = if is_closed { Some(0) } else { self.step(settings, now) };
        let Some(now_step) = step else { return Turn::Now };
        let mut step = now_step.max(self.step);
        let taken = if step == self.step && !is_closed { self.started } else { 0 };
        let mut room = allowed(step).saturating_sub(taken);
        while room <= ahead && step < Self::MOST_STEPS {
            step += 1;
            room = room.saturating_add(allowed(step));
        }
        if !is_closed && step == now_step {
            return Turn::Now;
        }
        let wait = if room > ahead { settings.step.saturating_mul(step) } else { settings.ramp };
        Turn::At(self.until.moment() + wait.min(settings.ramp))
    }

    pub(super) fn closed_for(self, now: Moment) -> Option<Duration> {
        self.until.left(now)
    }

    pub(super) fn is_on(self, settings: &CoolDown, now: Moment) -> bool {
        self.closed_for(now).is_none() && self.step(settings, now).is_some()
    }

    /// When the ramp is over; the first moment of all where there was none.
    pub(super) fn over(self, settings: &CoolDown) -> Moment {
        if self.until.pack() == 0 { Moment::MIN } else { self.until.moment() + settings.ramp }
    }

    /// Which step of the ramp it is; `None` once the ramp is over, and where there was none.
    fn step(self, settings: &CoolDown, now: Moment) -> Option<u32> {
        let since = now.since(self.until.moment());
        if self.until.pack() == 0 || since >= settings.ramp {
            return None;
        }
        let step = since.as_nanos() / settings.step.as_nanos().max(1);
        Some(u32::try_from(step).unwrap_or(Self::MOST_STEPS).min(Self::MOST_STEPS))
    }

    pub(super) const fn pack(self) -> u64 {
        self.until.pack() << (Self::STEP_BITS + Self::STARTED_BITS)
            | (self.step as u64) << Self::STARTED_BITS
            | self.started as u64
    }

    #[expect(clippy::cast_possible_truncation, reason = "each field is cut to its bits")]
    pub(super) const fn unpack(word: u64) -> Self {
        Self {
            until: Stamp::unpack(word >> (Self::STEP_BITS + Self::STARTED_BITS)),
            step: (word >> Self::STARTED_BITS) as u32 & Self::MOST_STEPS,
            started: word as u32 & Self::MOST_STARTED,
        }
    }
}

/// How many calls may start in a step: 1, 2, 4, …
fn allowed(step: u32) -> u32 {
    1_u32.checked_shl(step).map_or(Ramp::MOST_STARTED, |calls| calls.min(Ramp::MOST_STARTED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_gives_back_what_was_packed() {
        let until = Stamp::at_or_after(Moment::ORIGIN + Duration::from_millis(5));
        for (step, started) in [(0, 0), (31, Ramp::MOST_STARTED), (3, 8)] {
            let ramp = Ramp { until, step, started };
            assert_eq!(Ramp::unpack(ramp.pack()), ramp);
        }
        let last = Ramp { until: Stamp::at_or_after(Moment::MAX), step: 1, started: 1 };
        assert_eq!(Ramp::unpack(last.pack()), last);
    }

    #[test]
    fn each_step_allows_twice_the_one_before() {
        assert_eq!([0, 1, 2, 3, 10].map(allowed), [1, 2, 4, 8, 1024]);
        assert_eq!([19, 20, 31, 32, 99].map(allowed)[0], 1 << 19);
        assert_eq!([20, 31, 32, 99].map(allowed), [Ramp::MOST_STARTED; 4]);
    }
}
