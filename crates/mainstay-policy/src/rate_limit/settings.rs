//! How many calls may start in how long: the settings.

use std::time::Duration;

use crate::settings::{Checks, SettingsError};

/// How many calls may start in how long: the settings.
///
/// | setting | default | why |
/// |---|---|---|
/// | rate | none: you name it | only you know what you may ask |
/// | [`burst`](RateLimit::burst) | 1 | a minute's worth at once is what servers refuse; starts are evenly spaced |
/// | [`strict`](RateLimit::strict) | off | it lets calls through in clumps; for limits that are documented as "N per window" |
/// | [`pace`](RateLimit::pace) | off | what a server says is left is never exceeded; this also spreads it over the time that is left |
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
#[must_use]
pub struct RateLimit {
    /// The starts in a period.
    pub count: u32,
    /// The time that the count is for.
    pub period: Duration,
    /// How starts may be spread over the period.
    pub shape: Shape,
    /// Whether what a server says is left is spread over the time until there is more.
    pub pace: bool,
}

/// How starts may be spread over a period.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// Evenly, but for what a pause has saved up.
    Smooth {
        /// The most starts that can be saved up.
        burst: u32,
    },
    /// As they come, never more than the count in any window as long as the period.
    Strict,
}

impl RateLimit {
    /// The largest count of a strict limit, which remembers so many starts.
    pub const MOST_STRICT: u32 = 1_000_000;
    /// The longest period.
    pub const LONGEST: Duration = Duration::from_secs(7 * 86_400);

    const LONGEST_FILL: Duration = Duration::from_secs(10 * 365 * 86_400);

    /// So many starts in any such period on average; evenly spaced unless a burst is allowed.
    pub const fn per(count: u32, period: Duration) -> Self {
        Self { count, period, shape: Shape::Smooth { burst: 1 }, pace: false }
    }

    /// So many starts a second.
    pub const fn per_second(count: u32) -> Self {
        Self::per(count, Duration::from_secs(1))
    }

    /// So many starts a minute.
    pub const fn per_minute(count: u32) -> Self {
        Self::per(count, Duration::from_secs(60))
    }

    /// So many starts an hour.
    pub const fn per_hour(count: u32) -> Self {
        Self::per(count, Duration::from_secs(3_600))
    }

    /// Up to so many may start at once after a pause, and the rate goes on from there: in any time
    /// *t*, at most burst + rate × (*t* + [`Limiter::CATCH_UP`](super::Limiter::CATCH_UP)) starts.
    /// Makes the limit smooth.
    pub const fn burst(mut self, burst: u32) -> Self {
        self.shape = Shape::Smooth { burst };
        self
    }

    /// At most the count may start in **any** window as long as the period.
    pub const fn strict(mut self) -> Self {
        self.shape = Shape::Strict;
        self
    }

    /// Spreads what a server says is left over the time until there is more.
    pub const fn pace(mut self, pace: bool) -> Self {
        self.pace = pace;
        self
    }

    /// Says what cannot be used as it is.
    ///
    /// # Errors
    ///
    /// A rate, a period or a burst of nothing; a period above [`RateLimit::LONGEST`]; a strict
    /// limit above [`RateLimit::MOST_STRICT`] or with a period that is no whole number of
    /// microseconds.
    pub fn check(&self) -> Result<(), SettingsError> {
        let checks = Checks::default()
            .at_least_one("count", self.count)
            .above_zero("period", self.period)
            .require(
                self.period <= Self::LONGEST,
                "period",
                self.period,
                format_args!("be at most {:?}", Self::LONGEST),
            );
        match self.shape {
            Shape::Smooth { burst } => {
                // What fills in longer than that would never be owed in full.
                let most = (Self::LONGEST_FILL.as_nanos() * u128::from(self.count))
                    / self.period.as_nanos().max(1);
                let fits = u128::from(burst) <= most.max(1);
                checks.at_least_one("burst", burst).require(
                    fits,
                    "burst",
                    burst,
                    format_args!("be at most {most}, which is ten years of this rate"),
                )
            }
            Shape::Strict => checks.at_most("count", self.count, Self::MOST_STRICT).require(
                self.period.subsec_nanos() % 1_000 == 0,
                "period",
                self.period,
                "be a whole number of microseconds",
            ),
        }
        .done()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(settings: RateLimit) -> String {
        settings.check().unwrap_err().to_string()
    }

    #[test]
    fn settings_that_cannot_work_are_named_with_their_value() {
        assert_eq!(says(RateLimit::per_second(0)), "`count` is 0, but must be at least 1");
        let none = RateLimit::per(1, Duration::ZERO);
        assert_eq!(says(none), "`period` is 0ns, but must be longer than nothing");
        let never = RateLimit::per(1, RateLimit::LONGEST + Duration::from_nanos(1));
        assert!(says(never).ends_with("but must be at most 604800s"));
        let none = RateLimit::per_second(1).burst(0);
        assert_eq!(says(none), "`burst` is 0, but must be at least 1");
        let years = RateLimit::per(1, RateLimit::LONGEST).burst(522);
        assert_eq!(
            says(years),
            "`burst` is 522, but must be at most 521, which is ten years of this rate"
        );
        assert_eq!(RateLimit::per(1, RateLimit::LONGEST).burst(521).check(), Ok(()));
        let many = RateLimit::per_hour(1_000_001).strict();
        assert_eq!(says(many), "`count` is 1000001, but must be at most 1000000");
        let fine = RateLimit::per(1, Duration::from_nanos(1_500)).strict();
        assert_eq!(says(fine), "`period` is 1.5µs, but must be a whole number of microseconds");
    }

    #[test]
    fn settings_that_can_work_are_left_alone() {
        for settings in [
            RateLimit::per_second(1),
            RateLimit::per_minute(u32::MAX).burst(u32::MAX),
            RateLimit::per(1, RateLimit::LONGEST),
            RateLimit::per(1_000_000, Duration::from_micros(1)).strict(),
            RateLimit::per(1, Duration::from_nanos(1)),
        ] {
            assert_eq!(settings.check(), Ok(()));
        }
    }

    #[test]
    fn the_usual_periods_have_names() {
        let secs = |n| RateLimit::per(7, Duration::from_secs(n));
        assert_eq!(RateLimit::per_second(7), secs(1));
        assert_eq!(RateLimit::per_minute(7), secs(60));
        assert_eq!(RateLimit::per_hour(7), secs(3_600));
    }
}
