//! The layers at work: over real clients, inside real servers, with what users have.
//!
//! What has sockets has real time and does not sleep; what has paused time has no sockets.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "stacks/batches.rs"]
mod batches;
#[path = "stacks/channels.rs"]
mod channels;
#[path = "stacks/clients.rs"]
mod clients;
#[path = "stacks/defects.rs"]
mod defects;
#[path = "stacks/layers.rs"]
mod layers;
#[path = "stacks/messages.rs"]
mod messages;
#[path = "stacks/one_place.rs"]
mod one_place;
#[path = "stacks/pipelines.rs"]
mod pipelines;
#[path = "bodies/server.rs"]
mod server;
#[path = "stacks/servers.rs"]
mod servers;
#[path = "stacks/shareable.rs"]
mod shareable;
#[path = "stacks/spawned.rs"]
mod spawned;
#[path = "stacks/users.rs"]
mod users;

use std::time::Duration;

use tokio::time::timeout;

/// Ends a test that hangs.
async fn finishes<F: Future>(future: F) -> F::Output {
    timeout(Duration::from_secs(60), future).await.expect("it hangs")
}
