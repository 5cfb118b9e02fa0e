//! What attempts beyond the first are paid from: retries and hedges draw on it.
//!
//! A [`Budget`] bounds them: in every interval, extra attempts ≤ ratio × calls + reserve. By
//! default each layer keeps one for every host, and each of these has its own bound; a hedge draws
//! on that of a retry by `hedge.budget(retry.budgets())`. One that several layers share is an `Arc`:
//!
//! ```
//! use mainstay::budget::{Account, Budget, Budgets, Paid, RetryBudget};
//! use std::sync::Arc;
//!
//! let shared = Arc::new(Budget::new(RetryBudget::new().ratio(0.1).reserve(1))?);
//! let account = Budgets::<&str>::account(&shared, &"any request");
//! account.deposit(); // a call begins
//! let extra = account.withdraw().ok_or("one is in reserve")?; // a second attempt is decided
//! extra.spend(); // it was sent; dropped instead, it would be refunded
//! assert!(account.withdraw().is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What counts as a call
//!
//! A call that passes two layers with one budget pays in once, since the layer further in is told.
//! Three things it cannot be told. Beneath tower's own retry layer, and behind a spawned task or a
//! `Buffer`, it takes each attempt for a call, so that these too may earn extra attempts. And a call
//! that is made inside of a second attempt, as one for a token, is taken for a part of that attempt,
//! and pays nothing in.

mod beside;

use std::ops::Deref;
use std::sync::Arc;

use mainstay_policy::budget::Extra;
use mainstay_policy::{Moment, SettingsError};

use crate::http::{ByHost, Key, KeyBy};
use crate::keyed::{AtRest, Keyed};
use crate::scope::Scope;

pub(crate) use beside::{Fee, apart, beside, withdraw};
pub use mainstay_policy::budget::{Budget, BudgetSnapshot, RetryBudget};

/// Accounts that extra attempts are paid from: one for all requests, or one for each key.
///
/// There is `Arc<Budget>`, `Arc<Keyed<Budget, K>>`, [`Unbounded`], and with the feature `tower` its
/// own budgets in a `TowerBudget`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no budget for requests of type `{Req}`",
    label = "not a budget for these requests",
    note = "layers share their budget: give an `Arc<Budget>`, or an `Arc<Keyed<Budget, K>>` whose \
            `K: KeyBy<{Req}>`"
)]
pub trait Budgets<Req> {
    /// One of the accounts.
    type Account: Account + Send + 'static;

    /// The account that the call of this request pays into and draws on.
    fn account(&self, request: &Req) -> Self::Account;
}

/// An account that calls pay into and extra attempts are paid from.
pub trait Account {
    /// An extra attempt that is paid for.
    type Paid: Paid + Send + 'static;

    /// A call has begun.
    fn deposit(&self);

    /// Pays for one extra attempt, now that it is decided; `None` if there is nothing to pay with.
    fn withdraw(&self) -> Option<Self::Paid>;

    /// A number that only this account has among all that are in use, so that a call that passes
    /// two layers pays into it once; zero if that cannot be told.
    fn id(&self) -> usize {
        0
    }
}

/// An extra attempt that is paid for; its drop refunds it, as nothing was sent.
pub trait Paid {
    /// The attempt was sent; there is no refund.
    fn spend(self);
}

/// What pays for an attempt that is handed on. As long as nothing of it has been sent, its drop
/// refunds that; afterwards it spends it, whichever way the attempt ends.
#[derive(Debug)]
pub(crate) struct Fare<T: Paid> {
    paid: Option<Fee<T>>,
    was_sent: bool,
}

impl<T: Paid> Fare<T> {
    /// The attempt is handed on; nothing pays for it where nothing was sent before.
    pub(crate) const fn new(paid: Option<Fee<T>>) -> Self {
        Self { paid, was_sent: true }
    }

    /// Whether it stands in a queue of ours, so that nothing of it has been sent.
    pub(crate) const fn stands(&mut self, is_queued: bool) {
        self.was_sent = !is_queued;
    }

    /// The attempt has ended.
    pub(crate) fn ends(mut self, was_sent: bool) {
        self.was_sent = was_sent;
    }
}

