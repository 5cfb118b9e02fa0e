//! Bodies that are sent again and answers that are drained, over real transports.
//!
//! Real sockets on the loopback device, real time. Nothing here sleeps; what waits, waits for the
//! other end.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "bodies/drained.rs"]
mod drained;
#[path = "bodies/early.rs"]
mod early;
#[path = "bodies/lagging.rs"]
mod lagging;
#[path = "bodies/retried.rs"]
mod retried;
#[path = "bodies/server.rs"]
mod server;

use std::time::Duration;

use tokio::time::timeout;

/// Ends a test that hangs.
async fn finishes<F: Future>(future: F) -> F::Output {
    timeout(Duration::from_secs(60), future).await.expect("it hangs")
}
