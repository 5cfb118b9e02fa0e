//! How a limit follows what a server bears: the settings.

use std::time::Duration;

use super::rules::{Aimd, Gradient2};
use crate::concurrency::Concurrency;
use crate::settings::{Checks, SettingsError};

/// How a limit follows what a server bears: the settings.
///
/// There is no default rule. A server that says no at once when it has enough (429, 503) wants
/// [`aimd`](AdaptiveLimit::aimd); one that takes everything and gets slow wants
/// [`gradient2`](AdaptiveLimit::gradient2).
///
/// | setting | default | why |
/// |---|---|---|
/// | [`min`](AdaptiveLimit::min) | 1 | a limit that cannot fall to what a small server bears does not protect it; one call at a time still finds out when it is well |
/// | [`max`](AdaptiveLimit::max) | 200 | as published; more than a well server needs from one client, less than what exhausts sockets |
/// | [`initial`](AdaptiveLimit::initial) | 20, or the nearest that the bounds allow | as published; most servers bear it from one client |
/// | [`backoff_ratio`](AdaptiveLimit::backoff_ratio) | 0.9 | as published for AIMD and for the first Gradient |
/// | [`abandoned_after`](AdaptiveLimit::abandoned_after) | 5 s | as the breaker's: who gives up that late has timed out; sooner, has changed their mind |
/// | [`max_waiting`](AdaptiveLimit::max_waiting) | 10 000 | as for a limit that stands still |
/// | [`max_wait`](AdaptiveLimit::max_wait) | 10 s | the same |
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
#[must_use]
pub struct AdaptiveLimit {
    /// What moves the limit.
    pub rule: Rule,
    /// The lowest limit.
    pub min: u32,
    /// The highest limit.
    pub max: u32,
    /// The first limit; `None`: 20, or the nearest inside the bounds.
    pub initial: Option<u32>,
    /// The part of the limit that a drop leaves.
    pub backoff_ratio: f64,
    /// From what time on a call that was dropped by its caller counts as a drop, if it ever does.
    pub abandoned_after: Option<Duration>,
    /// The most calls that wait.
    pub max_waiting: u32,
    /// The longest that a call waits before it is refused.
    pub max_wait: Duration,
}

/// What moves a limit.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Rule {
    /// The end of each call.
    Aimd(Aimd),
    /// How long the calls of each window took.
    Gradient2(Gradient2),
}

impl AdaptiveLimit {
    /// The highest limit, and the most that can wait.
    pub const MOST: u32 = Concurrency::MOST;

    const INITIAL: u32 = 20;

    /// Rises with each call that goes well, falls with each that is dropped.
    pub const fn aimd(rule: Aimd) -> Self {
        Self::by(Rule::Aimd(rule))
    }

    /// Follows how long calls take, second by second, against how long they usually take.
    pub const fn gradient2(rule: Gradient2) -> Self {
        Self::by(Rule::Gradient2(rule))
    }

    const fn by(rule: Rule) -> Self {
        Self {
            rule,
            min: 1,
            max: 200,
            initial: None,
            backoff_ratio: 0.9,
            abandoned_after: Some(Duration::from_secs(5)),
            max_waiting: 10_000,
            max_wait: Duration::from_secs(10),
        }
    }

    /// It never falls below this.
    pub const fn min(mut self, calls: u32) -> Self {
        self.min = calls;
        self
    }

    /// It never rises above this.
    pub const fn max(mut self, calls: u32) -> Self {
        self.max = calls;
        self
    }

    /// Where it begins.
    pub const fn initial(mut self, calls: u32) -> Self {
        self.initial = Some(calls);
        self
    }

    /// What a drop leaves of the limit. Gradient2 may have 1, as published: drops say nothing then.
    pub const fn backoff_ratio(mut self, ratio: f64) -> Self {
        self.backoff_ratio = ratio;
        self
    }

    /// A call that nobody waits for any more says nothing, unless it had run so long: then it is a
    /// drop. `None`: it never says anything.
    pub const fn abandoned_after(mut self, time: Option<Duration>) -> Self {
        self.abandoned_after = time;
        self
    }

    /// At most so many wait for a slot; who comes then is refused. Zero: nobody waits.
    pub const fn max_waiting(mut self, calls: u32) -> Self {
        self.max_waiting = calls;
        self
    }

    /// Nobody waits longer than this.
    pub const fn max_wait(mut self, time: Duration) -> Self {
        self.max_wait = time;
        self
    }

    /// The slots that it begins with.
    pub(super) fn slots(&self) -> Concurrency {
        Concurrency::limit(self.first()).max_waiting(self.max_waiting).max_wait(self.max_wait)
    }

    fn first(&self) -> u32 {
        self.initial.unwrap_or(Self::INITIAL.min(self.max).max(self.min))
    }

