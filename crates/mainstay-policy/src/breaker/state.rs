//! A breaker's state in one word, and its transitions as pure functions.

use std::time::Duration;

use super::answers::{BreakerState, Cause, Refusal, Transition, Verdict};
use super::in_force::InForce;
use crate::moment::Moment;
use crate::stamp::Stamp;

/// The state and its generation.
///
/// The generation changes whenever tickets given so far shall not count any more: when the breaker
/// becomes half-open, closes, or gives its probes up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Machine {
    pub(super) generation: u32,
    pub(super) state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Closed { consecutive: u32 },
    Open { openings: u32, until: Stamp },
    HalfOpen { openings: u32, passed: u32, out: u32 },
    Isolated,
}

/// What a call is told when it asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Decision {
    Go,
    GoFirst,
    Refuse(Refusal),
}

/// What a call's end says once duration and settings have had their word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sample {
    /// It counts; it may have failed, been slow, or both.
    Result {
        failed: bool,
        slow: bool,
    },
    Nothing,
}

impl Sample {
    pub(super) fn of(verdict: Verdict, took: Duration, settings: &InForce) -> Self {
        let failed = match verdict {
            Verdict::Success => false,
            Verdict::Failure => true,
            Verdict::Abandoned if settings.abandoned_after().is_some_and(|long| took >= long) => {
                true
            }
            Verdict::Abandoned | Verdict::Ignored => return Self::Nothing,
        };
        let slow = settings.slow_longer_than().is_some_and(|long| took >= long);
        Self::Result { failed, slow }
    }
}

impl Machine {
    #[inline]
    pub(super) const fn closed(generation: u32) -> Self {
        Self { generation, state: State::Closed { consecutive: 0 } }
    }

    #[inline]
    pub(super) const fn kind(self) -> BreakerState {
        match self.state {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::HalfOpen { .. } => BreakerState::HalfOpen,
            State::Isolated => BreakerState::Isolated,
        }
    }

    /// May a call be made? `newest` is when the last probe was let go.
    pub(super) fn admit(
        self,
        settings: &InForce,
        newest: Moment,
        now: Moment,
    ) -> (Option<Self>, Decision) {
        match self.state {
            State::Closed { .. } => (None, Decision::Go),
            State::Isolated => {
                let refusal = Refusal { state: BreakerState::Isolated, retry_in: None };
                (None, Decision::Refuse(refusal))
            }
            State::Open { openings, until } => match until.left(now) {
                Some(left) => {
                    let refusal = Refusal { state: BreakerState::Open, retry_in: Some(left) };
                    (None, Decision::Refuse(refusal))
                }
                None => (Some(self.probing(openings, 0)), Decision::GoFirst),
            },
            State::HalfOpen { openings, passed, out } => {
                if out < places(passed, settings.probes()) {
                    let state = State::HalfOpen { openings, passed, out: out + 1 };
                    return (Some(Self { state, ..self }), Decision::Go);
                }
                let given_up = newest + settings.probe_time();
                if now >= given_up {
                    return (Some(self.probing(openings, passed)), Decision::Go);
                }
                let retry_in = Some(given_up.since(now));
                (None, Decision::Refuse(Refusal { state: BreakerState::HalfOpen, retry_in }))
            }
        }
    }

    /// How a call of this generation went. `exceeded` is what the window says with this result in
    /// it; `until` is when to stop being open, for so many openings.
    pub(super) fn settle(
        self,
        settings: &InForce,
        sample: Sample,
        exceeded: Option<Cause>,
        until: impl FnOnce(u32) -> Stamp,
    ) -> (Option<Self>, Option<Transition>) {
        let Sample::Result { failed, slow } = sample else { return self.settle_nothing() };
        match self.state {
            State::Closed { consecutive } => {
                let row = settings.consecutive_failures().filter(|_| failed);
                let counted = row.map_or(0, |limit| (consecutive + 1).min(limit));
                let in_a_row = row == Some(counted);
                match in_a_row.then_some(Cause::ConsecutiveFailures).or(exceeded) {
                    Some(cause) => self.open(1, cause, until),
                    None if counted == consecutive => (None, None),
                    None => (Some(self.with(State::Closed { consecutive: counted })), None),
                }
            }
            State::HalfOpen { openings, .. } if failed || slow => {
                self.open(openings.saturating_add(1), Cause::ProbeFailed, until)
            }
            State::HalfOpen { passed, .. } if passed + 1 >= settings.probes() => {
                (Some(Self::closed(self.next_generation())), Some(Transition::Closed))
            }
            State::HalfOpen { openings, passed, out } => {
                let (passed, out) = (passed + 1, out.saturating_sub(1));
                (Some(self.with(State::HalfOpen { openings, passed, out })), None)
            }
            State::Open { .. } | State::Isolated => (None, None),
        }
    }

