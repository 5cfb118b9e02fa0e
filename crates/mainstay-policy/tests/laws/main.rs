//! What holds for every input and every history, each against a plain model; and the published
//! figures that our policies must reproduce.
#![expect(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a law fails by panicking, and compares with plain arithmetic"
)]

mod adaptive;
mod backoff;
mod batch;
mod breaker;
mod budget;
mod cooldown;
mod faults;
mod hedge;
mod oracles;
mod overload;
mod panics;
mod rate;
mod slots;
mod throttle;

use std::time::Duration;

use mainstay_policy::Moment;
use proptest::test_runner::Config;

/// So many random cases; a failing one is printed, not written to a file.
fn cases(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}

fn at(millis: u64) -> Moment {
    Moment::ORIGIN + ms(millis)
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
