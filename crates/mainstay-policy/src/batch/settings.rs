//! How a batch goes through its inputs: the settings.

use std::time::Duration;

use crate::settings::{Checks, SettingsError};

/// How a batch goes through its inputs: the settings.
///
/// | setting | default | why |
/// |---|---|---|
/// | [`concurrency`](Schedule::concurrency) | 64 | keeps a fast server busy and a slow one alive |
/// | [`look_ahead`](Schedule::look_ahead) | 16 × `concurrency` | finds work for other hosts while one cools down for some seconds, and what waits is small |
/// | [`window`](Schedule::window) | 4 × `concurrency` | a call that takes four times as long as the others holds nobody up |
/// | [`order`](Schedule::in_order) | as completed | order costs memory, and waits for the slowest |
/// | [`stop`](Schedule::stop_at) | at the end | what has failed says nothing of the others |
/// | [`deadline`](Schedule::deadline) | none | only its user knows how long the whole may take |
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
#[must_use]
pub struct Schedule {
    /// The most inputs that run at once.
    pub concurrency: u32,
    /// The most inputs that have been pulled and not been started; sixteen times the concurrency
    /// where it is not set.
    pub look_ahead: Option<u32>,
    /// In input order, how far the last input that was pulled may be ahead of the next one whose
    /// result is given out; four times the concurrency where it is not set.
    pub window: Option<u32>,
    /// In which order results are given out.
    pub order: Order,
    /// Which end ends all.
    pub stop: StopAt,
    /// How long the whole may take.
    pub deadline: Option<Duration>,
}

/// In which order results are given out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// As they come.
    AsCompleted,
    /// That of the inputs.
    Input,
}

/// Which end of an input ends the batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StopAt {
    /// None: it goes on to the last input.
    End,
    /// The first that failed.
    FirstFailure,
    /// The first that succeeded.
    FirstSuccess,
}

impl Default for Schedule {
    fn default() -> Self {
        Self::new()
    }
}

impl Schedule {
    /// The highest concurrency, and the most that is looked ahead.
    pub const MOST: u32 = (1 << 20) - 1;

    /// How much larger the look-ahead is than the concurrency, where it is not set.
    const AHEAD: u32 = 16;

    /// How much larger the window is than the concurrency, where it is not set.
    const SPAN: u32 = 4;

    /// The defaults.
    pub const fn new() -> Self {
        Self {
            concurrency: 64,
            look_ahead: None,
            window: None,
            order: Order::AsCompleted,
            stop: StopAt::End,
            deadline: None,
        }
    }

    /// At most so many inputs run at once.
    pub const fn concurrency(mut self, inputs: u32) -> Self {
        self.concurrency = inputs;
        self
    }

    /// At most so many inputs are pulled that cannot be started yet.
    pub const fn look_ahead(mut self, inputs: u32) -> Self {
        self.look_ahead = Some(inputs);
        self
    }

    /// In input order, at most so many inputs are pulled whose results have not been given out.
    pub const fn window(mut self, inputs: u32) -> Self {
        self.window = Some(inputs);
        self
    }

    /// Results are given out in the order of their inputs.
    pub const fn in_order(mut self) -> Self {
        self.order = Order::Input;
        self
    }

    /// Ends at such an end of an input.
    pub const fn stop_at(mut self, stop: StopAt) -> Self {
        self.stop = stop;
        self
    }

    /// The whole may take so long.
    pub const fn deadline(mut self, time: Duration) -> Self {
        self.deadline = Some(time);
        self
    }

    /// Says what cannot be used as it is.
    ///
    /// # Errors
    ///
    /// Counts of zero or above [`Schedule::MOST`], a window that the concurrency does not fit in,
    /// and no time at all.
    pub fn check(&self) -> Result<(), SettingsError> {
        let (look_ahead, window) = (self.ahead(), self.span());
        Checks::default()
            .at_least_one("concurrency", self.concurrency)
            .at_most("concurrency", self.concurrency, Self::MOST)
            .at_least_one("look_ahead", look_ahead.max(u32::from(self.look_ahead.is_none())))
            .require(
                window >= self.concurrency,
                "window",
                window,
                format_args!("be at least `concurrency` ({})", self.concurrency),
            )
            .above_zero("deadline", self.deadline.unwrap_or(Duration::MAX))
            .done()
    }

    /// The nearest settings that can work.
    pub fn fitted(mut self) -> Self {
        self.concurrency = self.concurrency.clamp(1, Self::MOST);
        self.look_ahead = self.look_ahead.map(|inputs| inputs.max(1));
        self.window = self.window.map(|inputs| inputs.max(self.concurrency));
        self.deadline = self.deadline.map(|time| time.max(Duration::from_nanos(1)));
        self
    }

    /// The look-ahead that holds.
    #[must_use]
    pub(super) fn ahead(&self) -> u32 {
        self.look_ahead.unwrap_or(self.concurrency.saturating_mul(Self::AHEAD))
    }

    /// The window that holds.
    #[must_use]
    pub(super) fn span(&self) -> u32 {
        self.window.unwrap_or(self.concurrency.saturating_mul(Self::SPAN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(settings: Schedule) -> String {
        settings.check().unwrap_err().to_string()
    }

    #[test]
    fn the_defaults_have_nothing_to_mend() {
        assert_eq!(Schedule::default().check(), Ok(()));
        assert_eq!((Schedule::new().ahead(), Schedule::new().span()), (1_024, 256));
        let tight = Schedule::new().concurrency(1).look_ahead(1).window(1);
        assert_eq!(tight.deadline(Duration::from_nanos(1)).check(), Ok(()));
        assert_eq!(Schedule::new().concurrency(Schedule::MOST).check(), Ok(()));
    }

    #[test]
    fn what_cannot_work_can_be_fitted_and_what_can_stays() {
        let nothing = Schedule::new().concurrency(0).look_ahead(0).window(0);
        let fitted = nothing.deadline(Duration::ZERO).fitted();
        assert_eq!(fitted.check(), Ok(()));
        assert_eq!((fitted.concurrency, fitted.look_ahead, fitted.window), (1, Some(1), Some(1)));
        assert_eq!(Schedule::new().concurrency(u32::MAX).fitted().check(), Ok(()));
        let fine = Schedule::new().concurrency(7).window(9).look_ahead(3);
        assert_eq!((fine.fitted(), Schedule::new().fitted()), (fine, Schedule::new()));
    }

    #[test]
    fn what_cannot_work_is_named_with_its_value() {
        assert_eq!(
            says(Schedule::new().concurrency(0)),
            "`concurrency` is 0, but must be at least 1"
        );
        assert_eq!(
            says(Schedule::new().concurrency(Schedule::MOST + 1)),
            "`concurrency` is 1048576, but must be at most 1048575"
        );
        assert_eq!(
            says(Schedule::new().look_ahead(0)),
            "`look_ahead` is 0, but must be at least 1"
        );
        assert_eq!(
            says(Schedule::new().window(63)),
            "`window` is 63, but must be at least `concurrency` (64)"
        );
        assert_eq!(
            says(Schedule::new().deadline(Duration::ZERO)),
            "`deadline` is 0ns, but must be longer than nothing"
        );
    }
}