    /// A call that says nothing: a probe gives its place back.
    fn settle_nothing(self) -> (Option<Self>, Option<Transition>) {
        match self.state {
            State::HalfOpen { openings, passed, out } => {
                let out = out.saturating_sub(1);
                (Some(self.with(State::HalfOpen { openings, passed, out })), None)
            }
            State::Closed { .. } | State::Open { .. } | State::Isolated => (None, None),
        }
    }

    const fn with(self, state: State) -> Self {
        Self { state, ..self }
    }

    fn open(
        self,
        openings: u32,
        cause: Cause,
        until: impl FnOnce(u32) -> Stamp,
    ) -> (Option<Self>, Option<Transition>) {
        let openings = openings.min(Self::MOST_OPENINGS);
        let until = until(openings);
        let transition = Transition::Opened { until: until.moment(), cause };
        (Some(Self { state: State::Open { openings, until }, ..self }), Some(transition))
    }

    /// A new generation with one probe out.
    fn probing(self, openings: u32, passed: u32) -> Self {
        let state = State::HalfOpen { openings, passed, out: 1 };
        Self { generation: self.next_generation(), state }
    }

    pub(super) const fn next_generation(self) -> u32 {
        self.generation.wrapping_add(1) & ((1 << Self::GENERATION_BITS) - 1)
    }

    // The word: 2 bits of kind, 18 of generation, 5 of openings, and below them 39 bits that are a
    // stamp when open and two counts of 12 when half-open; closed has its count in the lowest 20.
    const GENERATION_BITS: u32 = 18;
    const OPENINGS_BITS: u32 = 5;
    const MOST_OPENINGS: u32 = (1 << Self::OPENINGS_BITS) - 1;
    const COUNT_BITS: u32 = 12;

    #[inline]
    pub(super) const fn pack(self) -> u64 {
        let (kind, openings, rest) = match self.state {
            State::Closed { consecutive } => (0, 0, consecutive as u64),
            State::Open { openings, until } => (1, openings, until.pack()),
            State::HalfOpen { openings, passed, out } => {
                (2, openings, (passed as u64) << Self::COUNT_BITS | out as u64)
            }
            State::Isolated => (3, 0, 0),
        };
        kind << 62
            | (self.generation as u64) << (Self::OPENINGS_BITS + Stamp::BITS)
            | (openings as u64) << Stamp::BITS
            | rest
    }

    #[expect(clippy::cast_possible_truncation, reason = "each field is cut to its bits")]
    #[inline]
    pub(super) const fn unpack(word: u64) -> Self {
        let openings = (word >> Stamp::BITS) as u32 & Self::MOST_OPENINGS;
        let count = (1 << Self::COUNT_BITS) - 1;
        let generation = (word >> (Self::OPENINGS_BITS + Stamp::BITS)) as u32
            & ((1 << Self::GENERATION_BITS) - 1);
        let state = match word >> 62 {
            0 => State::Closed { consecutive: word as u32 & ((1 << 20) - 1) },
            1 => State::Open { openings, until: Stamp::unpack(word) },
            2 => State::HalfOpen {
                openings,
                passed: (word >> Self::COUNT_BITS) as u32 & count,
                out: word as u32 & count,
            },
            _ => State::Isolated,
        };
        Self { generation, state }
    }
}

/// How many probes may be out at a time: one, and one more for each that succeeded, but no more
/// than are still needed. One is where a change has made do with those that have succeeded, since
/// it closes with a success.
fn places(passed: u32, probes: u32) -> u32 {
    (passed + 1).min(probes.saturating_sub(passed)).max(1)
}

#[cfg(test)]
mod tests {
    use super::super::CircuitBreaker;
    use super::*;

    #[test]
    fn a_word_gives_back_what_was_packed() {
        let until = Stamp::at_or_after(Moment::ORIGIN + Duration::from_millis(77));
        for state in [
            State::Closed { consecutive: 0 },
            State::Closed { consecutive: CircuitBreaker::MOST_CONSECUTIVE },
            State::Open { openings: 31, until },
            State::Open { openings: 1, until: Stamp::at_or_after(Moment::MAX) },
            State::HalfOpen { openings: 31, passed: 999, out: 1000 },
            State::HalfOpen { openings: 1, passed: 0, out: 1 },
            State::Isolated,
        ] {
            for generation in [0, 1, (1 << 18) - 1] {
                let machine = Machine { generation, state };
                assert_eq!(Machine::unpack(machine.pack()), machine);
            }
        }
    }

    #[test]
    fn generations_go_round() {
        assert_eq!(Machine::closed((1 << 18) - 1).next_generation(), 0);
        assert_eq!(Machine::closed(7).next_generation(), 8);
    }

    #[test]
    fn probes_go_one_at_a_time_at_first_and_never_more_than_are_needed() {
        let ramp = |probes| (0..probes).map(|passed| places(passed, probes)).collect::<Vec<_>>();
        assert_eq!(ramp(1), [1]);
        assert_eq!(ramp(3), [1, 2, 1]);
        assert_eq!(ramp(8), [1, 2, 3, 4, 4, 3, 2, 1]);
        assert_eq!([places(3, 3), places(999, 1)], [1, 1]);
    }
}
