//! A permit that cannot get lost.

use std::mem;
use std::sync::Arc;

use mainstay_policy::Outcome;

use super::{Guard, Now};
use crate::protocol::{Ending, Protocol};
use crate::scope::dropped;

/// What all services of a layer share.
#[derive(Debug)]
pub(super) struct Shared<G, P> {
    pub(super) guard: G,
    pub(super) protocol: P,
}

/// A permit that was given to an attempt, and the guard that it goes back to.
///
/// Dropped unsettled, it says that the attempt was abandoned, or that it timed out if a timer of ours
/// drops it.
#[derive(Debug)]
pub(super) struct Live<Req, G: Guard<Req>, P> {
    shared: Arc<Shared<G, P>>,
    given: Option<(G::Subject, G::Permit)>,
}

impl<Req, G: Guard<Req>, P> Live<Req, G, P> {
    #[inline]
    pub(super) const fn new(
        shared: Arc<Shared<G, P>>,
        subject: G::Subject,
        permit: G::Permit,
    ) -> Self {
        Self { shared, given: Some((subject, permit)) }
    }

    #[inline]
    pub(super) fn protocol(&self) -> &P {
        &self.shared.protocol
    }

    /// Does what may panic; if it does, the attempt has failed, whoever catches the panic.
    #[inline]
    pub(super) fn watch<T>(&mut self, run: impl FnOnce() -> T) -> T {
        let watched = Watched(self);
        let done = run();
        mem::forget(watched);
        done
    }

    /// The service died before the attempt could start.
    pub(super) fn fails<Res, E>(&mut self, about: &P::About, error: E) -> E
    where
        P: Protocol<Req, Res, E>,
    {
        let ending = self.shared.protocol.end(about, Err(&error));
        self.settle(&ending);
        error
    }

    /// The attempt that waited starts now.
    pub(super) fn starts(&mut self) {
        if let Some((subject, permit)) = &mut self.given {
            self.shared.guard.starts(subject, permit, &Now::default());
        }
    }

    /// How the attempt ended. Only the first end counts.
    #[inline]
    pub(super) fn settle(&mut self, ending: &Ending) {
        let Some((subject, permit)) = self.given.take() else { return };
        let (guard, now) = (&self.shared.guard, Now::default());
        let held = guard.settle(&subject, permit, ending, &now);
        guard.let_go(&subject, held, ending, &now);
    }

    /// The head of the answer is there, and its body is held on to.
    pub(super) fn settle_head(&mut self, head: &Ending) -> Option<Lease<Req, G, P>> {
        let (subject, permit) = self.given.take()?;
        let held = self.shared.guard.settle(&subject, permit, head, &Now::default());
        Some(Lease { shared: Arc::clone(&self.shared), subject, held: Some(held) })
    }
}

impl<Req, G: Guard<Req>, P> Live<Req, G, P> {
    #[cold]
    fn abandon(&mut self) {
        self.settle(&Ending::new(dropped()));
    }
}

impl<Req, G: Guard<Req>, P> Drop for Live<Req, G, P> {
    #[inline]
    fn drop(&mut self) {
        if self.given.is_some() {
            self.abandon();
        }
    }
}

/// What outlives the head of an answer, and whom it goes back to.
///
/// Dropped, it says that the rest was abandoned, or that it timed out.
#[derive(Debug)]
pub(in crate::guard) struct Lease<Req, G: Guard<Req>, P> {
    shared: Arc<Shared<G, P>>,
    subject: G::Subject,
    held: Option<G::Held>,
}

impl<Req, G: Guard<Req>, P> Lease<Req, G, P> {
    pub(super) fn protocol(&self) -> &P {
        &self.shared.protocol
    }

    /// How the rest ended. Only the first end counts.
    pub(super) fn let_go(&mut self, ending: &Ending) {
        if let Some(held) = self.held.take() {
            self.shared.guard.let_go(&self.subject, held, ending, &Now::default());
        }
    }
}

impl<Req, G: Guard<Req>, P> Drop for Lease<Req, G, P> {
    fn drop(&mut self) {
        if self.held.is_some() {
            self.let_go(&Ending::new(dropped()));
        }
    }
}

/// A permit that a guard of a set gave, while another of the set is asked.
#[derive(Debug)]
pub(super) struct Given<'a, Req, G: Guard<Req>> {
    guard: &'a G,
    subject: &'a G::Subject,
    permit: Option<G::Permit>,
}

impl<'a, Req, G: Guard<Req>> Given<'a, Req, G> {
    #[inline]
    pub(super) const fn new(guard: &'a G, subject: &'a G::Subject, permit: G::Permit) -> Self {
        Self { guard, subject, permit: Some(permit) }
    }

    /// The permit, which is the taker's to settle from now on.
    #[expect(clippy::expect_used, reason = "it is there until it is taken, which ends this")]
    #[inline]
    pub(super) fn take(mut self) -> G::Permit {
        let permit = self.permit.take();
        mem::forget(self); // there is nothing left to give back
        permit.expect("it is taken once")
    }
}

/// It was not used: another refused or panicked, or nobody waits any more.
impl<Req, G: Guard<Req>> Drop for Given<'_, Req, G> {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            let (unused, now) = (Ending::new(Outcome::Refused), Now::default());
            let held = self.guard.settle(self.subject, permit, &unused, &now);
            self.guard.let_go(self.subject, held, &unused, &now);
        }
    }
}

/// What a guard of a set holds on to, while another of the set is told.
#[derive(Debug)]
pub(super) struct Kept<'a, Req, G: Guard<Req>> {
    guard: &'a G,
    subject: &'a G::Subject,
    held: Option<G::Held>,
}

impl<'a, Req, G: Guard<Req>> Kept<'a, Req, G> {
    pub(super) const fn new(guard: &'a G, subject: &'a G::Subject, held: G::Held) -> Self {
        Self { guard, subject, held: Some(held) }
    }

    #[expect(clippy::expect_used, reason = "it is there until it is taken, which ends this")]
    #[inline]
    pub(super) fn take(mut self) -> G::Held {
        let held = self.held.take();
        mem::forget(self); // there is nothing left to let go
        held.expect("it is taken once")
    }
}

/// The other panicked.
impl<Req, G: Guard<Req>> Drop for Kept<'_, Req, G> {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            let ending = Ending::new(Outcome::Abandoned);
            self.guard.let_go(self.subject, held, &ending, &Now::default());
        }
    }
}

/// Dropped only where something unwinds.
struct Watched<'a, Req, G: Guard<Req>, P>(&'a mut Live<Req, G, P>);

impl<Req, G: Guard<Req>, P> Drop for Watched<'_, Req, G, P> {
    fn drop(&mut self) {
        self.0.settle(&Ending::new(Outcome::Transient));
    }
}
