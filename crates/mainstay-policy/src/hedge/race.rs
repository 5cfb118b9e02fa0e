//! One call, of which several attempts may be on their way.

use crate::outcome::Outcome;

/// One call, of which several attempts may be on their way; begun when its first one is sent.
///
/// * **The first end that decides wins**: a success, and what asking again cannot change, such as a
///   404. A failure that may pass decides nothing while another attempt is on its way: it came
///   quickly because it is one.
/// * **If all fail**, the caller gets the last failure; a refusal of ours gives way to what was
///   said of an attempt that was sent.
/// * **After a failure no further attempt goes out.** Hedges are for what is slow; what becomes of
///   a failure is for a retry to say, which waits before it asks again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub struct Race {
    sent: u32,
    running: u32,
    has_failed: bool,
    kept: Option<Outcome>,
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
    pub const fn end(&mut self, outcome: Outcome) -> Finish {
        self.running = self.running.saturating_sub(1);
        let says_more = match outcome {
            Outcome::Success | Outcome::Fatal | Outcome::Invalid => return Finish::This,
            Outcome::Transient | Outcome::Throttled => true,
            Outcome::Refused | Outcome::Abandoned => {
                matches!(self.kept, None | Some(Outcome::Refused | Outcome::Abandoned))
            }
        };
        self.has_failed = true;
        match (self.running, says_more) {
            (0, true) => Finish::This,
            (0, false) => Finish::Kept,
            (_, true) => {
                self.kept = Some(outcome);
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
                assert_eq!(with(attempts).end(outcome), Finish::This, "{outcome:?} of {attempts}");
            }
        }
    }

    #[test]
    fn a_failure_waits_for_what_else_is_on_its_way() {
        for outcome in [Transient, Throttled, Refused, Abandoned] {
            assert_eq!(with(1).end(outcome), Finish::This, "{outcome:?} alone");
            let mut race = with(2);
            assert_eq!(race.end(outcome), Finish::Keep, "{outcome:?}");
            assert_eq!(race.end(Success), Finish::This);
        }
    }

    #[test]
    fn of_failures_the_last_counts_and_a_refusal_least() {
        let ends = |outcomes: [Outcome; 3]| {
            let mut race = with(3);
            outcomes.map(|outcome| race.end(outcome))
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
        let _ = race.end(Refused);
        assert!(race.has_failed());
        let mut won = with(2);
        let _ = won.end(Success);
        assert!(!won.has_failed());
    }
}
