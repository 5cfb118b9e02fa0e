//! What holds for whatever a batch polls.

use std::sync::Arc;
use std::task::Context;

use mainstay_policy::Moment;

use crate::budget::{Account, Budget, beside, pays_in};
use crate::observe::again;
use crate::scope::{Scope, attempt, watching};

/// What holds for whatever a batch polls: until when, and what attempts beyond the first are paid
/// from.
#[derive(Debug)]
pub(super) struct Under {
    pub(super) until: Moment,
    pub(super) budget: Option<Arc<Budget>>,
    /// How many attempts beyond the first were sent.
    pub(super) retried: u64,
}

impl Under {
    /// Another call is going to be made.
    pub(super) fn begins(&self) {
        if let Some(budget) = &self.budget {
            pays_in(budget, Scope::current());
        }
    }

    /// Polls one of the calls. What is learnt of it says nothing of whatever the batch is part of.
    pub(super) fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> T,
    ) -> T {
        let Self { until, budget, retried } = self;
        let _counts = Counts { before: again(), retried };
        let bounded = || match *until {
            Moment::MAX => poll(cx),
            until => watching(until, cx, |cx| Scope::current().until(until).around(|| poll(cx))),
        };
        let paid = || match budget {
            None => bounded(),
            Some(budget) => {
                beside(budget, || Scope::current().account(budget.id()).around(bounded))
            }
        };
        attempt(paid).0
    }
}

/// Counts also where the poll panics.
struct Counts<'a> {
    before: i64,
    retried: &'a mut u64,
}

impl Drop for Counts<'_> {
    fn drop(&mut self) {
        *self.retried = self.retried.saturating_add_signed(again().wrapping_sub(self.before));
    }
}
