//! Somebody wants the run to end.

use std::future::pending;
use std::process;

use tokio::signal;

use crate::exit::Exit;

/// Waits for Ctrl-C, or for what asks for the same without a terminal.
pub(super) async fn ends() {
    tokio::select! {
        // Without a signal there is nobody to be heeded.
        Ok(()) = signal::ctrl_c() => {}
        () = is_terminated() => {}
    }
}

/// Ends the process when somebody says so, whatever is still to be written.
pub(super) async fn ends_at_once() {
    ends().await;
    process::exit(Exit::Interrupted.code().into());
}

#[cfg(unix)]
async fn is_terminated() {
    use signal::unix::{SignalKind, signal};

    match signal(SignalKind::terminate()) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(_) => pending().await,
    }
}

#[cfg(not(unix))]
async fn is_terminated() {
    pending().await
}
