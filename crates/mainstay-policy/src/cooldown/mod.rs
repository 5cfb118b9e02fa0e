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

mod learns;
mod pace;
mod ramp;
mod settings;

pub use settings::CoolDown;

use std::time::Duration;

use pace::{Cycle, Pace};
use ramp::Ramp;
use settings::InForce;

use crate::live::Changes;
use crate::moment::Moment;
use crate::settings::SettingsError;
use crate::stamp::Stamp;
use crate::sync::{AcqRel, Acquire, AtomicU64, Line, update};
use crate::turn::Turn;

/// A gate that many calls share, one per host.
///
/// Open until a server asks for a pause; then closed for all; then letting 1, 2, 4, … start per
/// step until the ramp is over. No success opens it early. Who finds it open, and that it has been
/// for long, pays one load.
///
/// # What it learns
///
/// A server that asks for a short pause (no longer than the ramp) and soon after for another has a
/// rate, and did not say which. So of what has started since the first of the two the gate learns
/// how many that is per second, and lets no more start after the second: in the first seconds as
/// many as was learnt, later more and more, and any number when it has not closed for 30 s. Each
/// closing meanwhile says anew how many there are.
#[derive(Debug)]
pub struct Gate {
    shared: Line<Shared>,
    settings: InForce,
    changes: Changes,
}

