//! The thread that serves connections and timers while others block.

use std::future::Future;
use std::io;
use std::thread;

use tokio::runtime::{Builder, EnterGuard, Handle};
use tokio::sync::oneshot;

/// Ends with this.
#[derive(Debug)]
pub(super) struct Thread {
    handle: Handle,
    #[expect(dead_code, reason = "its drop is what ends the thread")]
    ends: oneshot::Sender<()>,
}

impl Thread {
    pub(super) fn begin() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (ends, end) = oneshot::channel::<()>();
        let named = thread::Builder::new().name("mainstay-client".to_owned());
        // Nobody joins it: the last one who has it may be the thread itself.
        drop(named.spawn(move || runtime.block_on(end))?);
        Ok(Self { handle, ends })
    }

    /// Blocks until this has ended, which runs on the thread that asks.
    pub(super) fn waits<F: Future>(&self, future: F) -> F::Output {
        self.handle.block_on(future)
    }

    /// Timers that are made meanwhile are those of this thread.
    pub(super) fn enters(&self) -> EnterGuard<'_> {
        self.handle.enter()
    }
}
