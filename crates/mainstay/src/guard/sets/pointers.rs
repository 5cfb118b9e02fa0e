//! What points to a guard is one: an `Arc`, a reference.

use std::future::Future;
use std::sync::Arc;

use mainstay_policy::Moment;

use crate::error::Refused;
use crate::guard::{Admission, Ask, Guard, Now};
use crate::protocol::Ending;

/// What points to a guard is one.
macro_rules! pointer {
    ($pointer:ty) => {
        impl<Req, G: Guard<Req> + Send + Sync> Guard<Req> for $pointer {
            const IS_SET: bool = G::IS_SET;
            const GIVES_TURNS: bool = G::GIVES_TURNS;
            const WAITS: bool = G::WAITS;

            type Subject = G::Subject;
            type Permit = G::Permit;
            type Held = G::Held;

            #[inline(always)]
            fn subject(&self, request: &Req) -> G::Subject {
                G::subject(self, request)
            }

            #[inline(always)]
            fn glance(&self, subject: &G::Subject, ask: Ask, now: &Now) -> Result<(), Refused> {
                G::glance(self, subject, ask, now)
            }

            #[inline(always)]
            fn try_admit(&self, subject: &G::Subject, ask: Ask, now: &Now) -> Admission<G::Permit> {
                G::try_admit(self, subject, ask, now)
            }

            fn admit(
                &self,
                subject: &G::Subject,
                ask: Ask,
            ) -> impl Future<Output = Result<G::Permit, Refused>> + Send {
                G::admit(self, subject, ask)
            }

            fn starts(&self, subject: &G::Subject, permit: &mut G::Permit, now: &Now) {
                G::starts(self, subject, permit, now);
            }

            #[inline(always)]
            fn settle(
                &self,
                subject: &G::Subject,
                permit: G::Permit,
                ending: &Ending,
                now: &Now,
            ) -> G::Held {
                G::settle(self, subject, permit, ending, now)
            }

            #[inline(always)]
            fn let_go(&self, subject: &G::Subject, held: G::Held, ending: &Ending, now: &Now) {
                G::let_go(self, subject, held, ending, now);
            }

            fn at_rest_from(&self) -> Option<Moment> {
                G::at_rest_from(self)
            }
        }
    };
}

pointer!(Arc<G>);
pointer!(&G);
