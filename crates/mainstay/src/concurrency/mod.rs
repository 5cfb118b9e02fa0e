//! A limit of concurrency: how many calls may be in flight at once.
//!
//! ```
//! use mainstay::LiftLayer;
//! use mainstay::concurrency::{Concurrency, ConcurrencyLayer};
//! use tower::ServiceBuilder;
//!
//! let limit = ConcurrencyLayer::new(Concurrency::limit(16).max_waiting(1_000))?;
//! let handle = limit.handle(); // to look at it, or to resize it while it runs
//! # let inner = tower::service_fn(|_: http::Request<()>| async {
//! #     Ok::<_, std::convert::Infallible>(http::Response::new(()))
//! # });
//! let service = ServiceBuilder::new().layer(limit).layer(LiftLayer::new()).service(inner);
//!
//! handle.resize(8)?;
//! assert_eq!(handle.snapshot().limit, 8);
//! # let _ = service;
//! # Ok::<(), mainstay::policy::SettingsError>(())
//! ```
//!
//! # What is shared
//!
//! The state belongs to the layer: every service that one layer value and its clones make shares
//! the same slots.
//!
//! # Who waits
//!
//! Who finds no free slot waits for one, first come, first served. More than
//! [`max_waiting`](Concurrency::max_waiting) do not wait, and nobody waits longer than
//! [`max_wait`](Concurrency::max_wait) for a slot; they are refused, and at once where that is
//! known when they come. That bound is on the wait for
//! the slot alone: who got one waits with it until the service beneath is ready.
//!
//! A call stands in the queue from its first poll on. A slot that comes back is its from then on,
//! whether it is polled or not; one that is never polled keeps its slot as long as it lives.
//!
//! # How long a slot is held
//!
//! Until the head of the answer is there, or, with [`ConcurrencyLayer::hold_bodies`], until its
//! body has ended.

use std::sync::Arc;

use mainstay_policy::concurrency::{Slot, Slots};
use mainstay_policy::{Moment, SettingsError};
use tower_layer::Layer;

use crate::error::Refused;
use crate::guard::{
    Admission, Ask, GivesSlots, Guard, GuardLayer, Guarded, HoldLayer, Now, Shadow, SlotQueue,
};
use crate::http::Http;
use crate::protocol::Ending;

pub use mainstay_policy::concurrency::{Concurrency, SlotsSnapshot};

/// Puts a limit of concurrency before a service.
#[derive(Debug)]
pub struct ConcurrencyLayer<P = Http> {
    inner: GuardLayer<Arc<ConcurrencyGuard>, P>,
}

impl ConcurrencyLayer {
    /// Free slots with these settings, for HTTP.
    ///
    /// # Errors
    ///
    /// What [`Concurrency::check`] finds.
    pub fn new(settings: Concurrency) -> Result<Self, SettingsError> {
        Ok(Self::of(ConcurrencyGuard::new(settings)?, Http::new()))
    }
}

impl<P> ConcurrencyLayer<P> {
    /// These slots, for another protocol, or for HTTP with rules of one's own.
    pub fn of(slots: ConcurrencyGuard, protocol: P) -> Self {
        Self { inner: GuardLayer::of(Arc::new(slots), protocol) }
    }

    /// The slots, to look at them or to change how many there are.
    #[must_use]
    pub fn handle(&self) -> Arc<ConcurrencyGuard> {
        Arc::clone(self.inner.guard())
    }
}

impl<P> ConcurrencyLayer<P> {
    /// Holds slots to the end of the body, for services that answer with HTTP responses.
    ///
    /// Do not gather heads before you read the first body: with 64 slots the 65th head would never
    /// come. Who reads nothing for 30 s loses the slot, and not the body
    /// ([`HoldLayer::idle`] says otherwise).
    #[must_use]
    pub fn hold_bodies(self) -> HoldLayer<Arc<ConcurrencyGuard>, P> {
        self.inner.hold_bodies()
    }
}

