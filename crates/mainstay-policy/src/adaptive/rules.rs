//! The rules that move a limit: their settings.

use std::time::Duration;

use crate::settings::{Checks, SettingsError};

/// Additive increase, multiplicative decrease: the settings of the rule.
///
/// Each call moves the limit. A drop cuts it to
/// [`backoff_ratio`](super::AdaptiveLimit::backoff_ratio) of what it was, rounded down; a call that
/// went well raises it by one if at least half of it was in use.
///
/// So it doubles in one round of calls, and where a server says no above its capacity it settles at
/// about one drop for every `(1 - backoff_ratio) × limit` calls that go well: one in seven at a
/// limit of sixty. A lower ratio drops less and leaves more of the server unused.
///
/// | setting | default | why |
/// |---|---|---|
/// | [`timeout`](Aimd::timeout) | 5 s | as published |
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
#[must_use]
pub struct Aimd {
    /// The longest that a call may take and not be a drop.
    pub timeout: Duration,
}

impl Default for Aimd {
    fn default() -> Self {
        Self::new()
    }
}

impl Aimd {
    /// The rule with the defaults.
    pub const fn new() -> Self {
        Self { timeout: Duration::from_secs(5) }
    }

    /// A call that took longer than this is a drop, even if it succeeded.
    pub const fn timeout(mut self, time: Duration) -> Self {
        self.timeout = time;
        self
    }

    pub(super) fn check(&self) -> Result<(), SettingsError> {
        Checks::default().above_zero("timeout", self.timeout).done()
    }
}

/// Gradient2: how long calls take now against how long they usually take. The settings of the rule.
///
/// Each window of calls moves the limit, by the mean of the times that they took and by an average
/// of such means over many windows. A window in which less than half of the limit was in use moves
/// nothing, except that it is remembered how long its calls took.
///
/// * While calls take no longer than `tolerance` times the usual, the limit rises by
///   `smoothing × queue` a window; beyond, it falls towards what would bring them back.
/// * What calls usually take is learnt from the calls themselves. Under an overload that lasts it
///   rises, and the limit with it: twice in seven minutes with the defaults. That lies in the rule;
///   [`max`](super::AdaptiveLimit::max) and [`Aimd`] do not drift.
/// * A window of which too large a part was dropped cuts the limit to
///   [`backoff_ratio`](super::AdaptiveLimit::backoff_ratio), in use or not. How long a dropped call
///   took says nothing: a 429 is quick, a timeout takes as long as the timeout.
///
/// | setting | default | why |
/// |---|---|---|
/// | [`tolerance`](Gradient2::tolerance) | 1.5 | as published |
/// | [`queue`](Gradient2::queue) | 4 | as published |
/// | [`smoothing`](Gradient2::smoothing) | 0.2 | as published |
/// | [`long_window`](Gradient2::long_window) | 600 windows | as published: ten minutes under load |
/// | [`window`](Gradient2::window) | 1 s | as published |
/// | [`min_calls`](Gradient2::min_calls) | 10 | as published |
/// | [`drop_share`](Gradient2::drop_share) | 0.1 | one in the smallest window; a hundredth that always fails does not hold the limit down |
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
#[must_use]
pub struct Gradient2 {
    /// The multiple of the usual time up to which the limit does not fall.
    pub tolerance: f64,
    /// The calls that may queue at the server.
    pub queue: u32,
    /// The part of the way to its new value that the limit goes in a window.
    pub smoothing: f64,
    /// The windows that the usual time is averaged over.
    pub long_window: u32,
    /// The shortest time of a window.
    pub window: Duration,
    /// The fewest calls of a window.
    pub min_calls: u32,
    /// The part of a window's calls that must be drops to cut the limit.
    pub drop_share: f64,
}

impl Default for Gradient2 {
    fn default() -> Self {
        Self::new()
    }
}

impl Gradient2 {
    /// The highest tolerance.
    pub const MOST_TOLERANCE: f64 = 100.0;
    /// The longest memory of what calls usually take, in windows.
    pub const MOST_WINDOWS: u32 = 10_000;
    /// The most calls that a window can be made to wait for.
    pub const MOST_CALLS: u32 = 100_000;
    /// The longest window.
    pub const LONGEST: Duration = Duration::from_secs(86_400);

    /// The rule with the defaults.
    pub const fn new() -> Self {
        Self {
            tolerance: 1.5,
            queue: 4,
            smoothing: 0.2,
            long_window: 600,
            window: Duration::from_secs(1),
            min_calls: 10,
            drop_share: 0.1,
        }
    }

    /// How many times as long as usual calls may take before the limit falls.
    pub const fn tolerance(mut self, times: f64) -> Self {
        self.tolerance = times;
        self
    }

