//! What a breaker is asked and told, and what it answers.

use std::time::Duration;

use super::Breaker;
use crate::moment::Moment;
use crate::outcome::Outcome;

/// Leave to make one call; goes back to the breaker through
/// [`Breaker::settle`](super::Breaker::settle), whatever became of the call.
#[derive(PartialEq, Eq, Debug)]
#[must_use = "a call that is not settled holds a probe's place until it is given up"]
pub struct Ticket {
    pub(super) generation: u32,
    pub(super) admitted: Moment,
}

impl Breaker {
    /// The moment by which a call that went so can be [settled](Breaker::settle) without a look at a
    /// clock, which costs more than all the rest: when it was let through. `None` where the time
    /// matters.
    ///
    /// A success counts for that moment unless its time is measured
    /// ([`slow_calls`](super::CircuitBreaker::slow_calls)). It leaves the window earlier by as long as it
    /// took, which errs on the side of opening.
    #[inline]
    #[must_use]
    pub fn settles_by(&self, ticket: &Ticket, verdict: Verdict) -> Option<Moment> {
        match verdict {
            Verdict::Success if self.settings.slow_longer_than().is_none() => Some(ticket.admitted),
            Verdict::Ignored => Some(ticket.admitted),
            Verdict::Success | Verdict::Failure | Verdict::Abandoned => None,
        }
    }
}

/// Whether a call may be made.
#[derive(PartialEq, Eq, Debug)]
#[must_use]
pub enum Admission {
    /// It may.
    Granted {
        /// What settles it.
        ticket: Ticket,
        /// What this call set off: the first call after the open time makes the breaker half-open.
        transition: Option<Transition>,
    },
    /// It may not.
    Refused(Refusal),
}

/// Why a call may not be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The breaker's state; never [`BreakerState::Closed`].
    pub state: BreakerState,
    /// How long until it may let a call through: exactly when open, at most when half-open,
    /// unknown when isolated.
    pub retry_in: Option<Duration>,
}

/// How a call went, to a breaker.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Verdict {
    /// The server is well.
    Success,
    /// It is not.
    Failure,
    /// Nobody waited for the end. Says nothing, unless it had run for a long time.
    Abandoned,
    /// The call says nothing about the server's health.
    Ignored,
}

impl From<Outcome> for Verdict {
    /// | outcome | verdict |
    /// |---|---|
    /// | success | success |
    /// | fatal | success: the server is well, the request is not |
    /// | transient | failure |
    /// | throttled | ignored: a server that asks for less is not broken, and the cool-down obeys it |
    /// | invalid | ignored: the server has not seen the request, or not all of it |
    /// | refused | ignored: nothing was sent |
    /// | abandoned | abandoned |
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Success | Outcome::Fatal => Self::Success,
            Outcome::Transient => Self::Failure,
            Outcome::Throttled | Outcome::Invalid | Outcome::Refused => Self::Ignored,
            Outcome::Abandoned => Self::Abandoned,
        }
    }
}

/// What a breaker is doing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BreakerState {
    /// All is well; calls go through and are counted.
    Closed,
    /// The server is not well; calls are refused.
    Open,
    /// Some calls go through to see whether it is well again.
    HalfOpen,
    /// Somebody switched it off by hand; calls are refused until it is released.
    Isolated,
}

/// A change of state, told to whoever's call or hand set it off, once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Transition {
    /// It refuses calls from now on.
    Opened {
        /// Until when.
        until: Moment,
        /// Why.
        cause: Cause,
    },
    /// The open time is over; the first probe goes out.
    HalfOpened,
    /// All is well again.
    Closed,
    /// It was switched off by hand.
    Isolated,
}

/// Why a breaker opened.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Cause {
    /// So many failures came in a row.
    ConsecutiveFailures,
    /// Too large a part of the window failed.
    FailureRatio,
    /// Too large a part of the window was slow.
    SlowCalls,
    /// A probe failed.
    ProbeFailed,
}

/// What a [`Breaker`](super::Breaker) held at one time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct BreakerSnapshot {
    /// What it is doing.
    pub state: BreakerState,
    /// How long until it may let a call through; nothing where it lets calls through now.
    pub retry_in: Option<Duration>,
    /// Failures since the last success, while closed and where a row of them may open it.
    pub consecutive_failures: u32,
    /// Results in the window.
    pub calls: u64,
    /// Failures in the window.
    pub failures: u64,
    /// Slow calls in the window.
    pub slow_calls: u64,
    /// How often it has opened since it was last closed.
    pub openings: u32,
    /// Probes that are out, while half-open.
    pub probes_out: u32,
    /// Probes that succeeded, while half-open.
    pub probes_passed: u32,
}