impl<P: Clone> ConcurrencyLayer<P> {
    /// The same limit in shadow: it decides and reports, and neither delays nor refuses a call.
    #[must_use]
    pub fn shadow(&self) -> GuardLayer<Shadow<Arc<ConcurrencyGuard>>, P> {
        self.inner.shadow_as(|guard| {
            let name = guard.queue.name().cloned();
            Shadow::of_layer(ConcurrencyGuard::LAYER, name.as_ref(), guard)
        })
    }
}

impl<P> Clone for ConcurrencyLayer<P> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<S, P> Layer<S> for ConcurrencyLayer<P> {
    type Service = Guarded<S, Arc<ConcurrencyGuard>, P>;

    fn layer(&self, service: S) -> Self::Service {
        self.inner.layer(service)
    }
}

/// A limit of concurrency as a [`Guard`], by itself or in a set.
#[derive(Debug)]
pub struct ConcurrencyGuard {
    queue: SlotQueue<Slots>,
    to_the_head: bool,
}

impl ConcurrencyGuard {
    pub(crate) const LAYER: &str = Slots::LAYER;

    /// Slots that are all free.
    ///
    /// # Errors
    ///
    /// What [`Concurrency::check`] finds.
    pub fn new(settings: Concurrency) -> Result<Self, SettingsError> {
        let queue = SlotQueue::new(Slots::new(settings)?, settings.max_wait);
        Ok(Self { queue, to_the_head: false })
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
    pub fn snapshot(&self) -> SlotsSnapshot {
        self.queue.slots().snapshot()
    }

    /// Changes how many may be in flight. Who is in stays in: after a cut nobody comes in until
    /// enough have left.
    ///
    /// # Errors
    ///
    /// What [`Concurrency::check`] finds; the limit stays what it was.
    pub fn resize(&self, limit: u32) -> Result<(), SettingsError> {
        let wake = self.queue.slots().resize(limit)?;
        self.queue.changed_by_hand();
        self.queue.wake(wake);
        Ok(())
    }

    /// Goes on with other settings. Who is in stays in; who waits keeps its place, and waits as
    /// long as it would have.
    ///
    /// # Errors
    ///
    /// What [`Concurrency::check`] finds; nothing is changed then.
    pub fn change(&self, settings: Concurrency) -> Result<(), SettingsError> {
        let wake = self.queue.slots().change(settings)?;
        self.queue.wait_for(settings.max_wait);
        self.queue.changed_by_hand();
        self.queue.wake(wake);
        Ok(())
    }

    /// It has the settings that a new one would have, so it may be forgotten for one.
    pub(crate) fn goes_by_settings(&self) {
        self.queue.goes_by_settings();
    }

    #[inline]
    fn leave(&self, slot: Slot) {
        self.queue.wake(self.queue.slots().leave(slot));
    }
}

impl TryFrom<Concurrency> for ConcurrencyGuard {
    type Error = SettingsError;

    fn try_from(settings: Concurrency) -> Result<Self, SettingsError> {
        Self::new(settings)
    }
}

impl<Req> Guard<Req> for ConcurrencyGuard {
    type Subject = ();
    type Permit = Slot;
    type Held = Option<Slot>;

    #[inline]
    fn subject(&self, _: &Req) {}

    #[inline]
    fn glance(&self, (): &(), ask: Ask, now: &Now) -> Result<(), Refused> {
        self.queue.glance(ask, now)
    }

    #[inline]
    fn try_admit(&self, (): &(), ask: Ask, now: &Now) -> Admission<Slot> {
        self.queue.try_admit(ask, now)
    }

    async fn admit(&self, (): &(), ask: Ask) -> Result<Slot, Refused> {
        self.queue.admit(ask).await
    }

    #[inline]
    fn settle(&self, (): &(), slot: Slot, _: &Ending, _: &Now) -> Option<Slot> {
        if self.to_the_head {
            self.leave(slot);
            return None;
        }
        Some(slot)
    }

    #[inline]
    fn let_go(&self, (): &(), slot: Option<Slot>, _: &Ending, _: &Now) {
        if let Some(slot) = slot {
            self.leave(slot);
        }
    }

    fn at_rest_from(&self) -> Option<Moment> {
        self.queue.at_rest_from()
    }
}

#[cfg(test)]
mod tests;
