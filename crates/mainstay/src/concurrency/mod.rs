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
//! [`max_wait`](Concurrency::max_wait) for a slot; they are refused. That bound is on the wait for
//! the slot alone: who got one waits with it until the service beneath is ready. A slot is held until the head of the
//! answer is there.
//!
//! A call stands in the queue from its first poll on, and must be polled when it is woken: one
//! that is not holds up those behind it. Do not await something else between the polls of calls
//! that share a limit, as a loop over `buffer_unordered` does that awaits in its body.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use mainstay_policy::concurrency::{Claim, Entry, Slot, Slots, Waiting, Wake};
use mainstay_policy::{Moment, SettingsError};
use tower_layer::Layer;

use crate::clock;
use crate::error::{Reason, Refused};
use crate::guard::{Admission, Ask, Guard, GuardLayer, Guarded, Now, Queue, Spot};
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
    slots: Slots,
    queue: Queue,
    settings: Concurrency,
    name: Option<Arc<str>>,
}

impl ConcurrencyGuard {
    /// Slots that are all free.
    ///
    /// # Errors
    ///
    /// What [`Concurrency::check`] finds.
    pub fn new(settings: Concurrency) -> Result<Self, SettingsError> {
        let slots = Slots::new(settings)?;
        Ok(Self { slots, queue: Queue::default(), settings, name: None })
    }

    /// A name that its refusals say.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// What it holds.
    #[must_use]
    pub fn snapshot(&self) -> SlotsSnapshot {
        self.slots.snapshot()
    }

    /// Changes how many may be in flight. Who is in stays in: after a cut nobody comes in until
    /// enough have left.
    ///
    /// # Errors
    ///
    /// What [`Concurrency::check`] finds; the limit stays what it was.
    pub fn resize(&self, limit: u32) -> Result<(), SettingsError> {
        self.wake(self.slots.resize(limit)?);
        Ok(())
    }

    fn wake(&self, wake: Wake) {
        match wake {
            Wake::First => self.queue.wake_first(),
            Wake::Nobody => {}
        }
    }

    #[cold]
    fn refused(&self, reason: Reason) -> Refused {
        Refused::new("concurrency limit", reason).named_if(self.name.as_ref())
    }
}

impl<Req> Guard<Req> for ConcurrencyGuard {
    type Subject = ();
    type Permit = Slot;
    type Held = ();

    fn subject(&self, _: &Req) {}

    fn try_admit(&self, (): &(), _: Ask, _: &Now) -> Admission<Slot> {
        match self.slots.try_enter() {
            Some(slot) => Admission::Go(slot),
            None => Admission::Wait,
        }
    }

    async fn admit(&self, (): &(), ask: Ask) -> Result<Slot, Refused> {
        let (left, patience) = (ask.until.since(clock::now()), self.settings.longest_wait());
        let (time, reason) =
            if left < patience { (left, Reason::Deadline) } else { (patience, Reason::NoSlot) };
        if time.is_zero() {
            return Err(self.refused(reason));
        }
        let mut standing = match self.slots.enter() {
            Entry::Granted(slot) => return Ok(slot),
            Entry::Full => return Err(self.refused(Reason::NoSlot)),
            Entry::Queued(waiting) => Standing::new(self, waiting),
        };
        let mut timer = pin!(clock::sleep(time));
        poll_fn(|cx| {
            if let Poll::Ready(slot) = standing.poll_slot(cx) {
                return Poll::Ready(Ok(slot));
            }
            timer.as_mut().poll(cx).map(|()| Err(self.refused(reason)))
        })
        .await
    }

    fn settle(&self, (): &(), slot: Slot, _: &Ending, _: &Now) {
        self.wake(self.slots.leave(slot));
    }

    fn at_rest_from(&self) -> Option<Moment> {
        self.slots.at_rest_from()
    }
}

/// One who waits for a slot. Who drops it leaves nothing behind.
struct Standing<'a> {
    guard: &'a ConcurrencyGuard,
    waiting: Option<Waiting>,
    spot: Option<Spot<'a>>,
}

impl<'a> Standing<'a> {
    fn new(guard: &'a ConcurrencyGuard, waiting: Waiting) -> Self {
        Self { guard, waiting: Some(waiting), spot: Some(guard.queue.join()) }
    }

    fn poll_slot(&mut self, cx: &Context<'_>) -> Poll<Slot> {
        // First where it can be woken, then the look: a slot may have come back in between.
        if !self.spot.as_ref().is_some_and(|spot| spot.is_first(cx)) {
            return Poll::Pending;
        }
        match self.waiting.take().map(|waiting| self.guard.slots.claim(waiting)) {
            Some(Claim::Granted(slot, wake)) => {
                self.spot = None; // which wakes the next, who looks by itself
                self.guard.wake(wake);
                Poll::Ready(slot)
            }
            Some(Claim::NotYet(waiting)) => {
                self.waiting = Some(waiting);
                Poll::Pending
            }
            None => Poll::Pending,
        }
    }
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        self.spot = None;
        if let Some(waiting) = self.waiting.take() {
            self.guard.wake(self.guard.slots.give_up(waiting));
        }
    }
}

#[cfg(test)]
mod tests;
