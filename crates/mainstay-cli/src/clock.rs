//! The only reader of time.

use std::time::Duration;

use tokio::time::Instant;

pub(crate) fn now() -> Instant {
    Instant::now()
}

pub(crate) fn since(began: Instant) -> Duration {
    now().saturating_duration_since(began)
}
