//! Sets of guards are guards: tuples, an `Option` of one, an `Arc` of one.
//!
//! What only passes a question on is always put in place: pairs of references to pairs cost more
//! than the guards that they lead to.

mod many;
mod pointers;
mod rounds;

use mainstay_policy::Moment;

use crate::error::Refused;
use crate::guard::live::{Given, Kept};
use crate::guard::{Admission, Ask, Guard, Now};
use crate::protocol::Ending;
use rounds::both;

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

/// Two guards, asked in this order; a first one that gives turns is asked last. Where one has a call
/// wait, they are asked in [rounds].
impl<Req, A, B> Guard<Req> for (A, B)
where
    A: Guard<Req> + Send + Sync,
    B: Guard<Req> + Send + Sync,
{
    const IS_SET: bool = true;
    const GIVES_TURNS: bool = A::GIVES_TURNS || B::GIVES_TURNS;
    const WAITS: bool = A::WAITS || B::WAITS;

    type Subject = (A::Subject, B::Subject);
    type Permit = (A::Permit, B::Permit);
    type Held = (A::Held, B::Held);

    #[inline(always)]
    fn subject(&self, request: &Req) -> Self::Subject {
        const {
            assert!(
                !(A::GIVES_TURNS && B::GIVES_TURNS),
                "two guards of a set give turns, and the turn of one would wait for the other: \
                 put them at one turnstile, `TurnGuard::of((one, other))`"
            );
        }
        (self.0.subject(request), self.1.subject(request))
    }

    #[inline(always)]
    fn glance(&self, subject: &Self::Subject, ask: Ask, now: &Now) -> Result<(), Refused> {
        self.0.glance(&subject.0, ask, now)?;
        self.1.glance(&subject.1, ask, now)
    }

    #[inline(always)]
    fn try_admit(&self, subject: &Self::Subject, ask: Ask, now: &Now) -> Admission<Self::Permit> {
        if A::GIVES_TURNS {
            let (second, first) = (Asked(&self.1, &subject.1), Asked(&self.0, &subject.0));
            return match try_both(second, first, ask, now) {
                Admission::Go((second, first)) => Admission::Go((first, second)),
                Admission::Wait => Admission::Wait,
                Admission::Refuse(refused) => Admission::Refuse(refused),
            };
        }
        try_both(Asked(&self.0, &subject.0), Asked(&self.1, &subject.1), ask, now)
    }

    /// Waits for whatever may have it wait, then for a turn, and asks then what never waits, each
    /// with what the ones before gave. After a wait those are glanced at that have given nothing.
    /// Who gave a permit is not: that very permit might be what leaves no room.
    async fn admit(&self, subject: &Self::Subject, ask: Ask) -> Result<Self::Permit, Refused> {
        both(Asked(&self.0, &subject.0), Asked(&self.1, &subject.1), ask).await
    }

    fn starts(&self, subject: &Self::Subject, permit: &mut Self::Permit, now: &Now) {
        self.0.starts(&subject.0, &mut permit.0, now);
        self.1.starts(&subject.1, &mut permit.1, now);
    }

    #[inline(always)]
    fn settle(
        &self,
        subject: &Self::Subject,
        permit: Self::Permit,
        ending: &Ending,
        now: &Now,
    ) -> Self::Held {
        // Each goes back by its drop if the other panics.
        let second = Given::new(&self.1, &subject.1, permit.1);
        let first = self.0.settle(&subject.0, permit.0, ending, now);
        let first = Kept::new(&self.0, &subject.0, first);
        let second = self.1.settle(&subject.1, second.take(), ending, now);
        (first.take(), second)
    }

    #[inline(always)]
    fn let_go(&self, subject: &Self::Subject, held: Self::Held, ending: &Ending, now: &Now) {
        let second = Kept::new(&self.1, &subject.1, held.1);
        self.0.let_go(&subject.0, held.0, ending, now);
        self.1.let_go(&subject.1, second.take(), ending, now);
    }

    fn at_rest_from(&self) -> Option<Moment> {
        Some(self.0.at_rest_from()?.max(self.1.at_rest_from()?))
    }
}

/// A guard of a pair, and what it is asked about.
struct Asked<'a, Req, G: Guard<Req>>(&'a G, &'a G::Subject);

#[inline(always)]
fn try_both<Req, A: Guard<Req>, B: Guard<Req>>(
    one: Asked<'_, Req, A>,
    other: Asked<'_, Req, B>,
    ask: Ask,
    now: &Now,
) -> Admission<(A::Permit, B::Permit)> {
    let first = match one.0.try_admit(one.1, ask, now) {
        Admission::Go(permit) => permit,
        Admission::Wait => return Admission::Wait,
        Admission::Refuse(refused) => return Admission::Refuse(refused),
    };
    // Goes back by its drop, also if the other panics.
    let first = Given::new(one.0, one.1, first);
    match other.0.try_admit(other.1, ask, now) {
        Admission::Go(second) => Admission::Go((first.take(), second)),
        Admission::Wait => Admission::Wait,
        Admission::Refuse(refused) => Admission::Refuse(refused),
    }
}
