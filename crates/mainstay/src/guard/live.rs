//! A permit that cannot get lost.

use std::mem;
use std::sync::Arc;
use std::task::Poll;

use mainstay_policy::Outcome;

use super::{Admission, Ask, Guard, Now};
use crate::protocol::Ending;
use crate::scope::{self, dropped};

/// What all services of a layer share.
#[derive(Debug)]
pub(super) struct Shared<G, P> {
    pub(super) guard: G,
    pub(super) protocol: P,
}

/// What a permit keeps its guard by.
pub(crate) trait Holds<G> {
    fn guard(&self) -> &G;
}

impl<G, P> Holds<G> for Arc<Shared<G, P>> {
    #[inline]
    fn guard(&self) -> &G {
        &self.guard
    }
}

/// A permit that was given to an attempt, and the guard that it goes back to.
///
/// Dropped unsettled, it says that the attempt was abandoned, or that it timed out if a timer of ours
/// drops it.
#[derive(Debug)]
pub(crate) struct Live<Req, G: Guard<Req>, H: Holds<G>> {
    holder: H,
    given: Option<(G::Subject, G::Permit)>,
    /// Nothing has been sent: it has not started, or all that it does stands in a queue of ours.
    is_queued: bool,
}

/// A permit of a layer.
pub(super) type LiveOf<Req, G, P> = Live<Req, G, Arc<Shared<G, P>>>;

impl<Req, G: Guard<Req>, H: Holds<G>> Live<Req, G, H> {
    #[inline]
    pub(crate) const fn new(holder: H, subject: G::Subject, permit: G::Permit) -> Self {
        Self { holder, given: Some((subject, permit)), is_queued: false }
    }

    /// For an attempt that does not start yet.
    pub(super) const fn waits(holder: H, subject: G::Subject, permit: G::Permit) -> Self {
        Self { holder, given: Some((subject, permit)), is_queued: true }
    }

    /// What was polled of it is pending: whether all that it does stands in a queue of ours.
    #[inline]
    pub(crate) const fn stands(&mut self, is_queued: bool) {
        self.is_queued = is_queued;
    }

    /// What keeps the guard.
    #[inline]
    pub(crate) const fn holder(&self) -> &H {
        &self.holder
    }

    /// Does what may panic; if it does, the attempt has failed, whoever catches the panic.
    #[inline]
    pub(crate) fn watch<T>(&mut self, run: impl FnOnce() -> T) -> T {
        let watched = self.watched();
        let done = run();
        watched.ends();
        done
    }

    /// What may panic follows; if it does, the attempt has failed.
    #[inline]
    pub(crate) const fn watched(&mut self) -> Watched<'_, Req, G, H> {
        Watched(self)
    }

    /// The attempt that waited starts now.
    pub(super) fn starts(&mut self, now: &Now) {
        self.is_queued = false;
        if let Some((subject, permit)) = &mut self.given {
            self.holder.guard().starts(subject, permit, now);
        }
    }

    /// How the attempt ended. Only the first end counts.
    // Always: too large for the compiler's own measure where a guard has settings that change.
    #[inline(always)]
    pub(crate) fn settle(&mut self, ending: &Ending) {
        let Some((subject, permit)) = self.given.take() else { return };
        let (guard, now) = (self.holder.guard(), Now::default());
        let held = guard.settle(&subject, permit, ending, &now);
        guard.let_go(&subject, held, ending, &now);
    }

    /// It had no end of its own.
    #[cold]
    fn ends_as(&mut self, outcome: Outcome) {
        self.settle(&Ending::new(outcome));
    }
}

impl<Req, G: Guard<Req>, P> LiveOf<Req, G, P> {
    /// Polls the attempt that has started.
    #[inline]
    pub(super) fn poll<T>(&mut self, poll: impl FnOnce() -> Poll<T>) -> Poll<T> {
        let queued = scope::queued();
        let polled = self.watch(poll);
        if polled.is_pending() {
            self.stands(scope::queued() != queued);
        }
        polled
    }

    #[inline]
    pub(super) fn protocol(&self) -> &P {
        &self.holder.protocol
    }

    /// The head of the answer is there, and its body is held on to.
    pub(super) fn settle_head(&mut self, head: &Ending) -> Option<Lease<Req, G, P>> {
        let (subject, permit) = self.given.take()?;
        let held = self.holder.guard.settle(&subject, permit, head, &Now::default());
        Some(Lease { shared: Arc::clone(&self.holder), subject, held: Some(held) })
    }
}

