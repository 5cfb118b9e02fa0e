//! One call, of which several attempts may be on their way.

use std::time::Duration;

use crate::outcome::Outcome;
use crate::retry::{Ended, Repeat};

/// One call, of which several attempts may be on their way; begun when its first one is sent.
///
/// * **The first end that decides wins**: a success, and what asking again cannot change, such as a
///   404. A failure that may pass decides nothing while another attempt is on its way: it came
///   quickly because it is one.
/// * **If all fail**, the caller gets the one that binds a retry outside most: the last of those
///   after which the request may not be sent again; else the one that asks for the longest wait;
///   else the last. A refusal of ours gives way to what was said of an attempt that was sent.
/// * **After a failure no further attempt goes out.** Hedges are for what is slow; what becomes of
///   a failure is for a retry to say, which waits before it asks again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub struct Race {
    sent: u32,
    running: u32,
    has_failed: bool,
    kept: Option<Weight>,
}

/// How much a failure binds who may send the request again: first whether it was sent at all, then
/// whether it forbids that, then how long it asks to wait.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Weight {
    was_sent: bool,
    forbids: bool,
    asks: Duration,
}

impl Weight {
    fn of(ended: Ended) -> Self {
        let speaks = !matches!(ended.outcome(), Outcome::Refused | Outcome::Abandoned);
        let forbids = speaks && ended.repeats() == Repeat::Forbidden;
        Self { was_sent: ended.was_sent(), forbids, asks: ended.waits().unwrap_or_default() }
    }
}

/// What the end of an attempt means for its call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Finish {
    /// The caller gets it; whatever else is on its way is given up.
    This,
    /// The caller gets what was kept, which says more.
    Kept,
    /// It is kept, in the place of what was. The call goes on with what is on its way.
    Keep,
    /// It is forgotten. The call goes on with what is on its way.
    Forget,
}

impl Default for Race {
    fn default() -> Self {
        Self::new()
    }
}

impl Race {
    /// The first attempt is sent.
    pub const fn new() -> Self {
        Self { sent: 1, running: 1, has_failed: false, kept: None }
    }

    /// An extra attempt is sent.
    pub const fn send(&mut self) {
        self.sent = self.sent.saturating_add(1);
        self.running = self.running.saturating_add(1);
    }

    /// How many attempts have been sent.
    #[must_use]
    pub const fn sent(&self) -> u32 {
        self.sent
    }

    /// Whether an attempt has failed, so that no further one goes out.
    #[must_use]
    pub const fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// An attempt has ended.
    pub fn end(&mut self, ended: Ended) -> Finish {
        self.running = self.running.saturating_sub(1);
        match ended.outcome() {
            Outcome::Success | Outcome::Fatal | Outcome::Invalid => return Finish::This,
            Outcome::Transient | Outcome::Throttled | Outcome::Refused | Outcome::Abandoned => {}
        }
        self.has_failed = true;
        let weight = Weight::of(ended);
        let says_more = self.kept.is_none_or(|kept| weight >= kept);
        match (self.running, says_more) {
            (0, true) => Finish::This,
            (0, false) => Finish::Kept,
            (_, true) => {
                self.kept = Some(weight);
                Finish::Keep
            }
            (_, false) => Finish::Forget,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Outcome::{Abandoned, Fatal, Invalid, Refused, Success, Throttled, Transient};

    /// A call with so many attempts on their way.
    fn with(attempts: u32) -> Race {
        let mut race = Race::new();
        (1..attempts).for_each(|_| race.send());
        race
    }

    #[test]
    fn what_asking_again_cannot_change_decides_whatever_else_is_on_its_way() {
        for outcome in [Success, Fatal, Invalid] {
            for attempts in [1, 2, 3] {
                assert_eq!(
                    with(attempts).end(Ended::new(outcome)),
                    Finish::This,
                    "{outcome:?} of {attempts}"
                );
            }
        }
    }

    #[test]
    fn a_failure_waits_for_what_else_is_on_its_way() {
        for outcome in [Transient, Throttled, Refused, Abandoned] {
            assert_eq!(with(1).end(Ended::new(outcome)), Finish::This, "{outcome:?} alone");
            let mut race = with(2);
            assert_eq!(race.end(Ended::new(outcome)), Finish::Keep, "{outcome:?}");
            assert_eq!(race.end(Ended::new(Success)), Finish::This);
        }
    }

    #[test]
    fn of_failures_the_last_counts_and_a_refusal_least() {
        let ends = |outcomes: [Outcome; 3]| {
            let mut race = with(3);
            outcomes.map(|outcome| race.end(Ended::new(outcome)))
        };
        use Finish::{Forget, Keep, Kept, This};
        assert_eq!(ends([Transient, Throttled, Transient]), [Keep, Keep, This]);
        assert_eq!(ends([Transient, Refused, Refused]), [Keep, Forget, Kept]);
        assert_eq!(ends([Refused, Refused, Transient]), [Keep, Keep, This]);
        assert_eq!(ends([Refused, Throttled, Refused]), [Keep, Keep, Kept]);
        assert_eq!(ends([Refused, Refused, Refused]), [Keep, Keep, This]);
    }

    #[test]
    fn a_failure_is_remembered_and_a_success_is_none() {
        let mut race = Race::default();
        race.send();
        assert_eq!((race.sent(), race.has_failed()), (2, false));
        let _ = race.end(Ended::new(Refused));
        assert!(race.has_failed());
        let mut won = with(2);
        let _ = won.end(Ended::new(Success));
        assert!(!won.has_failed());
    }

    #[test]
    fn of_failures_the_one_counts_that_binds_who_asks_again_most() {
        use Finish::{Forget, Keep, Kept, This};
        let ends = |ends: [Ended; 3]| {
            let mut race = with(3);
            ends.map(|ended| race.end(ended))
        };
        let plain = Ended::new(Transient);
        let asks = |secs| Ended::new(Throttled).asked(Duration::from_secs(secs));
        let forbids = plain.repeat(Repeat::Forbidden);
        let refused = Ended::new(Refused).asked(Duration::from_secs(99));

        assert_eq!(ends([asks(10), plain, asks(9)]), [Keep, Forget, Kept]);
        assert_eq!(ends([plain, asks(9), asks(10)]), [Keep, Keep, This]);
        assert_eq!(ends([forbids, asks(10), plain]), [Keep, Forget, Kept]);
        assert_eq!(ends([asks(10), forbids, forbids]), [Keep, Keep, This]);
        assert_eq!(ends([refused, plain, refused]), [Keep, Keep, Kept]);
        // Something was sent before it was refused, and that it asks for a wait binds.
        let sent = refused.sent_before(true);
        assert_eq!(ends([plain, sent, plain]), [Keep, Keep, Kept]);
        assert_eq!(ends([forbids, sent.repeat(Repeat::Forbidden), plain]), [Keep, Forget, Kept]);
    }
}
