//! How long to leave a server alone, and how to come back: the settings.

use std::time::Duration;

use super::ramp::Ramp;
use crate::live::Live;
use crate::settings::{Checks, SettingsError};

/// How long to leave a server alone that asked for it, and how to come back: the settings.
///
/// | setting | default | why |
/// |---|---|---|
/// | [`max`](CoolDown::max) | 60 s | one mistaken header must not close a host for a day |
/// | [`unasked`](CoolDown::unasked) | 1 s | a 429 that does not say for how long still says stop |
/// | [`ramp`](CoolDown::ramp) | 2 s | twenty steps |
/// | [`step`](CoolDown::step) | 100 ms | a server's answer to the first calls is there before the next |
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
#[must_use]
pub struct CoolDown {
    /// The longest that the gate stays closed.
    pub max: Duration,
    /// The time that it stays closed where the server names none.
    pub unasked: Duration,
    /// The time after it has opened in which calls come back step by step.
    pub ramp: Duration,
    /// The time of one such step.
    pub step: Duration,
}

impl Default for CoolDown {
    fn default() -> Self {
        Self::new()
    }
}

impl CoolDown {
    /// Two answers of "overloaded" within this close the gate.
    pub const TWICE_WITHIN: Duration = Duration::from_secs(1);

    /// The defaults.
    pub const fn new() -> Self {
        Self {
            max: Duration::from_secs(60),
            unasked: Duration::from_secs(1),
            ramp: Duration::from_secs(2),
            step: Duration::from_millis(100),
        }
    }

    /// The gate never stays closed longer than this, whatever a server asks.
    pub const fn max(mut self, time: Duration) -> Self {
        self.max = time;
        self
    }

    /// How long it stays closed when a server asks for less and does not say for how long.
    pub const fn unasked(mut self, time: Duration) -> Self {
        self.unasked = time;
        self
    }

    /// How long after it has opened calls are let through in steps. Zero: not at all, and
    /// [nothing is learnt](super::Gate#what-it-learns).
    pub const fn ramp(mut self, time: Duration) -> Self {
        self.ramp = time;
        self
    }

    /// How long a step is; each lets twice as many start as the one before.
    pub const fn step(mut self, time: Duration) -> Self {
        self.step = time;
        self
    }

    /// Says what cannot be used as it is.
    ///
    /// # Errors
    ///
    /// Times of nothing (but for the ramp), a default above the most, more than 31 steps in the
    /// ramp.
    pub fn check(&self) -> Result<(), SettingsError> {
        let Self { max, unasked, ramp, step } = *self;
        let most = step.saturating_mul(Ramp::MOST_STEPS);
        Checks::default()
            .above_zero("max", max)
            .above_zero("unasked", unasked)
            .require(unasked <= max, "unasked", unasked, format_args!("be at most `max` ({max:?})"))
            .above_zero("step", step)
            .require(
                ramp <= most,
                "ramp",
                ramp,
                format_args!("be at most 31 times `step`, which is {most:?}"),
            )
            .done()
    }
}

/// The settings that are in force. Who reads some of them while all are changed goes by a mixture for
/// once, in which every time is one of the two that were set.
#[derive(Debug)]
pub(super) struct InForce {
    max: Live<Duration>,
    unasked: Live<Duration>,
    ramp: Live<Duration>,
    step: Live<Duration>,
}

impl InForce {
    pub(super) fn new(settings: CoolDown) -> Self {
        let CoolDown { max, unasked, ramp, step } = settings;
        let [max, unasked, ramp, step] = [max, unasked, ramp, step].map(Live::new);
        Self { max, unasked, ramp, step }
    }

    pub(super) fn set(&self, settings: CoolDown) {
        let CoolDown { max, unasked, ramp, step } = settings;
        self.max.set(max);
        self.unasked.set(unasked);
        self.ramp.set(ramp);
        self.step.set(step);
    }

    pub(super) fn get(&self) -> CoolDown {
        let Self { max, unasked, ramp, step } = self;
        CoolDown { max: max.get(), unasked: unasked.get(), ramp: ramp.get(), step: step.get() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_work_are_named_with_their_value() {
        let says = |settings: CoolDown| settings.check().unwrap_err().to_string();
        let zero = Duration::ZERO;
        let must = "is 0ns, but must be longer than nothing";
        assert_eq!(says(CoolDown::new().unasked(zero)), format!("`unasked` {must}"));
        assert!(says(CoolDown::new().max(zero)).starts_with(&format!("`max` {must}")));
        assert!(says(CoolDown::new().step(zero)).starts_with(&format!("`step` {must}")));
        assert_eq!(
            says(CoolDown::new().max(Duration::from_millis(999))),
            "`unasked` is 1s, but must be at most `max` (999ms)"
        );
        assert_eq!(
            says(CoolDown::new().ramp(Duration::from_millis(3_101))),
            "`ramp` is 3.101s, but must be at most 31 times `step`, which is 3.1s"
        );
        assert_eq!(CoolDown::new().check(), Ok(()));
        assert_eq!(CoolDown::default(), CoolDown::new());
        assert_eq!(CoolDown::new().ramp(zero).max(Duration::from_secs(1)).check(), Ok(()));
        assert_eq!(CoolDown::new().ramp(Duration::from_millis(3_100)).check(), Ok(()));
    }
}
