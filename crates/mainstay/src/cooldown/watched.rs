//! A gate whose changes are told.

use std::sync::Arc;
use std::time::Duration;

use mainstay_policy::turn::{Ahead, Turn};
use mainstay_policy::{Moment, SettingsError};
use tokio::sync::watch;

use super::{CoolDown, Gate, GateState};
use crate::clock;
use crate::error::Reason;
use crate::guard::{Now, State, Turns, Watch};
use crate::protocol::Ending;

/// A [`Gate`] whose changes are told, and can be watched.
#[derive(Debug)]
pub struct WatchedGate {
    gate: Gate,
    watch: Watch<GateState>,
}

impl WatchedGate {
    pub(crate) fn new(settings: CoolDown) -> Result<Self, SettingsError> {
        Ok(Self { gate: Gate::new(settings)?, watch: Watch::default() })
    }

    /// The gate.
    #[must_use]
    pub const fn gate(&self) -> &Gate {
        &self.gate
    }

    pub(super) fn receiver(&self) -> watch::Receiver<GateState> {
        self.watch.receiver(|| self.gate.state(clock::now()))
    }

    /// Tells of a change, if there was one that nobody has told yet.
    #[inline]
    pub(super) fn tell_of(&self, layer: &'static str, name: Option<&Arc<str>>, now: Moment) {
        if let Some(to) = self.gate.noticed(now) {
            self.changed(layer, name, to);
        }
    }

    #[cold]
    fn changed(&self, layer: &'static str, name: Option<&Arc<str>>, to: GateState) {
        self.watch.changed(layer, name, to, || self.gate.state(clock::now()));
    }
}

impl Turns for WatchedGate {
    const LAYER: &'static str = "cool-down";
    const IS_WATCHED: bool = true;

    #[inline]
    fn take(&self, _: u32, _: Moment, now: Moment) -> Turn {
        self.gate.take(now)
    }

    #[inline]
    fn peek(&self, _: u32, _: Moment, now: Moment) -> Turn {
        self.gate.peek(now)
    }

    #[inline]
    fn forecast(&self, ahead: Ahead, _: u32, now: Moment) -> Turn {
        self.gate.forecast(ahead.calls, now)
    }

    fn learn(&self, ending: &Ending, now: &Now) -> Option<Moment> {
        let now = now.get();
        let signal = ending.signal(now)?;
        self.gate.tell(signal, now).map(|closed| closed.until)
    }

    #[inline]
    fn tell_changes(&self, name: Option<&Arc<str>>, now: Moment) {
        self.tell_of(Self::LAYER, name, now);
    }

    fn line_emptied(&self, now: Moment) {
        self.gate.queue_emptied(now);
    }

    fn reason(&self, _: Moment) -> Reason {
        Reason::CoolingDown
    }

    fn retry_in(&self, turn: Moment, now: Moment) -> Duration {
        let asked = self.gate.retry_in(now);
        asked.map_or_else(|| turn.since(now), |wait| wait.max(turn.since(now)))
    }

    fn at_rest_from(&self) -> Option<Moment> {
        self.gate.at_rest_from()
    }
}

impl State for GateState {
    fn word(self) -> &'static str {
        match self {
            Self::Open => "cooled down",
            Self::Closed => "cooling down",
            Self::Ramping => "ramping",
        }
    }

    fn is_rest(self) -> bool {
        self == Self::Open
    }
}
