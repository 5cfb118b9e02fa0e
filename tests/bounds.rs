//! What a pipeline says that a call can cost at worst, against what calls do cost.
//!
//! Random valid pipelines stand before a random server, in paused time; and for each bound there is a
//! story that comes close to it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "bounds/close.rs"]
mod close;
#[path = "bounds/laws.rs"]
mod laws;
#[path = "bounds/run.rs"]
mod run;
#[path = "bounds/server.rs"]
mod server;
#[path = "bounds/specs.rs"]
mod specs;

use std::time::Duration;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}
