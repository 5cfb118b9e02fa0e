//! How it goes, as somebody at a terminal sees it.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use mainstay::batch::{self, Counts};
use mainstay::pipeline::Pipelines;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::flags::{self, Fetch};
use super::holds::{held_up, holds};
use super::input;
use super::pace::Pace;
use super::summary::{Summary, seconds};
use crate::terminal::{self, Area};

/// How many inputs are to be fetched, once that is known.
pub(crate) type Counted = Arc<OnceLock<u64>>;

/// Counts them beside the run, if somebody wants to know.
pub(crate) fn count(fetch: &Fetch, urls: usize, kept: u64) -> Counted {
    let (counted, urls) = (Counted::default(), urls as u64);
    match fetch.input.clone() {
        _ if How::of(fetch) == How::Nothing => {}
        None => drop(counted.set(urls.saturating_sub(kept))),
        Some(file) if input::is_file(&file) => {
            let counts = Arc::clone(&counted);
            thread::spawn(move || {
                // Whatever cannot be read is told by who reads it.
                let lines = input::count(&file).unwrap_or_default();
                counts.set((urls + lines).saturating_sub(kept))
            });
        }
        Some(_) => {}
    }
    counted
}

/// Tells on standard error how far a run is.
pub(crate) struct Progress {
    how: How,
    counts: batch::Progress,
    pipelines: Pipelines,
    counted: Counted,
    has_total_rate: bool,
    pace: Pace,
    area: Area,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// Lines that are written over.
    Area,
    /// A line every few seconds.
    Lines,
    Nothing,
}

impl How {
    fn of(fetch: &Fetch) -> Self {
        let is_output_seen = fetch.output == Path::new("-") && io::stdout().is_terminal();
        match (fetch.progress, io::stderr().is_terminal()) {
            (flags::Progress::Never, _) | (flags::Progress::Auto, false) => Self::Nothing,
            // The lines of the output would be written into it.
            (flags::Progress::Auto, true) if is_output_seen => Self::Nothing,
            (flags::Progress::Always, _) if is_output_seen => Self::Lines,
            (_, true) => Self::Area,
            (flags::Progress::Always, false) => Self::Lines,
        }
    }
}

impl Progress {
    pub(crate) fn of(
        fetch: &Fetch,
        counts: batch::Progress,
        pipelines: Pipelines,
        counted: Counted,
    ) -> Self {
        let (how, has_total_rate) = (How::of(fetch), fetch.rate_total.is_some());
        let (pace, area) = (Pace::default(), Area::default());
        Self { how, counts, pipelines, counted, has_total_rate, pace, area }
    }

    /// When it is time to write again.
    pub(crate) fn ticks(&self) -> Interval {
        let mut ticks = interval(match self.how {
            How::Area => Duration::from_millis(200),
            How::Lines => Duration::from_secs(2),
            How::Nothing => Duration::from_secs(3_600),
        });
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    }

    pub(crate) fn show(&mut self, summary: &Summary, took: Duration) {
        if self.how == How::Nothing {
            return;
        }
        let counts = self.counts.counts();
        let hosts = self.counts.hosts();
        let held_up = held_up(&self.pipelines, &hosts);
        let why = holds(&self.pipelines, &hosts, self.has_total_rate);
        let why = why.or_else(|| summary.why());
        let (total, rate) = (self.counted.get().copied(), self.pace.rate(summary.done(), took));
        let view = View { counts, summary, took, rate, total, held_up, why };
        match self.how {
            How::Area => self.area.draw(&view.lines(terminal::width(&io::stderr()) - 1)),
            How::Lines => {
                // Nobody is left to be told that nobody listens.
                let _: io::Result<()> = writeln!(io::stderr().lock(), "{}", view.line());
            }
            How::Nothing => {}
        }
    }

    /// Makes room for what is said next.
    pub(crate) fn end(&mut self) {
        self.area.clear();
    }
}

/// Without parts of a second, which nobody can read in the time that they stand there.
fn whole(time: Duration) -> String {
    match time.as_secs() {
        secs @ 0..60 => format!("{secs} s"),
        _ => seconds(time),
    }
}

/// How far a run is.
struct View<'a> {
    counts: Counts,
    summary: &'a Summary,
    took: Duration,
    /// How many end in a second, just now.
    rate: f64,
    total: Option<u64>,
    /// How many inputs wait for hosts that are down, nobody knows for how long.
    held_up: u64,
    /// What holds it up, or else what went wrong.
    why: Option<String>,
}

