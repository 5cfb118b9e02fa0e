//! Tuples of guards.

use mainstay_policy::Moment;

use super::Asked;
use super::in_order::{has_waited, is_in_order, place};
use super::rounds::{both, is_of_a_set};
use crate::error::Refused;
use crate::guard::live::{Given, Kept};
use crate::guard::{Admission, Ask, Guard, Now};
use crate::protocol::Ending;

/// Guards, asked in this order; one that gives turns is asked last. What is kept of three and more is
/// that of a pair whose second is the rest.
///
/// What one gave goes back by its drop if another refuses or panics.
macro_rules! set {
    ($first:ident $a:ident $x:ident $i:tt, $($rest:ident $b:ident $y:ident $j:tt),+) => {
        impl<Req, $first, $($rest),+> Guard<Req> for ($first, $($rest),+)
        where
            $first: Guard<Req> + Send + Sync,
            $($rest: Guard<Req> + Send + Sync),+
        {
            const IS_SET: bool = true;
            const GIVES_TURNS: bool = $first::GIVES_TURNS $(|| $rest::GIVES_TURNS)+;
            const WAITS: bool = $first::WAITS $(|| $rest::WAITS)+;

            type Subject = types!($first::Subject, $($rest::Subject),+);
            type Permit = types!($first::Permit, $($rest::Permit),+);
            type Held = types!($first::Held, $($rest::Held),+);

            #[inline(always)]
            fn subject(&self, request: &Req) -> Self::Subject {
                const {
                    assert!(
                        2 > $first::GIVES_TURNS as u8 $(+ $rest::GIVES_TURNS as u8)+,
                        "two guards of a set give turns, and the turn of one would wait for the \
                         other: put them at one turnstile, `TurnGuard::of((one, other))`"
                    );
                }
                values!(self.$i.subject(request), $(self.$j.subject(request)),+)
            }

            #[inline(always)]
            fn glance(&self, subject: &Self::Subject, ask: Ask, now: &Now) -> Result<(), Refused> {
                let names!($a, $($b),+) = subject;
                self.$i.glance($a, ask, now)?;
                $(self.$j.glance($b, ask, now)?;)+
                Ok(())
            }

            #[inline(always)]
            fn try_admit(
                &self,
                subject: &Self::Subject,
                ask: Ask,
                now: &Now,
            ) -> Admission<Self::Permit> {
                let names!($a, $($b),+) = subject;
                let mut $x = Given::nothing(&self.$i, $a);
                $(let mut $y = Given::nothing(&self.$j, $b);)+
                take!(if !$first::GIVES_TURNS, $x, ask, now);
                $(take!(if !$rest::GIVES_TURNS, $y, ask, now);)+
                take!(if $first::GIVES_TURNS, $x, ask, now);
                $(take!(if $rest::GIVES_TURNS, $y, ask, now);)+
                Admission::Go(values!($x.take(), $($y.take()),+))
            }

            async fn admit(
                &self,
                subject: &Self::Subject,
                ask: Ask,
            ) -> Result<Self::Permit, Refused> {
                let are_in_order =
                    const { is_in_order(&[place::<Req, $first>() $(, place::<Req, $rest>())+]) };
                if !are_in_order || is_of_a_set() {
                    let rest = values!($(&self.$j),+);
                    let (first, rest) = (Asked(&self.$i, &subject.0), Asked(&rest, &subject.1));
                    // Boxed: it is as large as all its guards, and few sets need it.
                    return Box::pin(both(first, rest, ask)).await;
                }
                let names!($a, $($b),+) = subject;
                let mut $x = Given::nothing(&self.$i, $a);
                $(let mut $y = Given::nothing(&self.$j, $b);)+
                let mut now = Now::default();
                in_order!(ask, now, self, $x $a $i $(, $y $b $j)+);
                Ok(values!($x.take(), $($y.take()),+))
            }

            fn starts(&self, subject: &Self::Subject, permit: &mut Self::Permit, now: &Now) {
                let (names!($a, $($b),+), names!($x, $($y),+)) = (subject, permit);
                self.$i.starts($a, $x, now);
                $(self.$j.starts($b, $y, now);)+
            }

            #[inline(always)]
            fn settle(
                &self,
                subject: &Self::Subject,
                permit: Self::Permit,
                ending: &Ending,
                now: &Now,
            ) -> Self::Held {
                let (names!($a, $($b),+), names!($x, $($y),+)) = (subject, permit);
                let $x = Given::new(&self.$i, $a, $x);
                $(let $y = Given::new(&self.$j, $b, $y);)+
                let $x = Kept::new(&self.$i, $a, self.$i.settle($a, $x.take(), ending, now));
                $(
                    let held = self.$j.settle($b, $y.take(), ending, now);
                    let $y = Kept::new(&self.$j, $b, held);
                )+
                values!($x.take(), $($y.take()),+)
            }

            #[inline(always)]
            fn let_go(
                &self,
                subject: &Self::Subject,
                held: Self::Held,
                ending: &Ending,
                now: &Now,
            ) {
                let (names!($a, $($b),+), names!($x, $($y),+)) = (subject, held);
                let $x = Kept::new(&self.$i, $a, $x);
                $(let $y = Kept::new(&self.$j, $b, $y);)+
                self.$i.let_go($a, $x.take(), ending, now);
                $(self.$j.let_go($b, $y.take(), ending, now);)+
            }

            fn at_rest_from(&self) -> Option<Moment> {
                let from = Guard::<Req>::at_rest_from(&self.$i)?;
                $(let from = from.max(Guard::<Req>::at_rest_from(&self.$j)?);)+
                Some(from)
            }
        }
    };
}

