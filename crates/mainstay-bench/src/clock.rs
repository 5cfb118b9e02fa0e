//! The only reader of time: the real one, which is what is measured.
#![expect(clippy::disallowed_methods, reason = "this is the room where clocks are read")]

use std::time::{Duration, Instant};

/// How long it takes.
pub(crate) fn time(run: impl FnOnce()) -> Duration {
    let begin = Instant::now();
    run();
    begin.elapsed()
}
