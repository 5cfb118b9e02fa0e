//! The settings that are in force, each of which calls read by itself.

use std::time::Duration;

use super::settings::{CircuitBreaker, Slow, Span};
use crate::backoff::{Backoff, Growth, Jitter};
use crate::live::Live;

/// Who reads some of them while all are changed may go by a mixture for once: by one ratio and the
/// other floor of calls, or by one base of the open time and the other cap. Each lies in the range
/// that any may have, so it opens by a rule that was set, for no longer than one of the two caps.
#[derive(Debug)]
pub(super) struct InForce {
    consecutive_failures: Live<Option<u32>>,
    failure_ratio: Live<Option<f64>>,
    slow_longer_than: Live<Option<Duration>>,
    slow_ratio: Live<Option<f64>>,
    min_calls: Live<u32>,
    /// The window, where it is one of time.
    window: Live<Option<Duration>>,
    open_time: OpenTime,
    probes: Live<u32>,
    probe_time: Live<Duration>,
    abandoned_after: Live<Option<Duration>>,
}

#[derive(Debug)]
struct OpenTime {
    growth: Live<Growth>,
    base: Live<Duration>,
    cap: Live<Option<Duration>>,
    jitter: Live<Jitter>,
}

impl InForce {
    pub(super) fn new(settings: &CircuitBreaker) -> Self {
        let backoff = settings.open_time;
        Self {
            consecutive_failures: Live::new(settings.consecutive_failures),
            failure_ratio: Live::new(settings.failure_ratio),
            slow_longer_than: Live::new(longer_than(settings)),
            slow_ratio: Live::new(slow_ratio(settings)),
            min_calls: Live::new(settings.min_calls),
            window: Live::new(time(settings)),
            open_time: OpenTime {
                growth: Live::new(backoff.growth),
                base: Live::new(backoff.base),
                cap: Live::new(backoff.cap),
                jitter: Live::new(backoff.jitter),
            },
            probes: Live::new(settings.probes),
            probe_time: Live::new(settings.probe_time),
            abandoned_after: Live::new(settings.abandoned_after),
        }
    }

    pub(super) fn set(&self, settings: &CircuitBreaker) {
        let backoff = settings.open_time;
        self.consecutive_failures.set(settings.consecutive_failures);
        self.failure_ratio.set(settings.failure_ratio);
        self.slow_longer_than.set(longer_than(settings));
        self.slow_ratio.set(slow_ratio(settings));
        self.min_calls.set(settings.min_calls);
        self.window.set(time(settings));
        self.open_time.growth.set(backoff.growth);
        self.open_time.base.set(backoff.base);
        self.open_time.cap.set(backoff.cap);
        self.open_time.jitter.set(backoff.jitter);
        self.probes.set(settings.probes);
        self.probe_time.set(settings.probe_time);
        self.abandoned_after.set(settings.abandoned_after);
    }

    pub(super) fn consecutive_failures(&self) -> Option<u32> {
        self.consecutive_failures.get()
    }

    pub(super) fn failure_ratio(&self) -> Option<f64> {
        self.failure_ratio.get()
    }

    /// From what time on a call is slow, if any is.
    #[inline]
    pub(super) fn slow_longer_than(&self) -> Option<Duration> {
        self.slow_longer_than.get()
    }

    pub(super) fn slow_ratio(&self) -> Option<f64> {
        self.slow_ratio.get()
    }

    pub(super) fn min_calls(&self) -> u32 {
        self.min_calls.get()
    }

    /// The time that the window looks back, where it is one of time.
    pub(super) fn window(&self) -> Option<Duration> {
        self.window.get()
    }

    pub(super) fn open_time(&self) -> Backoff {
        let OpenTime { growth, base, cap, jitter } = &self.open_time;
        Backoff { growth: growth.get(), base: base.get(), cap: cap.get(), jitter: jitter.get() }
    }

    pub(super) fn probes(&self) -> u32 {
        self.probes.get()
    }

    pub(super) fn probe_time(&self) -> Duration {
        self.probe_time.get()
    }

    pub(super) fn abandoned_after(&self) -> Option<Duration> {
        self.abandoned_after.get()
    }
}

fn longer_than(settings: &CircuitBreaker) -> Option<Duration> {
    settings.slow_calls.map(|Slow { longer_than, .. }| longer_than)
}

fn slow_ratio(settings: &CircuitBreaker) -> Option<f64> {
    settings.slow_calls.map(|Slow { ratio, .. }| ratio)
}

fn time(settings: &CircuitBreaker) -> Option<Duration> {
    match settings.window {
        Span::Time(time) => Some(time),
        Span::Calls(_) => None,
    }
}