macro_rules! types {
    ($last:ty) => { $last };
    ($first:ty, $($rest:ty),+) => { ($first, types!($($rest),+)) };
}

macro_rules! names {
    ($last:ident) => { $last };
    ($first:ident, $($rest:ident),+) => { ($first, names!($($rest),+)) };
}

macro_rules! values {
    ($last:expr) => { $last };
    ($first:expr, $($rest:expr),+) => { ($first, values!($($rest),+)) };
}

/// Asks a guard, and keeps what it gives.
macro_rules! take {
    (if $is_its_time:expr, $given:ident, $ask:ident, $now:ident) => {
        if $is_its_time {
            match $given.asks($ask, $now) {
                Admission::Go(()) => {}
                Admission::Wait => return Admission::Wait,
                Admission::Refuse(refused) => return Admission::Refuse(refused),
            }
        }
    };
}

/// Asks one guard after the other, and waits for each that says so; after a wait, those behind it
/// are glanced at.
macro_rules! in_order {
    ($ask:ident, $now:ident, $set:ident, $x:ident $a:ident $i:tt, $($y:ident $b:ident $j:tt),+) => {
        match $x.asks($ask, &$now) {
            Admission::Go(()) => {}
            Admission::Refuse(refused) => return Err(refused),
            Admission::Wait => {
                let (permit, has_waited) = has_waited($set.$i.admit($a, $ask)).await;
                $x.gets(permit?);
                if has_waited {
                    $now = Now::default();
                    $($set.$j.glance($b, $ask, &$now)?;)+
                }
            }
        }
        in_order!($ask, $now, $set, $($y $b $j),+);
    };
    ($ask:ident, $now:ident, $set:ident, $x:ident $a:ident $i:tt) => {
        match $x.asks($ask, &$now) {
            Admission::Go(()) => {}
            Admission::Refuse(refused) => return Err(refused),
            Admission::Wait => $x.gets($set.$i.admit($a, $ask).await?),
        }
    };
}

set!(A a v 0, B b w 1);
set!(A a v 0, B b w 1, C c x 2);
set!(A a v 0, B b w 1, C c x 2, D d y 3);
set!(A a v 0, B b w 1, C c x 2, D d y 3, E e z 4);
set!(A a u 0, B b v 1, C c w 2, D d x 3, E e y 4, F f z 5);