impl<T: Paid> Drop for Fare<T> {
    fn drop(&mut self) {
        if let Some(paid) = self.paid.take().filter(|_| self.was_sent) {
            paid.spend();
        }
    }
}

/// A call begins: its account, paid into, and what layers further in are to be told.
///
/// Nothing is paid in by an attempt beyond the first, nor where the layer next further out has paid
/// into the same account: the bound is on calls.
pub(crate) fn begin<Req, B: Budgets<Req>>(budgets: &B, request: &Req) -> (B::Account, Scope) {
    let account = budgets.account(request);
    let scope = pays_in(&account, Scope::current());
    (account, scope)
}

/// The same for an account that is known.
#[inline]
pub(crate) fn pays_in<A: Account>(account: &A, scope: Scope) -> Scope {
    let id = account.id();
    let has_paid = id != 0 && id == scope.account;
    if scope.attempt == 1 && !has_paid {
        account.deposit();
    }
    scope.account(id)
}

/// A budget with these settings for every host.
///
/// # Errors
///
/// What [`RetryBudget::check`] finds.
#[expect(clippy::missing_panics_doc, reason = "the settings are checked before")]
pub fn per_host(settings: RetryBudget) -> Result<Arc<Keyed<Budget, ByHost>>, SettingsError> {
    settings.check()?;
    #[expect(clippy::expect_used, reason = "the settings are checked before")]
    let make = move |_: &Key| Budget::new(settings).expect("settings that have been checked");
    Ok(Arc::new(Keyed::new(ByHost, make)))
}

impl<Req> Budgets<Req> for Arc<Budget> {
    type Account = Self;

    fn account(&self, _: &Req) -> Self {
        Self::clone(self)
    }
}

impl<Req, K: KeyBy<Req>> Budgets<Req> for Arc<Keyed<Budget, K>> {
    type Account = Arc<Budget>;

    fn account(&self, request: &Req) -> Arc<Budget> {
        self.of(request)
    }
}

impl Account for Arc<Budget> {
    type Paid = Extra<Self>;

    #[inline]
    fn deposit(&self) {
        Budget::deposit(self);
    }

    fn withdraw(&self) -> Option<Extra<Self>> {
        Budget::withdraw_from(Self::clone(self))
    }

    fn id(&self) -> usize {
        Self::as_ptr(self).addr()
    }
}

/// None: nothing bounds extra attempts, as with [`Unbounded`].
impl<Req, B: Budgets<Req>> Budgets<Req> for Option<B> {
    type Account = Option<B::Account>;

    fn account(&self, request: &Req) -> Self::Account {
        self.as_ref().map(|budgets| budgets.account(request))
    }
}

impl<A: Account> Account for Option<A> {
    type Paid = Option<A::Paid>;

    fn deposit(&self) {
        if let Some(account) = self {
            account.deposit();
        }
    }

    fn withdraw(&self) -> Option<Self::Paid> {
        match self {
            Some(account) => account.withdraw().map(Some),
            None => Some(None),
        }
    }

    fn id(&self) -> usize {
        self.as_ref().map_or(0, Account::id)
    }
}

impl<T: Paid> Paid for Option<T> {
    fn spend(self) {
        if let Some(paid) = self {
            paid.spend();
        }
    }
}

impl<B: Deref<Target = Budget>> Paid for Extra<B> {
    fn spend(self) {
        self.spend();
    }
}

impl AtRest for Budget {
    fn at_rest_from(&self) -> Option<Moment> {
        self.at_rest_from()
    }
}

/// No budget: every call may make all the attempts it is allowed.
///
/// In an outage a server then gets as many times its load as a call has attempts, at the worst
/// time. For tests, and where something else bounds the load.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Unbounded;

impl<Req> Budgets<Req> for Unbounded {
    type Account = Self;

    fn account(&self, _: &Req) -> Self {
        Self
    }
}

impl Account for Unbounded {
    type Paid = ();

    fn deposit(&self) {}

    fn withdraw(&self) -> Option<()> {
        Some(())
    }
}

impl Paid for () {
    fn spend(self) {}
}

