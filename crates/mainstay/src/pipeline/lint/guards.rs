//! Guards that get in each other's way, or have nothing to guard.

use std::time::Duration;

use super::notes::{Notes, Place};
use super::time::retries;
use crate::pipeline::{GuardKind, Hold};

/// No process makes so many calls a second.
const ABSURD: f64 = 1_000_000.0;

/// No answer comes over HTTP sooner.
const QUICKEST: Duration = Duration::from_micros(100);

/// A fixed limit and an adaptive one. One of them in shadow is on trial, and in nobody's way.
pub(super) fn two_limits(place: &Place<'_>, notes: &mut Notes<'_>) {
    let host = place.host;
    let (Some(fixed), Some(adaptive)) = (host.concurrency, host.adaptive) else { return };
    if host.is_shadow(GuardKind::Concurrency) || host.is_shadow(GuardKind::Adaptive) {
        return;
    }
    notes.error(
        place.name("adaptive"),
        format!(
            "up to {}, but `concurrency` is set to {} as well: both say how many may be in flight",
            adaptive.max, fixed.limit
        ),
        "leave `concurrency` or `adaptive` out, or put one of them in `shadow`",
    );
}

/// Who may stand in a line that there is not.
pub(super) fn line_without_turns(place: &Place<'_>, notes: &mut Notes<'_>) {
    let host = place.host;
    if host.rate_limit.is_some() || host.cool_down.is_some() {
        return;
    }
    let most = host.line.max_waiting.map(|calls| ("line.max_waiting", calls.to_string()));
    let longest = host.line.max_wait.map(|time| ("line.max_wait", format!("{time:?}")));
    for (setting, value) in most.into_iter().chain(longest) {
        notes.warning(
            place.name(setting),
            format!("{value}, but neither `rate_limit` nor `cool_down` is set: there is no line"),
            format!(
                "set `cool_down`, or leave `{setting}` out; slots have lines of their own, such as \
                 `concurrency.max_waiting`"
            ),
        );
    }
}

/// More starts than there can be.
pub(super) fn rate_limits_nothing(place: &Place<'_>, notes: &mut Notes<'_>) {
    let Some(limit) = place.host.rate_limit.filter(|limit| !limit.period.is_zero()) else { return };
    let (count, period) = (limit.count, limit.period);
    let rate = f64::from(count) / period.as_secs_f64();
    let is_shadow = place.host.is_shadow(GuardKind::Concurrency);
    let slots = place.host.concurrency.filter(|_| !is_shadow).map(|slots| slots.limit);
    let served = slots.map(|slots| (slots, f64::from(slots) / QUICKEST.as_secs_f64()));
    let why = match served {
        _ if rate >= ABSURD => "which no process starts".to_owned(),
        Some((slots, most)) if rate > most => format!(
            "but `concurrency.limit` ({slots}) lets {most:.0} start even if each answer takes only \
             {QUICKEST:?}"
        ),
        _ => return,
    };
    notes.warning(
        place.name("rate_limit"),
        format!("{count} in {period:?} are {rate:.0} a second, {why}: it limits nothing"),
        "set `rate_limit` to what the server takes, such as 50 in 1s, or leave it out: something \
         else bounds what is sent",
    );
}

/// A 429 is heard by the call that got it, and by no other.
pub(super) fn throttled_alone(place: &Place<'_>, notes: &mut Notes<'_>) {
    let host = place.host;
    // These two hear it too, and ask for less.
    if host.cool_down.is_some() || host.adaptive.is_some() || host.throttle.is_some() {
        return;
    }
    let who = match (&host.rate_limit, retries(place.spec)) {
        (Some(limit), _) => {
            format!("the others go on at {} in {:?} (`rate_limit`)", limit.count, limit.period)
        }
        (None, Some(retry)) => format!(
            "the others go on, each up to {} times (`retry.max_attempts`)",
            retry.max_attempts
        ),
        (None, None) => return,
    };
    notes.warning(
        place.name("cool_down"),
        format!("not set, so that a 429 holds back the call that got it, and {who}"),
        "set `cool_down`: unless the server names a time, it leaves it alone for 1s",
    );
}

/// A guard that is off cannot say what it would do.
pub(super) fn shadow_of_nothing(place: &Place<'_>, notes: &mut Notes<'_>) {
    let host = place.host;
    for guard in &host.shadow {
        let (setting, is_on) = match guard {
            GuardKind::Concurrency => ("concurrency", host.concurrency.is_some()),
            GuardKind::Adaptive => ("adaptive", host.adaptive.is_some()),
            GuardKind::Turns => {
                ("rate_limit", host.rate_limit.is_some() || host.cool_down.is_some())
            }
            GuardKind::Throttle => ("throttle", host.throttle.is_some()),
            GuardKind::CircuitBreaker => ("circuit_breaker", host.circuit_breaker.is_some()),
        };
        if is_on {
            continue;
        }
        let (name, off) = match guard {
            GuardKind::Turns => ("turns", "neither `rate_limit` nor `cool_down` is".to_owned()),
            _ => (setting, format!("`{setting}` is not")),
        };
        notes.warning(
            place.name("shadow"),
            format!("`{name}`, but {off} set: there is nothing to watch"),
            format!("set `{setting}`, or take `{name}` out of `shadow`"),
        );
    }
}

/// Nothing is held to the end of a body.
pub(super) fn hold_without_guards(place: &Place<'_>, notes: &mut Notes<'_>) {
    let host = place.host;
    let slots = host.concurrency.is_some() || host.adaptive.is_some();
    // These wait for gRPC's status, which stands behind the body.
    let verdicts = host.rate_limit.is_some()
        || host.cool_down.is_some()
        || host.throttle.is_some()
        || host.circuit_breaker.is_some();
    if matches!(host.hold, Hold::Body { .. }) && !slots && !verdicts {
        notes.warning(
            place.name("hold"),
            "to the end of the body, but neither `concurrency` nor any other guard is set: nothing is \
             held",
            "set `concurrency`, or leave `hold` out",
        );
    }
}

/// The slot comes back while the body still hangs.
pub(super) fn silent_bodies_hang(place: &Place<'_>, notes: &mut Notes<'_>) {
    let Hold::Body { idle } = place.host.hold else { return };
    if place.spec.body_idle.is_some_and(|limit| limit <= idle) {
        return;
    }
    let limit = match place.spec.body_idle {
        Some(limit) => format!("`body_idle` fails it only after {limit:?}"),
        None => "`body_idle` is not set, so nothing fails it".to_owned(),
    };
    notes.warning(
        place.name("hold.idle"),
        format!(
            "{idle:?}, after which a body that fell silent gives its slot back, but {limit}: more are \
             in flight than may be"
        ),
        format!("set `body_idle` to {idle:?} or less"),
    );
}
