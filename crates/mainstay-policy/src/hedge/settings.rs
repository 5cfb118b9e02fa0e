//! When a second attempt goes out beside the first: the settings.

use std::time::Duration;

use crate::live::Live;
use crate::settings::{Checks, SettingsError};

/// When a second attempt goes out beside the first: the settings.
///
/// | setting | default | why |
/// |---|---|---|
/// | [`percentile`](Hedge::at_percentile) | 95 | one call in twenty is sent twice, and of the slow ones only those stay slow that were unlucky twice |
/// | [`extra_attempts`](Hedge::extra_attempts) | 1 | a third one helps where two were unlucky, which is one call in four hundred |
/// | [`min_observations`](Hedge::min_observations) | 100 | five of them lie above the 95th percentile, one above the 99th |
/// | [`min_delay`](Hedge::min_delay) | 1 ms | a timer is no finer |
/// | [`max_delay`](Hedge::max_delay) | 30 s | longer than an attempt may usually take, so that it holds only where you set a shorter one |
/// | [`memory`](Hedge::memory) | 60 s | long enough for a thousand calls, short enough to follow a server |
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
#[must_use]
pub struct Hedge {
    /// How long after one attempt the next goes out.
    pub when: When,
    /// The most attempts of one call beside the first.
    pub extra_attempts: u32,
}

/// How long after one attempt the next goes out.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum When {
    /// Always as long.
    After(Duration),
    /// As long as most attempts took.
    Observed(Observed),
}

/// What is looked for in what was observed, and what is made of it.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub struct Observed {
    /// The part in a hundred of the attempts observed that took no longer than the delay.
    pub percentile: f64,
    /// The fewest observations that are believed.
    pub min_observations: u32,
    /// The shortest delay.
    pub min_delay: Duration,
    /// The longest delay, and the delay while there are too few observations.
    pub max_delay: Duration,
    /// The longest that an observation counts while there are enough newer ones.
    pub memory: Duration,
}

impl Default for Hedge {
    fn default() -> Self {
        Self::new()
    }
}

impl Hedge {
    /// The most extra attempts that a call can have.
    pub const MOST_EXTRA: u32 = 10;
    /// The most observations that can be asked for.
    pub const MOST_OBSERVATIONS: u32 = 1_000_000;
    /// The longest delay that a percentile can lead to.
    pub const LONGEST: Duration = Duration::from_secs(60);
    /// The longest memory.
    pub const LONGEST_MEMORY: Duration = Duration::from_secs(3_600);

    /// The defaults: at the 95th percentile of what is observed.
    pub const fn new() -> Self {
        Self::at_percentile(95.0)
    }

    /// When the attempt has taken so long, and no answer has come. What is observed plays no part,
    /// and neither do the settings that are about it.
    pub const fn after(delay: Duration) -> Self {
        Self { when: When::After(delay), extra_attempts: 1 }
    }

    /// When the attempt has taken longer than this percentile of those observed. At the 95th, one
    /// call in twenty is sent twice.
    pub const fn at_percentile(percentile: f64) -> Self {
        let observed = Observed {
            percentile,
            min_observations: 100,
            min_delay: Duration::from_millis(1),
            max_delay: Duration::from_secs(30),
            memory: Duration::from_secs(60),
        };
        Self { when: When::Observed(observed), extra_attempts: 1 }
    }

    /// How many attempts may go out beside the first, each a delay after the one before.
    pub const fn extra_attempts(mut self, attempts: u32) -> Self {
        self.extra_attempts = attempts;
        self
    }

    /// How many observations there must be before they are believed; until then it is the longest
    /// delay that counts. What is old is forgotten only once there are as many that are newer.
    pub const fn min_observations(mut self, observations: u32) -> Self {
        if let When::Observed(observed) = &mut self.when {
            observed.min_observations = observations;
        }
        self
    }

    /// No extra attempt goes out sooner than this, whatever is observed.
    pub const fn min_delay(mut self, delay: Duration) -> Self {
        if let When::Observed(observed) = &mut self.when {
            observed.min_delay = delay;
        }
        self
    }

    /// No extra attempt goes out later than this, whatever is observed. Where calls take longer,
    /// more of them are sent twice than the percentile says, up to all; the budget bounds it.
    pub const fn max_delay(mut self, delay: Duration) -> Self {
        if let When::Observed(observed) = &mut self.when {
            observed.max_delay = delay;
        }
        self
    }

    /// An observation counts for half of this at least, and leaves when it is this old, or as soon
    /// after that as there are [enough](Hedge::min_observations) newer ones.
    pub const fn memory(mut self, time: Duration) -> Self {
        if let When::Observed(observed) = &mut self.when {
            observed.memory = time;
        }
        self
    }

