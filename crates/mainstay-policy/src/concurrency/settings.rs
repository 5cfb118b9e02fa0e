//! How many calls may be in flight: the settings.

use std::time::Duration;

use crate::settings::{Checks, SettingsError};

/// How many calls may be in flight at once, and how many may wait for that: the settings.
///
/// | setting | default | why |
/// |---|---|---|
/// | [`limit`](Concurrency::limit) | 64 | keeps a fast server busy and a slow one alive |
/// | [`max_waiting`](Concurrency::max_waiting) | 10 000 | a batch may queue; a leak may not grow for ever |
/// | [`max_wait`](Concurrency::max_wait) | 10 s | who waits longer is better told |
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
#[must_use]
pub struct Concurrency {
    /// The most calls in flight.
    pub limit: u32,
    /// The most calls that wait.
    pub max_waiting: u32,
    /// The longest that a call waits before it is refused.
    pub max_wait: Duration,
}

impl Default for Concurrency {
    fn default() -> Self {
        Self::limit(64)
    }
}

/// At most so many at once.
impl From<u32> for Concurrency {
    fn from(limit: u32) -> Self {
        Self::limit(limit)
    }
}

impl Concurrency {
    /// The highest limit, and the most that can wait.
    pub const MOST: u32 = (1 << 20) - 1;

    /// At most so many at once.
    pub const fn limit(limit: u32) -> Self {
        Self { limit, max_waiting: 10_000, max_wait: Duration::from_secs(10) }
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

    /// Says what cannot be used as it is.
    ///
    /// # Errors
    ///
    /// A limit of zero, and counts above [`Concurrency::MOST`].
    pub fn check(&self) -> Result<(), SettingsError> {
        Checks::default()
            .at_least_one("limit", self.limit)
            .at_most("limit", self.limit, Self::MOST)
            .at_most("max_waiting", self.max_waiting, Self::MOST)
            .done()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_work_are_named_with_their_value() {
        let most = Concurrency::MOST;
        let says = |settings: Concurrency| settings.check().unwrap_err().to_string();
        assert_eq!(says(Concurrency::limit(0)), "`limit` is 0, but must be at least 1");
        assert_eq!(
            says(Concurrency::limit(most + 1)),
            "`limit` is 1048576, but must be at most 1048575"
        );
        assert_eq!(
            says(Concurrency::default().max_waiting(most + 1)),
            "`max_waiting` is 1048576, but must be at most 1048575"
        );
        assert_eq!(Concurrency::limit(most).max_waiting(most).check(), Ok(()));
        assert_eq!(Concurrency::limit(1).max_waiting(0).check(), Ok(()));
        assert_eq!(Concurrency::default(), Concurrency::limit(64));
    }
}
