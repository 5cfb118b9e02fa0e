//! How long does a call wait between its attempts, and how far do many calls spread?
//!
//! `cargo run --example how_long_between_attempts`
#![expect(clippy::print_stdout, reason = "it is for reading")]

use std::time::Duration;

use mainstay_policy::backoff::{Backoff, Jitter};
use mainstay_policy::{Draw, SettingsError};

fn main() -> Result<(), SettingsError> {
    let (base, cap) = (Duration::from_millis(100), Duration::from_secs(2));
    let exponential = Backoff::exponential(base).cap(cap);
    let schedules = [
        ("constant", Backoff::constant(Duration::from_millis(500))),
        ("linear, no jitter", Backoff::linear(base).cap(cap).jitter(Jitter::None)),
        ("exponential, no jitter", exponential.jitter(Jitter::None)),
        ("exponential, full", exponential),
        ("exponential, equal", exponential.jitter(Jitter::Equal)),
        ("exponential, decorrelated", exponential.jitter(Jitter::Decorrelated)),
    ];

    println!("Waits in milliseconds after attempts 1 to 8; two calls with each schedule.\n");
    for (name, backoff) in schedules {
        backoff.check()?;
        for call in 0..2 {
            let waits = waits(backoff, Draw::new(call));
            println!("{:26}{}", if call == 0 { name } else { "" }, waits.join(""));
        }
    }
    println!("\nWithout jitter both calls come back together, each time. No wait passes {cap:?}.");
    Ok(())
}

fn waits(backoff: Backoff, dice: Draw) -> Vec<String> {
    let mut previous = None;
    (1..=8)
        .map(|attempt| {
            let wait = backoff.delay(attempt, previous, dice.nth(attempt.into()));
            previous = Some(wait);
            format!("{:>7}", wait.as_millis())
        })
        .collect()
}
