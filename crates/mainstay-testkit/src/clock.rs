//! The only reader of time; a test pauses it.

use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// A timer on tokio's clock.
pub(crate) fn sleep(duration: Duration) -> Sleep {
    tokio::time::sleep(duration)
}

/// What time it is on tokio's clock.
pub(crate) fn now() -> Instant {
    Instant::now()
}
