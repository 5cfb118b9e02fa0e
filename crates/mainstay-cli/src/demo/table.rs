//! The three ways beside each other, or beneath each other where there is no room.

use std::time::Duration;

use super::ways::{CALLS, Run, SAMPLE};
use crate::fetch::{Kind, seconds};
use crate::out::{BOLD, PLAIN};
use crate::terminal::wrapped;

pub(crate) const NAMES: [&str; 3] = ["one by one", "all at once", "standard pipeline"];

/// A row: what it is, and what it is for each way.
struct Row {
    what: String,
    cells: [String; 3],
}

/// How many calls each of those stands for that are made one by one.
const TIMES: usize = CALLS / SAMPLE;

/// How wide the rows are, and their cells.
const WHAT: usize = 29;
const CELLS: [usize; 3] = [15, 15, 19];

pub(crate) fn table(runs: &[Run; 3], columns: usize) -> String {
    let rows = rows(runs);
    let mut text = match columns > WHAT + CELLS.iter().sum::<usize>() {
        true => beside(&rows),
        false => beneath(&rows),
    };
    let note = format!(
        "x {TIMES}: {SAMPLE} calls were made; their time and their counts stand here times {TIMES}."
    );
    text.push_str(&format!("{}\n", wrapped(&note, columns.min(80) - 1)));
    text
}

/// How wide rows are without the other ways.
const NARROW: usize = 39;

fn beside(rows: &[Row]) -> String {
    let line = |what: &str, cells: [&str; 3]| {
        let mut line = format!("{what:<WHAT$}");
        for (cell, width) in cells.iter().zip(CELLS) {
            line.push_str(&format!("{cell:>width$}"));
        }
        line
    };
    let [one, all, pipeline] = NAMES;
    let head = line("", [&format!("{one} x {TIMES}"), all, pipeline]);
    let mut text = format!("{BOLD}{head}{PLAIN}\n");
    for Row { what, cells } in rows {
        text.push_str(&line(what, cells.each_ref().map(String::as_str)));
        text.push('\n');
    }
    text
}

fn beneath(rows: &[Row]) -> String {
    let (mut text, times) = (String::new(), format!(" x {TIMES}"));
    for (at, (name, sign)) in NAMES.iter().zip([times.as_str(), "", ""]).enumerate() {
        let gap = if at == 0 { "" } else { "\n" };
        text.push_str(&format!("{gap}{BOLD}{name}{sign}{PLAIN}\n"));
        for Row { what, cells } in rows {
            let cell = &cells[at];
            let width = NARROW.saturating_sub(what.chars().count());
            text.push_str(&format!("{what}{cell:>width$}\n"));
        }
    }
    text
}

fn rows(runs: &[Run; 3]) -> Vec<Row> {
    let row = |what: &str, cell: &dyn Fn(&Run) -> String| Row {
        what: what.to_owned(),
        cells: runs.each_ref().map(cell),
    };
    let count = |what: &str, count: &dyn Fn(&Run) -> usize| {
        row(what, &|run| (count(run) * run.scale()).to_string())
    };
    let mut rows = vec![
        row("wall time", &|run| tenths(run.took * u32::try_from(run.scale()).unwrap_or(1))),
        count("succeeded", &|run| run.ok),
        count("failed", &|run| run.calls - run.ok),
    ];
    let mut kinds: Vec<Kind> = runs.iter().flat_map(|run| run.failed.keys().copied()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    for kind in kinds {
        let failed = |run: &Run| run.failed.get(&kind).copied().unwrap_or_default();
        rows.push(count(&format!("  {}", kind.word()), &failed));
    }
    rows.extend([
        count("failed, of hosts that are up", &|run| run.lost),
        count("requests", &|run| run.attempts as usize),
        count("  to the host that is down", &|run| run.knocks as usize),
        count("  seen by the other hosts", &Run::arrived),
        count("  answered 429", &|run| run.answered(429)),
        count("  before a 429 allowed it", &Run::too_early),
        row("p50, p95, p99 in seconds", &|run| {
            let [p50, p95, p99] = [50, 95, 99].map(|of| run.times.percentile(of).as_secs_f64());
            format!("{p50:.1}, {p95:.1}, {p99:.1}")
        }),
    ]);
    rows
}

/// All with as many digits, so that they can be compared at a glance.
fn tenths(time: Duration) -> String {
    match time.as_secs() {
        0..60 => format!("{:.1} s", time.as_secs_f64()),
        _ => seconds(time),
    }
}

impl Run {
    /// How many calls each of them stands for.
    fn scale(&self) -> usize {
        CALLS / self.calls.max(1)
    }
}
