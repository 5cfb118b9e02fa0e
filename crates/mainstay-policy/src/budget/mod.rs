//! How many attempts beyond the first all calls together may make.
//!
//! ```
//! use mainstay_policy::budget::{Budget, RetryBudget};
//!
//! // One extra attempt for every five calls, and two besides.
//! let budget = Budget::new(RetryBudget::new().ratio(0.2).reserve(2))?;
//!
//! let first = budget.withdraw().expect("two are in reserve");
//! let second = budget.withdraw().expect("two are in reserve");
//! assert!(budget.withdraw().is_none());
//!
//! first.spend(); // the extra attempt was sent
//! drop(second); // it never was: the caller gave up during the wait
//! assert!(budget.withdraw().is_some());
//! # Ok::<(), mainstay_policy::SettingsError>(())
//! ```

mod account;

use std::ops::Deref;

use account::{Account, Terms};

use crate::live::{Changes, Live};
use crate::moment::Moment;
use crate::settings::{Checks, SettingsError};
use crate::sync::{Acquire, AtomicU64, Line, update};

/// How many extra attempts there may be: the settings.
///
/// | setting | default | why |
/// |---|---|---|
/// | [`ratio`](RetryBudget::ratio) | 0.2 | an outage gets at most 1.2 times the usual load from all that draws on one budget, however many attempts each call may make |
/// | [`reserve`](RetryBudget::reserve) | 100 | a script of a few calls can still retry each; the same burst as AWS's SDKs and Finagle |
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
#[must_use]
pub struct RetryBudget {
    /// What one call pays in, in extra attempts.
    pub ratio: f64,
    /// The most extra attempts that the account can hold; it is full at first.
    pub reserve: u32,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self::new()
    }
}

impl RetryBudget {
    /// The largest reserve.
    pub const MOST_RESERVE: u32 = 1_000_000;

    /// The defaults.
    pub const fn new() -> Self {
        Self { ratio: 0.2, reserve: 100 }
    }

    /// Extra attempts per call, kept to a millionth.
    pub const fn ratio(mut self, ratio: f64) -> Self {
        self.ratio = ratio;
        self
    }

    /// Extra attempts that need no calls before them; also the most that can be saved up, and the
    /// most that can be waiting, or on their way, at one time.
    pub const fn reserve(mut self, reserve: u32) -> Self {
        self.reserve = reserve;
        self
    }

    /// Says what cannot be used as it is.
    ///
    /// # Errors
    ///
    /// A ratio outside 0 to 1, a reserve of zero (no extra attempt could ever be made, because
    /// nothing can be saved up for it) or above [`RetryBudget::MOST_RESERVE`].
    pub fn check(&self) -> Result<(), SettingsError> {
        let is_ratio = (0.0..=1.0).contains(&self.ratio);
        Checks::default()
            .require(is_ratio, "ratio", self.ratio, "be between 0 and 1")
            .at_least_one("reserve", self.reserve)
            .at_most("reserve", self.reserve, Self::MOST_RESERVE)
            .done()
    }
}

/// An account that calls pay into and extra attempts are paid from.
///
/// **In every interval of time, extra attempts decided in it ≤ ratio × calls begun in it +
/// reserve.** The interval may be as short or as long as you like, and the decision counts, not
/// the sending: an attempt is charged when it is decided, before its wait. What is not known to
/// have been sent keeps its place in the account, so that a refund never lets more be saved up than
/// the reserve; hence at most `reserve` extra attempts wait, or are on their way, at one time.
///
/// One word, no lock; shared by retry and hedge, through an `Arc` or a reference.
#[derive(Debug)]
pub struct Budget {
    account: Line<AtomicU64>,
    /// Of which one is in force, as the account says.
    terms: [Live<Terms>; 2],
    changes: Changes,
}

impl Budget {
    /// A full account.
    ///
    /// # Errors
    ///
    /// What [`RetryBudget::check`] finds.
    pub fn new(settings: RetryBudget) -> Result<Self, SettingsError> {
        settings.check()?;
        let account = Line(AtomicU64::new(Account::full(settings.reserve).pack()));
        let terms = [(); 2].map(|()| Live::new(Terms::of(settings)));
        Ok(Self { account, terms, changes: Changes::default() })
    }

    /// Goes on with other settings. It keeps what it holds, as far as the new reserve allows; a
    /// larger one fills as calls pay in. What waits is paid for and stays so: where more waits than
    /// the new reserve, nothing is paid for until enough of it is gone.
    ///
    /// Each payment goes by the settings before the change or after it, so the bound holds: over an
    /// interval with a change in it, by the larger ratio and the larger reserve.
    ///
    /// # Errors
    ///
    /// What [`RetryBudget::check`] finds; nothing is changed then.
    pub fn change(&self, settings: RetryBudget) -> Result<(), SettingsError> {
        settings.check()?;
        let _change = self.changes.begin();
        let [first, second] = &self.terms;
        let (account, _) = self.look();
        let spare = if account.goes_by_second() { first } else { second };
        let terms = Terms::of(settings);
        spare.set(terms);
        self.step(|account, _| Some(account.change(terms)));
        Ok(())
    }

