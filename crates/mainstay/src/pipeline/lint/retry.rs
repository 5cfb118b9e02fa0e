//! Retries of what cannot be repeated, or need not be.

use mainstay_policy::backoff::Growth;

use super::notes::Notes;
use super::time::retries;
use crate::http::When;
use crate::pipeline::PipelineSpec;

/// Statuses that say that the request is at fault, or that the server will never do this: the same
/// request gets the same answer. Not among them is what another try, an earlier answer or somebody
/// else's change can mend: 401, 403, 404, 408, 409, 412, 421, 423, 424, 425 and 429.
const STAY: [u16; 19] =
    [400, 402, 405, 406, 407, 410, 411, 413, 414, 415, 416, 417, 418, 422, 426, 428, 431, 451, 501];

/// The rules forbid it for every method.
pub(super) fn of_nothing(spec: &PipelineSpec, notes: &mut Notes<'_>) {
    let Some(retry) = retries(spec) else { return };
    if !spec.rules.known_methods().any(|method| spec.rules.may_ever_repeat(method)) {
        notes.error(
            "retry.max_attempts",
            format!(
                "{}, but `rules` never repeat any method: there is no second attempt",
                retry.max_attempts
            ),
            "let `rules` repeat GET, or leave `retry` out",
        );
    }
}

/// Statuses that stay what they are are repeated.
pub(super) fn what_stays(spec: &PipelineSpec, notes: &mut Notes<'_>) {
    let Some(retry) = retries(spec) else { return };
    let repeated = spec
        .rules
        .named_statuses()
        .filter(|(status, when)| *when != When::Never && STAY.contains(&status.as_u16()));
    let named: Vec<_> = repeated.map(|(status, _)| status.as_u16().to_string()).collect();
    let Some((last, others)) = named.split_last() else { return };
    let (all, are) = match others {
        [] => (last.clone(), "is"),
        _ => (format!("{} and {last}", others.join(", ")), "are"),
    };
    notes.warning(
        "rules.status",
        format!(
            "{all} {are} repeated, up to `retry.max_attempts` ({}): the same request gets the same answer",
            retry.max_attempts
        ),
        format!("take {all} out of `rules.status`, or say \"never\" there"),
    );
}

/// A backoff that is meant to grow and whose cap keeps it from that.
pub(super) fn backoff_does_not_grow(spec: &PipelineSpec, notes: &mut Notes<'_>) {
    let Some(retry) = retries(spec).filter(|retry| retry.max_attempts > 2) else { return };
    let (base, cap) = (retry.backoff.base, retry.backoff.longest());
    let grows = match retry.backoff.growth {
        Growth::Constant => return,
        Growth::Linear => true,
        Growth::Exponential { factor } => factor > 1.0,
    };
    if !grows {
        notes.warning(
            "retry.backoff.factor",
            format!("1, so that every wait is as long as `retry.backoff.base` ({base:?})"),
            "raise `retry.backoff.factor` to 2, or say that the backoff is constant",
        );
    } else if cap == base {
        notes.warning(
            "retry.backoff.cap",
            format!("{cap:?}, as long as `retry.backoff.base`: no wait is longer than the first"),
            format!(
                "raise `retry.backoff.cap` to {:?}, or say that the backoff is constant",
                base.saturating_mul(1 << retry.max_attempts.min(6).saturating_sub(2))
            ),
        );
    }
}
