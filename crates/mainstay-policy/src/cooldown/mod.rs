//! Leaving a server alone that asked for it, and coming back in small steps.
//!
//! ```
//! use mainstay_policy::Moment;
//! use mainstay_policy::cooldown::{CoolDown, Gate, Signal};
//! use mainstay_policy::turn::Turn;
//! use std::time::Duration;
//!
//! let gate = Gate::new(CoolDown::new())?;
//! let now = Moment::ORIGIN;
//! assert_eq!(gate.take(now), Turn::Now);
//!
//! // One call sees a 429 with "Retry-After: 3"; no call starts until then.
//! let three = Duration::from_secs(3);
//! gate.tell(Signal::Throttled { asked: Some(three) }, now).expect("it closes at once");
//! assert_eq!(gate.take(now), Turn::At(now + three));
//!
//! // Then one starts, a tenth of a second later two more, then four...
//! let open = now + three;
//! assert_eq!(gate.take(open), Turn::Now);
//! assert_eq!(gate.take(open), Turn::At(open + Duration::from_millis(100)));
//! # Ok::<(), mainstay_policy::SettingsError>(())
//! ```

mod ramp;
mod settings;

pub use settings::CoolDown;

use std::time::Duration;

use ramp::Ramp;

use crate::moment::Moment;
use crate::settings::SettingsError;
use crate::stamp::Stamp;
use crate::sync::{AcqRel, Acquire, AtomicU64, Line, update};
use crate::turn::Turn;

/// A gate that many calls share, one per host.
///
/// Open until a server asks for a pause; then closed for all; then letting 1, 2, 4, … start per
/// step until the ramp is over. No success opens it early. One word; who finds it open and no ramp
/// on pays one load.
#[derive(Debug)]
pub struct Gate {
    shared: Line<Shared>,
    settings: CoolDown,
}

#[derive(Debug)]
struct Shared {
    ramp: AtomicU64,
    /// Until when the server asked at the last closing, which may be longer than it stays closed.
    asked: AtomicU64,
    /// When a server last said that it is overloaded.
    overloaded: AtomicU64,
}

/// What a server said that may close the gate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// It asks for less: a 429. Closes the gate.
    Throttled {
        /// For how long, if it said.
        asked: Option<Duration>,
    },
    /// It is overloaded and says for how long: a 503 with Retry-After. The second within a second
    /// closes the gate; one alone may be one bad machine of many.
    Overloaded {
        /// For how long.
        asked: Duration,
    },
    /// It will take no more until the reset: nothing left. Closes the gate.
    Exhausted {
        /// When there will be more.
        reset: Moment,
    },
}

/// The gate has closed, or stays closed for longer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CoolingDown {
    /// No call starts before this.
    pub until: Moment,
    /// What the server asked for; later than `until` where that was more than is allowed.
    pub asked: Moment,
}

impl Gate {
    /// An open gate.
    ///
    /// # Errors
    ///
    /// What [`CoolDown::check`] finds.
    pub fn new(settings: CoolDown) -> Result<Self, SettingsError> {
        settings.check()?;
        let [ramp, asked, overloaded] = [0; 3].map(AtomicU64::new);
        Ok(Self { shared: Line(Shared { ramp, asked, overloaded }), settings })
    }

    /// Told what a server said; answers if that holds calls back for longer than before.
    pub fn tell(&self, signal: Signal, now: Moment) -> Option<CoolingDown> {
        let said = |asked: Option<Duration>| asked.filter(|asked| !asked.is_zero());
        let asked = match signal {
            Signal::Throttled { asked } => now + said(asked).unwrap_or(self.settings.unasked),
            Signal::Overloaded { asked } => {
                let before = self.shared.overloaded.fetch_max(now.as_nanos(), AcqRel);
                let between = Duration::from_nanos(before.abs_diff(now.as_nanos()));
                let again = between <= CoolDown::TWICE_WITHIN;
                now + said(Some(asked)).filter(|_| again)?
            }
            Signal::Exhausted { reset } => reset,
        };
        let until = Stamp::at_or_after(asked.min(now + self.settings.max));
        until.left(now)?;
        let at_rest = self.state(self.ramp(), now) == GateState::Open;
        update(&self.shared.asked, |before| {
            let still = if at_rest { 0 } else { before };
            (Some(asked.as_nanos().max(still)), ())
        });
        update(&self.shared.ramp, |word| match Ramp::unpack(word).close(until) {
            Some(ramp) => (Some(ramp.pack()), Some(CoolingDown { until: until.moment(), asked })),
            None => (None, None),
        })
    }

