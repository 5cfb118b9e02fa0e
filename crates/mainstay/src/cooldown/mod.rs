//! A cool-down: leaves a server alone that asked for it, and comes back in small steps.
//!
//! ```
//! use mainstay::LiftLayer;
//! use mainstay::cooldown::{CoolDown, CoolDownLayer};
//! use tower::ServiceBuilder;
//!
//! let cool_down = CoolDownLayer::new(CoolDown::new())?;
//! let handle = cool_down.handle(); // to look at it
//! # let inner = tower::service_fn(|_: http::Request<()>| async {
//! #     Ok::<_, std::convert::Infallible>(http::Response::new(()))
//! # });
//! let service = ServiceBuilder::new().layer(cool_down).layer(LiftLayer::new()).service(inner);
//! # let _ = (service, handle);
//! # Ok::<(), mainstay::policy::SettingsError>(())
//! ```
//!
//! # What is shared
//!
//! The state belongs to the layer: every service that one layer value and its clones make stands
//! before one gate. So a 429 that one call sees holds back all others at once.
//!
//! # What closes the gate
//!
//! A 429; the second 503 with Retry-After within a second; an answer that says that nothing is left
//! until a reset. It stays closed for as long as was asked, at most a minute
//! ([`max`](CoolDown::max)), and what was asked beyond that is told in
//! [`retry_in`](crate::Refused::retry_in). No success opens it.
//!
//! # Who waits
//!
//! Calls stand in line until the gate opens, then 1, 2, 4, … of them start per tenth of a second
//! until the line is empty or two seconds are over. A call that could not start before its deadline
//! is refused at once. See [`TurnGuard`] for calls that are not polled.

mod paced;

pub use paced::{Paced, PacedGuard};

use std::sync::Arc;
use std::time::Duration;

use mainstay_policy::turn::{Ahead, Turn};
use mainstay_policy::{Moment, SettingsError};
use tower_layer::Layer;

use crate::clock;
use crate::error::Reason;
use crate::guard::{GuardLayer, Guarded, Now, TurnGuard, Turns};
use crate::http::Http;
use crate::protocol::Ending;

pub use mainstay_policy::cooldown::{CoolDown, CoolingDown, Gate, GateSnapshot, GateState, Signal};

/// Puts a cool-down before a service.
#[derive(Debug)]
pub struct CoolDownLayer<P = Http> {
    inner: GuardLayer<Arc<CoolDownGuard>, P>,
}

impl CoolDownLayer {
    /// An open gate, for HTTP.
    ///
    /// # Errors
    ///
    /// What [`CoolDown::check`] finds.
    pub fn new(settings: CoolDown) -> Result<Self, SettingsError> {
        Ok(Self::of(CoolDownGuard::new(settings)?, Http::new()))
    }
}

impl<P> CoolDownLayer<P> {
    /// This gate, for another protocol, or for HTTP with rules of one's own.
    pub fn of(gate: CoolDownGuard, protocol: P) -> Self {
        Self { inner: GuardLayer::of(Arc::new(gate), protocol) }
    }

    /// The gate, to look at it.
    #[must_use]
    pub fn handle(&self) -> Arc<CoolDownGuard> {
        Arc::clone(self.inner.guard())
    }
}

impl<P> Clone for CoolDownLayer<P> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<S, P> Layer<S> for CoolDownLayer<P> {
    type Service = Guarded<S, Arc<CoolDownGuard>, P>;

    fn layer(&self, service: S) -> Self::Service {
        self.inner.layer(service)
    }
}

/// A cool-down as a [`Guard`](crate::guard::Guard), by itself or in a set.
pub type CoolDownGuard = TurnGuard<Gate>;

impl CoolDownGuard {
    /// An open gate.
    ///
    /// # Errors
    ///
    /// What [`CoolDown::check`] finds.
    pub fn new(settings: CoolDown) -> Result<Self, SettingsError> {
        Ok(Self::of(Gate::new(settings)?))
    }

    /// What it holds.
    #[must_use]
    pub fn snapshot(&self) -> GateSnapshot {
        self.turns().snapshot(clock::now())
    }

    /// Closes it by hand, as a 429 that asks for so long would.
    pub fn close_for(&self, time: Duration) -> Option<CoolingDown> {
        let now = clock::now();
        let closed = self.turns().tell(Signal::Throttled { asked: Some(time) }, now)?;
        self.holds_back(closed.until, now);
        Some(closed)
    }
}

impl Turns for Gate {
    const LAYER: &'static str = "cool-down";

    fn take(&self, _: u32, _: Moment, now: Moment) -> Turn {
        self.take(now)
    }

    fn peek(&self, _: u32, _: Moment, now: Moment) -> Turn {
        self.peek(now)
    }

    fn forecast(&self, ahead: Ahead, _: u32, now: Moment) -> Turn {
        self.forecast(ahead.calls, now)
    }

    fn learn(&self, ending: &Ending, now: &Now) -> Option<Moment> {
        let now = now.get();
        ending.signal(now).and_then(|signal| self.tell(signal, now)).map(|closed| closed.until)
    }

    fn line_emptied(&self, now: Moment) {
        self.queue_emptied(now);
    }

    fn reason(&self, _: Moment) -> Reason {
        Reason::CoolingDown
    }

    fn retry_in(&self, turn: Moment, now: Moment) -> Duration {
        self.retry_in(now).map_or_else(|| turn.since(now), |wait| wait.max(turn.since(now)))
    }

    fn at_rest_from(&self) -> Option<Moment> {
        self.at_rest_from()
    }
}

#[cfg(test)]
mod tests;