    /// How many calls may queue at the server: what the limit strives beyond those that it needs.
    pub const fn queue(mut self, calls: u32) -> Self {
        self.queue = calls;
        self
    }

    /// What part of the way to its new value the limit goes in each window.
    pub const fn smoothing(mut self, part: f64) -> Self {
        self.smoothing = part;
        self
    }

    /// Over about how many windows it is averaged what calls usually take.
    pub const fn long_window(mut self, windows: u32) -> Self {
        self.long_window = windows;
        self
    }

    /// How long calls are collected before they move the limit.
    pub const fn window(mut self, time: Duration) -> Self {
        self.window = time;
        self
    }

    /// How many calls a window must hold; with fewer it lasts longer.
    pub const fn min_calls(mut self, calls: u32) -> Self {
        self.min_calls = calls;
        self
    }

    /// From which part of a window's calls on drops cut the limit.
    pub const fn drop_share(mut self, share: f64) -> Self {
        self.drop_share = share;
        self
    }

    pub(super) fn check(&self) -> Result<(), SettingsError> {
        // NaN lies in no range.
        let bears = (1.0..=Self::MOST_TOLERANCE).contains(&self.tolerance);
        let moves = (0.001..=1.0).contains(&self.smoothing);
        let lasts = (Duration::from_millis(1)..=Self::LONGEST).contains(&self.window);
        Checks::default()
            .require(bears, "tolerance", self.tolerance, "be between 1 and 100")
            .at_least_one("queue", self.queue)
            .at_most("queue", self.queue, super::AdaptiveLimit::MOST)
            .require(moves, "smoothing", self.smoothing, "be between 0.001 and 1")
            .at_least_one("long_window", self.long_window)
            .at_most("long_window", self.long_window, Self::MOST_WINDOWS)
            .require(lasts, "window", self.window, "be between 1ms and a day")
            .at_least_one("min_calls", self.min_calls)
            .at_most("min_calls", self.min_calls, Self::MOST_CALLS)
            .ratio_above_zero("drop_share", self.drop_share)
            .done()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(rule: Gradient2) -> String {
        rule.check().unwrap_err().to_string()
    }

    #[test]
    fn the_defaults_have_nothing_to_mend() {
        assert_eq!(Aimd::default().check(), Ok(()));
        assert_eq!(Gradient2::default().check(), Ok(()));
        assert_eq!((Aimd::default(), Gradient2::default()), (Aimd::new(), Gradient2::new()));
    }

    #[test]
    fn ratios_and_tolerances_that_are_none_are_named() {
        let rule = Gradient2::new();
        for wrong in [0.99, 100.1, f64::NAN, f64::INFINITY] {
            let must = format!("is {wrong:?}, but must be between 1 and 100");
            assert_eq!(says(rule.tolerance(wrong)), format!("`tolerance` {must}"));
        }
        for wrong in [0.0, 1.1, f64::NAN] {
            let must = format!("is {wrong:?}, but must be between 0.001 and 1");
            assert_eq!(says(rule.smoothing(wrong)), format!("`smoothing` {must}"));
            let must = format!("is {wrong:?}, but must be above 0 and at most 1");
            assert_eq!(says(rule.drop_share(wrong)), format!("`drop_share` {must}"));
        }
        let extreme = rule.tolerance(1.0).smoothing(1.0).drop_share(f64::MIN_POSITIVE);
        assert_eq!(extreme.check(), Ok(()));
        assert_eq!(rule.tolerance(100.0).smoothing(0.001).check(), Ok(()));
    }

    #[test]
    fn counts_and_times_that_are_none_are_named() {
        let rule = Gradient2::new();
        let none = rule.queue(0).long_window(0).min_calls(0).window(Duration::ZERO);
        assert_eq!(
            says(none),
            "`queue` is 0, but must be at least 1; `long_window` is 0, but must be at least 1; \
             `window` is 0ns, but must be between 1ms and a day; \
             `min_calls` is 0, but must be at least 1"
        );
        let day = Gradient2::LONGEST;
        let many = rule.queue(1 << 20).long_window(10_001).min_calls(100_001).window(day + day);
        assert_eq!(
            says(many),
            "`queue` is 1048576, but must be at most 1048575; \
             `long_window` is 10001, but must be at most 10000; \
             `window` is 172800s, but must be between 1ms and a day; \
             `min_calls` is 100001, but must be at most 100000"
        );
        let extreme = rule.queue((1 << 20) - 1).long_window(10_000).min_calls(100_000).window(day);
        assert_eq!(extreme.check(), Ok(()));
        assert_eq!(rule.window(Duration::from_millis(1)).check(), Ok(()));
        assert_eq!(
            Aimd::new().timeout(Duration::ZERO).check().unwrap_err().to_string(),
            "`timeout` is 0ns, but must be longer than nothing"
        );
    }
}