/// A budget of tower's, `tower::retry::budget::TpsBudget` or one of your own.
///
/// It is paid when an attempt is decided, and has no way to take a refund: an attempt that is never
/// sent stays paid.
#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
#[derive(Debug)]
pub struct TowerBudget<T: ?Sized>(Arc<T>);

#[cfg(feature = "tower")]
impl<T: ?Sized> TowerBudget<T> {
    /// This budget.
    pub const fn new(budget: Arc<T>) -> Self {
        Self(budget)
    }
}

#[cfg(feature = "tower")]
impl<T: ?Sized> Clone for TowerBudget<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[cfg(feature = "tower")]
impl<Req, T> Budgets<Req> for TowerBudget<T>
where
    T: tower::retry::budget::Budget + Send + Sync + ?Sized + 'static,
{
    type Account = Self;

    fn account(&self, _: &Req) -> Self {
        self.clone()
    }
}

#[cfg(feature = "tower")]
impl<T> Account for TowerBudget<T>
where
    T: tower::retry::budget::Budget + Send + Sync + ?Sized + 'static,
{
    type Paid = ();

    fn deposit(&self) {
        self.0.deposit();
    }

    fn withdraw(&self) -> Option<()> {
        self.0.withdraw().then_some(())
    }

    fn id(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(reserve: u32) -> Budget {
        Budget::new(RetryBudget::new().ratio(1.0).reserve(reserve)).unwrap()
    }

    /// A budget of which everything has been spent.
    fn empty(reserve: u32) -> Budget {
        let budget = full(reserve);
        while let Some(extra) = budget.withdraw() {
            extra.spend();
        }
        budget
    }

    #[test]
    fn a_call_through_two_layers_that_share_an_account_pays_once() {
        let shared = Arc::new(empty(9));
        let (_, scope) = begin(&shared, &"call");
        assert_eq!(shared.snapshot().available, 1);
        scope.around(|| begin(&shared, &"the same call, further in"));
        assert_eq!(shared.snapshot().available, 1);

        let other = Arc::new(empty(9));
        scope.around(|| begin(&other, &"the same call"));
        assert_eq!(other.snapshot().available, 1, "it is another account");
        begin(&shared, &"another call");
        assert_eq!(shared.snapshot().available, 2);
    }

    #[test]
    fn an_attempt_beyond_the_first_pays_nothing_in() {
        let shared = Arc::new(empty(9));
        Scope::current().attempt(2).around(|| begin(&shared, &"again"));
        assert_eq!(shared.snapshot().available, 0);
    }

    #[test]
    fn what_is_withdrawn_and_not_spent_is_refunded() {
        let shared = Arc::new(full(2));
        Account::withdraw(&shared).unwrap().spend();
        drop(Account::withdraw(&shared).unwrap());
        assert_eq!((shared.snapshot().available, shared.snapshot().waiting), (1, 0));
    }

    #[test]
    fn each_key_has_an_account_of_its_own() {
        let keyed = Arc::new(Keyed::new(|host: &&str| Key::new(*host), |_| full(1)));
        let here = keyed.account(&"here");
        Account::withdraw(&here).unwrap().spend();
        assert!(Account::withdraw(&keyed.account(&"here")).is_none());
        assert!(Account::withdraw(&keyed.account(&"there")).is_some());
        assert_eq!(here.id(), keyed.account(&"here").id());
        assert_ne!(here.id(), keyed.account(&"there").id());
    }

    #[test]
    fn without_a_budget_nothing_is_refused() {
        let (account, scope) = begin(&Unbounded, &"call");
        assert!((0..10_000).all(|_| account.withdraw().is_some()));
        assert_eq!(scope, Scope::current());
    }

    #[cfg(feature = "tower")]
    #[test]
    fn a_budget_of_tower_s_serves_as_it_is() {
        use tower::retry::budget::TpsBudget;
        let ten_seconds = std::time::Duration::from_secs(10);
        let theirs = TowerBudget::new(Arc::new(TpsBudget::new(ten_seconds, 0, 1.0)));
        assert_eq!(theirs.withdraw(), None);
        let (account, _) = begin(&theirs, &"call");
        assert_eq!(account.withdraw(), Some(()));
        assert_eq!(account.withdraw(), None);
    }
}
