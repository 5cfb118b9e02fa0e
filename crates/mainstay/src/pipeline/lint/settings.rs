//! Settings that cannot be used as they are, by themselves.

use std::time::Duration;

use super::notes::{Notes, Place};
use crate::pipeline::fields::{Path, Wrong};
use crate::pipeline::{Hold, PipelineSpec};

/// What the policy says of the settings, and what a pipeline says of its own.
pub(super) fn of_pipeline(spec: &PipelineSpec, notes: &mut Notes<'_>) {
    above_zero(notes, "deadline", spec.deadline);
    above_zero(notes, "attempt_timeout", spec.attempt_timeout);
    above_zero(notes, "body_idle", spec.body_idle);
    let wrong = spec.wrong();
    let is_base = |wrong: &&Wrong| wrong.path.keys().first().is_some_and(|key| key == "per_host");
    let of_base: Vec<_> = wrong.iter().filter(is_base).collect();
    for found in &wrong {
        // What holds for every host is said once.
        let is_said = of_base.iter().any(|base| {
            let is_same = in_host(&base.path) == in_host(&found.path) && base.what == found.what;
            is_same && base.path != found.path
        });
        if !is_said {
            let must = format!("it must {}", found.must);
            notes.error(found.path.to_string(), found.what.clone(), must);
        }
    }
}

/// Which setting of a host it is, whichever the host.
fn in_host(path: &Path) -> Option<&[String]> {
    match path.keys() {
        [first, rest @ ..] if first == "per_host" => Some(rest),
        [first, _, rest @ ..] if first == "hosts" => Some(rest),
        _ => None,
    }
}

/// What a host says of its own settings.
pub(super) fn of_host(place: &Place<'_>, notes: &mut Notes<'_>) {
    if let Hold::Body { idle } = place.host.hold {
        above_zero(notes, &place.name("hold.idle"), Some(idle));
    }
}

/// A fallback that no end of a call leads to.
pub(super) fn fallback_never_given(spec: &PipelineSpec, notes: &mut Notes<'_>) {
    let Some(on) = spec.fallback.as_ref().map(|answer| answer.on) else { return };
    if on.transient || on.throttled || on.refused || on.fatal {
        return;
    }
    notes.error(
        "fallback.on",
        "empty, so that no end of a call leads to `fallback`: it is never given",
        "set `fallback.on` to [\"transient\", \"throttled\", \"refused\"], as it is unless set, or \
         leave `fallback` out",
    );
}

fn above_zero(notes: &mut Notes<'_>, setting: &str, time: Option<Duration>) {
    if time.is_some_and(|time| time.is_zero()) {
        notes.error(
            setting,
            format!("`{}` is 0ns", last(setting)),
            "it must be longer than nothing",
        );
    }
}

fn last(setting: &str) -> &str {
    setting.rsplit_once('.').map_or(setting, |(_, last)| last)
}
