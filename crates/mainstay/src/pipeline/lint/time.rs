//! Times that do not fit into each other.

use std::time::Duration;

use mainstay_policy::hedge::Hedge;
use mainstay_policy::retry::Retry;

use super::hedge;
use super::notes::{Notes, Place};
use crate::pipeline::waits::longest_waits;
use crate::pipeline::{GuardKind, PipelineSpec};

/// A retry that makes more than one attempt.
pub(super) fn retries(spec: &PipelineSpec) -> Option<&Retry> {
    spec.retry.as_ref().filter(|retry| retry.max_attempts > 1)
}

/// The deadline comes first.
pub(super) fn attempt_timeout_over_deadline(spec: &PipelineSpec, notes: &mut Notes<'_>) {
    let (Some(timeout), Some(deadline)) = (spec.attempt_timeout, spec.deadline) else { return };
    if timeout > deadline {
        notes.error(
            "attempt_timeout",
            format!(
                "{timeout:?}, but `deadline` ends the whole call after {deadline:?}: it never fires"
            ),
            format!(
                "raise `deadline` above {timeout:?}, or lower `attempt_timeout` below {deadline:?}"
            ),
        );
    }
}

/// More than one attempt, and nothing that ends one that hangs.
pub(super) fn no_timeout(spec: &PipelineSpec, notes: &mut Notes<'_>) {
    if spec.attempt_timeout.is_some() || spec.deadline.is_some() {
        return;
    }
    let who = match (retries(spec), spec.hedge) {
        (Some(retry), _) => format!("`retry.max_attempts` is {}", retry.max_attempts),
        (None, Some(hedge)) => format!("`hedge.extra_attempts` is {}", hedge.extra_attempts),
        (None, None) => return,
    };
    notes.warning(
        "attempt_timeout",
        format!(
            "not set, and neither is `deadline`, though {who}: a call that hangs hangs for ever"
        ),
        "set `attempt_timeout` to what the slowest good answer takes, and `deadline` to what the \
         caller waits for: 8s and 30s in `standard`",
    );
}

/// The first attempt that hangs takes all the time there is.
pub(super) fn no_attempt_timeout(spec: &PipelineSpec, notes: &mut Notes<'_>) {
    let (Some(retry), Some(deadline), None) = (retries(spec), spec.deadline, spec.attempt_timeout)
    else {
        return;
    };
    let n = retry.max_attempts;
    let waits = longest_waits(&retry.backoff, n - 1);
    let share = deadline.checked_sub(waits).filter(|left| !left.is_zero()).unwrap_or(deadline) / n;
    notes.warning(
        "attempt_timeout",
        format!(
            "not set, so that an attempt that hangs takes all of `deadline` ({deadline:?}), and none \
             of the other {} (`retry.max_attempts` is {n}) follows",
            n - 1
        ),
        format!("set `attempt_timeout` to {:?} or less", even(share)),
    );
}

/// Attempts and waits that are longer together than the deadline.
pub(super) fn attempts_not_reached(spec: &PipelineSpec, notes: &mut Notes<'_>) {
    let (Some(retry), Some(timeout), Some(deadline)) =
        (retries(spec), spec.attempt_timeout, spec.deadline)
    else {
        return;
    };
    if timeout > deadline || timeout.is_zero() {
        return;
    }
    let n = retry.max_attempts;
    let waits = longest_waits(&retry.backoff, n - 1);
    let all = timeout.saturating_mul(n).saturating_add(waits);
    if all > deadline {
        let (begin, whole) = fitting(retry, timeout, deadline);
        let which = match begin < n {
            true => format!("{begin} of them begin"),
            false => format!("the last has {:?} left", deadline.saturating_sub(all - timeout)),
        };
        let fewer = match whole {
            0 | 1 => String::new(),
            whole => format!(", or `retry.max_attempts` to {whole}"),
        };
        let shorter = match deadline.checked_sub(waits).map(|left| even(left / n)) {
            Some(share) if !share.is_zero() => format!(", or lower `attempt_timeout` to {share:?}"),
            _ => ", or lower `retry.backoff.cap`".to_owned(),
        };
        return notes.warning(
            "retry.max_attempts",
            format!(
                "{n}, but so many attempts of {timeout:?} (`attempt_timeout`) and the waits of \
                 `retry.backoff` take up to {all:?}, and `deadline` is {deadline:?}: when all time \
                 out, {which}"
            ),
            format!("raise `deadline` to {all:?}{shorter}{fewer}"),
        );
    }
    let fires = |hedge: &Hedge| hedge::shortest_delay(hedge).1 < timeout;
    let Some(hedge) = spec.hedge.filter(fires) else { return };
    let (name, delay) = hedge::longest_delay(&hedge);
    let hedged = timeout + delay.saturating_mul(hedge.extra_attempts).min(timeout);
    let last = hedged.saturating_mul(n - 1).saturating_add(waits);
    if last >= deadline {
        let room = (deadline.saturating_sub(waits) / (n - 1)).saturating_sub(timeout);
        let lower = match even(room / hedge.extra_attempts.max(1)) {
            Duration::ZERO => "lower `attempt_timeout`".to_owned(),
            most => format!("lower `{name}` below {most:?}"),
        };
        notes.warning(
            "retry.max_attempts",
            format!(
                "{n}, but an attempt whose hedges time out too takes up to {hedged:?} \
                 (`attempt_timeout` {timeout:?}, `{name}` {delay:?}), and `deadline` is {deadline:?}: \
                 the last attempt does not begin"
            ),
            format!("{lower}, or raise `deadline` above {last:?}"),
        );
    }
}

