//! The only reader of time; a test pauses it.

use std::time::Duration;

use tokio::time::Sleep;

/// A timer on tokio's clock.
pub(crate) fn sleep(duration: Duration) -> Sleep {
    tokio::time::sleep(duration)
}
