//! Published figures and closed forms, with their literal numbers.

use std::time::Duration;

use mainstay_policy::backoff::{Backoff, Jitter};
use mainstay_policy::budget::{Budget, RetryBudget};
use mainstay_policy::rate_limit::{Limiter, RateLimit};
use mainstay_policy::retry::{Ended, Retry, Step, Tries};
use mainstay_policy::turn::Turn;
use mainstay_policy::{Draw, Moment, Outcome};

use crate::{at, ms};

/// An endless sequence of dice; the same in every run.
struct Dice {
    seed: Draw,
    thrown: u64,
}

impl Dice {
    fn new(seed: u64) -> Self {
        Self { seed: Draw::new(seed), thrown: 0 }
    }

    fn throw(&mut self) -> Draw {
        self.thrown += 1;
        self.seed.nth(self.thrown)
    }

    /// True with this probability.
    fn fall(&mut self, probability: f64) -> bool {
        let second = Duration::from_secs(1);
        let drawn = self.throw().between(Duration::ZERO, second - Duration::from_nanos(1));
        drawn.as_secs_f64() < probability
    }
}

fn mean_and_deviation(waits: &[f64]) -> (f64, f64) {
    let count = waits.len() as f64;
    let mean = waits.iter().sum::<f64>() / count;
    let variance = waits.iter().map(|wait| (wait - mean).powi(2)).sum::<f64>() / count;
    (mean, variance.sqrt())
}

#[track_caller]
fn assert_close(figure: f64, published: f64, tolerance: f64) {
    assert!((figure - published).abs() <= tolerance, "{figure}, published is {published}");
}

/// Waits at the cap as parts of it: full jitter has the mean 1/2 and the deviation 1/√12, equal
/// jitter 3/4 and 1/√48.
#[test]
fn jitter_at_the_cap_is_spread_as_its_name_says() {
    let at_cap = |jitter| {
        let backoff = Backoff::exponential(ms(100)).cap(ms(10_000)).jitter(jitter);
        let mut dice = Dice::new(1);
        let mut wait = || backoff.delay(40, None, dice.throw()).as_secs_f64() / 10.0;
        let waits: Vec<_> = (0..100_000).map(|_| wait()).collect();
        mean_and_deviation(&waits)
    };
    let (mean, deviation) = at_cap(Jitter::Full);
    assert_close(mean, 0.5, 0.003);
    assert_close(deviation, 0.288_675, 0.002);
    let (mean, deviation) = at_cap(Jitter::Equal);
    assert_close(mean, 0.75, 0.0015);
    assert_close(deviation, 0.144_338, 0.001);
}

/// The usual decorrelated jitter, `min(cap, U(base, 3 × previous))`, waits exactly the cap after
/// two thirds of the waits at the cap, and after more than a quarter of all: clients bunch there.
/// Ours caps the range and then draws, so no wait stands out.
#[test]
fn decorrelated_jitter_has_no_atom_at_the_cap() {
    for (base, cap, atom) in [(ms(5), ms(2_000), 0.27), (ms(100), ms(20_000), 0.29)] {
        has_no_atom(base, cap, atom);
    }
}

fn has_no_atom(base: Duration, cap: Duration, atom: f64) {
    const WAITS: u32 = 200_000;
    let ours = Backoff::exponential(base).cap(cap).jitter(Jitter::Decorrelated);
    let usual = |previous: Duration, draw: Draw| draw.between(base, previous * 3).min(cap);

    let at_cap = |next: &dyn Fn(Duration, Draw) -> Duration| {
        let mut dice = Dice::new(2);
        let mut wait = base;
        let mut capped = 0;
        for _ in 0..WAITS {
            wait = next(wait, dice.throw());
            capped += u32::from(wait == cap);
        }
        f64::from(capped) / f64::from(WAITS)
    };
    assert_close(at_cap(&usual), atom, 0.01);
    assert_close(at_cap(&|previous, draw| ours.delay(9, Some(previous), draw)), 0.0, 1e-4);

    let mut dice = Dice::new(3);
    let again = (0..WAITS).filter(|_| usual(cap, dice.throw()) == cap).count();
    assert_close(again as f64 / f64::from(WAITS), 2.0 / 3.0, 0.01);
    let again = (0..WAITS).filter(|_| ours.delay(9, Some(cap), dice.throw()) == cap).count();
    assert_close(again as f64 / f64::from(WAITS), 0.0, 1e-4);
}

/// Calls against a service that fails each attempt with this probability: what part succeeds, and
/// how many attempts there are per call. `budget` is paid into and drawn from as told.
fn simulate(
    retry: Retry,
    fails: f64,
    mut may_repeat: impl FnMut() -> bool,
    mut succeeded: impl FnMut(),
) -> (f64, f64) {
    const CALLS: u32 = 200_000;
    let mut dice = Dice::new(4);
    let (mut successes, mut attempts) = (0, 0);
    for _ in 0..CALLS {
        let mut tries = Tries::default();
        loop {
            attempts += 1;
            let failed = dice.fall(fails);
            let outcome = if failed { Outcome::Transient } else { Outcome::Success };
            if !failed {
                successes += 1;
                succeeded();
            }
            match retry.next(&mut tries, Ended::new(outcome), None, dice.throw()) {
                Step::Wait(_) if may_repeat() => {}
                Step::Wait(_) | Step::Return(_) => break,
            }
        }
    }
    (f64::from(successes) / f64::from(CALLS), f64::from(attempts) / f64::from(CALLS))
}

