//! Hosts with settings of their own that are never looked at, or are no others.

use super::notes::{Notes, of_pattern};
use crate::pipeline::PipelineSpec;

/// One that was given earlier matches whatever it matches.
pub(super) fn not_reached(spec: &PipelineSpec, notes: &mut Notes<'_>) {
    for (place, (pattern, _)) in spec.hosts.iter().enumerate() {
        let mut before = spec.hosts[..place].iter().map(|(before, _)| before);
        let Some(before) = before.find(|before| before.covers(pattern)) else {
            continue;
        };
        let (own, other) = (of_pattern(pattern), of_pattern(before));
        let fix = match before == pattern {
            true => format!("put both into one `{own}`"),
            false => format!("put `{own}` before `{other}`, or leave it out"),
        };
        let what = match before == pattern {
            true => {
                "given twice, and the first that matches counts: this one is never used".to_owned()
            }
            false => {
                format!("after `{other}`, which matches all of the same hosts: it is never used")
            }
        };
        notes.error(own, what, fix);
    }
}

/// It says what stands before every host anyway. Where a later one matches the same hosts, it
/// exempts some from that.
pub(super) fn like_base(spec: &PipelineSpec, notes: &mut Notes<'_>) {
    for (place, (pattern, host)) in spec.hosts.iter().enumerate() {
        let mut after = spec.hosts[place + 1..].iter();
        if *host != spec.per_host || after.any(|(after, _)| after.covers(pattern)) {
            continue;
        }
        let own = of_pattern(pattern);
        let fix = format!("change a setting in `{own}`, or leave it out");
        notes.warning(own, "the same as `per_host` in every setting: it changes nothing", fix);
    }
}
