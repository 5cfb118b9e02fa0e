//! Sets of guards are guards: tuples, an `Option` of one, an `Arc` of one.
//!
//! What only passes a question on is always put in place: pairs of references to pairs cost more
//! than the guards that they lead to.

mod in_order;
mod many;
mod pointers;
mod rounds;

use mainstay_policy::Moment;

use crate::error::Refused;
use crate::guard::{Admission, Ask, Guard, Now};
use crate::protocol::Ending;

/// A guard that may be left out: nothing refuses, nothing waits.
impl<Req, G: Guard<Req> + Send + Sync> Guard<Req> for Option<G> {
    const IS_SET: bool = G::IS_SET;
    const GIVES_TURNS: bool = G::GIVES_TURNS;
    const WAITS: bool = G::WAITS;

    type Subject = Option<G::Subject>;
    type Permit = Option<G::Permit>;
    type Held = Option<G::Held>;

    #[inline(always)]
    fn subject(&self, request: &Req) -> Self::Subject {
        self.as_ref().map(|guard| guard.subject(request))
    }

    #[inline(always)]
    fn glance(&self, subject: &Self::Subject, ask: Ask, now: &Now) -> Result<(), Refused> {
        match (self, subject) {
            (Some(guard), Some(subject)) => guard.glance(subject, ask, now),
            _ => Ok(()),
        }
    }

    #[inline(always)]
    fn try_admit(&self, subject: &Self::Subject, ask: Ask, now: &Now) -> Admission<Self::Permit> {
        match (self, subject) {
            (Some(guard), Some(subject)) => match guard.try_admit(subject, ask, now) {
                Admission::Go(permit) => Admission::Go(Some(permit)),
                Admission::Wait => Admission::Wait,
                Admission::Refuse(refused) => Admission::Refuse(refused),
            },
            _ => Admission::Go(None),
        }
    }

    async fn admit(&self, subject: &Self::Subject, ask: Ask) -> Result<Self::Permit, Refused> {
        match (self, subject) {
            (Some(guard), Some(subject)) => guard.admit(subject, ask).await.map(Some),
            _ => Ok(None),
        }
    }

    fn starts(&self, subject: &Self::Subject, permit: &mut Self::Permit, now: &Now) {
        if let (Some(guard), Some(subject), Some(permit)) = (self, subject, permit) {
            guard.starts(subject, permit, now);
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
        let guard = self.as_ref().zip(subject.as_ref()).zip(permit);
        guard.map(|((guard, subject), permit)| guard.settle(subject, permit, ending, now))
    }

    #[inline(always)]
    fn let_go(&self, subject: &Self::Subject, held: Self::Held, ending: &Ending, now: &Now) {
        let guard = self.as_ref().zip(subject.as_ref()).zip(held);
        if let Some(((guard, subject), held)) = guard {
            guard.let_go(subject, held, ending, now);
        }
    }

    fn at_rest_from(&self) -> Option<Moment> {
        self.as_ref().map_or(Some(Moment::MIN), Guard::at_rest_from)
    }
}

/// A guard of a set, and what it is asked about.
struct Asked<'a, Req, G: Guard<Req>>(&'a G, &'a G::Subject);
