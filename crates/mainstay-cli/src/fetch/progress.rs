//! The line that says how it goes.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use mainstay::batch::Counts;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::flags::{self, Fetch};
use super::summary::{Summary, seconds};

/// Writes on standard error, or does not.
pub(crate) enum Progress {
    /// One line, written over.
    Line,
    /// A line every few seconds.
    Lines,
    Nothing,
}

impl Progress {
    pub(crate) fn of(fetch: &Fetch) -> Self {
        let is_output_seen = fetch.output == Path::new("-") && io::stdout().is_terminal();
        match (fetch.progress, io::stderr().is_terminal()) {
            (flags::Progress::Never, _) => Self::Nothing,
            // The lines of the output would be written into it.
            (flags::Progress::Auto, true) if is_output_seen => Self::Nothing,
            (_, true) => Self::Line,
            (flags::Progress::Always, false) => Self::Lines,
            (flags::Progress::Auto, false) => Self::Nothing,
        }
    }

    /// When it is time to write again.
    pub(crate) fn ticks(&self) -> Interval {
        let mut ticks = interval(match self {
            Self::Line => Duration::from_millis(100),
            Self::Lines => Duration::from_secs(2),
            Self::Nothing => Duration::from_secs(3_600),
        });
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    }

    pub(crate) fn show(&self, counts: &Counts, summary: &Summary, took: Duration) {
        let line = line(counts, summary, took);
        let (before, after) = match self {
            Self::Line => ("\r\x1b[2K", ""),
            Self::Lines => ("", "\n"),
            Self::Nothing => return,
        };
        write(&format!("{before}{line}{after}"));
    }

    /// Makes room for what is said next.
    pub(crate) fn end(&self) {
        if matches!(self, Self::Line) {
            write("\r\x1b[2K");
        }
    }
}

fn write(text: &str) {
    let mut err = io::stderr().lock();
    // Nobody is left to be told that nobody listens.
    let _: io::Result<()> = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

fn line(counts: &Counts, summary: &Summary, took: Duration) -> String {
    let done = summary.done();
    let mut line = match counts.total {
        Some(total) => format!("{done} of {total}"),
        None => format!("{done} done"),
    };
    if summary.failed > 0 {
        line.push_str(&format!(", {} failed", summary.failed));
    }
    line.push_str(&format!("; {} running", counts.running));
    if counts.waiting > 0 {
        line.push_str(&format!(", {} waiting", counts.waiting));
    }
    if counts.rate > 0.0 {
        line.push_str(&format!("; {:.0}/s", counts.rate));
    }
    match counts.time_left {
        Some(left) => line.push_str(&format!("; {} left", seconds(left))),
        None => line.push_str(&format!("; {}", seconds(took))),
    }
    line
}
