//! How many requests does a server get when it is failing, with retries and with a budget?
//!
//! `cargo run --example what_does_an_outage_cost`
#![expect(clippy::print_stdout, reason = "it is for reading")]

use std::time::Duration;

use mainstay_policy::budget::{Budget, RetryBudget};
use mainstay_policy::retry::{Ended, Retry, Step, Tries};
use mainstay_policy::{Draw, Outcome, SettingsError};

const CALLS: u32 = 20_000;
const ATTEMPTS: u32 = 4;

fn main() -> Result<(), SettingsError> {
    println!("{CALLS} calls of at most {ATTEMPTS} attempts each.\n");
    println!("of 100 attempts     without a budget       with a budget of 20 %");
    println!("      that fail     load    successes      load    successes");
    for percent in [0, 5, 20, 50, 90, 100] {
        let free = simulate(percent, None);
        let bounded = simulate(percent, Some(Budget::new(RetryBudget::new())?));
        println!(
            "{percent:>15} {:>7.2}x {:>10.1} % {:>8.2}x {:>10.1} %",
            free.load, free.successes, bounded.load, bounded.successes
        );
    }
    println!("\nA server that fails half its requests is not helped by twice as many of them.");
    Ok(())
}

struct Figures {
    load: f64,
    successes: f64,
}

fn simulate(percent: u64, budget: Option<Budget>) -> Figures {
    let retry = Retry::up_to(ATTEMPTS);
    let (mut sent, mut succeeded) = (0_u64, 0_u32);
    for _ in 0..CALLS {
        if let Some(budget) = &budget {
            budget.deposit();
        }
        let mut tries = Tries::default();
        loop {
            let dice = Draw::new(11).nth(sent);
            sent += 1;
            let failed = dice.between(Duration::ZERO, Duration::from_nanos(99)).as_nanos()
                < u128::from(percent);
            let outcome = if failed { Outcome::Transient } else { Outcome::Success };
            succeeded += u32::from(!failed);
            match retry.next(&mut tries, Ended::new(outcome), None, dice) {
                Step::Return(_) => break,
                Step::Wait(_) => match budget.as_ref().map(Budget::withdraw) {
                    None => {}
                    Some(Some(extra)) => extra.spend(),
                    Some(None) => break,
                },
            }
        }
    }
    let calls = f64::from(CALLS);
    #[expect(clippy::cast_precision_loss, reason = "some ten thousand")]
    Figures { load: sent as f64 / calls, successes: 100.0 * f64::from(succeeded) / calls }
}
