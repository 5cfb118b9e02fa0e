//! Events and spans of `tracing`.
//!
//! Quiet at `info` when all is well: what happens to single calls is told at `debug` or below, for
//! an outage would make thousands of it, and what changes for all of them at `info` and above.

use std::time::Duration;

use mainstay_policy::Outcome;
use mainstay_policy::retry::Stop;
use tracing::field::{Empty, display};
use tracing::level_filters::LevelFilter;
use tracing::{Level, Span};

use super::describe::Described;
use super::{CallReport, Event, words};
use crate::error::Refused;

/// What `tracing` calls the source of all that is told here.
const TARGET: &str = "mainstay";

/// States in which calls are held back.
const BAD: [&str; 3] = ["open", "isolated", "cooling down"];

/// How loud it is.
#[inline]
const fn level(event: &Event<'_>) -> Level {
    match event {
        Event::Ended { outcome: Outcome::Success, .. }
        | Event::NotRetried { why: Stop::Succeeded, .. } => Level::TRACE,
        Event::Again { .. }
        | Event::Ended { .. }
        | Event::Waits { .. }
        | Event::Waited { .. }
        | Event::Refused(_)
        | Event::WouldRefuse(_)
        | Event::WouldWait { .. }
        | Event::FellBack { .. }
        | Event::NotRetried { .. } => Level::DEBUG,
        Event::Changed { .. } => Level::INFO, // or louder
        Event::Warning { .. } => Level::WARN,
    }
}

/// Whether some subscriber listens to what is as loud as this.
#[inline]
pub(super) fn may_be_heard(event: &Event<'_>) -> bool {
    level(event) <= LevelFilter::current()
}

macro_rules! at {
    ($level:ident, $($rest:tt)*) => {
        tracing::event!(target: TARGET, Level::$level, $($rest)*)
    };
}

/// Hands it to the subscriber.
pub(super) fn show(event: &Event<'_>) {
    let secs = |duration: Option<Duration>| duration.map(|duration| duration.as_secs_f64());
    match *event {
        Event::Again { layer, name, attempt } => {
            let resent = attempt.saturating_sub(1);
            at!(
                DEBUG,
                mainstay.layer = layer,
                mainstay.name = name,
                http.request.resend_count = resent,
                "sent again"
            );
        }
        Event::Ended { attempt, outcome: Outcome::Success, took } => {
            let outcome = words::outcome(Outcome::Success);
            at!(
                TRACE,
                mainstay.attempt = attempt,
                mainstay.outcome = outcome,
                mainstay.took = secs(took),
                "attempt ended"
            );
        }
        Event::Ended { attempt, outcome, took } => {
            let outcome = words::outcome(outcome);
            at!(
                DEBUG,
                mainstay.attempt = attempt,
                mainstay.outcome = outcome,
                mainstay.took = secs(took),
                "attempt ended"
            );
        }
        Event::Waits { layer, name, wait } => {
            at!(
                DEBUG,
                mainstay.layer = layer,
                mainstay.name = name,
                mainstay.wait = secs(wait),
                "waits"
            );
        }
        Event::Waited { layer, name, took } => {
            at!(
                DEBUG,
                mainstay.layer = layer,
                mainstay.name = name,
                mainstay.took = took.as_secs_f64(),
                "has waited"
            );
        }
        Event::Refused(refused) => show_refusal(refused, false),
        Event::WouldRefuse(refused) => show_refusal(refused, true),
        Event::WouldWait { layer, name } => {
            at!(
                DEBUG,
                mainstay.layer = layer,
                mainstay.name = name,
                mainstay.shadow = true,
                "waits"
            );
        }
        Event::FellBack { name, outcome } => {
            let outcome = words::outcome(outcome);
            at!(
                DEBUG,
                mainstay.layer = "fallback",
                mainstay.name = name,
                mainstay.outcome = outcome,
                "fell back"
            );
        }
        Event::NotRetried { layer, name, attempts, why: Stop::Succeeded } => {
            let why = words::stop(Stop::Succeeded);
            at!(
                TRACE,
                mainstay.layer = layer,
                mainstay.name = name,
                mainstay.attempts = attempts,
                mainstay.why = why,
                "no further attempt"
            );
        }
        Event::NotRetried { layer, name, attempts, why } => {
            let why = words::stop(why);
            at!(
                DEBUG,
                mainstay.layer = layer,
                mainstay.name = name,
                mainstay.attempts = attempts,
                mainstay.why = why,
                "no further attempt"
            );
        }
        Event::Changed { layer, name, to } if BAD.contains(&to) => {
            at!(
                WARN,
                mainstay.layer = layer,
                mainstay.name = name,
                mainstay.state = to,
                "state changed"
            );
        }
        Event::Changed { layer, name, to } => {
            at!(
                INFO,
                mainstay.layer = layer,
                mainstay.name = name,
                mainstay.state = to,
                "state changed"
            );
        }
        Event::Warning { layer, name, what, took } => {
            at!(
                WARN,
                mainstay.layer = layer,
                mainstay.name = name,
                mainstay.took = secs(took),
                "{what}"
            );
        }
    }
}

fn show_refusal(refused: &Refused, is_shadow: bool) {
    let retry_in = refused.retry_in().map(|wait| wait.as_secs_f64());
    at!(
        DEBUG,
        mainstay.layer = refused.layer(),
        mainstay.name = refused.name(),
        error.r#type = words::reason(refused.reason()),
        mainstay.retry_in = retry_in,
        mainstay.shadow = is_shadow.then_some(true),
        "refused"
    );
}

/// The span of one call. Of where it goes only method, host and port are said.
pub(super) fn span<'a>(name: Option<&str>, describe: impl FnOnce() -> Described<'a>) -> Span {
    if !tracing::span_enabled!(target: TARGET, Level::INFO) {
        return Span::none();
    }
    let request = describe();
    tracing::info_span!(
        target: TARGET,
        "call",
        mainstay.name = name,
        http.request.method = request.method,
        server.address = request.host,
        server.port = request.port,
        http.response.status_code = Empty,
        error.r#type = Empty,
        mainstay.outcome = Empty,
        mainstay.attempts = Empty,
        mainstay.waited = Empty,
        mainstay.report = Empty,
    )
}

/// What the span of a call says of its end.
#[derive(Debug)]
pub(super) struct End<'a> {
    pub(super) outcome: Outcome,
    pub(super) status: Option<u16>,
    pub(super) error: Option<&'a str>,
    pub(super) attempts: u32,
    pub(super) waited: Duration,
}

pub(super) fn ended(span: &Span, end: &End<'_>, report: Option<&CallReport>) {
    if span.is_disabled() {
        return;
    }
    span.record("mainstay.outcome", words::outcome(end.outcome));
    span.record("http.response.status_code", end.status);
    span.record("error.type", end.error);
    span.record("mainstay.attempts", end.attempts);
    span.record("mainstay.waited", end.waited.as_secs_f64());
    if let Some(report) = report {
        span.record("mainstay.report", display(report));
    }
}