/// How many attempts begin before the deadline if each times out, and how many of them have their
/// whole time.
fn fitting(retry: &Retry, timeout: Duration, deadline: Duration) -> (u32, u32) {
    const MOST: u32 = 10_000;

    let starts =
        |n: u32| timeout.saturating_mul(n - 1).saturating_add(longest_waits(&retry.backoff, n - 1));
    let count = |is_in: &dyn Fn(Duration) -> bool| {
        (1..=retry.max_attempts.min(MOST)).take_while(|n| is_in(starts(*n))).count()
    };
    let begin = count(&|start| start < deadline);
    let whole = count(&|start| start.saturating_add(timeout) <= deadline);
    (u32::try_from(begin).unwrap_or(MOST), u32::try_from(whole).unwrap_or(MOST))
}

/// Waits that a server may ask for, and that there is never time for.
pub(super) fn asked_over_deadline(spec: &PipelineSpec, notes: &mut Notes<'_>) {
    let (Some(retry), Some(deadline)) = (retries(spec), spec.deadline) else { return };
    let asked = retry.longest_asked;
    if asked > deadline {
        notes.warning(
            "retry.longest_asked",
            format!(
                "{asked:?}, but `deadline` ends the whole call after {deadline:?}: no wait that long \
                 is ever begun"
            ),
            format!(
                "lower `retry.longest_asked` to {:?}, or raise `deadline` above {asked:?}",
                room_for_an_attempt(spec, deadline)
            ),
        );
    }
}

/// Queues in which one may stand for longer than the call can take.
pub(super) fn queue_wait_over_deadline(place: &Place<'_>, notes: &mut Notes<'_>) {
    let Some(deadline) = place.spec.deadline else { return };
    let host = place.host;
    // Where a guard is in shadow nobody waits.
    let concurrency = host.concurrency.filter(|_| !host.is_shadow(GuardKind::Concurrency));
    let concurrency = concurrency.filter(|limit| limit.max_waiting > 0);
    let adaptive = host.adaptive.filter(|_| !host.is_shadow(GuardKind::Adaptive));
    let adaptive = adaptive.filter(|limit| limit.max_waiting > 0);
    let line = host.line.max_wait.filter(|_| !host.is_shadow(GuardKind::Turns));
    for (setting, wait) in [
        ("concurrency.max_wait", concurrency.map(|limit| limit.max_wait)),
        ("adaptive.max_wait", adaptive.map(|limit| limit.max_wait)),
        ("line.max_wait", line),
    ] {
        let Some(wait) = wait.filter(|wait| *wait > deadline) else { continue };
        let fix = format!(
            "lower `{setting}` to {:?}, or raise `deadline` above {wait:?}",
            room_for_an_attempt(place.spec, deadline)
        );
        let what = format!(
            "{wait:?}, but `deadline` ends the whole call after {deadline:?}: nobody waits that long"
        );
        notes.warning(place.name(setting), what, fix);
    }
}

/// What is left of the deadline beside an attempt; half of it, where that cannot be said.
fn room_for_an_attempt(spec: &PipelineSpec, deadline: Duration) -> Duration {
    let beside = spec.attempt_timeout.and_then(|timeout| deadline.checked_sub(timeout));
    even(beside.filter(|room| !room.is_zero()).unwrap_or(deadline / 2))
}

/// In whole milliseconds, where it is not shorter than one.
pub(super) fn even(time: Duration) -> Duration {
    match time >= Duration::from_millis(1) {
        true => time - Duration::from_nanos(u64::from(time.subsec_nanos() % 1_000_000)),
        false => time,
    }
}
