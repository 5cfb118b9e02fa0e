//! The words of fields and labels, which stay what they are; and those that a person reads.

use std::fmt;
use std::time::Duration;

use mainstay_policy::Outcome;
use mainstay_policy::retry::Stop;

use crate::error::Reason;
use crate::http::Cause;

/// For fields and labels.
pub(super) const fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "success",
        Outcome::Transient => "transient",
        Outcome::Throttled => "throttled",
        Outcome::Fatal => "fatal",
        Outcome::Invalid => "invalid",
        Outcome::Refused => "refused",
        Outcome::Abandoned => "abandoned",
    }
}

/// For fields and labels.
pub(super) const fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Open => "open",
        Reason::NoTurn => "no_turn",
        Reason::NoSlot => "no_slot",
        Reason::CoolingDown => "cooling_down",
        Reason::Throttled => "throttled",
        Reason::Deadline => "deadline",
        Reason::TimedOut => "timed_out",
        Reason::Panicked => "panicked",
        Reason::Closed => "closed",
        Reason::Injected => "injected",
        Reason::Other(reason) => reason,
    }
}

/// For fields and labels.
pub(super) const fn stop(why: Stop) -> &'static str {
    match why {
        Stop::Succeeded => "succeeded",
        Stop::Fatal => "fatal",
        Stop::Abandoned => "abandoned",
        Stop::Refused => "refused",
        Stop::NotRepeatable => "not_repeatable",
        Stop::AttemptsSpent => "attempts_spent",
        Stop::AskedTooLong { .. } => "asked_too_long",
        Stop::NoTime { .. } => "no_time",
        Stop::NoBudget => "no_budget",
        Stop::ScheduleEnded => "schedule_ended",
        _ => "other",
    }
}

/// For `error.type`, where there is no status.
pub(super) const fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Refused => "refused",
        Cause::Invalid => "invalid",
        Cause::GivenUp => "given_up",
        Cause::Connect => "connect",
        Cause::ClosedBefore => "closed_before",
        Cause::PutBack => "put_back",
        Cause::TimedOut => "timed_out",
        Cause::Broken => "broken",
        Cause::Malformed => "malformed",
        Cause::Redirects => "redirects",
        Cause::Status(_) => "status",
        Cause::Unknown => "_OTHER", // which is OpenTelemetry's word for it
    }
}

/// Why there is no further attempt, in a sentence's end.
pub(super) struct Because(pub(super) Stop);

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Stop::Succeeded => f.write_str("it succeeded"),
            Stop::Fatal => f.write_str("asking again cannot change it"),
            Stop::Abandoned => f.write_str("nobody waits for it"),
            Stop::Refused => f.write_str("it was refused"),
            Stop::NotRepeatable => f.write_str("the request may not be sent again"),
            Stop::AttemptsSpent => f.write_str("the attempts are spent"),
            Stop::AskedTooLong { asked } => {
                write!(f, "a wait of {} was asked for, longer than is allowed", Secs(asked))
            }
            Stop::NoTime { needed } => write!(f, "no time for a wait of {}", Secs(needed)),
            Stop::NoBudget => f.write_str("the budget is spent"),
            Stop::ScheduleEnded => f.write_str("the schedule has ended"),
            _ => f.write_str("it was so decided"),
        }
    }
}

/// A time to be read: seconds, to the millisecond.
pub(super) struct Secs(pub(super) Duration);

impl fmt::Display for Secs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s", self.0.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_reason_to_stop_has_words_of_its_own() {
        let (asked, needed) = (Duration::from_secs(1), Duration::from_secs(1));
        let all = [
            Stop::Succeeded,
            Stop::Fatal,
            Stop::Abandoned,
            Stop::Refused,
            Stop::NotRepeatable,
            Stop::AttemptsSpent,
            Stop::AskedTooLong { asked },
            Stop::NoTime { needed },
            Stop::NoBudget,
            Stop::ScheduleEnded,
        ];
        let labels: BTreeSet<_> = all.iter().map(|why| stop(*why)).collect();
        let words: BTreeSet<_> = all.iter().map(|why| Because(*why).to_string()).collect();
        assert_eq!((labels.len(), words.len()), (all.len(), all.len()));
        assert!(!labels.contains("other") && !words.contains("it was so decided"));
    }
}
