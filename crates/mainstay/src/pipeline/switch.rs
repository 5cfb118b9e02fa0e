//! A guard that may be off, on, or in shadow.

use std::sync::atomic::AtomicBool;

use mainstay_policy::Moment;

use crate::error::Refused;
use crate::guard::{Admission, Ask, Guard, Now, Shadow};
use crate::protocol::Ending;

/// A guard that may be off, on, or in shadow; its type is the same.
#[derive(Debug)]
pub(super) struct Switch<G> {
    /// None where it is off.
    guard: Option<G>,
    /// The same guard once more, where it only says what it would do.
    shadow: Option<Shadow<G>>,
}

impl<G> Switch<G> {
    pub(super) const fn of(guard: Option<G>) -> Self {
        Self { guard, shadow: None }
    }

    pub(super) fn in_shadow(shadow: Shadow<G>) -> Self
    where
        G: Clone,
    {
        Self { guard: Some(shadow.get_ref().clone()), shadow: Some(shadow) }
    }

    /// The guard, if there is one.
    #[inline]
    pub(super) const fn guard(&self) -> Option<&G> {
        self.guard.as_ref()
    }
}

impl<Req, G> Guard<Req> for Switch<G>
where
    G: Guard<Req> + Send + Sync,
    G::Subject: Default,
{
    const IS_SET: bool = G::IS_SET;
    const GIVES_TURNS: bool = G::GIVES_TURNS;
    const WAITS: bool = G::WAITS;

    /// What a shadow has: that of the guard, and whether it has spoken.
    type Subject = (G::Subject, AtomicBool);
    type Permit = Option<G::Permit>;
    type Held = Option<G::Held>;

    #[inline(always)]
    fn subject(&self, request: &Req) -> Self::Subject {
        let subject = match self.guard() {
            Some(guard) => guard.subject(request),
            None => G::Subject::default(),
        };
        (subject, AtomicBool::new(false))
    }

    #[inline(always)]
    fn glance(&self, subject: &Self::Subject, ask: Ask, now: &Now) -> Result<(), Refused> {
        match self {
            Self { guard: Some(guard), shadow: None } => guard.glance(&subject.0, ask, now),
            _ => Ok(()),
        }
    }

    #[inline(always)]
    fn try_admit(&self, subject: &Self::Subject, ask: Ask, now: &Now) -> Admission<Self::Permit> {
        let Some(guard) = &self.guard else { return Admission::Go(None) };
        if let Some(shadow) = &self.shadow {
            return shadow.try_admit(subject, ask, now);
        }
        match guard.try_admit(&subject.0, ask, now) {
            Admission::Go(permit) => Admission::Go(Some(permit)),
            Admission::Wait => Admission::Wait,
            Admission::Refuse(refused) => Admission::Refuse(refused),
        }
    }

    async fn admit(&self, subject: &Self::Subject, ask: Ask) -> Result<Self::Permit, Refused> {
        match self {
            Self { guard: Some(guard), shadow: None } => {
                guard.admit(&subject.0, ask).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    fn starts(&self, subject: &Self::Subject, permit: &mut Self::Permit, now: &Now) {
        if let (Some(guard), Some(permit)) = (self.guard(), permit) {
            guard.starts(&subject.0, permit, now);
        }
    }

    #[inline(always)]
    fn settle(
        &self,
        subject: &Self::Subject,
        permit: Self::Permit,
        ending: &Ending,
        now: &Now,
    ) -> Self::Held {
        let (guard, permit) = (self.guard()?, permit?);
        Some(guard.settle(&subject.0, permit, ending, now))
    }

    #[inline(always)]
    fn let_go(&self, subject: &Self::Subject, held: Self::Held, ending: &Ending, now: &Now) {
        if let (Some(guard), Some(held)) = (self.guard(), held) {
            guard.let_go(&subject.0, held, ending, now);
        }
    }

    fn at_rest_from(&self) -> Option<Moment> {
        match self.guard() {
            Some(guard) => guard.at_rest_from(),
            None => Some(Moment::MIN),
        }
    }
}
