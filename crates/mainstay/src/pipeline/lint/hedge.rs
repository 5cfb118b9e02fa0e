//! Hedges that never go out, or too many that do.

use std::time::Duration;

use ::http::Method;
use mainstay_policy::hedge::{Hedge, When};

use super::notes::Notes;
use super::time::{even, retries};
use crate::pipeline::PipelineSpec;

/// More attempts of one call than this are said.
const MANY: u64 = 6;

/// The shortest that one attempt waits for the next, and how a file calls that.
pub(super) fn shortest_delay(hedge: &Hedge) -> (&'static str, Duration) {
    match hedge.when {
        When::After(delay) => ("hedge.after", delay),
        When::Observed(observed) => ("hedge.min_delay", observed.min_delay),
    }
}

/// The longest that one attempt waits for the next, and how a file calls that.
pub(super) fn longest_delay(hedge: &Hedge) -> (&'static str, Duration) {
    match hedge.when {
        When::After(delay) => ("hedge.after", delay),
        When::Observed(observed) => ("hedge.max_delay", observed.max_delay),
    }
}

/// What ends an attempt that hangs, and how a file calls that.
fn end(spec: &PipelineSpec) -> Option<(&'static str, Duration)> {
    let timeout = spec.attempt_timeout.map(|timeout| ("attempt_timeout", timeout));
    let deadline = spec.deadline.map(|deadline| ("deadline", deadline));
    [timeout, deadline].into_iter().flatten().min_by_key(|(_, time)| *time)
}

/// The rules let nothing be sent twice at the same time.
pub(super) fn of_nothing(spec: &PipelineSpec, notes: &mut Notes<'_>) {
    let Some(hedge) = spec.hedge else { return };
    let keyed = spec.idempotency_keys.is_some();
    let may_be = |method: &Method| {
        spec.rules.may_be_at_once(method) && (keyed || spec.rules.is_idempotent(method))
    };
    if !spec.rules.known_methods().any(may_be) {
        notes.error(
            "hedge.extra_attempts",
            format!(
                "{}, but by `rules` no method may be sent twice at once: no hedge ever goes out",
                hedge.extra_attempts
            ),
            "let `rules` send GET twice at once, or leave `hedge` out",
        );
    }
}

/// The attempt has ended by then.
pub(super) fn never_fires(spec: &PipelineSpec, notes: &mut Notes<'_>) {
    let (Some(hedge), Some((ends, after))) = (spec.hedge, end(spec)) else { return };
    let (name, delay) = shortest_delay(&hedge);
    if delay >= after {
        notes.error(
            name,
            format!(
                "{delay:?}, but `{ends}` ends what hangs after {after:?}: no hedge ever goes out"
            ),
            format!("lower `{name}` to {:?}, or raise `{ends}` above {delay:?}", even(after / 3)),
        );
    }
}

/// The attempt has ended before the last of them.
pub(super) fn not_reached(spec: &PipelineSpec, notes: &mut Notes<'_>) {
    let (Some(hedge), Some((ends, after))) = (spec.hedge, end(spec)) else { return };
    let (name, delay) = shortest_delay(&hedge);
    let extra = hedge.extra_attempts;
    if delay >= after || delay.saturating_mul(extra) < after {
        return; // none goes out, or all do
    }
    let some = (1..extra).take_while(|n| delay.saturating_mul(*n) < after).count();
    notes.warning(
        "hedge.extra_attempts",
        format!(
            "{extra}, one every {delay:?} (`{name}`), but `{ends}` ends what hangs after {after:?}: \
             {some} at most can go out"
        ),
        format!(
            "lower `hedge.extra_attempts` to {some}, or `{name}` to {:?}",
            even(after / extra.saturating_add(1))
        ),
    );
}

/// Retries of hedges, hedges of retries.
pub(super) fn multiply(spec: &PipelineSpec, notes: &mut Notes<'_>) {
    let (Some(hedge), Some(retry)) = (spec.hedge, retries(spec)) else { return };
    let (attempts, each) = (retry.max_attempts, hedge.extra_attempts.saturating_add(1));
    let all = u64::from(attempts) * u64::from(each);
    if all <= MANY {
        return;
    }
    let fewer = (MANY / u64::from(each)).max(1);
    let fix = match MANY / u64::from(attempts) {
        0 | 1 => format!("lower `retry.max_attempts` to {fewer}"),
        each => format!(
            "lower `retry.max_attempts` to {fewer}, or `hedge.extra_attempts` to {}",
            each - 1
        ),
    };
    notes.warning(
        "retry.max_attempts",
        format!(
            "{attempts}, and each may be {each} with `hedge.extra_attempts` ({}): one call may be \
             sent {all} times",
            hedge.extra_attempts
        ),
        fix,
    );
}
