//! Waits that come from elsewhere than our own backoff.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The waits of one call, from the first on.
pub(super) type Waits = Box<dyn Iterator<Item = Duration> + Send>;

/// Makes the waits of a call.
#[derive(Clone)]
pub(super) struct Schedule(Arc<dyn Fn() -> Waits + Send + Sync>);

impl Schedule {
    pub(super) fn new<F, I>(make: F) -> Self
    where
        F: Fn() -> I + Send + Sync + 'static,
        I: Iterator<Item = Duration> + Send + 'static,
    {
        Self(Arc::new(move || Box::new(make())))
    }

    pub(super) fn begin(&self) -> Waits {
        (self.0)()
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a function")
    }
}

/// Schedules of the crate `backoff`, for [`RetryLayer::schedule`](super::RetryLayer::schedule).
///
/// Each call has one of its own, reset before its first wait. The time that a schedule lets pass in
/// all is counted by that crate's own clock, which no test can pause.
///
/// ```
/// use backoff::ExponentialBackoff;
/// use mainstay::retry::{Retry, RetryLayer, by_backoff};
///
/// let waits = by_backoff(ExponentialBackoff::default);
/// let retry = RetryLayer::new(Retry::up_to(5))?.schedule(waits);
/// # let _ = retry;
/// # Ok::<(), mainstay::policy::SettingsError>(())
/// ```
#[cfg(feature = "backoff")]
#[cfg_attr(docsrs, doc(cfg(feature = "backoff")))]
pub fn by_backoff<F, B>(
    make: F,
) -> impl Fn() -> Box<dyn Iterator<Item = Duration> + Send> + Send + Sync + 'static
where
    F: Fn() -> B + Send + Sync + 'static,
    B: backoff::backoff::Backoff + Send + 'static,
{
    move || {
        let mut waits = make();
        waits.reset();
        Box::new(std::iter::from_fn(move || waits.next_backoff()))
    }
}
