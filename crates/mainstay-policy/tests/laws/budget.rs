use mainstay_policy::budget::{Budget, Extra, RetryBudget};
use proptest::prelude::*;

use crate::cases;

#[derive(Clone, Copy, Debug)]
enum Step {
    Deposit,
    Withdraw,
    Spend(prop::sample::Index),
    Refund(prop::sample::Index),
    /// To such a ratio, in hundredths, and such a reserve.
    Change(u32, u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Deposit),
        4 => Just(Step::Withdraw),
        1 => any::<prop::sample::Index>().prop_map(Step::Spend),
        2 => any::<prop::sample::Index>().prop_map(Step::Refund),
        1 => (0..=100_u32, 1..12_u32).prop_map(|(ratio, reserve)| Step::Change(ratio, reserve)),
    ]
}

/// What the account should hold, in hundredths.
struct Model {
    available: u32,
    waiting: u32,
}

proptest! {
    #![proptest_config(cases(1_000))]

    /// In every interval of decisions: extra ≤ ratio × calls + reserve; with a change in it, by the
    /// larger of the reserves, and of the ratios.
    #[test]
    fn the_bound_holds_over_every_interval(
        (mut hundredths, mut reserve) in (0..=100_u32, 1..12_u32),
        steps in prop::collection::vec(step(), 1..160),
    ) {
        let ratio = f64::from(hundredths) / 100.0;
        let budget = Budget::new(RetryBudget::new().ratio(ratio).reserve(reserve)).unwrap();
        let mut model = Model { available: reserve * 100, waiting: 0 };
        let mut held: Vec<(usize, Extra<&Budget>)> = Vec::new();
        // What was decided at each step: +1 for an extra attempt, back to 0 if it is refunded.
        let mut decided = vec![0_u32; steps.len()];
        let mut paid_in = vec![0_u32; steps.len()];
        let mut terms = vec![(0, 0); steps.len()];

        for (now, step) in steps.iter().enumerate() {
            terms[now] = (hundredths, reserve);
            match step {
                Step::Deposit => {
                    budget.deposit();
                    paid_in[now] = 1;
                    model.available += hundredths;
                }
                Step::Withdraw => {
                    let extra = budget.withdraw();
                    prop_assert_eq!(extra.is_some(), model.available >= 100);
                    if let Some(extra) = extra {
                        model.available -= 100;
                        model.waiting += 1;
                        decided[now] = 1;
                        held.push((now, extra));
                    }
                }
                Step::Spend(which) if !held.is_empty() => {
                    let (_, extra) = held.swap_remove(which.index(held.len()));
                    extra.spend();
                    model.waiting -= 1;
                }
                Step::Refund(which) if !held.is_empty() => {
                    let (when, extra) = held.swap_remove(which.index(held.len()));
                    drop(extra);
                    decided[when] = 0;
                    model.waiting -= 1;
                    model.available += 100;
                }
                Step::Change(ratio, other) => {
                    (hundredths, reserve) = (*ratio, *other);
                    let settings = RetryBudget::new().ratio(f64::from(*ratio) / 100.0);
                    prop_assert_eq!(budget.change(settings.reserve(reserve)), Ok(()));
                    terms[now] = (hundredths.max(terms[now].0), reserve.max(terms[now].1));
                }
                Step::Spend(_) | Step::Refund(_) => {}
            }
            let room = reserve.saturating_sub(model.waiting) * 100;
            model.available = model.available.min(room);
            let snapshot = budget.snapshot();
            prop_assert_eq!(snapshot.available, model.available / 100);
            prop_assert_eq!(snapshot.waiting, model.waiting);
            prop_assert!(snapshot.available + snapshot.waiting <= reserve.max(snapshot.waiting));
        }

        for from in 0..steps.len() {
            let (mut extra, mut calls, mut ratio, mut reserve) = (0, 0, 0, 0);
            for now in from..steps.len() {
                extra += decided[now];
                calls += paid_in[now];
                (ratio, reserve) = (terms[now].0.max(ratio), terms[now].1.max(reserve));
                let bound = ratio * calls + 100 * reserve;
                prop_assert!(extra * 100 <= bound, "{extra} of {bound}/100 in {from}..={now}");
            }
        }
    }
}

/// The bound holds with threads as well: nothing is created, nothing is lost.
#[test]
fn threads_get_no_more_than_was_paid_in() {
    const CALLS: u32 = 20_000;
    let budget = Budget::new(RetryBudget::new().ratio(0.25).reserve(50)).unwrap();
    let spent: u32 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let budget = &budget;
                scope.spawn(move || {
                    (0..CALLS).fold(0, |spent, n| {
                        budget.deposit();
                        match budget.withdraw() {
                            Some(extra) if (n + thread) % 3 > 0 => {
                                extra.spend();
                                spent + 1
                            }
                            Some(_) | None => spent, // refunded
                        }
                    })
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let left = budget.snapshot().available;
    assert_eq!(budget.snapshot().waiting, 0);
    assert!(spent + left <= CALLS + 50, "{spent} spent and {left} left of {}", CALLS + 50);
    assert!(spent > CALLS * 9 / 10, "{spent} spent of {CALLS}");
}
