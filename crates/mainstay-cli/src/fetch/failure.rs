//! What went wrong, as records say it: its kind, and its words.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use mainstay::http::{Cause, Hints};
use mainstay::policy::Outcome;
use mainstay::{Error, Reason, Refused};

use super::record::{Kind, Wrong};

/// The kind of a refusal of ours.
pub(super) fn refusal(refused: &Refused) -> Kind {
    match refused.reason() {
        Reason::Open => Kind::CircuitOpen,
        Reason::NoTurn | Reason::NoSlot => Kind::RateLimited,
        Reason::CoolingDown => Kind::CoolingDown,
        Reason::Deadline => Kind::Deadline,
        Reason::TimedOut if refused.layer() == "deadline" => Kind::Deadline,
        Reason::TimedOut => Kind::Timeout,
        Reason::Panicked => Kind::Internal,
        _ => Kind::Refused,
    }
}

/// The kind of a call that has no answer.
pub(super) fn kind_of(cause: Cause, error: &(dyn StdError + 'static)) -> Kind {
    match cause {
        Cause::Connect if is_tls(error) => Kind::Tls,
        Cause::Connect => Kind::Connect,
        Cause::TimedOut => Kind::Timeout,
        Cause::Malformed | Cause::Redirects => Kind::Malformed,
        Cause::Invalid => Kind::Invalid,
        _ => Kind::Broken,
    }
}

/// What an answer that is none of success says, and how its pipeline took it.
pub(super) fn of_answer(code: StatusCode, headers: &HeaderMap, outcome: Outcome) -> Wrong {
    let kind = match outcome {
        Outcome::Throttled => Kind::Throttled,
        Outcome::Transient => Kind::Unavailable,
        _ => Kind::Status,
    };
    let wait = Hints::read(headers).wait();
    Wrong { kind, message: status(code), retry_in_ms: wait.map(millis) }
}

fn status(status: StatusCode) -> String {
    status.canonical_reason().map_or_else(
        || status.as_str().to_owned(),
        |reason| format!("{} {reason}", status.as_str()),
    )
}

/// What failed at the bottom, without the frames around it: "the call failed" is in the kind, and
/// the URL in the record.
pub(super) fn plainly(error: &(dyn StdError + 'static)) -> String {
    let is_frame = |error: &(dyn StdError + 'static)| {
        error.is::<Error<Error<reqwest::Error>>>()
            || error.is::<Error<reqwest::Error>>()
            || error.is::<reqwest::Error>()
            || error.is::<hyper_util::client::legacy::Error>()
    };
    let mut error = error;
    while let Some(beneath) = error.source().filter(|_| is_frame(error)) {
        error = beneath;
    }
    said(error)
}

/// An error and what lies beneath it, in one line, nothing twice.
pub(crate) fn said(error: &(dyn StdError + 'static)) -> String {
    let mut said = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let words = error.to_string();
        if !said.contains(&words) {
            said.push_str(if said.is_empty() { "" } else { ": " });
            said.push_str(&words);
        }
        next = error.source();
    }
    said
}

pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn is_tls(error: &(dyn StdError + 'static)) -> bool {
    // What an error of `std::io` carries is not among its sources.
    let carried = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.is::<rustls::Error>()
        || carried.is_some_and(|carried| is_tls(carried))
        || error.source().is_some_and(is_tls)
}
