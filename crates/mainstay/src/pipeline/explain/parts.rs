//! The parts of a pipeline, from the outermost to the innermost, and what each does in few words.

use crate::pipeline::GuardKind;

/// A part of a pipeline.
#[derive(PartialEq, Debug)]
pub(super) struct Part {
    /// How a file calls it.
    pub(super) key: &'static str,
    /// Where it stands.
    pub(super) place: Place,
    /// Which guard it is, if it is one.
    pub(super) guard: Option<GuardKind>,
    /// What it does, where it is on.
    pub(super) does: &'static str,
    /// What it means that it is off.
    pub(super) off: &'static str,
}

/// Where a part stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// Once for each call.
    Call,
    /// It serves the parts that send again.
    Again,
    /// Once for each attempt, with a state for each host.
    Host,
    /// Once for each attempt.
    Attempt,
}

impl Place {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Again => "again",
            Self::Host => "host",
            Self::Attempt => "attempt",
        }
    }
}

const fn part(place: Place, key: &'static str, does: &'static str, off: &'static str) -> Part {
    Part { key, place, guard: None, does, off }
}

const fn guard(kind: GuardKind, key: &'static str, does: &'static str, off: &'static str) -> Part {
    Part { key, place: Place::Host, guard: Some(kind), does, off }
}

pub(super) const ALL: &[Part] = &[
    part(
        Place::Call,
        "fallback",
        "answers this when a call has failed for good",
        "a call that fails for good ends with its error",
    ),
    part(
        Place::Call,
        "deadline",
        "ends the call then, however many attempts it takes",
        "a call takes as long as its attempts and waits together",
    ),
    part(
        Place::Call,
        "retry",
        "sends again what failed in a way that may pass",
        "what fails is not sent again",
    ),
    part(
        Place::Call,
        "hedge",
        "sends another attempt beside a slow one",
        "a slow attempt has no other beside it",
    ),
    part(
        Place::Again,
        "budget",
        "pays for all attempts beyond the first, with one account for each host",
        "nothing bounds the attempts beyond the first",
    ),
    part(Place::Again, "rules", "say which requests may be sent again, and after which ends", ""),
    part(
        Place::Again,
        "idempotency_keys",
        "give a call that is not idempotent a key, the same in every attempt",
        "a POST is sent again only where it surely was not processed",
    ),
    guard(
        GuardKind::Concurrency,
        "concurrency",
        "lets so many attempts be in flight; others wait for a slot",
        "as many attempts may be in flight as come",
    ),
    guard(
        GuardKind::Adaptive,
        "adaptive",
        "lets as many be in flight as the server takes well; others wait for a slot",
        "",
    ),
    guard(
        GuardKind::Turns,
        "cool_down",
        "leaves the server alone when it asks for that, all calls alike",
        "a 429 holds back the call that got it, and no other",
    ),
    guard(
        GuardKind::Turns,
        "rate_limit",
        "lets so many start in so long; others stand in line for a turn",
        "attempts start as they come",
    ),
    guard(
        GuardKind::Throttle,
        "throttle",
        "asks less of a server that refuses much",
        "a server that refuses much is asked as before",
    ),
    guard(
        GuardKind::CircuitBreaker,
        "circuit_breaker",
        "asks nothing of a server that is down, but for a few probes",
        "a server that is down is asked as before",
    ),
    part(
        Place::Attempt,
        "attempt_timeout",
        "ends an attempt whose answer has not begun by then",
        "an attempt has as long as its call",
    ),
    part(
        Place::Attempt,
        "body_idle",
        "fails a body that says nothing for so long",
        "a body may be silent for as long as its reader waits",
    ),
];
