//! Hosts with settings of their own that are never looked at, or are no others.

use super::notes::{Notes, of_pattern};
use crate::pipeline::PipelineSpec;

/// One that was given earlier matches whatever it matches.
pub(super) fn not_reached(spec: &PipelineSpec, notes: &mut Notes<'_>) {
    let patterns = spec.host_patterns();
    for (place, (pattern, _)) in spec.hosts.iter().enumerate() {
        let Some(before) = patterns.covered_before(place, pattern) else { continue };
        let before = &spec.hosts[before].0;
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
    let patterns = spec.host_patterns();
    for (place, (pattern, host)) in spec.hosts.iter().enumerate() {
        if *host != spec.per_host || patterns.is_covered_behind(place, pattern) {
            continue;
        }
        let own = of_pattern(pattern);
        let fix = format!("change a setting in `{own}`, or leave it out");
        notes.warning(own, "the same as `per_host` in every setting: it changes nothing", fix);
    }
}