    /// Says what cannot be used as it is.
    ///
    /// # Errors
    ///
    /// A fixed delay of nothing; a percentile that is not between 50 and 99.99 (below 50 more calls
    /// would be sent twice than not; 0.95 is no percentile); so few observations that none of them
    /// need lie above it, or more than [`Hedge::MOST_OBSERVATIONS`]; a longest delay of nothing,
    /// above [`Hedge::LONGEST`] or below the shortest; a memory that is not between a second and
    /// [`Hedge::LONGEST_MEMORY`]; no extra attempt, or more than [`Hedge::MOST_EXTRA`].
    pub fn check(&self) -> Result<(), SettingsError> {
        let checks = match self.when {
            When::After(delay) => Checks::default().above_zero("delay", delay),
            When::Observed(observed) => observed.check(),
        };
        checks
            .at_least_one("extra_attempts", self.extra_attempts)
            .at_most("extra_attempts", self.extra_attempts, Self::MOST_EXTRA)
            .done()
    }
}

impl Observed {
    fn check(self) -> Checks {
        let Self { percentile, min_observations, min_delay, max_delay, memory } = self;
        let is_percentile = (50.0..=99.99).contains(&percentile);
        // The sliver keeps 1 000 for 99.9, whose quotient is 1000.0000000000568.
        let fewest = if is_percentile { (100.0 / (100.0 - percentile) - 1e-6).ceil() } else { 1.0 };
        Checks::default()
            .require(is_percentile, "percentile", percentile, "be between 50 and 99.99")
            .require(
                f64::from(min_observations) >= fewest,
                "min_observations",
                min_observations,
                format_args!("be at least {fewest}, of which one lies above the percentile"),
            )
            .at_most("min_observations", min_observations, Hedge::MOST_OBSERVATIONS)
            .require(
                min_delay <= max_delay,
                "min_delay",
                min_delay,
                format_args!("be at most `max_delay` ({max_delay:?})"),
            )
            .above_zero("max_delay", max_delay)
            .require(max_delay <= Hedge::LONGEST, "max_delay", max_delay, "be at most 60s")
            .require(
                (Duration::from_secs(1)..=Hedge::LONGEST_MEMORY).contains(&memory),
                "memory",
                memory,
                "be between 1s and an hour",
            )
    }

    /// Which of so many observations, in order of their length, is the one at the percentile.
    pub(super) fn rank(&self, observations: u64) -> u64 {
        #[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 are ever observed")]
        let all = observations as f64;
        // The sliver keeps 161 of 250 at 64.4, whose product is 161.00000000000003.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a checked percentile is between 50 and 100"
        )]
        let rank = (all * self.percentile / 100.0 - 1e-6).ceil() as u64;
        rank.max(1)
    }
}

/// The settings about observations that are in force. Who reads them while they are changed may go
/// by a mixture for once, whose delay is no longer than one of the two longest.
#[derive(Debug)]
pub(super) struct InForce {
    percentile: Live<f64>,
    min_observations: Live<u32>,
    min_delay: Live<Duration>,
    max_delay: Live<Duration>,
    memory: Live<Duration>,
}

impl InForce {
    pub(super) fn new(observed: Observed) -> Self {
        let Observed { percentile, min_observations, min_delay, max_delay, memory } = observed;
        let [min_delay, max_delay, memory] = [min_delay, max_delay, memory].map(Live::new);
        let (percentile, min_observations) = (Live::new(percentile), Live::new(min_observations));
        Self { percentile, min_observations, min_delay, max_delay, memory }
    }

    pub(super) fn set(&self, observed: Observed) {
        let Observed { percentile, min_observations, min_delay, max_delay, memory } = observed;
        self.percentile.set(percentile);
        self.min_observations.set(min_observations);
        self.min_delay.set(min_delay);
        self.max_delay.set(max_delay);
        self.memory.set(memory);
    }

    /// What so long a delay comes to within the bounds; the longest where nothing is known.
    pub(super) fn bound(&self, known: Option<Duration>) -> Duration {
        let (least, most) = (self.min_delay.get(), self.max_delay.get());
        known.unwrap_or(most).max(least).min(most)
    }