    /// A call has begun.
    #[inline]
    pub fn deposit(&self) {
        update(&self.account, |word| {
            let (account, terms) = self.split(word);
            let next = account.deposit(terms).pack();
            ((next != word).then_some(next), ())
        });
    }

    /// Pays for one extra attempt, now that it is decided; `None` if there is nothing to pay with.
    ///
    /// Dropping the answer refunds it; [`Extra::spend`] says that the attempt was sent.
    #[must_use = "dropping it refunds it at once"]
    pub fn withdraw(&self) -> Option<Extra<&Self>> {
        Self::withdraw_from(self)
    }

    /// As [`withdraw`](Budget::withdraw), but the answer keeps what it was paid from: an
    /// `Arc<Budget>`, say, so that it can travel with a future.
    #[must_use = "dropping it refunds it at once"]
    pub fn withdraw_from<B: Deref<Target = Self>>(budget: B) -> Option<Extra<B>> {
        budget.step(Account::withdraw).then(|| Extra { budget: Some(budget) })
    }

    /// From when on it may be forgotten; `None` while it is not full. To forget it sooner would
    /// give the reserve back in the middle of an outage.
    #[must_use]
    pub fn at_rest_from(&self) -> Option<Moment> {
        let (account, terms) = self.look();
        account.is_full(terms).then_some(Moment::MIN)
    }

    /// What is in the account.
    #[must_use]
    pub fn snapshot(&self) -> BudgetSnapshot {
        let (account, Terms { reserve, .. }) = self.look();
        BudgetSnapshot { available: account.available(), waiting: account.waiting(), reserve }
    }

    /// Makes the step if it can be made; says whether it was.
    fn step(&self, step: impl Fn(Account, Terms) -> Option<Account>) -> bool {
        update(&self.account, |word| {
            let (account, terms) = self.split(word);
            match step(account, terms) {
                Some(account) => (Some(account.pack()), true),
                None => (None, false),
            }
        })
    }

    fn look(&self) -> (Account, Terms) {
        self.split(self.account.load(Acquire))
    }

    #[inline]
    fn split(&self, word: u64) -> (Account, Terms) {
        let account = Account::unpack(word);
        let [first, second] = &self.terms;
        (account, if account.goes_by_second() { second } else { first }.get())
    }
}

/// One extra attempt that is paid for and not known to have been sent.
#[derive(Debug)]
#[must_use = "dropping it refunds it at once"]
pub struct Extra<B: Deref<Target = Budget>> {
    budget: Option<B>,
}

impl<B: Deref<Target = Budget>> Extra<B> {
    /// The attempt has been sent; there is no refund.
    pub fn spend(mut self) {
        if let Some(budget) = self.budget.take() {
            budget.step(Account::spend);
        }
    }
}

impl<B: Deref<Target = Budget>> Drop for Extra<B> {
    fn drop(&mut self) {
        if let Some(budget) = self.budget.take() {
            budget.step(Account::refund);
        }
    }
}

