//! A closed time and what comes after it, in one word: 39 bits of until when, 25 of how far it has
//! come since.

use std::time::Duration;

use super::pace::Pace;
use super::settings::CoolDown;
use crate::moment::Moment;
use crate::stamp::Stamp;
use crate::turn::Turn;

/// The transitions of [`Gate`](super::Gate), as pure functions. The word 0 is an open gate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ramp {
    until: Stamp,
    /// In steps: 9 bits of the step and 16 of the starts in it. By a pace: after how many
    /// microseconds the next may start. Both begin with 0, and which it is does not change before
    /// the next closing.
    course: u32,
}

impl Ramp {
    const COURSE_BITS: u32 = 25;
    const MOST_COURSE: u32 = (1 << Self::COURSE_BITS) - 1;
    const STARTED_BITS: u32 = 16;
    const MOST_STARTED: u32 = (1 << Self::STARTED_BITS) - 1;
    /// With more steps than this a ramp would be no gentler.
    pub(super) const MOST_STEPS: u32 = 31;
    /// In steps: nothing is held back any more.
    const ENDED: u32 = Self::MOST_COURSE;

    /// Closed for longer than it was, or `None`.
    pub(super) fn close(self, until: Stamp) -> Option<Self> {
        (until > self.until).then_some(Self { until, course: 0 })
    }

    /// Holds nothing back any more, and remembers that it did.
    pub(super) fn end(self) -> Self {
        Self { course: Self::ENDED, ..self }
    }

    /// Whether a call may start, and what holds when it does.
    pub(super) fn take(
        self,
        settings: &CoolDown,
        pace: Option<Pace>,
        now: Moment,
    ) -> (Option<Self>, Turn) {
        if self.closed_for(now).is_some() {
            return (None, Turn::At(self.until.moment()));
        }
        if !self.is_on(settings, pace, now) {
            return (None, Turn::Now);
        }
        let since = self.open_for(now);
        match pace {
            Some(_) if since < self.next() => (None, Turn::At(self.until.moment() + self.next())),
            Some(pace) => (Some(self.to(pace.next(self.next(), since))), Turn::Now),
            None => {
                let (step, started) = self.step(settings, since);
                if started < allowed(step) {
                    (
                        Some(Self { course: (step << Self::STARTED_BITS) + started + 1, ..self }),
                        Turn::Now,
                    )
                } else {
                    (None, self.begin_of(step + 1, settings))
                }
            }
        }
    }

    /// When a call could start that stands behind so many.
    pub(super) fn forecast(
        self,
        settings: &CoolDown,
        pace: Option<Pace>,
        ahead: u32,
        now: Moment,
    ) -> Turn {
        let is_closed = self.closed_for(now).is_some();
        if !is_closed && !self.is_on(settings, pace, now) {
            return Turn::Now;
        }
        let since = self.open_for(now);
        if let Some(pace) = pace {
            let turn = pace.after(ahead, self.next().max(since));
            return if turn > since || is_closed { self.after(turn) } else { Turn::Now };
        }
        let (now_step, started) = self.step(settings, since);
        let (mut step, mut room) = (now_step, allowed(now_step).saturating_sub(started));
        while room <= ahead && step < Self::MOST_STEPS {
            step += 1;
            room = room.saturating_add(allowed(step));
        }
        match step == now_step && !is_closed {
            true => Turn::Now,
            false if room > ahead => self.begin_of(step, settings),
            false => self.after(settings.ramp),
        }
    }

    pub(super) fn closed_for(self, now: Moment) -> Option<Duration> {
        self.until.left(now)
    }

    /// How long ago it opened.
    pub(super) fn open_for(self, now: Moment) -> Duration {
        now.since(self.until.moment())
    }

    /// Whether it holds calls back though it is not closed.
    pub(super) fn is_on(self, settings: &CoolDown, pace: Option<Pace>, now: Moment) -> bool {
        let since = self.open_for(now);
        let holds_back = match pace {
            Some(_) => since < Pace::HOLDS,
            None => since < settings.ramp && self.course != Self::ENDED,
        };
        holds_back && self.is_remembered(settings, now) && self.closed_for(now).is_none()
    }

    /// Whether it still matters that it was closed.
    pub(super) fn is_remembered(self, settings: &CoolDown, now: Moment) -> bool {
        now < self.over(settings)
    }

    /// When nothing of it matters any more; the first moment of all where there was none.
    pub(super) fn over(self, settings: &CoolDown) -> Moment {
        if self.until.pack() == 0 {
            return Moment::MIN;
        }
        // Without a ramp nothing is learnt.
        let learns = if settings.ramp.is_zero() { Duration::ZERO } else { Pace::HOLDS };
        self.until.moment() + settings.ramp.max(learns)
    }

    /// By a pace: how long after the opening the next may start.
    fn next(self) -> Duration {
        Duration::from_micros(self.course.into())
    }

    fn to(self, next: Duration) -> Self {
        let micros = u32::try_from(next.as_nanos().div_ceil(1_000)).unwrap_or(u32::MAX);
        Self { course: micros.min(Self::MOST_COURSE), ..self }
    }

    /// In steps: which it is so long after the opening, and how many have started in it.
    fn step(self, settings: &CoolDown, since: Duration) -> (u32, u32) {
        let step = since.as_nanos() / settings.step.as_nanos().max(1);
        let step = u32::try_from(step).unwrap_or(u32::MAX).min(Self::MOST_STEPS);
        let seen = self.course >> Self::STARTED_BITS;
        // A moment that goes backwards counts as the latest seen.
        if step > seen { (step, 0) } else { (seen, self.course & Self::MOST_STARTED) }
    }

    fn begin_of(self, step: u32, settings: &CoolDown) -> Turn {
        self.after(settings.step.saturating_mul(step).min(settings.ramp))
    }

    fn after(self, time: Duration) -> Turn {
        Turn::At(self.until.moment() + time)
    }

    pub(super) const fn pack(self) -> u64 {
        self.until.pack() << Self::COURSE_BITS | self.course as u64
    }

    #[expect(clippy::cast_possible_truncation, reason = "it is cut to its bits")]
    pub(super) const fn unpack(word: u64) -> Self {
        let course = word as u32 & Self::MOST_COURSE;
        Self { until: Stamp::unpack(word >> Self::COURSE_BITS), course }
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
        for course in [0, 1, Ramp::MOST_COURSE] {
            let ramp = Ramp { until, course };
            assert_eq!(Ramp::unpack(ramp.pack()), ramp);
        }
        let last = Ramp { until: Stamp::at_or_after(Moment::MAX), course: 1 };
        assert_eq!(Ramp::unpack(last.pack()), last);
    }

    #[test]
    fn no_step_that_is_full_is_taken_for_the_end() {
        let full = Ramp::MOST_STEPS << Ramp::STARTED_BITS | Ramp::MOST_STARTED;
        assert!(full < Ramp::ENDED);
    }

    #[test]
    fn each_step_allows_twice_the_one_before() {
        assert_eq!([0, 1, 2, 3, 10].map(allowed), [1, 2, 4, 8, 1024]);
        assert_eq!([15, 16, 31, 32, 99].map(allowed)[0], 1 << 15);
        assert_eq!([16, 31, 32, 99].map(allowed), [Ramp::MOST_STARTED; 4]);
    }
}
