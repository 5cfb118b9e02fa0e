//! A rate limit and a cool-down at one turnstile.

use std::sync::Arc;
use std::time::Duration;

use mainstay_policy::rate_limit::{Limiter, RateLimit, RateSnapshot};
use mainstay_policy::turn::{Ahead, Turn};
use mainstay_policy::{Moment, SettingsError};
use tokio::sync::watch;

use super::{CoolDown, CoolingDown, Gate, GateSnapshot, GateState, WatchedGate};
use crate::clock;
use crate::error::Reason;
use crate::guard::{Now, TurnGuard, Turns};
use crate::protocol::Ending;

/// A rate limit and a cool-down: a call starts at the later of the two.
///
/// Two turnstiles in a row would keep a turn of the first for as long as the second holds the call
/// back, and use it too late.
#[derive(Debug)]
pub struct Paced {
    limiter: Arc<Limiter>,
    gate: Arc<WatchedGate>,
}

/// Both as one [`Guard`](crate::guard::Guard), by itself or in a set.
pub type PacedGuard = TurnGuard<Paced>;

impl PacedGuard {
    /// A limit that nothing has started from yet, and an open gate.
    ///
    /// # Errors
    ///
    /// What [`RateLimit::check`] and [`CoolDown::check`] find.
    pub fn new(limit: RateLimit, cool_down: CoolDown) -> Result<Self, SettingsError> {
        let (limiter, gate) = (Limiter::new(limit)?, WatchedGate::new(cool_down)?);
        Ok(Self::of(Paced::of(Arc::new(limiter), Arc::new(gate))))
    }

    /// What the rate limit holds.
    #[must_use]
    pub fn rate(&self) -> RateSnapshot {
        self.turns().limiter.snapshot(clock::now())
    }

    /// What the gate holds.
    #[must_use]
    pub fn gate(&self) -> GateSnapshot {
        self.turns().gate().snapshot(clock::now())
    }

    /// What the gate is doing, as it changes; see [`CoolDownGuard::watch`](TurnGuard::watch).
    pub fn watch(&self) -> watch::Receiver<GateState> {
        self.turns().gate.receiver()
    }

    /// Goes on with another limit; who stands in line keeps its place.
    ///
    /// # Errors
    ///
    /// What [`RateLimit::check`] finds, and a change from smooth to strict or back, or of pacing,
    /// which needs a new limit. Nothing is changed then.
    pub fn change(&self, settings: RateLimit) -> Result<(), SettingsError> {
        self.turns().limiter.change(settings, clock::now())?;
        self.changed();
        Ok(())
    }

    /// Goes on with another cool-down, as [`CoolDownGuard::change`](TurnGuard::change) does.
    ///
    /// # Errors
    ///
    /// What [`CoolDown::check`] finds; nothing is changed then.
    pub fn change_cool_down(&self, settings: CoolDown) -> Result<(), SettingsError> {
        super::change(self, self.turns().gate(), settings)
    }

    /// Forgets what the server said is left.
    pub fn forget_told(&self) {
        self.turns().limiter.forget_told();
        self.changed();
    }

    /// Closes the gate by hand, as a 429 that asks for so long would.
    pub fn close_for(&self, time: Duration) -> Option<CoolingDown> {
        super::close_for(self, self.turns().gate(), time)
    }

    /// Opens the gate, whatever the server asked, and without a ramp.
    pub fn reset(&self) {
        super::reset(self, self.turns().gate());
    }
}

impl TryFrom<(RateLimit, CoolDown)> for PacedGuard {
    type Error = SettingsError;

    fn try_from((limit, cool_down): (RateLimit, CoolDown)) -> Result<Self, SettingsError> {
        Self::new(limit, cool_down)
    }
}

impl Paced {
    /// Of these two, which others may have as well.
    pub(crate) const fn of(limiter: Arc<Limiter>, gate: Arc<WatchedGate>) -> Self {
        Self { limiter, gate }
    }

    /// The two, to be shared.
    pub(crate) const fn parts(&self) -> (&Arc<Limiter>, &Arc<WatchedGate>) {
        (&self.limiter, &self.gate)
    }

    /// The rate limit.
    #[must_use]
    pub fn limiter(&self) -> &Limiter {
        &self.limiter
    }

    /// The cool-down.
    #[must_use]
    pub fn gate(&self) -> &Gate {
        self.gate.gate()
    }
}

impl Turns for Paced {
    const LAYER: &'static str = "rate limit with cool-down";
    const IS_WATCHED: bool = true;

    fn take(&self, cost: u32, since: Moment, now: Moment) -> Turn {
        match Turns::peek(self, cost, since, now) {
            Turn::Now => {}
            later @ (Turn::At(_) | Turn::Never) => return later,
        }
        match self.gate().take(now) {
            // Another may have been faster since we looked. Then this start is lost to the ramp,
            // which is the safe side.
            Turn::Now => self.limiter.take(cost, since, now),
            later @ (Turn::At(_) | Turn::Never) => later,
        }
    }

    fn peek(&self, cost: u32, since: Moment, now: Moment) -> Turn {
        self.gate().peek(now).and(self.limiter.peek(cost, since, now))
    }

    fn forecast(&self, ahead: Ahead, cost: u32, now: Moment) -> Turn {
        self.gate().forecast(ahead.calls, now).and(Turns::forecast(&self.limiter, ahead, cost, now))
    }

    fn learn(&self, ending: &Ending, now: &Now) -> Option<Moment> {
        let told = Turns::learn(&self.limiter, ending, now);
        told.max(Turns::learn(&self.gate, ending, now))
    }

    fn line_emptied(&self, now: Moment) {
        self.gate().queue_emptied(now);
    }

    #[inline]
    fn tell_changes(&self, name: Option<&Arc<str>>, now: Moment) {
        self.gate.tell_of(Self::LAYER, name, now);
    }

    fn reason(&self, now: Moment) -> Reason {
        match self.gate().peek(now) {
            Turn::Now => Reason::NoTurn,
            Turn::At(_) | Turn::Never => Reason::CoolingDown,
        }
    }

    fn retry_in(&self, turn: Moment, now: Moment) -> Duration {
        Turns::retry_in(&self.gate, turn, now)
    }

    fn at_rest_from(&self) -> Option<Moment> {
        Some(self.gate().at_rest_from()?.max(self.limiter.at_rest_from()?))
    }
}