impl<Req, G: Guard<Req>, H: Holds<G>> Drop for Live<Req, G, H> {
    #[inline]
    fn drop(&mut self) {
        if self.given.is_some() {
            self.ends_as(dropped(self.is_queued));
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
            self.let_go(&Ending::new(dropped(false)));
        }
    }
}

/// A permit that a guard of a set gave, if it did yet, while another of the set is asked.
#[derive(Debug)]
pub(super) struct Given<'a, Req, G: Guard<Req>> {
    guard: &'a G,
    subject: &'a G::Subject,
    permit: Option<G::Permit>,
}

impl<'a, Req, G: Guard<Req>> Given<'a, Req, G> {
    #[inline(always)]
    pub(super) const fn new(guard: &'a G, subject: &'a G::Subject, permit: G::Permit) -> Self {
        Self { guard, subject, permit: Some(permit) }
    }

    #[inline(always)]
    pub(super) const fn nothing(guard: &'a G, subject: &'a G::Subject) -> Self {
        Self { guard, subject, permit: None }
    }

    /// Asks for the permit, and keeps it.
    #[inline(always)]
    pub(super) fn asks(&mut self, ask: Ask, now: &Now) -> Admission<()> {
        match self.guard.try_admit(self.subject, ask, now) {
            Admission::Go(permit) => {
                self.permit = Some(permit);
                Admission::Go(())
            }
            Admission::Wait => Admission::Wait,
            Admission::Refuse(refused) => Admission::Refuse(refused),
        }
    }

    /// The permit came after a wait.
    pub(super) fn gets(&mut self, permit: G::Permit) {
        self.permit = Some(permit);
    }

    /// The permit, which is the taker's to settle from now on.
    #[expect(clippy::expect_used, reason = "it is there until it is taken, which ends this")]
    #[inline(always)]
    pub(super) fn take(mut self) -> G::Permit {
        let permit = self.permit.take();
        mem::forget(self); // there is nothing left to give back
        permit.expect("it is taken once")
    }
}

/// It was not used: another refused or panicked, or nobody waits any more.
// Always, but for what is seldom done: so that nothing of it must be where a drop could find it.
impl<Req, G: Guard<Req>> Drop for Given<'_, Req, G> {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            give_back(self.guard, self.subject, permit);
        }
    }
}

#[cold]
fn give_back<Req, G: Guard<Req>>(guard: &G, subject: &G::Subject, permit: G::Permit) {
    let (unused, now) = (Ending::new(Outcome::Refused), Now::default());
    let held = guard.settle(subject, permit, &unused, &now);
    guard.let_go(subject, held, &unused, &now);
}

/// What a guard of a set holds on to, while another of the set is told.
#[derive(Debug)]
pub(super) struct Kept<'a, Req, G: Guard<Req>> {
    guard: &'a G,
    subject: &'a G::Subject,
    held: Option<G::Held>,
}

impl<'a, Req, G: Guard<Req>> Kept<'a, Req, G> {
    #[inline(always)]
    pub(super) const fn new(guard: &'a G, subject: &'a G::Subject, held: G::Held) -> Self {
        Self { guard, subject, held: Some(held) }
    }

    #[expect(clippy::expect_used, reason = "it is there until it is taken, which ends this")]
    #[inline(always)]
    pub(super) fn take(mut self) -> G::Held {
        let held = self.held.take();
        mem::forget(self); // there is nothing left to let go
        held.expect("it is taken once")
    }
}

/// The other panicked.
impl<Req, G: Guard<Req>> Drop for Kept<'_, Req, G> {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            abandon(self.guard, self.subject, held);
        }
    }
}

#[cold]
fn abandon<Req, G: Guard<Req>>(guard: &G, subject: &G::Subject, held: G::Held) {
    guard.let_go(subject, held, &Ending::new(Outcome::Abandoned), &Now::default());
}

/// Dropped only where something unwinds.
#[must_use = "its drop says that the attempt has failed"]
pub(crate) struct Watched<'a, Req, G: Guard<Req>, H: Holds<G>>(&'a mut Live<Req, G, H>);

impl<Req, G: Guard<Req>, H: Holds<G>> Watched<'_, Req, G, H> {
    /// Nothing has panicked.
    #[inline]
    pub(crate) const fn ends(self) {
        mem::forget(self);
    }
}

impl<Req, G: Guard<Req>, H: Holds<G>> Drop for Watched<'_, Req, G, H> {
    fn drop(&mut self) {
        self.0.ends_as(Outcome::Transient);
    }
}
