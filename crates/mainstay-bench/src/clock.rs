//! The only reader of time: the real one, which is what is measured.
#![expect(clippy::disallowed_methods, reason = "this is the room where clocks are read")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// What time it is, for what lasts.
pub(crate) fn now() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

/// How long ago that was.
pub(crate) fn since(began: tokio::time::Instant) -> Duration {
    began.elapsed()
}

/// Waits for so long.
pub(crate) async fn sleep(time: Duration) {
    tokio::time::sleep(time).await;
}

/// How long it takes.
pub(crate) fn time(run: impl FnOnce()) -> Duration {
    let begin = Instant::now();
    run();
    begin.elapsed()
}

/// Runs it over and over, until it has taken so long or another thread says that it is over, and
/// tells the others; says how long it took.
pub(crate) fn time_until(long: Duration, is_over: &AtomicBool, mut run: impl FnMut()) -> Duration {
    let begin = Instant::now();
    loop {
        run();
        let taken = begin.elapsed();
        if taken >= long || is_over.load(Ordering::Relaxed) {
            is_over.store(true, Ordering::Relaxed);
            return taken;
        }
    }
}

/// How much this process has computed so far, all its threads together.
pub(crate) fn computed() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

/// Runs from when it starts.
#[derive(Debug)]
pub(crate) struct Watch(Instant);

impl Watch {
    pub(crate) fn starts() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn took(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Waits so long on tokio's clock.
pub(crate) async fn wait(long: Duration) {
    tokio::time::sleep(long).await;
}