#[derive(Debug)]
struct Shared {
    ramp: AtomicU64,
    /// What has started since it closed last.
    cycle: AtomicU64,
    /// What was learnt.
    pace: AtomicU64,
    /// Until when the server asked at the last closing, which may be longer than it stays closed.
    asked: AtomicU64,
    /// When a server last said that it is overloaded.
    overloaded: AtomicU64,
    /// The state of which somebody was told last.
    noticed: AtomicU64,
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
        let [ramp, cycle, pace, asked, overloaded, noticed] = [0; 6].map(AtomicU64::new);
        let shared = Line(Shared { ramp, cycle, pace, asked, overloaded, noticed });
        Ok(Self { shared, settings: InForce::new(settings), changes: Changes::default() })
    }

    /// Goes on with other settings. While it is closed it stays so for as long as it was told; the
    /// ramp after that, or one that is on, goes by the new settings. An open gate stays open.
    ///
    /// # Errors
    ///
    /// What [`CoolDown::check`] finds; nothing is changed then.
    pub fn change(&self, settings: CoolDown, now: Moment) -> Result<(), SettingsError> {
        settings.check()?;
        let _change = self.changes.begin();
        let before = self.settings.get();
        update(&self.shared.ramp, |word| {
            let ramp = Ramp::unpack(word);
            // A ramp that is over would be on again if the new one lasts longer.
            let next = match ramp.closed_for(now) {
                _ if !ramp.is_remembered(&before, now) => 0,
                None if !ramp.is_on(&before, self.pace(), now) => ramp.end().pack(),
                Some(_) | None => word,
            };
            ((next != word).then_some(next), ())
        });
        self.settings.set(settings);
        Ok(())
    }

    /// Told what a server said; answers if that holds calls back for longer than before.
    pub fn tell(&self, signal: Signal, now: Moment) -> Option<CoolingDown> {
        let said = |asked: Option<Duration>| asked.filter(|asked| !asked.is_zero());
        let CoolDown { max, unasked, .. } = self.settings.get();
        let asked = match signal {
            Signal::Throttled { asked } => now + said(asked).unwrap_or(unasked),
            Signal::Overloaded { asked } => {
                let before = self.shared.overloaded.fetch_max(now.as_nanos(), AcqRel);
                let between = Duration::from_nanos(before.abs_diff(now.as_nanos()));
                let again = between <= CoolDown::TWICE_WITHIN;
                now + said(Some(asked)).filter(|_| again)?
            }
            Signal::Exhausted { reset } => reset,
        };
        let until = Stamp::at_or_after(asked.min(now + max));
        until.left(now)?;
        let at_rest = self.state(now) == GateState::Open;
        update(&self.shared.asked, |before| {
            let still = if at_rest { 0 } else { before };
            (Some(asked.as_nanos().max(still)), ())
        });
        let before = update(&self.shared.ramp, |word| {
            let before = Ramp::unpack(word);
            let closed = before.close(until);
            (closed.map(Ramp::pack), closed.map(|_| before))
        })?;
        let says_no_rate = self.says_no_rate(signal);
        if before.closed_for(now).is_none() {
            self.learn(before, says_no_rate, now);
        } else if !says_no_rate {
            self.unlearn();
        }
        Some(CoolingDown { until: until.moment(), asked })
    }

    /// Starts a call if one may start now; else says when to ask again.
    #[inline]
    pub fn take(&self, now: Moment) -> Turn {
        if self.is_open() {
            return Turn::Now;
        }
        self.take_while_not_open(now)
    }

    fn take_while_not_open(&self, now: Moment) -> Turn {
        let settings = self.settings.get();
        let (turn, counts) = update(&self.shared.ramp, |word| {
            let ramp = Ramp::unpack(word);
            let (next, turn) = ramp.take(&settings, self.pace(), now);
            let counts = turn == Turn::Now && ramp.is_remembered(&settings, now);
            let is_over = word != 0 && !ramp.is_remembered(&settings, now);
            (if is_over { Some(0) } else { next.map(Ramp::pack) }, (turn, counts))
        });
        if counts {
            let one_more = |word| (Some(Cycle::unpack(word).one_more().pack()), ());
            update(&self.shared.cycle, one_more);
        }
        turn
    }

    /// What [`take`](Gate::take) would say. Takes nothing.
    #[inline]
    pub fn peek(&self, now: Moment) -> Turn {
        if self.is_open() {
            return Turn::Now;
        }
        self.ramp().take(&self.settings.get(), self.pace(), now).1
    }

    /// When a call could start that stands behind so many, if each starts as soon as it can; never
    /// later than it will. A ramp that an empty queue ends gives it its turn sooner.
    #[inline]
    pub fn forecast(&self, ahead: u32, now: Moment) -> Turn {
        if self.is_open() {
            return Turn::Now;
        }
        self.ramp().forecast(&self.settings.get(), self.pace(), ahead, now)
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

    /// Nobody stands in the queue any more: a ramp that is on ends, unless a rate was learnt.
    pub fn queue_emptied(&self, now: Moment) {
        let settings = self.settings.get();
        update(&self.shared.ramp, |word| {
            let (ramp, pace) = (Ramp::unpack(word), self.pace());
            let ends = pace.is_none() && ramp.is_on(&settings, pace, now);
            (ends.then(|| ramp.end().pack()), ())
        });
    }

    /// Opens it, whatever a server asked, without a ramp, and forgets what was learnt.
    pub fn reset(&self) {
        update(&self.shared.ramp, |_| (Some(0), ()));
    }

    /// What it is doing.
    #[must_use]
    pub fn state(&self, now: Moment) -> GateState {
        self.state_of(self.ramp(), now)
    }

    /// What it has come to do since this was last asked; `None` if it does the same. For whoever
    /// tells of its changes: each is answered to one caller.
    ///
    /// It opens because time passes, so somebody must ask.
    #[inline]
    #[must_use]
    pub fn noticed(&self, now: Moment) -> Option<GateState> {
        let Shared { ramp, noticed, .. } = &*self.shared;
        if ramp.load(Acquire) == 0 && noticed.load(Acquire) == GateState::Open.pack() {
            return None; // the way of nearly every call
        }
        let state = self.state(now);
        update(noticed, |before| {
            let is_other = before != state.pack();
            (is_other.then_some(state.pack()), is_other.then_some(state))
        })
    }

    /// From when on it may be forgotten, if nothing more is told: when no closing matters any more,
    /// and the second after a server was overloaded.
    #[must_use]
    pub fn at_rest_from(&self) -> Option<Moment> {
        let ramp = self.ramp().over(&self.settings.get());
        match Moment::from_nanos(self.shared.overloaded.load(Acquire)) {
            Moment::MIN => Some(ramp),
            overloaded => Some(ramp.max(overloaded + CoolDown::TWICE_WITHIN)),
        }
    }

    /// What it holds.
    #[must_use]
    pub fn snapshot(&self, now: Moment) -> GateSnapshot {
        let ramp = self.ramp();
        let is_remembered = ramp.is_remembered(&self.settings.get(), now);
        GateSnapshot {
            state: self.state_of(ramp, now),
            opens_in: ramp.closed_for(now),
            retry_in: self.retry_in(now),
            interval: self.pace().filter(|_| is_remembered).map(|it| it.interval(Duration::ZERO)),
        }
    }

    /// No pause and no ramp, the way of nearly every call.
    #[inline]
    fn is_open(&self) -> bool {
        self.shared.ramp.load(Acquire) == 0
    }

    fn pace(&self) -> Option<Pace> {
        Pace::unpack(self.shared.pace.load(Acquire))
    }

    fn ramp(&self) -> Ramp {
        Ramp::unpack(self.shared.ramp.load(Acquire))
    }

    fn state_of(&self, ramp: Ramp, now: Moment) -> GateState {
        match ramp.closed_for(now) {
            Some(_) => GateState::Closed,
            None if ramp.is_on(&self.settings.get(), self.pace(), now) => GateState::Ramping,
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

impl GateState {
    const fn pack(self) -> u64 {
        self as u64
    }
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
    /// How long it is from one start to the next after an opening, if that was learnt.
    pub interval: Option<Duration>,
}

#[cfg(test)]
mod tests;
