//! Sets of more than two.

use mainstay_policy::Moment;

use crate::error::Refused;
use crate::guard::{Admission, Ask, Guard, Now};
use crate::protocol::Ending;

/// Three guards and more are a pair whose second is the rest.
macro_rules! more {
    ($set:ident; $first:ident $place:tt, $($rest:ident $places:tt),+) => {
        impl<Req, $first, $($rest),+> Guard<Req> for ($first, $($rest),+)
        where
            $first: Guard<Req> + Send + Sync,
            $($rest: Guard<Req> + Send + Sync),+
        {
            const IS_SET: bool = true;
            const GIVES_TURNS: bool = <nested!($first, $($rest),+) as Guard<Req>>::GIVES_TURNS;
            const WAITS: bool = <nested!($first, $($rest),+) as Guard<Req>>::WAITS;

            type Subject = <nested!($first, $($rest),+) as Guard<Req>>::Subject;
            type Permit = <nested!($first, $($rest),+) as Guard<Req>>::Permit;
            type Held = <nested!($first, $($rest),+) as Guard<Req>>::Held;

            #[inline(always)]
            fn subject(&self, request: &Req) -> Self::Subject {
                let $set = self;
                by_reference!($set, $place, $($places),+).subject(request)
            }

            #[inline(always)]
            fn glance(&self, subject: &Self::Subject, ask: Ask, now: &Now) -> Result<(), Refused> {
                let $set = self;
                by_reference!($set, $place, $($places),+).glance(subject, ask, now)
            }

            #[inline(always)]
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

            fn starts(&self, subject: &Self::Subject, permit: &mut Self::Permit, now: &Now) {
                let $set = self;
                by_reference!($set, $place, $($places),+).starts(subject, permit, now);
            }

            #[inline(always)]
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

            #[inline(always)]
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
