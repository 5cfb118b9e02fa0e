//! How fast it goes just now.

use std::collections::VecDeque;
use std::time::Duration;

/// What had ended when, in the last seconds.
pub(super) struct Pace(VecDeque<(Duration, u64)>);

/// A mean of all that was tells nothing at the end, when one host holds up what is left.
const LAST: Duration = Duration::from_secs(5);

impl Pace {
    /// How many end in a second, of which so many have ended by now.
    pub(super) fn rate(&mut self, done: u64, took: Duration) -> f64 {
        self.0.push_back((took, done));
        // The first that is left is as old as that, or of the beginning.
        while self.0.get(1).is_some_and(|(at, _)| took.saturating_sub(*at) >= LAST) {
            self.0.pop_front();
        }
        let (since, before) = self.0.front().copied().unwrap_or_default();
        (done - before) as f64 / took.saturating_sub(since).as_secs_f64().max(1e-3)
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self([(Duration::ZERO, 0)].into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_that_of_the_last_seconds() {
        let mut pace = Pace::default();
        let secs = Duration::from_secs;
        let rates = [(100, 1), (400, 4), (500, 5), (600, 6), (600, 9), (600, 10), (600, 11)];
        let rates = rates.map(|(done, took)| pace.rate(done, secs(took)).round());
        assert_eq!(rates, [100.0, 100.0, 100.0, 100.0, 40.0, 20.0, 0.0]);
    }

    #[test]
    fn it_keeps_no_more_than_it_needs() {
        let mut pace = Pace::default();
        for tick in 1..10_000 {
            pace.rate(tick, Duration::from_millis(200) * u32::try_from(tick).unwrap());
        }
        assert!(pace.0.len() <= 27, "{}", pace.0.len());
    }
}
