//! How long a call can take.

use std::time::Duration;

use mainstay_policy::backoff::Jitter;
use mainstay_policy::retry::Retry;

use super::{Bound, Bounds};
use crate::http::body::DRAIN_TIME;
use crate::pipeline::waits::{longest_wait, sum};
use crate::pipeline::{GuardKind, HostSpec, PipelineSpec};

impl PipelineSpec {
    /// The deadline, if there is one: it is further out than all else, and drops what still runs.
    ///
    /// Else the sum of what can follow one another: so many times an attempt, with a wait between
    /// each two. Each wait and each attempt may be a timer late.
    pub(super) fn longest_call(&self, host: &HostSpec) -> Bound<Duration> {
        if let Some(deadline) = self.deadline {
            return Bound::AtMost(deadline);
        }
        let Some(timeout) = self.attempt_timeout else {
            return Bound::Unbounded(
                "neither `deadline` nor `attempt_timeout` is set, so nothing ends an attempt that \
                 hangs",
            );
        };
        let queues = match host.longest_queues() {
            Bound::AtMost(queues) => queues,
            unbounded @ Bound::Unbounded(_) => return unbounded,
        };
        let alone = late(timeout).saturating_add(queues);
        // The last hedge goes out before the first attempt has ended, and then takes as long.
        let attempt = match self.most_hedges() {
            0 => alone,
            _ => alone.saturating_mul(2),
        };
        let attempts = attempt.saturating_mul(self.most_tries());
        let waits = self.retry.map_or(Duration::ZERO, |retry| {
            sum(self.most_tries() - 1, |attempt| late(longest_pause(&retry, attempt)))
        });
        Bound::AtMost(attempts.saturating_add(waits))
    }
}

/// The longest that a retry waits after this attempt: by its backoff; or what it was asked, by a
/// server or a guard, to which jitter adds up to a whole envelope; or for the rest of the failed
/// answer, which it reads meanwhile.
fn longest_pause(retry: &Retry, attempt: u32) -> Duration {
    let spread = match retry.backoff.jitter {
        Jitter::None => Duration::ZERO,
        _ => retry.backoff.envelope(attempt),
    };
    let asked = retry.longest_asked.saturating_add(spread);
    longest_wait(&retry.backoff, attempt).max(asked).max(DRAIN_TIME)
}

impl HostSpec {
    /// How long an attempt can stand in queues before it is sent: for a slot, then for a turn. A
    /// guard in shadow has nobody wait.
    fn longest_queues(&self) -> Bound<Duration> {
        let fixed = self.concurrency.filter(|_| !self.is_shadow(GuardKind::Concurrency));
        let fixed = fixed.filter(|limit| limit.max_waiting > 0).map(|limit| limit.max_wait);
        let adaptive = self.adaptive.filter(|_| !self.is_shadow(GuardKind::Adaptive));
        let adaptive = adaptive.filter(|limit| limit.max_waiting > 0).map(|limit| limit.max_wait);
        let turn = match self.longest_line() {
            Bound::AtMost(turn) => turn,
            Bound::Unbounded(why) => return Bound::Unbounded(why),
        };
        let waits = [fixed, adaptive, turn].into_iter().flatten().map(late);
        Bound::AtMost(waits.fold(Duration::ZERO, Duration::saturating_add))
    }

    fn longest_line(&self) -> Bound<Option<Duration>> {
        let has_turns = self.rate_limit.is_some() || self.cool_down.is_some();
        if !has_turns || self.is_shadow(GuardKind::Turns) || self.line.max_waiting == Some(0) {
            return Bound::AtMost(None);
        }
        match self.line.max_wait {
            Some(wait) => Bound::AtMost(Some(wait)),
            None => Bound::Unbounded(
                "neither `deadline` nor `line.max_wait` is set, so a call stands in line for a turn \
                 for as long as it takes",
            ),
        }
    }
}

fn late(wait: Duration) -> Duration {
    wait.saturating_add(Bounds::TIMER)
}
