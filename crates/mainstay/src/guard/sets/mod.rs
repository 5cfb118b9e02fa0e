//! Sets of guards are guards: tuples, an `Option` of one, an `Arc` of one.

mod pointers;

use mainstay_policy::Moment;

use crate::error::Refused;
use crate::guard::live::Given;
use crate::guard::{Admission, Ask, Guard, Now};
use crate::protocol::Ending;

/// A guard that may be left out: nothing refuses, nothing waits.
impl<Req, G: Guard<Req> + Send + Sync> Guard<Req> for Option<G> {
    const IS_SET: bool = G::IS_SET;

    type Subject = Option<G::Subject>;
    type Permit = Option<G::Permit>;
    type Held = Option<G::Held>;

    #[inline]
    fn subject(&self, request: &Req) -> Self::Subject {
        self.as_ref().map(|guard| guard.subject(request))
    }

    #[inline]
    fn glance(&self, subject: &Self::Subject, ask: Ask, now: &Now) -> Result<(), Refused> {
        match (self, subject) {
            (Some(guard), Some(subject)) => guard.glance(subject, ask, now),
            _ => Ok(()),
        }
    }

    #[inline]
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

    #[inline]
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

    #[inline]
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

/// Two guards, asked in this order.
impl<Req, A, B> Guard<Req> for (A, B)
where
    A: Guard<Req> + Send + Sync,
    B: Guard<Req> + Send + Sync,
{
    const IS_SET: bool = true;

    type Subject = (A::Subject, B::Subject);
    type Permit = (A::Permit, B::Permit);
    type Held = (A::Held, B::Held);

    #[inline]
    fn subject(&self, request: &Req) -> Self::Subject {
        (self.0.subject(request), self.1.subject(request))
    }

    #[inline]
    fn glance(&self, subject: &Self::Subject, ask: Ask, now: &Now) -> Result<(), Refused> {
        self.0.glance(&subject.0, ask, now)?;
        self.1.glance(&subject.1, ask, now)
    }

    #[inline]
    fn try_admit(&self, subject: &Self::Subject, ask: Ask, now: &Now) -> Admission<Self::Permit> {
        let first = match self.0.try_admit(&subject.0, ask, now) {
            Admission::Go(permit) => permit,
            Admission::Wait => return Admission::Wait,
            Admission::Refuse(refused) => return Admission::Refuse(refused),
        };
        // Goes back by its drop, also if the second panics.
        let first = Given::new(&self.0, &subject.0, first);
        match self.1.try_admit(&subject.1, ask, now) {
            Admission::Go(second) => Admission::Go((first.take(), second)),
            Admission::Wait => Admission::Wait,
            Admission::Refuse(refused) => Admission::Refuse(refused),
        }
    }

    /// Waits for the first with empty hands, and for the second with what the first gave. Before
    /// that the second is glanced at again. Who gave a permit is not: that very permit might be
    /// what leaves no room.
    async fn admit(&self, subject: &Self::Subject, ask: Ask) -> Result<Self::Permit, Refused> {
        let first = admitted(&self.0, &subject.0, ask).await?;
        let first = Given::new(&self.0, &subject.0, first);
        self.1.glance(&subject.1, ask, &Now::default())?;
        let second = admitted(&self.1, &subject.1, ask).await?;
        Ok((first.take(), second))
    }

    #[inline]
    fn settle(
        &self,
        subject: &Self::Subject,
        permit: Self::Permit,
        ending: &Ending,
        now: &Now,
    ) -> Self::Held {
        // Goes back by its drop if the first panics.
        let second = Given::new(&self.1, &subject.1, permit.1);
        let first = self.0.settle(&subject.0, permit.0, ending, now);
        (first, self.1.settle(&subject.1, second.take(), ending, now))
    }

    #[inline]
    fn let_go(&self, subject: &Self::Subject, held: Self::Held, ending: &Ending, now: &Now) {
        self.0.let_go(&subject.0, held.0, ending, now);
        self.1.let_go(&subject.1, held.1, ending, now);
    }

    fn at_rest_from(&self) -> Option<Moment> {
        Some(self.0.at_rest_from()?.max(self.1.at_rest_from()?))
    }
}

/// Asks a guard, and waits only if it must.
async fn admitted<Req, G: Guard<Req>>(
    guard: &G,
    subject: &G::Subject,
    ask: Ask,
) -> Result<G::Permit, Refused> {
    let answer = guard.try_admit(subject, ask, &Now::default());
    match answer {
        Admission::Go(permit) => Ok(permit),
        Admission::Refuse(refused) => Err(refused),
        Admission::Wait => guard.admit(subject, ask).await,
    }
}

/// Three guards and more are a pair whose second is the rest.
macro_rules! more {
    ($set:ident; $first:ident $place:tt, $($rest:ident $places:tt),+) => {
        impl<Req, $first, $($rest),+> Guard<Req> for ($first, $($rest),+)
        where
            $first: Guard<Req> + Send + Sync,
            $($rest: Guard<Req> + Send + Sync),+
        {
            const IS_SET: bool = true;

            type Subject = <nested!($first, $($rest),+) as Guard<Req>>::Subject;
            type Permit = <nested!($first, $($rest),+) as Guard<Req>>::Permit;
            type Held = <nested!($first, $($rest),+) as Guard<Req>>::Held;

            #[inline]
            fn subject(&self, request: &Req) -> Self::Subject {
                let $set = self;
                by_reference!($set, $place, $($places),+).subject(request)
            }

            #[inline]
            fn glance(&self, subject: &Self::Subject, ask: Ask, now: &Now) -> Result<(), Refused> {
                let $set = self;
                by_reference!($set, $place, $($places),+).glance(subject, ask, now)
            }

            #[inline]
            fn try_admit(
                &self,
                subject: &Self::Subject,
                ask: Ask,
                now: &Now,
            ) -> Admission<Self::Permit> {
                let $set = self;
                by_reference!($set, $place, $($places),+).try_admit(subject, ask, now)
            }

            async fn admit(
                &self,
                subject: &Self::Subject,
                ask: Ask,
            ) -> Result<Self::Permit, Refused> {
                let $set = self;
                by_reference!($set, $place, $($places),+).admit(subject, ask).await
            }

            #[inline]
            fn settle(
                &self,
                subject: &Self::Subject,
                permit: Self::Permit,
                ending: &Ending,
                now: &Now,
            ) -> Self::Held {
                let $set = self;
                by_reference!($set, $place, $($places),+).settle(subject, permit, ending, now)
            }

            #[inline]
            fn let_go(
                &self,
                subject: &Self::Subject,
                held: Self::Held,
                ending: &Ending,
                now: &Now,
            ) {
                let $set = self;
                by_reference!($set, $place, $($places),+).let_go(subject, held, ending, now);
            }

            fn at_rest_from(&self) -> Option<Moment> {
                let $set = self;
                Guard::<Req>::at_rest_from(&by_reference!($set, $place, $($places),+))
            }
        }
    };
}

macro_rules! nested {
    ($last:ident) => { $last };
    ($first:ident, $($rest:ident),+) => { ($first, nested!($($rest),+)) };
}

macro_rules! by_reference {
    ($set:ident, $last:tt) => { &$set.$last };
    ($set:ident, $first:tt, $($rest:tt),+) => { (&$set.$first, by_reference!($set, $($rest),+)) };
}

more!(set; A 0, B 1, C 2);
more!(set; A 0, B 1, C 2, D 3);
more!(set; A 0, B 1, C 2, D 3, E 4);
more!(set; A 0, B 1, C 2, D 3, E 4, F 5);
