//! How far a batch has come.

use std::time::Duration;

use crate::moment::Moment;

/// What a [`Scheduler`](super::Scheduler) held at one time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct BatchSnapshot {
    /// When it began.
    pub began: Moment,
    /// Inputs that it has got.
    pub pulled: u64,
    /// Of those, how many have not been started.
    pub waiting: u64,
    /// How many run.
    pub running: u64,
    /// How many ended well.
    pub succeeded: u64,
    /// How many failed.
    pub failed: u64,
    /// How many results have been given out.
    pub yielded: u64,
    /// Whether it waits for results to be given out.
    pub is_held_up: bool,
}

/// What a [`Scheduler`](super::Scheduler) held of one key.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct KeySnapshot<K> {
    /// The key.
    pub key: K,
    /// How many of its inputs have been pulled and not been started.
    pub waiting: u64,
    /// How many run.
    pub running: u64,
    /// How many ended well.
    pub succeeded: u64,
    /// How many failed.
    pub failed: u64,
    /// Until when its inputs are held back, if they are and somebody knows.
    pub opens: Option<Moment>,
}

impl BatchSnapshot {
    /// How many have ended.
    #[must_use]
    pub const fn done(&self) -> u64 {
        self.succeeded + self.failed
    }

    /// How many have ended each second, on the average since it began.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "nobody reads sixteen digits of a rate")]
    pub fn rate(&self, now: Moment) -> f64 {
        let seconds = now.since(self.began).as_secs_f64();
        if seconds > 0.0 { self.done() as f64 / seconds } else { 0.0 }
    }

    /// How long the rest takes if it goes on as until now: of so many inputs in all. `None` while
    /// nothing has ended.
    #[must_use]
    pub fn time_left(&self, inputs: u64, now: Moment) -> Option<Duration> {
        let done = u128::from(self.done());
        let left = u128::from(inputs).saturating_sub(done);
        let nanos = (now.since(self.began).as_nanos() * left).checked_div(done)?;
        Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(succeeded: u64, failed: u64) -> BatchSnapshot {
        BatchSnapshot {
            began: Moment::ORIGIN,
            pulled: 100,
            waiting: 0,
            running: 10,
            succeeded,
            failed,
            yielded: 0,
            is_held_up: false,
        }
    }

    #[test]
    fn the_rest_takes_as_long_as_what_is_done_says() {
        let now = Moment::ORIGIN + Duration::from_secs(3);
        let snapshot = done(29, 1);
        assert!((snapshot.rate(now) - 10.0).abs() < 1e-9);
        assert_eq!(snapshot.time_left(130, now), Some(Duration::from_secs(10)));
        assert_eq!(snapshot.time_left(30, now), Some(Duration::ZERO));
        assert_eq!(snapshot.time_left(7, now), Some(Duration::ZERO), "there were more");
    }

    #[test]
    fn before_anything_is_done_nobody_knows() {
        assert_eq!(done(0, 0).time_left(10, Moment::MAX), None);
        assert!(done(0, 0).rate(Moment::ORIGIN) < f64::EPSILON);
        assert!(done(5, 0).rate(Moment::ORIGIN) < f64::EPSILON);
        let endless = done(1, 0).time_left(u64::MAX, Moment::MAX);
        assert_eq!(endless, Some(Duration::from_nanos(u64::MAX)));
    }
}