    pub(super) fn get(&self) -> Observed {
        Observed {
            percentile: self.percentile.get(),
            min_observations: self.min_observations.get(),
            min_delay: self.min_delay.get(),
            max_delay: self.max_delay.get(),
            memory: self.memory.get(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(settings: Hedge) -> String {
        settings.check().unwrap_err().to_string()
    }

    #[test]
    fn the_defaults_have_nothing_to_mend() {
        assert_eq!(Hedge::new().check(), Ok(()));
        assert_eq!(Hedge::default(), Hedge::at_percentile(95.0));
        assert_eq!(Hedge::after(Duration::MAX).check(), Ok(()));
        assert_eq!(Hedge::new().min_delay(Duration::ZERO).check(), Ok(()));
        assert_eq!(Hedge::new().max_delay(Hedge::LONGEST).extra_attempts(10).check(), Ok(()));
        let longest = Hedge::new().memory(Hedge::LONGEST_MEMORY).min_observations(1_000_000);
        assert_eq!(longest.check(), Ok(()));
    }

    #[test]
    fn what_is_no_percentile_is_named() {
        for percentile in [0.95, 49.9, 99.991, 100.0, -1.0, f64::NAN, f64::INFINITY] {
            let expected =
                format!("`percentile` is {percentile:?}, but must be between 50 and 99.99");
            assert_eq!(says(Hedge::at_percentile(percentile)), expected);
        }
        assert_eq!(Hedge::at_percentile(50.0).check(), Ok(()));
        assert_eq!(Hedge::at_percentile(99.99).min_observations(10_000).check(), Ok(()));
    }

    #[test]
    fn so_few_observations_that_none_lies_above_the_percentile_are_named() {
        for (percentile, fewest) in
            [(50.0, 2), (90.0, 10), (95.0, 20), (99.0, 100), (99.9, 1_000), (99.99, 10_000)]
        {
            let settings = Hedge::at_percentile(percentile);
            assert_eq!(settings.min_observations(fewest).check(), Ok(()), "{percentile}");
            let value = fewest - 1;
            let expected = format!(
                "`min_observations` is {value}, but must be at least {fewest}, \
                 of which one lies above the percentile"
            );
            assert_eq!(says(settings.min_observations(value)), expected);
        }
        let many = says(Hedge::new().min_observations(1_000_001));
        assert_eq!(many, "`min_observations` is 1000001, but must be at most 1000000");
    }

    #[test]
    fn times_that_cannot_be_are_named() {
        let (second, zero) = (Duration::from_secs(1), Duration::ZERO);
        let nothing = "is 0ns, but must be longer than nothing";
        assert_eq!(says(Hedge::after(zero)), format!("`delay` {nothing}"));
        let none = says(Hedge::new().max_delay(zero).min_delay(zero));
        assert_eq!(none, format!("`max_delay` {nothing}"));
        let upside_down = says(Hedge::new().min_delay(second * 2).max_delay(second));
        assert_eq!(upside_down, "`min_delay` is 2s, but must be at most `max_delay` (1s)");
        let long = says(Hedge::new().max_delay(Duration::from_millis(60_001)));
        assert_eq!(long, "`max_delay` is 60.001s, but must be at most 60s");
        for memory in [zero, Duration::from_millis(999), second * 3_601] {
            let expected = format!("`memory` is {memory:?}, but must be between 1s and an hour");
            assert_eq!(says(Hedge::new().memory(memory)), expected);
        }
    }

    #[test]
    fn a_hedge_without_an_extra_attempt_is_none() {
        for settings in [Hedge::new(), Hedge::after(Duration::from_secs(1))] {
            let none = says(settings.extra_attempts(0));
            assert_eq!(none, "`extra_attempts` is 0, but must be at least 1");
            let many = says(settings.extra_attempts(11));
            assert_eq!(many, "`extra_attempts` is 11, but must be at most 10");
        }
    }

    #[test]
    fn settings_about_observations_leave_a_fixed_delay_alone() {
        let fixed = Hedge::after(Duration::from_secs(1));
        let zero = Duration::ZERO;
        let other = fixed.min_observations(0).min_delay(zero).max_delay(zero).memory(zero);
        assert_eq!(other, fixed);
    }

    #[test]
    fn the_rank_is_rounded_up_and_never_by_a_sliver() {
        let rank = |percentile, observations| match Hedge::at_percentile(percentile).when {
            When::Observed(observed) => observed.rank(observations),
            When::After(_) => 0,
        };
        assert_eq!([rank(95.0, 100), rank(95.0, 101), rank(95.0, 120)], [95, 96, 114]);
        assert_eq!([rank(99.9, 1_000), rank(99.9, 1_001)], [999, 1_000]);
        assert_eq!([rank(50.0, 2), rank(50.0, 3), rank(50.0, 0)], [1, 2, 1]);
        assert_eq!([rank(99.99, 10_000), rank(64.4, 250)], [9_999, 161]);
    }
}
