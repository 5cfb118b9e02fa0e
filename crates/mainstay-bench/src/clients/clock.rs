//! The only reader of time: how much this process has computed.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// How much this process has computed so far, all its threads together.
pub(super) fn computed() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}
