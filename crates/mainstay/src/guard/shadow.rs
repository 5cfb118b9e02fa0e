//! A guard that only says what it would do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mainstay_policy::Moment;

use super::{Admission, Ask, Guard, Now, ask_at_once};
use crate::observe::{Event, tell};
use crate::protocol::Ending;

/// A guard that decides and reports, and never refuses or delays a call.
///
/// ```
/// use mainstay::breaker::{BreakerGuard, CircuitBreaker};
/// use mainstay::concurrency::{Concurrency, ConcurrencyGuard};
/// use mainstay::guard::{GuardLayer, Shadow};
///
/// // The breaker acts. Whether 16 slots would do is what we would like to know.
/// let slots = Shadow::of(ConcurrencyGuard::new(Concurrency::limit(16))?).named("16 slots");
/// let layer = GuardLayer::new((slots, BreakerGuard::new(CircuitBreaker::new())?));
/// # let _ = layer;
/// # Ok::<(), mainstay::policy::SettingsError>(())
/// ```
///
/// Calls that the guard lets through are told to it when they end. Those that it would have refused
/// or had wait are sent all the same, hold nothing of it, and their ends are not told to it: it
/// decides as if they had not been made. So a limit in shadow is never exceeded in its own books.
/// In a set, a call that waits for another guard asks again, and takes another turn of a rate limit
/// in shadow.
#[derive(Debug)]
pub struct Shadow<G> {
    guard: G,
    layer: &'static str,
    name: Option<Arc<str>>,
}

impl<G> Shadow<G> {
    /// This guard, in shadow.
    pub const fn of(guard: G) -> Self {
        Self { guard, layer: "shadow", name: None }
    }

    /// The shadow of a layer that knows what it is called.
    pub(crate) fn of_layer(layer: &'static str, name: Option<&Arc<str>>, guard: G) -> Self {
        Self { guard, layer, name: name.cloned() }
    }

    /// A name, for calls that would have waited; refusals say the name of the guard.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The guard.
    pub const fn get_ref(&self) -> &G {
        &self.guard
    }

    /// The guard, which acts from now on.
    pub fn into_inner(self) -> G {
        self.guard
    }
}

impl<Req, G: Guard<Req> + Send + Sync> Guard<Req> for Shadow<G> {
    const WAITS: bool = false;

    /// What the guard must know, and whether it has spoken of this attempt.
    type Subject = (G::Subject, AtomicBool);
    /// What would have been refused or had to wait has none.
    type Permit = Option<G::Permit>;
    type Held = Option<G::Held>;

    fn subject(&self, request: &Req) -> Self::Subject {
        (self.guard.subject(request), AtomicBool::new(false))
    }

    fn try_admit(&self, subject: &Self::Subject, ask: Ask, now: &Now) -> Admission<Self::Permit> {
        let (subject, told) = subject;
        // Asked again after a wait for another guard, it does not speak again.
        let tells = |event: Event<'_>| {
            if !told.swap(true, Ordering::Relaxed) {
                tell(event);
            }
        };
        Admission::Go(match ask_at_once(&self.guard, subject, ask, now) {
            Admission::Go(permit) => Some(permit),
            Admission::Wait => {
                tells(Event::WouldWait { layer: self.layer, name: self.name.as_deref() });
                None
            }
            Admission::Refuse(refused) => {
                tells(Event::WouldRefuse(&refused));
                None
            }
        })
    }

    // It never says that a call must wait, so `admit` is as it comes. And a glance that refuses
    // would be a refusal.

    fn starts(&self, (subject, _): &Self::Subject, permit: &mut Self::Permit, now: &Now) {
        if let Some(permit) = permit {
            self.guard.starts(subject, permit, now);
        }
    }

    fn settle(
        &self,
        (subject, _): &Self::Subject,
        permit: Self::Permit,
        ending: &Ending,
        now: &Now,
    ) -> Self::Held {
        permit.map(|permit| self.guard.settle(subject, permit, ending, now))
    }

    fn let_go(&self, (subject, _): &Self::Subject, held: Self::Held, ending: &Ending, now: &Now) {
        if let Some(held) = held {
            self.guard.let_go(subject, held, ending, now);
        }
    }

    fn at_rest_from(&self) -> Option<Moment> {
        self.guard.at_rest_from()
    }
}
