//! Pipelines at work: reloaded under load, and before a server that is down.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "pipelines/load.rs"]
mod load;
#[path = "pipelines/outage.rs"]
mod outage;

use std::time::Duration;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}
