//! The only reader of time.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mainstay_policy::Moment;
use tokio::time::Sleep;

/// What time it is, by tokio's clock, which a test can pause.
///
/// The origin is of the clock that no test can pause: one taken in a runtime whose paused clock had
/// run ahead would leave all others before it for a long time.
#[expect(clippy::disallowed_methods, reason = "this is the room where clocks are read")]
#[inline]
pub(crate) fn now() -> Moment {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();

    let origin = *ORIGIN.get_or_init(Instant::now);
    let now = tokio::time::Instant::now().into_std();
    match now.checked_duration_since(origin) {
        Some(after) => Moment::ORIGIN + after,
        None => before(origin, now),
    }
}

#[cold]
fn before(origin: Instant, now: Instant) -> Moment {
    Moment::ORIGIN - origin.saturating_duration_since(now)
}

/// How long ago the Unix epoch was, by the wall clock; for dates, which are of no other clock.
#[expect(clippy::disallowed_methods, reason = "this is the room where clocks are read")]
pub(crate) fn unix_now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A timer on tokio's clock, which a test can pause.
pub(crate) fn sleep(duration: Duration) -> Sleep {
    tokio::time::sleep(duration)
}

/// When so much time will have passed on tokio's clock, to set a timer anew.
pub(crate) fn after(duration: Duration) -> tokio::time::Instant {
    let now = tokio::time::Instant::now();
    // Thirty years are as good as for ever, and can be added to every clock.
    now.checked_add(duration).unwrap_or_else(|| now + Duration::from_secs(86_400 * 365 * 30))
}

/// How long ago a timer ended, if it has.
pub(crate) fn overdue(timer: &Sleep) -> Duration {
    tokio::time::Instant::now().saturating_duration_since(timer.deadline())
}
