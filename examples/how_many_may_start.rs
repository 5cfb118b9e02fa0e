//! What is the difference between a rate, a burst and a strict limit?
//!
//! `cargo run --example how_many_may_start`
#![expect(clippy::print_stdout, reason = "it is for reading")]

use std::time::Duration;

use mainstay_policy::rate_limit::{Limiter, RateLimit};
use mainstay_policy::turn::Turn;
use mainstay_policy::{Moment, SettingsError};

const STEP: Duration = Duration::from_millis(100);

fn main() -> Result<(), SettingsError> {
    println!("Ten a second; somebody asks for as much as there is, all the time but in second 3.");
    println!("A digit is how many start in a tenth of a second.\n");
    for (name, settings) in [
        ("smooth", RateLimit::per_second(10)),
        ("smooth, burst 8", RateLimit::per_second(10).burst(8)),
        ("strict", RateLimit::per_second(10).strict()),
    ] {
        let (line, most) = run(&Limiter::new(settings)?);
        println!("{name:16} {line}  at most {most:2} in any second");
    }
    println!("\nA server that documents \"ten a second\" refuses what is above ten.");
    Ok(())
}

/// Four seconds as a line, and the most that started in any second of them.
fn run(limiter: &Limiter) -> (String, usize) {
    let mut line = String::new();
    let mut starts = Vec::new();
    for tenth in 0..40_u32 {
        let now = Moment::ORIGIN + STEP * tenth;
        let asks = if (20..30).contains(&tenth) { 0 } else { usize::MAX };
        let started = (0..asks).take_while(|_| limiter.take(1, now, now) == Turn::Now).count();
        starts.push(started);
        line.push_str(&if started == 0 { ".".to_owned() } else { started.to_string() });
        line.push_str(if tenth % 10 == 9 { " " } else { "" });
    }
    let most = starts.windows(10).map(|second| second.iter().sum()).max().unwrap_or(0);
    (line, most)
}
