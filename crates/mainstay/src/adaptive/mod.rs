//! A limit of concurrency that follows what the server bears.
//!
//! ```
//! use mainstay::LiftLayer;
//! use mainstay::adaptive::{AdaptiveLimit, AdaptiveLimitLayer, Aimd};
//! use tower::ServiceBuilder;
//!
//! let limit = AdaptiveLimitLayer::new(AdaptiveLimit::aimd(Aimd::new()).max(100))?;
//! let handle = limit.handle(); // to look at it, to watch it, or to set it by hand
//! # let inner = tower::service_fn(|_: http::Request<()>| async {
//! #     Ok::<_, std::convert::Infallible>(http::Response::new(()))
//! # });
//! let service = ServiceBuilder::new().layer(limit).layer(LiftLayer::new()).service(inner);
//!
//! assert_eq!(handle.snapshot().limit, 20); // where it begins
//! # let _ = service;
//! # Ok::<(), mainstay::policy::SettingsError>(())
//! ```
//!
//! # What is shared
//!
//! The state belongs to the layer: every service that one layer value and its clones make shares
//! one limit.
//!
//! # What moves it
//!
//! How calls end and how long the server took for the head of the answer; the wait for a slot does
//! not count. With [`Http`], a 429, a 5xx that speaks of the server, a 408, a reset and a timeout
//! are drops and lower it; so does a call that is dropped after it ran for five seconds. It rises
//! only while at least half of it is in use.
//!
//! # Who waits, and how long a slot is held
//!
//! As with a [limit that stands still](crate::concurrency). Where slots are held to the end of the
//! body, a body that breaks off is a drop, and a body that is not read to its end is none: then the
//! head says how the call went.

use std::sync::Arc;
use std::time::Duration;

use mainstay_policy::adaptive::{AdaptiveSlots, Effect};
use mainstay_policy::concurrency::{Claim, Entry, Slot, Vacancy, Waiting, Wake};
use mainstay_policy::{Moment, Outcome, SettingsError};
use tokio::sync::watch;
use tower_layer::Layer;

use crate::clock;
use crate::error::Refused;
use crate::guard::{
    Admission, Ask, GivesSlots, Guard, GuardLayer, Guarded, HoldLayer, Now, Shadow, SlotQueue,
    Watchers,
};
use crate::http::Http;
use crate::protocol::Ending;

pub use mainstay_policy::adaptive::{AdaptiveLimit, AdaptiveSnapshot, Aimd, Gradient2, Rule};

/// Puts an adaptive limit of concurrency before a service.
#[derive(Debug)]
pub struct AdaptiveLimitLayer<P = Http> {
    inner: GuardLayer<Arc<AdaptiveGuard>, P>,
}

impl AdaptiveLimitLayer {
    /// Free slots with these settings, for HTTP.
    ///
    /// # Errors
    ///
    /// What [`AdaptiveLimit::check`] finds.
    pub fn new(settings: AdaptiveLimit) -> Result<Self, SettingsError> {
        Ok(Self::of(AdaptiveGuard::new(settings)?, Http::new()))
    }
}

impl<P> AdaptiveLimitLayer<P> {
    /// This limit, for another protocol, or for HTTP with rules of one's own.
    pub fn of(limit: AdaptiveGuard, protocol: P) -> Self {
        Self { inner: GuardLayer::of(Arc::new(limit), protocol) }
    }

    /// The limit, to look at it, to watch it or to set it by hand.
    #[must_use]
    pub fn handle(&self) -> Arc<AdaptiveGuard> {
        Arc::clone(self.inner.guard())
    }

    /// Holds slots to the end of the body, for services that answer with HTTP responses; see
    /// [`ConcurrencyLayer::hold_bodies`](crate::concurrency::ConcurrencyLayer::hold_bodies).
    #[must_use]
    pub fn hold_bodies(self) -> HoldLayer<Arc<AdaptiveGuard>, P> {
        self.inner.hold_bodies()
    }
}

