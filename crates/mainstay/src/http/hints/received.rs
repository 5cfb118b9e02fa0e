//! When a response was received, by the clock of the server that made it.

use std::cell::OnceCell;
use std::time::Duration;

use ::http::HeaderMap;
use ::http::header::{AGE, DATE};

use super::number;
use super::{Hints, date};

/// What the dates in a response are read against. Finds it out at the first date.
pub(super) struct Received<'a> {
    headers: &'a HeaderMap,
    clock: &'a dyn Fn() -> Duration,
    time: OnceCell<Duration>,
}

impl<'a> Received<'a> {
    /// `clock` is our own; it is read only if the server's is not known.
    pub(super) const fn new(headers: &'a HeaderMap, clock: &'a dyn Fn() -> Duration) -> Self {
        Self { headers, clock, time: OnceCell::new() }
    }

    pub(super) fn time(&self) -> Duration {
        *self.time.get_or_init(|| {
            let mut dates = self.headers.get_all(DATE).iter();
            let date = dates.find_map(|line| date::parse(line.as_bytes().trim_ascii(), self.clock));
            // Not the age: it could only shorten waits, and a proxy may pass on an old one.
            date.unwrap_or_else(self.clock)
        })
    }

    /// How long after this response that moment comes.
    pub(super) fn until(&self, moment: Duration) -> Duration {
        moment.saturating_sub(self.time()).min(Hints::LONGEST)
    }

    /// Whether the response has been in a cache for some time.
    pub(super) fn was_cached(&self) -> bool {
        self.age().is_some_and(|age| !age.is_zero())
    }

    fn age(&self) -> Option<Duration> {
        let (seconds, rest) = number::integer(self.headers.get(AGE)?.as_bytes().trim_ascii())?;
        rest.is_empty().then(|| Duration::from_secs(seconds))
    }
}
