//! Breakers that cannot see what they are to judge.

use std::time::Duration;

use mainstay_policy::breaker::{CircuitBreaker, Span};
use mainstay_policy::rate_limit::{Limiter, RateLimit, Shape};

use super::notes::{Notes, Place};
use super::time::even;
use crate::pipeline::GuardKind;

/// Whether anything is judged by the window.
const fn looks_back(breaker: &CircuitBreaker) -> bool {
    breaker.failure_ratio.is_some() || breaker.slow_calls.is_some()
}

/// Attempts that time out leave it before others have come.
pub(super) fn window_too_short(place: &Place<'_>, notes: &mut Notes<'_>) {
    let (Some(breaker), Some(timeout)) = (&place.host.circuit_breaker, place.spec.attempt_timeout)
    else {
        return;
    };
    let Span::Time(window) = breaker.window else { return };
    let twice = timeout.saturating_mul(2);
    if looks_back(breaker) && window < twice {
        let fix = format!(
            "raise `circuit_breaker.window` to {twice:?}, or lower `attempt_timeout` to {:?}",
            even(window / 2)
        );
        notes.warning(
            place.name("circuit_breaker.window"),
            format!(
                "{window:?}, less than twice `attempt_timeout` ({timeout:?}): an attempt that began \
                 with the window and times out says so when most of it has gone"
            ),
            fix,
        );
    }
}

/// What limits the attempts leaves fewer than are needed for a judgement.
pub(super) fn min_calls_not_reached(place: &Place<'_>, notes: &mut Notes<'_>) {
    let Some(breaker) = place.host.circuit_breaker.filter(looks_back) else { return };
    let Span::Time(window) = breaker.window else { return };
    // What is in shadow limits nothing.
    let rate = place.host.rate_limit.filter(|_| !place.host.is_shadow(GuardKind::Turns));
    let by_rate = rate.and_then(|limit| starved(&limit, &breaker, window));
    let found = by_rate.or_else(|| starved_by_slots(place, &breaker, window));
    let Some(Starved { why, most, window: longer, for_good }) = found else { return };
    let name = place.name("circuit_breaker.min_calls");
    let then = match breaker.consecutive_failures {
        Some(row) => format!("only {row} failures in a row open it"),
        None => "nothing opens it".to_owned(),
    };
    let what = format!("{}, but {why}: {then}", breaker.min_calls);
    let mut fix = format!("raise `circuit_breaker.window` to {longer:?}");
    if most > 0 {
        fix = format!("lower `circuit_breaker.min_calls` to {most}, or {fix}");
    }
    match for_good && breaker.consecutive_failures.is_none() {
        true => notes.error(name, what, fix),
        false => notes.warning(name, what, fix),
    }
}

/// Why a window never holds enough.
struct Starved {
    why: String,
    /// How many it can hold.
    most: u32,
    /// How long it would have to be.
    window: Duration,
    /// Always, and not only when attempts hang.
    for_good: bool,
}

fn starved(limit: &RateLimit, breaker: &CircuitBreaker, window: Duration) -> Option<Starved> {
    if limit.count == 0 || limit.period.is_zero() {
        return None;
    }
    let periods = window.as_secs_f64() / limit.period.as_secs_f64();
    let (count, min_calls) = (f64::from(limit.count), f64::from(breaker.min_calls));
    let (most, longer) = match limit.shape {
        Shape::Smooth { burst } => {
            let (burst, catch_up) = (f64::from(burst), Limiter::CATCH_UP.as_secs_f64());
            let rate = count / limit.period.as_secs_f64();
            let most = (burst + rate * (window.as_secs_f64() + catch_up)).floor();
            (most, (min_calls - burst).max(1.0) / rate)
        }
        // A period may begin and end inside the window.
        Shape::Strict => {
            let most = (periods.floor() + 1.0) * count;
            (most, (min_calls / count).ceil() * limit.period.as_secs_f64())
        }
    };
    if most >= min_calls {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is at least 0 and below a count"
    )]
    let most = most as u32;
    Some(Starved {
        why: format!(
            "`rate_limit` lets at most {most} start in `circuit_breaker.window` ({window:?}), so \
             ratios never count"
        ),
        most,
        window: Duration::try_from_secs_f64(longer.ceil()).unwrap_or(Duration::MAX),
        for_good: true,
    })
}

/// When attempts hang, each slot gives one result in each attempt timeout.
fn starved_by_slots(
    place: &Place<'_>,
    breaker: &CircuitBreaker,
    window: Duration,
) -> Option<Starved> {
    let timeout = place.spec.attempt_timeout.filter(|timeout| !timeout.is_zero())?;
    let is_shadow = place.host.is_shadow(GuardKind::Concurrency);
    let limit = place.host.concurrency.filter(|_| !is_shadow)?.limit;
    let rounds = u32::try_from(window.as_nanos() / timeout.as_nanos()).unwrap_or(u32::MAX);
    let most = limit.saturating_mul(rounds.saturating_add(1));
    let needed = breaker.min_calls.div_ceil(limit.max(1));
    (most < breaker.min_calls).then(|| Starved {
        why: format!(
            "when attempts hang, `concurrency.limit` ({limit}) lets at most {most} time out \
             (`attempt_timeout`, {timeout:?}) in `circuit_breaker.window` ({window:?}), so ratios do \
             not count then"
        ),
        most: limit.saturating_mul(rounds),
        window: timeout.saturating_mul(needed),
        for_good: false,
    })
}

/// No call is ever as slow as that.
pub(super) fn slow_calls_not_counted(place: &Place<'_>, notes: &mut Notes<'_>) {
    let (Some(breaker), Some(timeout)) = (&place.host.circuit_breaker, place.spec.attempt_timeout)
    else {
        return;
    };
    let Some(slow) = breaker.slow_calls.filter(|slow| slow.longer_than > timeout) else { return };
    let fix = format!(
        "lower `circuit_breaker.slow_calls.longer_than` below {timeout:?}, or raise `attempt_timeout` above {:?}",
        slow.longer_than
    );
    let what = format!(
        "{:?}, but `attempt_timeout` ends each attempt after {timeout:?}: none is ever that slow",
        slow.longer_than
    );
    notes.error(place.name("circuit_breaker.slow_calls.longer_than"), what, fix);
}

/// A probe that may still answer does not count any more.
pub(super) fn probe_given_up_early(place: &Place<'_>, notes: &mut Notes<'_>) {
    let (Some(breaker), Some(timeout)) = (&place.host.circuit_breaker, place.spec.attempt_timeout)
    else {
        return;
    };
    let probe_time = breaker.probe_time;
    if probe_time < timeout {
        let fix = format!(
            "raise `circuit_breaker.probe_time` to {timeout:?}, or lower `attempt_timeout` to {probe_time:?}"
        );
        notes.warning(
            place.name("circuit_breaker.probe_time"),
            format!(
                "{probe_time:?}, but an attempt may take {timeout:?} (`attempt_timeout`): a probe \
                 that takes longer is given up, and its answer does not close the breaker"
            ),
            fix,
        );
    }
}