/// Three retries and no budget: success 1 − p⁴, load (1 − p⁴) / (1 − p).
#[test]
fn retries_without_a_budget_multiply_the_load() {
    let published = [
        (0.05, 1.0000, 1.053),
        (0.10, 0.9999, 1.111),
        (0.20, 0.9984, 1.248),
        (0.50, 0.9375, 1.875),
        (0.90, 0.3439, 3.439),
        (1.00, 0.0000, 4.000),
    ];
    for (fails, success, load) in published {
        let (ours, attempts) = simulate(Retry::up_to(4), fails, || true, || {});
        assert_close(ours, success, 0.003);
        assert_close(attempts, load, 0.01);
    }
}

/// A budget of ten that each success pays a tenth into: load 1 / (1 − d(1 − p)), success
/// (1 − p) / (1 − d(1 − p)) once it is spent.
#[test]
fn a_budget_that_successes_pay_into_follows_the_closed_form() {
    let published = [
        (0.20, 0.8696, 1.087),
        (0.50, 0.5263, 1.053),
        (0.90, 0.1010, 1.010),
        (1.00, 0.0000, 1.000),
        // Below and just above what it can pay for, where there is no closed form: simulated.
        (0.05, 1.0000, 1.053),
        (0.08, 0.9987, 1.086),
        (0.10, 0.9882, 1.099),
    ];
    for (fails, success, load) in published {
        let budget = Budget::new(RetryBudget::new().ratio(0.1).reserve(10)).unwrap();
        let pays = || budget.withdraw().map(|extra| extra.spend()).is_some();
        let (ours, attempts) = simulate(Retry::up_to(4), fails, pays, || budget.deposit());
        assert_close(ours, success, 0.005);
        assert_close(attempts, load, 0.006);
    }
}

/// The same calls, spread over more clients with an account each: what is in reserve adds up, and
/// the load goes back to that without a budget.
#[test]
fn many_small_budgets_bound_less_than_one() {
    for (clients, load) in [(10_u64, 1.053), (100, 1.058), (1_000, 1.101), (10_000, 1.523)] {
        let settings = RetryBudget::new().ratio(0.1).reserve(10);
        let budgets: Vec<_> = (0..clients).map(|_| Budget::new(settings).unwrap()).collect();
        let (mut attempts, mut dice) = (0_u32, Dice::new(6));
        for _ in 0..200_000 {
            let last = Duration::from_nanos(clients - 1);
            let client = dice.throw().between(Duration::ZERO, last).as_nanos();
            let budget = &budgets[usize::try_from(client).unwrap()];
            for attempt in 1..=4 {
                attempts += 1;
                if !dice.fall(0.5) {
                    budget.deposit();
                    break;
                }
                match (attempt < 4).then(|| budget.withdraw()).flatten() {
                    Some(extra) => extra.spend(),
                    None => break,
                }
            }
        }
        assert_close(f64::from(attempts) / 200_000.0, load, 0.006);
    }
}

/// Our own use, where each call pays in: in a total outage the load is 1 + ratio, whatever the
/// number of attempts; where little fails, nothing is held back.
#[test]
fn a_budget_that_calls_pay_into_bounds_the_load_of_an_outage() {
    for (fails, load) in [(1.0, 1.2), (0.9, 1.2), (0.5, 1.2), (0.05, 1.0526)] {
        let budget = Budget::new(RetryBudget::new()).unwrap();
        let mut first = true;
        let (mut calls, mut retries) = (0_u32, 0_u32);
        let mut dice = Dice::new(5);
        let mut tries = Tries::default();
        while calls < 100_000 {
            if first {
                budget.deposit();
                calls += 1;
                tries = Tries::default();
            }
            let outcome = if dice.fall(fails) { Outcome::Transient } else { Outcome::Success };
            let step = Retry::up_to(10).next(&mut tries, Ended::new(outcome), None, dice.throw());
            let extra = matches!(step, Step::Wait(_)).then(|| budget.withdraw()).flatten();
            first = extra.is_none();
            if let Some(extra) = extra {
                extra.spend();
                retries += 1;
            }
        }
        assert_close(1.0 + f64::from(retries) / f64::from(calls), load, 0.003);
    }
}

/// How many start in a span of time when somebody asks every millisecond.
fn starts(limiter: &Limiter, from: u64, to: u64) -> u32 {
    (from..to)
        .map(|now| {
            let now: Moment = at(now);
            (0..200).take_while(|_| limiter.take(1, now, now) == Turn::Now).count()
        })
        .map(|count| u32::try_from(count).unwrap())
        .sum()
}

/// A smooth limit lets burst + floor(W / T) start in a window W, which with a burst of the whole
/// limit is twice the limit; a strict one lets the limit start.
#[test]
fn the_bounds_in_a_window_are_met_and_not_passed() {
    let fifty = RateLimit::per_second(50);
    let limiter = |settings| Limiter::new(settings).unwrap();
    // Idle, then everything at once, in a window of just under a second and of just over.
    assert_eq!(starts(&limiter(fifty.burst(50)), 0, 1_000), 99);
    assert_eq!(starts(&limiter(fifty.burst(50)), 0, 1_001), 100);
    assert_eq!(starts(&limiter(fifty.burst(1)), 0, 1_000), 50);
    assert_eq!(starts(&limiter(fifty.burst(1)), 0, 1_001), 51);
    assert_eq!(starts(&limiter(fifty.strict()), 0, 1_000), 50);
}

/// "60 per minute" with a burst of 60 admits 119 in its first minute; one that is strict, or that
/// has no burst, admits 60.
#[test]
fn sixty_a_minute_are_sixty_in_the_first_minute() {
    let minute = RateLimit::per_minute(60);
    let first = |settings| starts(&Limiter::new(settings).unwrap(), 0, 60_000);
    assert_eq!(first(minute.burst(60)), 119);
    assert_eq!(first(minute), 60);
    assert_eq!(first(minute.strict()), 60);
}
