//! The settings that are in force, each of which calls read by itself.

use std::time::Duration;

use super::rules::Gradient2;
use super::settings::AdaptiveLimit;
use crate::live::{Live, Word};

/// What both rules go by. Whoever moves the limit by bounds that are outdated by then looks once
/// more; the ratio is one that was set.
#[derive(Debug)]
pub(super) struct InForce {
    bounds: Live<Bounds>,
    backoff_ratio: Live<f64>,
    abandoned_after: Live<Option<Duration>>,
}

impl InForce {
    pub(super) fn new(settings: &AdaptiveLimit) -> Self {
        Self {
            bounds: Live::new(Bounds::of(settings)),
            backoff_ratio: Live::new(settings.backoff_ratio),
            abandoned_after: Live::new(settings.abandoned_after),
        }
    }

    pub(super) fn set(&self, settings: &AdaptiveLimit) {
        self.bounds.set(Bounds::of(settings));
        self.backoff_ratio.set(settings.backoff_ratio);
        self.abandoned_after.set(settings.abandoned_after);
    }

    #[inline]
    pub(super) fn bounds(&self) -> Bounds {
        self.bounds.get()
    }

    #[inline]
    pub(super) fn backoff_ratio(&self) -> f64 {
        self.backoff_ratio.get()
    }

    #[inline]
    pub(super) fn abandoned_after(&self) -> Option<Duration> {
        self.abandoned_after.get()
    }
}

/// Where the limit lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Bounds {
    pub(super) min: u32,
    pub(super) max: u32,
}

impl Bounds {
    fn of(settings: &AdaptiveLimit) -> Self {
        Self { min: settings.min, max: settings.max }
    }

    #[inline]
    pub(super) fn nearest(self, limit: u32) -> u32 {
        limit.max(self.min).min(self.max)
    }

    pub(super) fn nearest_of(self, limit: f64) -> f64 {
        limit.max(f64::from(self.min)).min(f64::from(self.max))
    }
}

impl Word for Bounds {
    fn pack(self) -> u64 {
        u64::from(self.min) << u32::BITS | u64::from(self.max)
    }

    #[expect(clippy::cast_possible_truncation, reason = "two halves")]
    #[inline]
    fn unpack(word: u64) -> Self {
        Self { min: (word >> u32::BITS) as u32, max: word as u32 }
    }
}

/// What Gradient2 goes by, but for when a window is over, which that knows itself. A step that is
/// made by a mixture of two is one that some settings would make.
#[derive(Debug)]
pub(super) struct Gradient {
    tolerance: Live<f64>,
    queue: Live<u32>,
    smoothing: Live<f64>,
    long_window: Live<u32>,
    drop_share: Live<f64>,
}

impl Gradient {
    pub(super) fn new(rule: &Gradient2) -> Self {
        Self {
            tolerance: Live::new(rule.tolerance),
            queue: Live::new(rule.queue),
            smoothing: Live::new(rule.smoothing),
            long_window: Live::new(rule.long_window),
            drop_share: Live::new(rule.drop_share),
        }
    }

    pub(super) fn set(&self, rule: &Gradient2) {
        self.tolerance.set(rule.tolerance);
        self.queue.set(rule.queue);
        self.smoothing.set(rule.smoothing);
        self.long_window.set(rule.long_window);
        self.drop_share.set(rule.drop_share);
    }

    pub(super) fn tolerance(&self) -> f64 {
        self.tolerance.get()
    }

    pub(super) fn queue(&self) -> u32 {
        self.queue.get()
    }

    pub(super) fn smoothing(&self) -> f64 {
        self.smoothing.get()
    }

    pub(super) fn long_window(&self) -> u32 {
        self.long_window.get()
    }

    pub(super) fn drop_share(&self) -> f64 {
        self.drop_share.get()
    }
}
