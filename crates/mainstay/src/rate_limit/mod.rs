//! A rate limit: how many calls may start in how long.
//!
//! ```
//! use mainstay::LiftLayer;
//! use mainstay::rate_limit::{RateLimit, RateLimitLayer};
//! use tower::ServiceBuilder;
//!
//! let limit = RateLimitLayer::new(RateLimit::per_second(50).burst(10))?;
//! let handle = limit.handle(); // to look at it, or to change it while it runs
//! # let inner = tower::service_fn(|_: http::Request<()>| async {
//! #     Ok::<_, std::convert::Infallible>(http::Response::new(()))
//! # });
//! let service = ServiceBuilder::new().layer(limit).layer(LiftLayer::new()).service(inner);
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! handle.change(RateLimit::per_second(20))?;
//! # let _ = service;
//! # Ok::<(), mainstay::policy::SettingsError>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is shared
//!
//! The state belongs to the layer: every service that one layer value and its clones make shares
//! one limit.
//!
//! # Who waits
//!
//! Who comes too early stands in line: first come, first served, and a call starts within the
//! millisecond after its time, which is as exact as a timer of tokio is. A call that could not start
//! before its deadline, or within [`max_wait`](TurnGuard::max_wait), is refused at once and told
//! after how long it could have started. See [`TurnGuard`] for calls that are not polled.
//!
//! # What a server says
//!
//! Answers that say how many more requests a server takes until when are believed: no more start
//! until then, whatever the limit allows. With [`pace`](RateLimit::pace) they are spread over that
//! time.

#[cfg(feature = "governor")]
mod governor;

#[cfg(feature = "governor")]
#[cfg_attr(docsrs, doc(cfg(feature = "governor")))]
pub use governor::{Governor, GovernorGuard, GovernorLayer, Limiting, TokioClock, TokioInstant};

use std::sync::Arc;
use std::time::Duration;

use mainstay_policy::turn::{Ahead, Turn};
use mainstay_policy::{Moment, SettingsError};
use tower_layer::Layer;

use crate::clock;
use crate::cooldown::{CoolDown, Paced, PacedGuard, WatchedGate};
use crate::guard::{GuardLayer, Guarded, Now, Shadow, TurnGuard, Turns};
use crate::http::Http;
use crate::protocol::Ending;

pub use mainstay_policy::rate_limit::{Limiter, RateLimit, RateSnapshot, Shape, Told};

/// Puts a rate limit before a service.
#[derive(Debug)]
pub struct RateLimitLayer<P = Http> {
    inner: GuardLayer<Arc<RateLimitGuard>, P>,
}

impl RateLimitLayer {
    /// A limit that nothing has started from yet, for HTTP.
    ///
    /// # Errors
    ///
    /// What [`RateLimit::check`] finds.
    pub fn new(settings: RateLimit) -> Result<Self, SettingsError> {
        Ok(Self::of(RateLimitGuard::new(settings)?, Http::new()))
    }
}

impl<P> RateLimitLayer<P> {
    /// This limit, for another protocol, or for HTTP with rules of one's own.
    pub fn of(limit: RateLimitGuard, protocol: P) -> Self {
        Self { inner: GuardLayer::of(Arc::new(limit), protocol) }
    }

    /// The limit, to look at it or to change it.
    #[must_use]
    pub fn handle(&self) -> Arc<RateLimitGuard> {
        Arc::clone(self.inner.guard())
    }
}

impl<P: Clone> RateLimitLayer<P> {
    /// The same limit in shadow: it decides and reports, and refuses or delays nothing.
    #[must_use]
    pub fn shadow(&self) -> GuardLayer<Shadow<Arc<RateLimitGuard>>, P> {
        self.inner.shadow_as(TurnGuard::in_shadow)
    }
}

impl<P> Clone for RateLimitLayer<P> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<S, P> Layer<S> for RateLimitLayer<P> {
    type Service = Guarded<S, Arc<RateLimitGuard>, P>;

    fn layer(&self, service: S) -> Self::Service {
        self.inner.layer(service)
    }
}

/// A rate limit as a [`Guard`](crate::guard::Guard), by itself or in a set.
pub type RateLimitGuard = TurnGuard<Arc<Limiter>>;

impl RateLimitGuard {
    /// A limit that nothing has started from yet.
    ///
    /// # Errors
    ///
    /// What [`RateLimit::check`] finds.
    pub fn new(settings: RateLimit) -> Result<Self, SettingsError> {
        Ok(Self::of(Arc::new(Limiter::new(settings)?)))
    }

    /// A limit and a cool-down at one turnstile: the first in line starts at the later of the two.
    ///
    /// # Errors
    ///
    /// What [`CoolDown::check`] finds.
    pub fn with_cool_down(self, settings: CoolDown) -> Result<PacedGuard, SettingsError> {
        self.try_map(|limiter| Ok(Paced::of(limiter, Arc::new(WatchedGate::new(settings)?))))
    }

    /// What it holds.
    #[must_use]
    pub fn snapshot(&self) -> RateSnapshot {
        self.turns().snapshot(clock::now())
    }

    /// Goes on with other limits; what has started stays started, and who stands in line keeps its
    /// place.
    ///
    /// # Errors
    ///
    /// What [`RateLimit::check`] finds, and a change from smooth to strict or back, or of pacing,
    /// which needs a new limit. Nothing is changed then.
    pub fn change(&self, settings: RateLimit) -> Result<(), SettingsError> {
        self.turns().change(settings, clock::now())?;
        self.changed();
        Ok(())
    }

    /// Forgets what the server said is left.
    pub fn forget_told(&self) {
        self.turns().forget_told();
        self.changed();
    }
}

impl TryFrom<RateLimit> for RateLimitGuard {
    type Error = SettingsError;

    fn try_from(settings: RateLimit) -> Result<Self, SettingsError> {
        Self::new(settings)
    }
}

impl Turns for Limiter {
    const LAYER: &'static str = "rate limit";

    #[inline]
    fn take(&self, cost: u32, since: Moment, now: Moment) -> Turn {
        self.take(cost, since, now)
    }

    fn peek(&self, cost: u32, since: Moment, now: Moment) -> Turn {
        self.peek(cost, since, now)
    }

    fn forecast(&self, ahead: Ahead, cost: u32, now: Moment) -> Turn {
        self.forecast(ahead.cost, cost, now)
    }

    fn learn(&self, ending: &Ending, now: &Now) -> Option<Moment> {
        let now = now.get();
        let told = ending.told(now)?;
        let held_until = |turn| match turn {
            Turn::At(moment) => moment,
            Turn::Now | Turn::Never => now,
        };
        let before = held_until(self.peek(1, now, now));
        self.learn(told, now);
        let after = held_until(self.peek(1, now, now));
        // A rate holds back as well, and a server counts what it has answered: only what is longer
        // by more than a second is news.
        (told.left == 0 && after > before + Duration::from_secs(1)).then_some(after)
    }

    fn at_rest_from(&self) -> Option<Moment> {
        self.at_rest_from()
    }
}

#[cfg(test)]
mod tests;
