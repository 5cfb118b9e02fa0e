//! A budget beside the account of a layer: one for all calls of a batch, whatever layers they pass.
//!
//! An attempt beyond the first is paid from both. It is set for the thread around whatever the batch
//! polls, as [`Scope`](crate::scope) is.

use std::cell::Cell;
use std::sync::Arc;

use mainstay_policy::budget::Extra;

use super::{Account, Budget, Paid};

thread_local! {
    static BESIDE: Cell<Option<Arc<Budget>>> = const { Cell::new(None) };
}

/// What an attempt beyond the first is paid with; its drop refunds it.
#[derive(Debug)]
pub(crate) struct Fee<T> {
    paid: T,
    beside: Option<Extra<Arc<Budget>>>,
}

impl<T: Paid> Paid for Fee<T> {
    fn spend(self) {
        self.paid.spend();
        if let Some(beside) = self.beside {
            beside.spend();
        }
    }
}

/// Pays for one attempt beyond the first, from this account and from what is beside it; `None` if
/// there is nothing to pay with in one of them.
pub(crate) fn withdraw<A: Account>(account: &A) -> Option<Fee<A::Paid>> {
    let paid = account.withdraw()?;
    let beside = match here() {
        Some(budget) if budget.id() != account.id() => Some(Account::withdraw(&budget)?),
        Some(_) | None => None,
    };
    Some(Fee { paid, beside })
}

/// Runs something whose attempts beyond the first are paid from this one too. Of two, the nearer one
/// pays.
pub(crate) fn beside<T>(budget: &Arc<Budget>, run: impl FnOnce() -> T) -> T {
    let _before = Before(BESIDE.replace(Some(Arc::clone(budget))));
    run()
}

/// Runs what belongs to none of those who wait for it.
pub(crate) fn apart<T>(run: impl FnOnce() -> T) -> T {
    let _before = Before(BESIDE.take());
    run()
}

fn here() -> Option<Arc<Budget>> {
    let here = BESIDE.take();
    BESIDE.set(here.clone());
    here
}

struct Before(Option<Arc<Budget>>);

impl Drop for Before {
    fn drop(&mut self) {
        let _ = BESIDE.try_with(|beside| beside.set(self.0.take()));
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::budget::RetryBudget;

    fn budget(reserve: u32) -> Arc<Budget> {
        Arc::new(Budget::new(RetryBudget::new().ratio(0.1).reserve(reserve)).unwrap())
    }

    fn left(budget: &Arc<Budget>) -> u32 {
        budget.snapshot().available
    }

    #[test]
    fn both_pay_and_where_one_cannot_the_other_is_refunded() {
        let (own, all) = (budget(3), budget(1));
        beside(&all, || {
            withdraw(&own).unwrap().spend();
            assert!(withdraw(&own).is_none());
        });
        assert_eq!((left(&own), left(&all)), (2, 0));
        withdraw(&own).unwrap().spend();
        assert_eq!(left(&own), 1, "outside, it pays alone");
    }

    #[test]
    fn what_is_not_spent_is_refunded_by_both() {
        let (own, all) = (budget(1), budget(1));
        drop(beside(&all, || withdraw(&own).unwrap()));
        assert_eq!((left(&own), left(&all)), (1, 1));
    }

    #[test]
    fn one_that_is_the_account_itself_pays_once() {
        let own = budget(2);
        beside(&own, || withdraw(&own).unwrap().spend());
        assert_eq!(left(&own), 1);
    }

    #[test]
    fn a_panic_leaves_none_behind_and_what_belongs_to_nobody_has_none() {
        let (own, all) = (budget(9), budget(9));
        let panics = AssertUnwindSafe(|| beside(&all, || panic!("inside")));
        assert!(catch_unwind(panics).is_err());
        withdraw(&own).unwrap().spend();
        beside(&all, || {
            apart(|| withdraw(&own).unwrap().spend());
            assert_eq!(left(&all), 9);
            withdraw(&own).unwrap().spend();
        });
        assert_eq!((left(&own), left(&all)), (6, 8));
    }
}
