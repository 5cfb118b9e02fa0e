//! A cool-down: leaves a server alone that asked for it, and comes back in small steps.
//!
//! ```
//! use mainstay::LiftLayer;
//! use mainstay::cooldown::{CoolDown, CoolDownLayer};
//! use tower::ServiceBuilder;
//!
//! let cool_down = CoolDownLayer::new(CoolDown::new())?;
//! let handle = cool_down.handle(); // to look at it, or to work it by hand
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
//! until the line is empty or two seconds are over. Where the server asks for another short pause
//! soon after, the gate learns [how many it takes](Gate#what-it-learns) and spreads starts
//! accordingly. A call that could not start before its deadline is refused at once. See
//! [`TurnGuard`] for calls that are not polled.

mod paced;
mod watched;

pub use paced::{Paced, PacedGuard};
pub use watched::WatchedGate;

use std::sync::Arc;
use std::time::Duration;

use mainstay_policy::SettingsError;
use tokio::sync::watch;
use tower_layer::Layer;

use crate::clock;
use crate::guard::{GuardLayer, Guarded, Shadow, TurnGuard, Turns};
use crate::http::Http;

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

    /// The gate, to look at it or to work it by hand.
    #[must_use]
    pub fn handle(&self) -> Arc<CoolDownGuard> {
        Arc::clone(self.inner.guard())
    }
}

impl<P: Clone> CoolDownLayer<P> {
    /// The same gate in shadow: it decides and reports, and refuses or delays nothing.
    #[must_use]
    pub fn shadow(&self) -> GuardLayer<Shadow<Arc<CoolDownGuard>>, P> {
        self.inner.shadow_as(TurnGuard::in_shadow)
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
pub type CoolDownGuard = TurnGuard<Arc<WatchedGate>>;

impl CoolDownGuard {
    /// An open gate.
    ///
    /// # Errors
    ///
    /// What [`CoolDown::check`] finds.
    pub fn new(settings: CoolDown) -> Result<Self, SettingsError> {
        Ok(Self::of(Arc::new(WatchedGate::new(settings)?)))
    }

    /// What it is doing.
    #[must_use]
    pub fn state(&self) -> GateState {
        self.gate().state(clock::now())
    }

    /// What it holds.
    #[must_use]
    pub fn snapshot(&self) -> GateSnapshot {
        self.gate().snapshot(clock::now())
    }

    /// What it is doing, as it changes. It opens because time passes, and that is seen by the next
    /// call that comes or whose turn it is.
    pub fn watch(&self) -> watch::Receiver<GateState> {
        self.turns().receiver()
    }

    /// Goes on with other settings; who stands in line keeps its place. While the gate is closed it
    /// stays so for as long as it was told; the ramp goes by the new settings.
    ///
    /// # Errors
    ///
    /// What [`CoolDown::check`] finds; nothing is changed then.
    pub fn change(&self, settings: CoolDown) -> Result<(), SettingsError> {
        change(self, self.gate(), settings)
    }

    /// Closes it by hand, as a 429 that asks for so long would.
    pub fn close_for(&self, time: Duration) -> Option<CoolingDown> {
        close_for(self, self.gate(), time)
    }

    /// Opens it, whatever the server asked, and without a ramp.
    pub fn reset(&self) {
        reset(self, self.gate());
    }

    fn gate(&self) -> &Gate {
        self.turns().gate()
    }
}

impl TryFrom<CoolDown> for CoolDownGuard {
    type Error = SettingsError;

    fn try_from(settings: CoolDown) -> Result<Self, SettingsError> {
        Self::new(settings)
    }
}

fn close_for<T: Turns>(line: &TurnGuard<T>, gate: &Gate, time: Duration) -> Option<CoolingDown> {
    let now = clock::now();
    let closed = gate.tell(Signal::Throttled { asked: Some(time) }, now)?;
    line.holds_back(closed.until, now);
    Some(closed)
}

fn change<T: Turns>(
    line: &TurnGuard<T>,
    gate: &Gate,
    settings: CoolDown,
) -> Result<(), SettingsError> {
    let now = clock::now();
    gate.change(settings, now)?;
    line.tell_changes(now);
    line.changed();
    Ok(())
}

fn reset<T: Turns>(line: &TurnGuard<T>, gate: &Gate) {
    gate.reset();
    line.tell_changes(clock::now());
    line.changed();
}

#[cfg(test)]
mod tests;
