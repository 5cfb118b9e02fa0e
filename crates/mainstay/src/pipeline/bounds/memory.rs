//! How much memory the state of a host takes.

use std::mem::size_of;

use mainstay_policy::budget::Budget;
use mainstay_policy::hedge::{Hedger, When};
use mainstay_policy::rate_limit::Shape;

use crate::adaptive::AdaptiveGuard;
use crate::breaker::BreakerGuard;
use crate::concurrency::ConcurrencyGuard;
use crate::cooldown::PacedGuard;
use crate::pipeline::host::Host;
use crate::pipeline::{HostSpec, PipelineSpec};
use crate::throttle::ThrottleGuard;

/// The key, whose name is at most 253 bytes; the two spellings of it that are remembered; its places
/// in maps that double when they are full.
const KEY: usize = 2_048;

/// What a guard allocates beside itself at most: windows of 64 slices, the channel of those who
/// watch it, what an allocator rounds up.
const BESIDE: usize = 2_048;

/// Two halves of 521 buckets, up to the longest delay.
const LATENCIES: usize = 2 * 521 * 4;

/// What a strict limit remembers of each start.
const START: usize = 8;

impl PipelineSpec {
    /// The states themselves, and what they allocate by their settings.
    pub(super) fn most_memory(&self, host: &HostSpec) -> u64 {
        let starts = host.rate_limit.map_or(0, |limit| match limit.shape {
            Shape::Strict => limit.count,
            Shape::Smooth { .. } => 0,
        });
        let latencies = self.hedge.map_or(0, |hedge| match hedge.when {
            When::Observed(_) => LATENCIES,
            When::After(_) => 0,
        });
        let has_turns = host.rate_limit.is_some() || host.cool_down.is_some();
        let states = [
            (host.concurrency.is_some(), size_of::<ConcurrencyGuard>()),
            (host.adaptive.is_some(), size_of::<AdaptiveGuard>()),
            (has_turns, size_of::<PacedGuard>()),
            (host.throttle.is_some(), size_of::<ThrottleGuard>()),
            (host.circuit_breaker.is_some(), size_of::<BreakerGuard>()),
            (self.budget.is_some(), size_of::<Budget>()),
            (self.hedge.is_some(), size_of::<Hedger>() + latencies),
            (true, size_of::<Host>()),
        ];
        let states = states.into_iter().filter_map(|(is_there, size)| is_there.then_some(size));
        let states: usize = states.map(|size| size + BESIDE).sum();
        as_u64(KEY + states) + u64::from(starts) * as_u64(START)
    }
}

fn as_u64(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