impl<P: Clone> AdaptiveLimitLayer<P> {
    /// The same limit in shadow: it decides and reports, and neither delays nor refuses a call.
    #[must_use]
    pub fn shadow(&self) -> GuardLayer<Shadow<Arc<AdaptiveGuard>>, P> {
        self.inner.shadow_as(|guard| {
            let name = guard.queue.name().cloned();
            Shadow::of_layer(AdaptiveSlots::LAYER, name.as_ref(), guard)
        })
    }
}

impl<P> Clone for AdaptiveLimitLayer<P> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<S, P> Layer<S> for AdaptiveLimitLayer<P> {
    type Service = Guarded<S, Arc<AdaptiveGuard>, P>;

    fn layer(&self, service: S) -> Self::Service {
        self.inner.layer(service)
    }
}

/// An adaptive limit of concurrency as a [`Guard`], by itself or in a set.
#[derive(Debug)]
pub struct AdaptiveGuard {
    queue: SlotQueue<AdaptiveSlots>,
    to_the_head: bool,
    watchers: Watchers<u32>,
}

/// A slot, and since when it is used.
#[derive(Debug)]
#[must_use = "a slot that is not settled is lost to all"]
pub struct AdaptivePermit {
    slot: Slot,
    since: Moment,
}

/// A slot that is held beyond the head of an answer, how long that took and what it said.
#[derive(Debug)]
#[must_use = "a slot that is not let go of is lost to all"]
pub struct AdaptiveHeld {
    slot: Slot,
    took: Duration,
    head: Outcome,
}

impl AdaptiveGuard {
    /// Slots that are all free, as many as the limit begins with.
    ///
    /// # Errors
    ///
    /// What [`AdaptiveLimit::check`] finds.
    pub fn new(settings: AdaptiveLimit) -> Result<Self, SettingsError> {
        Ok(Self {
            queue: SlotQueue::new(AdaptiveSlots::new(settings)?, settings.max_wait),
            to_the_head: false,
            watchers: Watchers::default(),
        })
    }

    /// Holds slots to the head of the answer even in a layer that
    /// [holds on to bodies](GuardLayer::hold_bodies).
    #[must_use]
    pub const fn to_the_head(mut self) -> Self {
        self.to_the_head = true;
        self
    }

    /// A name that its refusals say.
    #[must_use]
    pub fn named(self, name: impl Into<Arc<str>>) -> Self {
        Self { queue: self.queue.named(name.into()), ..self }
    }

    /// The name that it was given.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.queue.name().map(AsRef::as_ref)
    }

    /// What it holds.
    #[must_use]
    pub fn snapshot(&self) -> AdaptiveSnapshot {
        self.queue.slots().snapshot()
    }

    /// Sets the limit by hand; from there it moves on. Who is in stays in.
    ///
    /// # Errors
    ///
    /// A limit outside the bounds; it stays what it was.
    pub fn resize(&self, limit: u32) -> Result<(), SettingsError> {
        let effect = self.queue.slots().resize(limit)?;
        self.queue.changed_by_hand();
        self.follow(effect);
        Ok(())
    }

    /// Goes on with other settings. The limit stays where it is, or moves to the nearest that the
    /// new bounds allow; who is in stays in; who waits keeps its place, and waits as long as it
    /// would have.
    ///
    /// # Errors
    ///
    /// What [`AdaptiveLimit::check`] finds, and another rule, which needs a new limit. Nothing is
    /// changed then.
    pub fn change(&self, settings: AdaptiveLimit) -> Result<(), SettingsError> {
        let effect = self.queue.slots().change(settings)?;
        self.queue.wait_for(settings.max_wait);
        self.queue.changed_by_hand();
        self.follow(effect);
        Ok(())
    }

    /// It has the settings that a new one would have, so it may be forgotten for one.
    pub(crate) fn goes_by_settings(&self) {
        self.queue.goes_by_settings();
    }

    /// The limit, and every change of it from now on.
    ///
    /// Who looks seldom sees the latest and not each one in between.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u32> {
        self.watchers.receiver(|| self.snapshot().limit)
    }

    #[inline]
    fn follow(&self, effect: Effect) {
        self.queue.wake(effect.wake);
        if effect.moved.is_some() {
            self.watchers.changed(|| self.snapshot().limit);
        }
    }

    #[inline]
    fn leave(&self, slot: Slot, outcome: Outcome, took: Duration, now: &Now) {
        self.follow(self.queue.slots().leave(slot, outcome, took, now.get()));
    }
}