    /// Starts a call if one may start now; else says when to ask again.
    pub fn take(&self, now: Moment) -> Turn {
        if self.shared.ramp.load(Acquire) == 0 {
            return Turn::Now; // no pause and no ramp, the way of nearly every call
        }
        update(&self.shared.ramp, |word| {
            let (next, turn) = Ramp::unpack(word).take(&self.settings, now);
            (next.map(Ramp::pack), turn)
        })
    }

    /// What [`take`](Gate::take) would say. Takes nothing.
    pub fn peek(&self, now: Moment) -> Turn {
        self.ramp().take(&self.settings, now).1
    }

    /// When a call could start that stands behind so many, if each starts as soon as it can; never
    /// later than it will. A ramp that an empty queue ends gives it its turn sooner.
    pub fn forecast(&self, ahead: u32, now: Moment) -> Turn {
        self.ramp().forecast(&self.settings, ahead, now)
    }

    /// How long a call should stay away that cannot wait for its turn: as long as the server asked,
    /// even where the gate opens sooner. `None` where a call may start now.
    #[must_use]
    pub fn retry_in(&self, now: Moment) -> Option<Duration> {
        match self.peek(now) {
            Turn::Now | Turn::Never => None,
            Turn::At(turn) => {
                let asked = Moment::from_nanos(self.shared.asked.load(Acquire));
                Some(turn.max(asked).since(now))
            }
        }
    }

    /// Nobody stands in the queue any more: a ramp that is on ends.
    pub fn queue_emptied(&self, now: Moment) {
        update(&self.shared.ramp, |word| {
            let ramp = Ramp::unpack(word);
            (ramp.is_on(&self.settings, now).then_some(0), ())
        });
    }

    /// From when on it may be forgotten, if nothing more is told: when the ramp is over, and the
    /// second after a server was overloaded.
    #[must_use]
    pub fn at_rest_from(&self) -> Option<Moment> {
        let ramp = self.ramp().over(&self.settings);
        match Moment::from_nanos(self.shared.overloaded.load(Acquire)) {
            Moment::MIN => Some(ramp),
            overloaded => Some(ramp.max(overloaded + CoolDown::TWICE_WITHIN)),
        }
    }

    /// What it holds.
    #[must_use]
    pub fn snapshot(&self, now: Moment) -> GateSnapshot {
        let ramp = self.ramp();
        GateSnapshot {
            state: self.state(ramp, now),
            opens_in: ramp.closed_for(now),
            retry_in: self.retry_in(now),
        }
    }

    fn ramp(&self) -> Ramp {
        Ramp::unpack(self.shared.ramp.load(Acquire))
    }

    fn state(&self, ramp: Ramp, now: Moment) -> GateState {
        match ramp.closed_for(now) {
            Some(_) => GateState::Closed,
            None if ramp.is_on(&self.settings, now) => GateState::Ramping,
            None => GateState::Open,
        }
    }
}

/// What a gate is doing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum GateState {
    /// Calls start as they come.
    Open,
    /// No call starts.
    Closed,
    /// More calls start with every step.
    Ramping,
}

