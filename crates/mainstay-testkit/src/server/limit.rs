//! A server that answers so many requests in each window of time, and no more.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Received, Reply};

/// Lets so many requests through in each window of time, and answers the rest with a 429 that says
/// when the next window begins.
///
/// ```
/// use mainstay_testkit::server::{Faulty, Limit, Reply};
/// use std::time::Duration;
///
/// # fn main() -> std::io::Result<()> {
/// let limit = Limit::per(10, Duration::from_secs(1));
/// let server = Faulty::start(move |request| {
///     limit.refuses(request).unwrap_or_else(|| Reply::ok("well"))
/// })?;
/// # drop(server);
/// # Ok(())
/// # }
/// ```
///
/// A window begins with the first request after the last one has ended. All clones count together.
#[derive(Clone)]
pub struct Limit {
    most: u32,
    window: Duration,
    used: Arc<Mutex<Used>>,
}

#[derive(Debug, Default)]
struct Used {
    /// None before the first request.
    since: Option<Duration>,
    requests: u32,
}

impl Limit {
    /// So many requests in each such window.
    #[must_use]
    pub fn per(requests: u32, window: Duration) -> Self {
        Self { most: requests, window, used: Arc::default() }
    }

    /// A 429 with `Retry-After`, in whole seconds, if this request is one too many.
    #[must_use]
    pub fn refuses(&self, request: &Received) -> Option<Reply> {
        let over = self.over(request.at())?;
        Some(Reply::status(429).header("retry-after", whole_seconds(over).to_string()))
    }

    /// Counts it, or says in how long the window is over.
    fn over(&self, now: Duration) -> Option<Duration> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let left = used.since.and_then(|since| (since + self.window).checked_sub(now));
        let left = left.filter(|left| *left > Duration::ZERO);
        if left.is_none() {
            *used = Used { since: Some(now), requests: 0 };
        }
        if used.requests < self.most {
            used.requests += 1;
            return None;
        }
        Some(left.unwrap_or(self.window))
    }
}

/// Never less than it is.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

impl fmt::Debug for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { most, window, .. } = self;
        f.debug_struct("Limit").field("most", most).field("window", window).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_takes_so_many_and_says_when_the_next_begins() {
        let ms = Duration::from_millis;
        let limit = Limit::per(2, ms(1_000));
        assert_eq!([ms(500), ms(900)].map(|now| limit.over(now)), [None, None]);
        assert_eq!(limit.over(ms(1_000)), Some(ms(500)));
        assert_eq!(limit.clone().over(ms(1_499)), Some(ms(1)));
        assert_eq!([ms(1_500), ms(2_499)].map(|now| limit.over(now)), [None, None]);
        assert_eq!(limit.over(ms(2_499)), Some(ms(1)));
        assert_eq!(Limit::per(0, ms(7)).over(ms(3)), Some(ms(7)));
        assert_eq!([1, 1_000, 1_001, 2_000].map(|n| whole_seconds(ms(n))), [1, 1, 2, 2]);
    }
}