impl TryFrom<AdaptiveLimit> for AdaptiveGuard {
    type Error = SettingsError;

    fn try_from(settings: AdaptiveLimit) -> Result<Self, SettingsError> {
        Self::new(settings)
    }
}

impl<Req> Guard<Req> for AdaptiveGuard {
    type Subject = ();
    type Permit = AdaptivePermit;
    type Held = Option<AdaptiveHeld>;

    fn subject(&self, _: &Req) {}

    fn glance(&self, (): &(), ask: Ask, now: &Now) -> Result<(), Refused> {
        self.queue.glance(ask, now)
    }

    fn try_admit(&self, (): &(), ask: Ask, now: &Now) -> Admission<AdaptivePermit> {
        match self.queue.try_admit(ask, now) {
            Admission::Go(slot) => Admission::Go(AdaptivePermit { slot, since: now.get() }),
            Admission::Wait => Admission::Wait,
            Admission::Refuse(refused) => Admission::Refuse(refused),
        }
    }

    async fn admit(&self, (): &(), ask: Ask) -> Result<AdaptivePermit, Refused> {
        let slot = self.queue.admit(ask).await?;
        Ok(AdaptivePermit { slot, since: clock::now() })
    }

    fn starts(&self, (): &(), permit: &mut AdaptivePermit, now: &Now) {
        permit.since = now.get();
    }

    fn settle(
        &self,
        (): &(),
        permit: AdaptivePermit,
        ending: &Ending,
        now: &Now,
    ) -> Option<AdaptiveHeld> {
        let AdaptivePermit { slot, since } = permit;
        let took = now.get().since(since);
        if self.to_the_head {
            self.leave(slot, ending.outcome(), took, now);
            return None;
        }
        Some(AdaptiveHeld { slot, took, head: ending.outcome() })
    }

    fn let_go(&self, (): &(), held: Option<AdaptiveHeld>, ending: &Ending, now: &Now) {
        let Some(AdaptiveHeld { slot, took, head }) = held else { return };
        let outcome = match ending.outcome() {
            // Who did not read on has the answer of the server all the same.
            Outcome::Abandoned => head,
            outcome => outcome,
        };
        self.leave(slot, outcome, took, now);
    }

    fn at_rest_from(&self) -> Option<Moment> {
        self.queue.at_rest_from()
    }
}

impl GivesSlots for AdaptiveSlots {
    const LAYER: &'static str = "adaptive limit";

    fn try_enter(&self) -> Option<Slot> {
        self.try_enter()
    }

    fn enter(&self) -> Entry {
        self.enter()
    }

    fn peek(&self) -> Vacancy {
        self.peek()
    }

    fn claim(&self, waiting: Waiting) -> Claim {
        self.claim(waiting)
    }

    fn give_up(&self, waiting: Waiting) -> Wake {
        self.give_up(waiting)
    }

    fn unused(&self, slot: Slot) -> Wake {
        // It says nothing of the server, and so moves nothing.
        self.leave(slot, Outcome::Refused, Duration::ZERO, clock::now()).wake
    }

    fn at_rest_from(&self) -> Option<Moment> {
        self.at_rest_from()
    }
}

#[cfg(test)]
mod tests;