/// What a [`Gate`] held at one time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct GateSnapshot {
    /// What it is doing.
    pub state: GateState,
    /// How long until the first call may start, while closed.
    pub opens_in: Option<Duration>,
    /// How long a call should stay away that cannot wait.
    pub retry_in: Option<Duration>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::ORIGIN + ms(millis)
    }

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn gate() -> Gate {
        Gate::new(CoolDown::new()).unwrap()
    }

    fn throttled(asked: u64) -> Signal {
        Signal::Throttled { asked: Some(ms(asked)) }
    }

    fn cooling(until: u64, asked: u64) -> Option<CoolingDown> {
        Some(CoolingDown { until: at(until), asked: at(asked) })
    }

    fn starts(gate: &Gate, millis: u64) -> usize {
        (0..5_000).take_while(|_| gate.take(at(millis)) == Turn::Now).count()
    }

    #[test]
    fn a_429_closes_it_at_once_for_as_long_as_was_asked() {
        let gate = gate();
        assert_eq!(gate.tell(throttled(3_000), at(0)), cooling(3_000, 3_000));
        assert_eq!(gate.take(at(2_999)), Turn::At(at(3_000)));
        assert_eq!(gate.retry_in(at(2_000)), Some(ms(1_000)));
        assert_eq!(gate.snapshot(at(2_000)).opens_in, Some(ms(1_000)));
        assert_eq!(gate.retry_in(at(3_000)), None);
        assert_eq!(gate.take(at(3_000)), Turn::Now);
    }

    #[test]
    fn a_429_that_does_not_say_for_how_long_closes_it_for_a_second() {
        for asked in [None, Some(Duration::ZERO)] {
            let gate = gate();
            assert_eq!(gate.tell(Signal::Throttled { asked }, at(0)), cooling(1_000, 1_000));
        }
    }

    #[test]
    fn it_never_closes_for_longer_than_allowed_and_says_what_was_asked() {
        let gate = gate();
        assert_eq!(gate.tell(throttled(3_600_000), at(0)), cooling(60_000, 3_600_000));
        assert_eq!(gate.retry_in(at(0)), Some(ms(3_600_000)));
        assert_eq!(gate.take(at(60_000)), Turn::Now);
    }

    #[test]
    fn what_was_asked_at_an_earlier_closing_is_forgotten() {
        let gate = gate();
        assert!(gate.tell(throttled(3_600_000), at(0)).is_some());
        assert!(gate.tell(throttled(1_000), at(61_000)).is_some()); // in the ramp
        assert_eq!(gate.retry_in(at(61_500)), Some(ms(3_600_000 - 61_500)));
        assert!(gate.tell(throttled(1_000), at(90_000)).is_some()); // long after it
        assert_eq!(gate.retry_in(at(90_000)), Some(ms(1_000)));
    }

    #[test]
    fn it_may_be_forgotten_when_nothing_that_was_told_matters_any_more() {
        let gate = gate();
        assert_eq!(gate.at_rest_from(), Some(Moment::MIN));
        assert_eq!(gate.tell(Signal::Overloaded { asked: ms(500) }, at(0)), None);
        assert_eq!(gate.at_rest_from(), Some(at(1_000)));
        assert!(gate.tell(throttled(3_000), at(0)).is_some());
        assert_eq!(gate.at_rest_from(), Some(at(5_000)));
    }

    #[test]
    fn the_longest_that_was_asked_counts_and_less_changes_nothing() {
        let gate = gate();
        assert!(gate.tell(throttled(3_000), at(0)).is_some());
        assert_eq!(gate.tell(throttled(1_000), at(1_000)), None);
        assert_eq!(gate.tell(throttled(2_000), at(1_000)), None);
        assert_eq!(gate.take(at(2_000)), Turn::At(at(3_000)));
        assert_eq!(gate.tell(throttled(3_000), at(1_000)), cooling(4_000, 4_000));
    }

    #[test]
    fn one_overloaded_machine_does_not_close_it_and_two_answers_within_a_second_do() {
        let overloaded = Signal::Overloaded { asked: ms(500) };
        let again = gate();
        assert_eq!(again.tell(overloaded, at(0)), None);
        assert_eq!(again.take(at(0)), Turn::Now);
        assert_eq!(again.tell(overloaded, at(1_000)), cooling(1_500, 1_500));
        let later = gate();
        assert_eq!(later.tell(overloaded, at(0)), None);
        assert_eq!(later.tell(overloaded, at(1_001)), None);
        assert_eq!(later.tell(Signal::Overloaded { asked: Duration::ZERO }, at(1_001)), None);
        assert_eq!(later.tell(overloaded, at(0)), None); // told late, and not within a second
        assert_eq!(later.tell(overloaded, at(2_001)), cooling(2_501, 2_501));
    }

    #[test]
    fn nothing_left_closes_it_until_the_reset() {
        let gate = gate();
        let exhausted = |reset| Signal::Exhausted { reset: at(reset) };
        assert_eq!(gate.tell(exhausted(7_000), at(0)), cooling(7_000, 7_000));
        assert_eq!(gate.tell(exhausted(6_000), at(6_000)), None);
    }

    #[test]
    fn a_reset_that_is_over_closes_nothing() {
        let gate = gate();
        assert_eq!(gate.tell(Signal::Exhausted { reset: at(5) }, at(5)), None);
        assert_eq!(gate.snapshot(at(5)).state, GateState::Open);
        assert_eq!(starts(&gate, 5), 5_000);
    }

    #[test]
    fn it_opens_in_steps_of_twice_as_many() {
        let gate = gate();
        assert!(gate.tell(throttled(1_000), at(0)).is_some());
        assert_eq!(starts(&gate, 1_000), 1);
        assert_eq!(gate.take(at(1_099)), Turn::At(at(1_100)));
        assert_eq!(gate.retry_in(at(1_099)), Some(ms(1)));
        assert_eq!([1_100, 1_200, 1_350].map(|now| starts(&gate, now)), [2, 4, 8]);
        assert_eq!(gate.snapshot(at(2_999)).state, GateState::Ramping);
        assert_eq!(gate.at_rest_from(), Some(at(3_000)));
        assert_eq!(starts(&gate, 3_000), 5_000);
    }

    #[test]
    fn a_step_gives_what_it_has_once_however_the_clock_stumbles() {
        let gate = gate();
        assert!(gate.tell(throttled(1_000), at(0)).is_some());
        assert_eq!(starts(&gate, 1_100), 2);
        assert_eq!(gate.take(at(1_050)), Turn::At(at(1_200)));
    }

    #[test]
    fn who_stands_behind_others_starts_in_the_step_that_has_room_for_it() {
        let gate = gate();
        assert_eq!(gate.forecast(9, at(0)), Turn::Now);
        assert!(gate.tell(throttled(1_000), at(0)).is_some());
        let forecast = |ahead, now| match gate.forecast(ahead, at(now)) {
            Turn::At(moment) => moment.since(at(0)).as_millis(),
            Turn::Now => 0,
            Turn::Never => panic!("it opens"),
        };
        // 1 starts when it opens, 2 more a step later, then 4, and all when the ramp is over.
        assert_eq!(
            [0, 1, 2, 3, 6, 7].map(|ahead| forecast(ahead, 0)),
            [1_000, 1_100, 1_100, 1_200, 1_200, 1_300]
        );
        assert_eq!(forecast(u32::MAX, 0), 3_000);
        assert_eq!(forecast(0, 1_150), 0);
        assert_eq!(starts(&gate, 1_150), 2);
        assert_eq!([0, 3, 4].map(|ahead| forecast(ahead, 1_150)), [1_200, 1_200, 1_300]);
        assert_eq!(forecast(99, 3_000), 0);
    }

    #[test]
    fn a_429_in_the_ramp_closes_it_again_and_the_ramp_starts_anew() {
        let gate = gate();
        assert!(gate.tell(throttled(1_000), at(0)).is_some());
        assert_eq!(starts(&gate, 1_250), 4);
        assert_eq!(gate.tell(throttled(500), at(1_250)), cooling(1_750, 1_750));
        assert_eq!(starts(&gate, 1_749), 0);
        assert_eq!(starts(&gate, 1_750), 1);
    }

    #[test]
    fn an_empty_queue_ends_the_ramp_but_not_the_closed_time() {
        let gate = gate();
        assert!(gate.tell(throttled(1_000), at(0)).is_some());
        gate.queue_emptied(at(999));
        assert_eq!(gate.take(at(999)), Turn::At(at(1_000)));
        gate.queue_emptied(at(1_000));
        assert_eq!(starts(&gate, 1_000), 5_000);
        assert_eq!(gate.tell(throttled(1_000), at(1_000)), cooling(2_000, 2_000));
    }

    #[test]
    fn without_a_ramp_all_start_at_once() {
        let gate = Gate::new(CoolDown::new().ramp(Duration::ZERO)).unwrap();
        assert!(gate.tell(throttled(1_000), at(0)).is_some());
        assert_eq!(starts(&gate, 999), 0);
        assert_eq!(starts(&gate, 1_000), 5_000);
    }

    #[test]
    fn a_step_that_the_ramp_cuts_short_ends_with_it() {
        let gate = Gate::new(CoolDown::new().ramp(ms(150))).unwrap();
        assert!(gate.tell(throttled(1_000), at(0)).is_some());
        assert_eq!(starts(&gate, 1_100), 2);
        assert_eq!(gate.take(at(1_100)), Turn::At(at(1_150)));
        assert_eq!(starts(&gate, 1_150), 5_000);
    }
}