    /// Says what cannot be used as it is.
    ///
    /// # Errors
    ///
    /// Bounds of zero, above [`AdaptiveLimit::MOST`] or the wrong way round, a beginning outside
    /// them, a ratio that is not above 0 and at most 1 or that leaves AIMD no way down, counts and
    /// times of the rule that it cannot work with.
    pub fn check(&self) -> Result<(), SettingsError> {
        let checks = Checks::default()
            .at_least_one("min", self.min)
            .at_most("min", self.min, Self::MOST)
            .at_most("max", self.max, Self::MOST)
            .require(
                self.max >= self.min,
                "max",
                self.max,
                format_args!("not be below `min` ({})", self.min),
            )
            .also(check_limit("initial", self.first(), self.min, self.max))
            .ratio_above_zero("backoff_ratio", self.backoff_ratio);
        let checks = match self.rule {
            Rule::Aimd(rule) => checks
                .require(
                    self.backoff_ratio != 1.0,
                    "backoff_ratio",
                    self.backoff_ratio,
                    "be below 1: nothing would ever lower the limit",
                )
                .within("aimd", rule.check()),
            Rule::Gradient2(rule) => checks.within("gradient2", rule.check()),
        };
        checks.at_most("max_waiting", self.max_waiting, Self::MOST).done()
    }
}

/// Whether a limit lies inside the bounds. Says nothing where they are no bounds.
pub(super) fn check_limit(
    setting: &str,
    limit: u32,
    min: u32,
    max: u32,
) -> Result<(), SettingsError> {
    let inside = min > max || (min..=max).contains(&limit);
    let must = format!("lie between `min` ({min}) and `max` ({max})");
    Checks::default().require(inside, setting, limit, must).done()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(settings: AdaptiveLimit) -> String {
        settings.check().unwrap_err().to_string()
    }

    fn both() -> [AdaptiveLimit; 2] {
        [AdaptiveLimit::aimd(Aimd::new()), AdaptiveLimit::gradient2(Gradient2::new())]
    }

    #[test]
    fn the_defaults_have_nothing_to_mend() {
        for settings in both() {
            assert_eq!(settings.check(), Ok(()));
            assert_eq!(settings.slots(), Concurrency::limit(20));
            assert_eq!(settings.max_wait, Duration::from_secs(10));
        }
    }

    #[test]
    fn a_beginning_that_is_not_set_gives_way_to_the_bounds() {
        for settings in both() {
            assert_eq!(settings.max(5).slots(), Concurrency::limit(5));
            assert_eq!(settings.min(30).slots(), Concurrency::limit(30));
            let set = settings.max(5).initial(6);
            let must = "must lie between `min` (1) and `max` (5)";
            assert_eq!(says(set), format!("`initial` is 6, but {must}"));
            assert!(says(settings.initial(0)).starts_with("`initial` is 0"));
            assert_eq!(settings.max(5).initial(5).check(), Ok(()));
            assert_eq!(settings.min(5).initial(5).check(), Ok(()));
        }
    }

    #[test]
    fn bounds_that_are_none_are_named() {
        let most = AdaptiveLimit::MOST;
        for settings in both() {
            assert_eq!(says(settings.min(0)), "`min` is 0, but must be at least 1");
            assert_eq!(
                says(settings.max(most + 1)),
                "`max` is 1048576, but must be at most 1048575"
            );
            assert_eq!(says(settings.min(9).max(8)), "`max` is 8, but must not be below `min` (9)");
            assert!(says(settings.min(most + 1).max(most + 1)).starts_with("`min` is 1048576"));
            assert_eq!(settings.min(most).max(most).check(), Ok(()));
            let crowd = settings.max_waiting(most + 1);
            assert_eq!(says(crowd), "`max_waiting` is 1048576, but must be at most 1048575");
            assert_eq!(settings.max_waiting(most).check(), Ok(()));
        }
    }

    #[test]
    fn a_ratio_that_is_none_or_leaves_no_way_down_is_named() {
        for settings in both() {
            for ratio in [0.0, -0.5, 1.01, f64::NAN, f64::INFINITY] {
                let must = format!("is {ratio:?}, but must be above 0 and at most 1");
                assert_eq!(says(settings.backoff_ratio(ratio)), format!("`backoff_ratio` {must}"));
            }
        }
        let [aimd, gradient2] = both().map(|settings| settings.backoff_ratio(1.0));
        assert_eq!(
            says(aimd),
            "`backoff_ratio` is 1.0, but must be below 1: nothing would ever lower the limit"
        );
        assert_eq!(gradient2.check(), Ok(()));
    }

    #[test]
    fn what_is_wrong_with_the_rule_is_named_after_it() {
        let hasty = AdaptiveLimit::aimd(Aimd::new().timeout(Duration::ZERO)).min(0);
        assert_eq!(
            says(hasty),
            "`min` is 0, but must be at least 1; \
             `aimd.timeout` is 0ns, but must be longer than nothing"
        );
        let deaf = AdaptiveLimit::gradient2(Gradient2::new().tolerance(f64::NAN));
        assert!(says(deaf).starts_with("`gradient2.tolerance` is NaN"));
    }
}
