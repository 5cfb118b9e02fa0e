//! An explanation for programs.

use std::fmt::{self, Display};

use super::{Explanation, Other, Step};
use crate::pipeline::fields::{Entry, Value, quote};
use crate::pipeline::{Bound, Bounds, Finding};

impl Explanation {
    /// The same as JSON. Its keys stay as they are; others may come.
    ///
    /// | key | value |
    /// |---|---|
    /// | `name` | text |
    /// | `parts` | what is on, from the outermost to the innermost: `part`, `place` (`call`, `again`, `host`, `attempt`), `does`, `shadow`, `function` (rules that no setting can say), `settings` |
    /// | `off` | what is not: `part`, `means` |
    /// | `hosts` | `pattern`, and of its `settings` those that differ from the rest |
    /// | `bounds` | `attempts`, `time_seconds`, `load`, `reserve`, `load_without_budget`, `slots`, `memory_bytes`: each `{"at_most": 3}` or `{"unbounded": "why"}` |
    /// | `findings` | `code`, `severity`, `setting`, `what`, `fix` |
    ///
    /// A setting has `path`, `value` as a file would have it, and `default`, whether it would be so
    /// if nobody had said anything.
    #[must_use]
    pub fn to_json(&self) -> String {
        let off = self.off.iter();
        object([
            ("name", quote(&self.name)),
            ("parts", list(self.steps.iter().map(step))),
            ("off", list(off.map(|part| text_object([("part", part.key), ("means", part.off)])))),
            ("hosts", list(self.hosts.iter().map(other))),
            ("bounds", bounds(&self.bounds)),
            ("findings", list(self.findings.iter().map(finding))),
        ])
    }
}

fn step(step: &Step) -> String {
    object([
        ("part", quote(step.part.key)),
        ("place", quote(step.part.place.name())),
        ("does", quote(step.part.does)),
        ("shadow", step.is_shadow.to_string()),
        ("function", step.is_beyond.to_string()),
        ("settings", settings(&step.settings)),
    ])
}

fn other(other: &Other) -> String {
    object([("pattern", quote(&other.pattern)), ("settings", settings(&other.settings))])
}

fn settings(settings: &[(String, Entry)]) -> String {
    list(settings.iter().map(|(_, Entry { path, value, is_default, .. })| {
        object([
            ("path", quote(&path.to_string())),
            ("value", value.to_string()),
            ("default", is_default.to_string()),
        ])
    }))
}

fn bounds(bounds: &Bounds) -> String {
    let Bounds { attempts, time, load, reserve, load_without_budget, slots, memory } = bounds;
    object([
        ("attempts", bound(attempts, u64::to_string)),
        ("time_seconds", bound(time, |time| number(time.as_secs_f64()))),
        ("load", bound(load, |load| number(*load))),
        ("reserve", bound(reserve, u64::to_string)),
        ("load_without_budget", bound(load_without_budget, |load| number(*load))),
        ("slots", bound(slots, u64::to_string)),
        ("memory_bytes", bound(memory, u64::to_string)),
    ])
}

fn bound<T>(bound: &Bound<T>, show: impl Fn(&T) -> String) -> String {
    match bound {
        Bound::AtMost(most) => object([("at_most", show(most))]),
        Bound::Unbounded(why) => object([("unbounded", quote(why))]),
    }
}

fn finding(finding: &Finding) -> String {
    let Finding { code, severity, setting, what, fix } = finding;
    let severity = severity.to_string();
    text_object([
        ("code", *code),
        ("severity", &severity),
        ("setting", setting),
        ("what", what),
        ("fix", fix),
    ])
}

/// JSON has no number that is none.
fn number(number: f64) -> String {
    Value::Number(number).to_string()
}

fn text_object<const N: usize>(members: [(&str, &str); N]) -> String {
    object(members.map(|(key, text)| (key, quote(text))))
}

fn object<const N: usize>(members: [(&str, String); N]) -> String {
    let members = members.map(|(key, value)| format!("{}: {value}", quote(key)));
    format!("{{{}}}", Joined(&members))
}

fn list(values: impl Iterator<Item = String>) -> String {
    format!("[{}]", Joined(&values.collect::<Vec<_>>()))
}

struct Joined<'a>(&'a [String]);

impl Display for Joined<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}
