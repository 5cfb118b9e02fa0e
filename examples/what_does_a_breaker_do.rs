//! What does a circuit breaker do while a server is down, and when does it come back?
//!
//! `cargo run --example what_does_a_breaker_do`
#![expect(clippy::print_stdout, reason = "it is for reading")]

use std::ops::Range;
use std::time::Duration;

use mainstay_policy::breaker::{Admission, Breaker, CircuitBreaker, Transition, Verdict};
use mainstay_policy::{Draw, Moment, SettingsError};

/// The server is down in these seconds.
const OUTAGE: Range<u64> = 5..20;

fn main() -> Result<(), SettingsError> {
    let breaker = Breaker::new(CircuitBreaker::new(), Draw::new(7))?;
    println!("Ten calls a second; the server is down from second 5 to second 20.\n");
    for second in 0..30 {
        let (mut sent, mut refused) = (0, 0);
        for tenth in 0..10 {
            let now = Moment::ORIGIN + Duration::from_millis(second * 1_000 + tenth * 100);
            match breaker.admit(now) {
                Admission::Refused(_) => refused += 1,
                Admission::Granted { ticket, transition } => {
                    sent += 1;
                    report(transition, now);
                    let down = OUTAGE.contains(&second);
                    let verdict = if down { Verdict::Failure } else { Verdict::Success };
                    report(breaker.settle(ticket, verdict, now), now);
                }
            }
        }
        println!("{second:>4} s  {sent:>2} sent, {refused:>2} refused");
    }
    Ok(())
}

fn report(transition: Option<Transition>, now: Moment) {
    match transition {
        Some(Transition::Opened { until, cause }) => {
            println!("         opens for {:?}: {cause:?}", until.since(now));
        }
        Some(Transition::HalfOpened) => println!("         lets a probe through"),
        Some(Transition::Closed) => println!("         closes"),
        Some(other) => println!("         {other:?}"),
        None => {}
    }
}