impl View<'_> {
    /// How long the rest takes if it goes on so.
    fn left(&self) -> Option<Duration> {
        let done = self.summary.done();
        let left = self.total?.saturating_sub(done + self.held_up);
        let left = left as f64 / self.rate;
        let left = Duration::try_from_secs_f64(left).ok()?;
        // What takes less is over, or waits for something that no average knows of.
        Some(left).filter(|left| done > 0 && self.took.as_secs() > 0 && left.as_secs() > 0)
    }

    /// `412/s, 18 s left`, or how long it has been where nobody can tell.
    fn pace(&self) -> String {
        let rate = match self.rate {
            rate if rate < 10.0 => format!("{rate:.1}/s"),
            rate => format!("{rate:.0}/s"),
        };
        match self.left() {
            Some(left) if self.held_up > 0 => format!("{rate}, over {} left", whole(left)),
            Some(left) => format!("{rate}, {} left", whole(left)),
            None => format!("{rate}, for {}", whole(self.took)),
        }
    }

    /// Three lines, as many on each tick and with everything in its place, so that nothing jumps.
    fn lines(&self, columns: usize) -> [String; 3] {
        /// As long as most paces are.
        const PACE: usize = 24;

        let (done, pace) = (self.summary.done(), self.pace());
        let first = match self.total {
            None => format!("{done:>7} ended   {pace}"),
            Some(total) => {
                let digits = total.to_string().len();
                // Not 100 before all have ended.
                let percent = done.min(total) * 100 / total.max(1);
                let far = format!("{percent:>3} %  {done:>digits$} of {total}   {pace}");
                let others = far.len() - pace.len() + pace.len().max(PACE) + 2;
                match terminal::bar(done, total, columns.saturating_sub(others)) {
                    // How long is left is what can be left out best.
                    _ if far.len() > columns => {
                        far.rsplit_once(", ").map_or(far.clone(), |(short, _)| short.to_owned())
                    }
                    bar if bar.is_empty() => far,
                    bar => format!("{bar}  {far}"),
                }
            }
        };
        let Counts { running, waiting, retried, .. } = self.counts;
        let mut second = format!("{:>6} failed", self.summary.failed);
        for (count, what) in [(running, "running"), (waiting, "waiting"), (retried, "sent again")] {
            let more = format!("{count:>8} {what}");
            if second.len() + more.len() <= columns {
                second.push_str(&more);
            }
        }
        [first, second, self.why.clone().unwrap_or_default()]
    }

    fn line(&self) -> String {
        let mut line = match self.total {
            Some(total) => format!("{} of {total}", self.summary.done()),
            None => format!("{} done", self.summary.done()),
        };
        let Counts { running, waiting, .. } = self.counts;
        line.push_str(&format!(", {} failed", self.summary.failed));
        line.push_str(&format!("; {running} running, {waiting} waiting; {}", self.pace()));
        if let Some(why) = &self.why {
            line.push_str(&format!("; {why}"));
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::{Defaults, Job, Kind, Record};

    /// So many of a thousand have ended, one of ten of them badly, in so many seconds.
    fn summary(done: u64) -> Summary {
        let mut summary = Summary::default();
        for index in 0..done {
            let record = Record::of(Job::of_url("http://a", index, &Defaults::default()).name);
            summary.add(&match index % 10 {
                0 => record.failed(Kind::Timeout, "no answer in time"),
                _ => record,
            });
        }
        summary
    }

    fn lines(done: u64, total: Option<u64>, columns: usize) -> [String; 3] {
        let summary = summary(done);
        View { why: summary.why(), ..after_five_seconds(&summary, total) }.lines(columns)
    }

    fn after_five_seconds(summary: &Summary, total: Option<u64>) -> View<'_> {
        let (took, rate) = (Duration::from_secs(5), summary.done() as f64 / 5.0);
        let counts = Counts::default();
        View { counts, summary, took, rate, total, held_up: 0, why: None }
    }

    #[test]
    fn what_waits_for_a_host_that_is_down_is_no_part_of_the_time_that_is_left() {
        let summary = summary(490);
        let view = || after_five_seconds(&summary, Some(1_000));
        assert_eq!(view().pace(), "98/s, 5 s left");
        assert_eq!(View { held_up: 200, ..view() }.pace(), "98/s, over 3 s left");
        assert_eq!(View { held_up: 510, ..view() }.pace(), "98/s, for 5 s");
        assert_eq!(View { rate: 0.0, ..view() }.pace(), "0.0/s, for 5 s");
    }

    #[test]
    fn it_says_how_far_it_is_how_fast_and_what_went_wrong() {
        let bar = format!("{}{}", "━".repeat(15), "─".repeat(16));
        assert_eq!(
            lines(490, Some(1_000), 79),
            [
                format!("{bar}   49 %   490 of 1000   98/s, 5 s left"),
                "    49 failed       0 running       0 waiting       0 sent again".to_owned(),
                "failed: timeout 49".to_owned(),
            ]
        );
        assert_eq!(lines(490, None, 79)[0], "    490 ended   98/s, for 5 s");
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_nothing_moves() {
        for columns in [39, 60, 79, 119] {
            let [before, _, _] = lines(90, Some(1_000), columns);
            let [after, second, _] = lines(890, Some(1_000), columns);
            assert!(after.chars().count() <= columns, "{after}");
            assert!(second.len() <= columns, "{second}");
            let place = |line: &str| line.chars().position(|c| c == '%');
            assert_eq!(place(&before), place(&after));
        }
        assert_eq!(lines(890, Some(1_000), 39)[0], " 89 %   890 of 1000   178/s, for 5 s");
    }

    #[test]
    fn on_a_narrow_terminal_no_word_is_cut() {
        let summary = summary(890);
        let view = View { held_up: 10, rate: 12.0, ..after_five_seconds(&summary, Some(1_000)) };
        assert_eq!(view.lines(39)[0], " 89 %   890 of 1000   12/s");
    }

    #[test]
    fn it_is_not_all_before_all_have_ended() {
        assert!(lines(999, Some(1_000), 79)[0].contains(" 99 %"));
        assert!(lines(1_000, Some(1_000), 79)[0].contains("100 %"));
    }
}
