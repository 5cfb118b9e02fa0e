//! The three ways beside each other.

use std::time::Duration;

use super::ways::{CALLS, Run, SAMPLE};
use crate::fetch::seconds;

/// A row: what it is, and how it is counted.
type Row = (&'static str, fn(&Run) -> String);

const ROWS: [Row; 10] = [
    ("wall time", |run| seconds(run.took * u32::try_from(run.scale()).unwrap_or(1))),
    ("succeeded", |run| format!("{} of {CALLS}", run.ok * run.scale())),
    ("failed though the host is up", |run| (run.lost * run.scale()).to_string()),
    ("attempts", |run| (run.attempts as usize * run.scale()).to_string()),
    ("requests the hosts saw", |run| (run.arrived() * run.scale()).to_string()),
    ("of them answered 429", |run| (run.answered(429) * run.scale()).to_string()),
    ("of them before the 429 allowed it", |run| (run.too_early() * run.scale()).to_string()),
    ("a call that succeeds: p50", |run| time(run, 50)),
    ("p95", |run| time(run, 95)),
    ("p99", |run| time(run, 99)),
];

fn time(run: &Run, of_hundred: u64) -> String {
    let time: Duration = run.times.percentile(of_hundred);
    seconds(time)
}

impl Run {
    /// How many calls each of them stands for.
    fn scale(&self) -> usize {
        CALLS / self.calls.max(1)
    }
}

pub(crate) fn table(runs: &[Run; 3]) -> String {
    let mut text = format!(
        "{:<36}{:>18}{:>18}{:>22}\n",
        "", "one by one *", "all at once", "standard pipeline"
    );
    for (name, cell) in ROWS {
        let [one, all, pipeline] = runs.each_ref().map(cell);
        text.push_str(&format!("{name:<36}{one:>18}{all:>18}{pipeline:>22}\n"));
    }
    for (name, run) in ["one by one", "all at once", "standard pipeline"].iter().zip(runs) {
        let why: Vec<String> =
            run.failed.iter().map(|(kind, count)| format!("{} {count}", kind.word())).collect();
        if !why.is_empty() {
            text.push_str(&format!("{name} failed: {}\n", why.join(", ")));
        }
    }
    text.push_str(&format!("* {SAMPLE} calls; wall time and counts are scaled to {CALLS}\n"));
    text
}
