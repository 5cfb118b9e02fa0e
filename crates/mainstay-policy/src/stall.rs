//! Whether a poll held its thread for too long.
//!
//! ```
//! use mainstay_policy::stall::Stall;
//! use std::time::Duration;
//!
//! let stall = Stall::new().limit(Duration::from_millis(20));
//! stall.check()?;
//! assert!(stall.is_stall(Duration::from_millis(20)));
//! assert!(!stall.is_stall(Duration::from_millis(19)));
//! # Ok::<(), mainstay_policy::SettingsError>(())
//! ```

use std::time::Duration;

use crate::settings::{Checks, SettingsError};

/// How long one poll may hold the thread that runs it.
///
/// | setting | default | why |
/// |---|---|---|
/// | [`limit`](Stall::limit) | 100 ms | a thousand times what a poll should take, and as long as the system may keep a thread from running under a quota of CPU time: what is longer is somebody's blocking call |
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
#[must_use]
pub struct Stall {
    /// The shortest poll that is told.
    pub limit: Duration,
}

impl Default for Stall {
    fn default() -> Self {
        Self::new()
    }
}

impl Stall {
    /// 100 ms.
    pub const fn new() -> Self {
        Self { limit: Duration::from_millis(100) }
    }

    /// What takes as long as this, or longer, is told.
    pub const fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Says what cannot be used as it is.
    ///
    /// # Errors
    ///
    /// A limit of zero, by which every poll would be one.
    pub fn check(&self) -> Result<(), SettingsError> {
        Checks::default().above_zero("limit", self.limit).done()
    }

    /// Whether what took so long is to be told.
    #[must_use]
    pub fn is_stall(&self, took: Duration) -> bool {
        took >= self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reaches_the_limit_is_a_stall() {
        let (just_under, limit) = (Duration::from_micros(99_999), Duration::from_millis(100));
        assert!(Stall::default().is_stall(limit) && !Stall::new().is_stall(just_under));
        assert!(Stall::new().limit(just_under).is_stall(just_under));
    }

    #[test]
    fn a_limit_of_nothing_is_named() {
        assert_eq!(Stall::new().check(), Ok(()));
        assert_eq!(
            Stall::new().limit(Duration::ZERO).check().unwrap_err().to_string(),
            "`limit` is 0ns, but must be longer than nothing"
        );
    }
}
