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

/// A runtime whose time is paused, and that has no sockets.
#[cfg(feature = "paused")]
pub(crate) fn paused() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()
}