/// What a [`Budget`] held at one time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct BudgetSnapshot {
    /// Extra attempts that could be paid for.
    pub available: u32,
    /// Extra attempts that are paid for and not known to have been sent: they wait, or are on their
    /// way.
    pub waiting: u32,
    /// The most that both together can be, but for what waited when it was changed to less.
    pub reserve: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(ratio: f64, reserve: u32) -> Budget {
        Budget::new(RetryBudget::new().ratio(ratio).reserve(reserve)).unwrap()
    }

    fn spend_all(budget: &Budget) -> u32 {
        let mut spent = 0;
        while let Some(extra) = budget.withdraw() {
            extra.spend();
            spent += 1;
        }
        spent
    }

    #[test]
    fn a_dropped_extra_is_refunded_and_a_spent_one_is_not() {
        let budget = budget(0.0, 2);
        drop(budget.withdraw().unwrap());
        budget.withdraw().unwrap().spend();
        let expected = BudgetSnapshot { available: 1, waiting: 0, reserve: 2 };
        assert_eq!(budget.snapshot(), expected);
        assert_eq!(spend_all(&budget), 1);
    }

    /// tower's budget grants 0.333, 0.5 and 1.0 for the first three of these.
    #[test]
    fn the_ratio_is_the_ratio_and_not_the_nearest_fraction_of_one() {
        for (ratio, extra) in [(0.3, 300), (0.4, 400), (0.51, 510), (0.99, 990), (0.2, 200)] {
            let budget = budget(ratio, 1000);
            spend_all(&budget);
            (0..1000).for_each(|_| budget.deposit());
            assert_eq!(spend_all(&budget), extra, "ratio {ratio}");
        }
    }

    #[test]
    fn nothing_is_saved_up_beyond_the_reserve() {
        let budget = budget(1.0, 3);
        (0..50).for_each(|_| budget.deposit());
        assert_eq!(spend_all(&budget), 3);
    }

    #[test]
    fn what_waits_to_be_sent_keeps_its_place_so_that_a_refund_saves_up_no_more() {
        let budget = budget(1.0, 3);
        let waiting: Vec<_> = (0..3).map_while(|_| budget.withdraw()).collect();
        (0..50).for_each(|_| budget.deposit());
        assert_eq!(budget.snapshot().available, 0);
        drop(waiting);
        assert_eq!(spend_all(&budget), 3);
    }

    #[test]
    fn an_extra_can_own_the_budget_it_was_paid_from() {
        let budget = std::sync::Arc::new(budget(0.0, 1));
        let extra = Budget::withdraw_from(budget.clone()).unwrap();
        assert_eq!(budget.snapshot().waiting, 1);
        assert_eq!(budget.at_rest_from(), None);
        drop(extra);
        assert_eq!(budget.at_rest_from(), Some(Moment::MIN));
        assert_eq!(budget.snapshot().waiting, 0);
    }

    #[test]
    fn it_is_at_rest_only_while_it_is_full() {
        let budget = budget(0.5, 2);
        assert_eq!(budget.at_rest_from(), Some(Moment::MIN));
        budget.withdraw().unwrap().spend();
        assert_eq!(budget.at_rest_from(), None);
        budget.deposit();
        assert_eq!(budget.at_rest_from(), None);
        budget.deposit();
        assert_eq!(budget.at_rest_from(), Some(Moment::MIN));
    }

    #[test]
    fn changed_it_keeps_what_it_holds_and_no_more_than_the_new_reserve() {
        let budget = budget(0.5, 4);
        budget.withdraw().unwrap().spend();
        assert_eq!(budget.change(RetryBudget::new().ratio(1.0).reserve(9)), Ok(()));
        let expected = BudgetSnapshot { available: 3, waiting: 0, reserve: 9 };
        assert_eq!(budget.snapshot(), expected);
        budget.deposit();
        assert_eq!(budget.snapshot().available, 4);
        assert_eq!(budget.change(RetryBudget::new().reserve(2)), Ok(()));
        assert_eq!(budget.snapshot().available, 2);
        assert_eq!(budget.at_rest_from(), Some(Moment::MIN));
        let wrong = RetryBudget::new().ratio(0.9).reserve(0);
        assert_eq!(budget.change(wrong), wrong.check());
        assert_eq!(spend_all(&budget), 2);
    }

    #[test]
    fn what_waits_when_the_reserve_is_cut_stays_paid_for() {
        let budget = budget(1.0, 3);
        let mut waiting: Vec<_> = (0..3).map_while(|_| budget.withdraw()).collect();
        assert_eq!(budget.change(RetryBudget::new().ratio(1.0).reserve(1)), Ok(()));
        assert_eq!(budget.snapshot(), BudgetSnapshot { available: 0, waiting: 3, reserve: 1 });
        budget.deposit();
        assert!(waiting.pop().is_some() && budget.withdraw().is_none());
        assert!(waiting.pop().is_some() && budget.withdraw().is_none());
        assert!(waiting.pop().is_some());
        assert_eq!(budget.snapshot(), BudgetSnapshot { available: 1, waiting: 0, reserve: 1 });
    }

    #[test]
    fn settings_that_cannot_work_are_named_with_their_value() {
        let says = |settings: RetryBudget| Budget::new(settings).unwrap_err().to_string();
        for ratio in [-0.1, 1.000_001, f64::NAN, f64::INFINITY] {
            assert_eq!(
                says(RetryBudget::new().ratio(ratio)),
                format!("`ratio` is {ratio:?}, but must be between 0 and 1")
            );
        }
        let says_reserve = says(RetryBudget::new().reserve(0));
        assert_eq!(says_reserve, "`reserve` is 0, but must be at least 1");
        let says_reserve = says(RetryBudget::new().reserve(1_000_001));
        assert_eq!(says_reserve, "`reserve` is 1000001, but must be at most 1000000");
        assert!(Budget::new(RetryBudget::new().ratio(0.0).reserve(1_000_000)).is_ok());
        assert!(Budget::new(RetryBudget::new().ratio(1.0).reserve(1)).is_ok());
        assert_eq!(Budget::new(RetryBudget::new()).unwrap().snapshot().available, 100);
    }
}
