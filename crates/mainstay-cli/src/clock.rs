//! The only reader of time, and the only one that waits for it in a thread.

use std::time::Duration;

use tokio::time::Instant;

pub(crate) fn now() -> Instant {
    Instant::now()
}

pub(crate) fn since(began: Instant) -> Duration {
    now().saturating_duration_since(began)
}

pub(crate) async fn wait(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Stops the thread for this long.
#[expect(clippy::disallowed_methods, reason = "the thread that writes has no executor")]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}
