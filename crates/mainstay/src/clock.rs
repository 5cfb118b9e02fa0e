//! The only reader of time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Sleep;

/// How long ago the Unix epoch was, by the wall clock; for dates, which are of no other clock.
#[expect(clippy::disallowed_methods, reason = "this is the room where clocks are read")]
pub(crate) fn unix_now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A timer on tokio's clock, which a test can pause.
pub(crate) fn sleep(duration: Duration) -> Sleep {
    tokio::time::sleep(duration)
}
