//! What a run comes to.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::record::{Kind, Record};
use crate::terminal::wrapped;

/// Counts of what has ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Summary {
    pub(crate) ok: u64,
    pub(crate) failed: u64,
    pub(crate) attempts: u64,
    /// How many failed of each kind, and with which status.
    kinds: BTreeMap<Kind, BTreeMap<Option<u16>, u64>>,
    times: Times,
}

/// How long calls took, in steps of a fiftieth of their length.
#[derive(Clone, Debug)]
pub(crate) struct Times {
    counts: Vec<u64>,
    count: u64,
    longest: f64,
}

impl Summary {
    pub(crate) fn add(&mut self, record: &Record) {
        self.attempts += u64::from(record.attempts);
        if record.attempts > 0 {
            self.times.add(record.elapsed_ms);
        }
        match &record.error {
            None => self.ok += 1,
            Some(wrong) => {
                self.failed += 1;
                *self.kinds.entry(wrong.kind).or_default().entry(record.status).or_default() += 1;
            }
        }
    }

    pub(crate) fn done(&self) -> u64 {
        self.ok + self.failed
    }

    /// For people, over a few lines that are no longer than this.
    pub(crate) fn told(&self, took: Duration, kept: u64, columns: usize) -> String {
        let mut text = format!(
            "{} ended in {}: {} ok, {} failed; {} attempts",
            self.done(),
            seconds(took),
            self.ok,
            self.failed,
            self.attempts,
        );
        if kept > 0 {
            text.push_str(&format!("; {kept} had ended before"));
        }
        if let Some(why) = self.why() {
            let why = wrapped(&why, columns.saturating_sub(11)).replace('\n', "\n          ");
            text.push_str(&format!("\n  {why}"));
        }
        if self.times.count > 0 {
            text.push_str(&format!("\n  times:  {}", self.times));
        }
        text
    }

    /// What went wrong, if anything did.
    pub(crate) fn why(&self) -> Option<String> {
        let kinds: Vec<String> = self.kinds.iter().map(|(kind, of)| each(*kind, of)).collect();
        (!kinds.is_empty()).then(|| format!("failed: {}", kinds.join(", ")))
    }
}

/// `status 3 (404: 2, 410: 1)`.
fn each(kind: Kind, of: &BTreeMap<Option<u16>, u64>) -> String {
    let count: u64 = of.values().sum();
    let statuses: Vec<String> = of
        .iter()
        .filter_map(|(status, count)| status.map(|status| format!("{status}: {count}")))
        .collect();
    match statuses.as_slice() {
        [] => format!("{} {count}", kind.word()),
        statuses => format!("{} {count} ({})", kind.word(), statuses.join(", ")),
    }
}

impl Times {
    /// From a hundredth of a millisecond to hours.
    const STEPS: usize = 1_024;
    const OF_E: f64 = 50.0;

    pub(crate) fn add(&mut self, millis: f64) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is clamped"
        )]
        let step = ((millis.max(0.01) * 100.0).ln() * Self::OF_E) as usize;
        self.counts[step.min(Self::STEPS - 1)] += 1;
        self.count += 1;
        self.longest = self.longest.max(millis);
    }

    /// So many of a hundred took no longer.
    pub(crate) fn percentile(&self, of_hundred: u64) -> Duration {
        let rank = (self.count * of_hundred).div_ceil(100).max(1);
        let mut seen = 0;
        let step = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        let middle = (step.unwrap_or(0) as f64 + 0.5) / Self::OF_E;
        Duration::from_secs_f64((middle.exp() / 100.0).min(self.longest) / 1e3)
    }
}

impl Default for Times {
    fn default() -> Self {
        Self { counts: vec![0; Self::STEPS], count: 0, longest: 0.0 }
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p95, p99] = [50, 95, 99].map(|of| seconds(self.percentile(of)));
        write!(f, "p50 {p50}, p95 {p95}, p99 {p99}")
    }
}

/// A duration as people say it.
pub(crate) fn seconds(time: Duration) -> String {
    let secs = time.as_secs();
    match secs {
        0 if time.as_millis() < 10 => format!("{:.1} ms", time.as_secs_f64() * 1e3),
        0 => format!("{} ms", time.as_millis()),
        1..=59 => format!("{:.1} s", time.as_secs_f64()),
        60..=3_599 => format!("{} min {:02} s", secs / 60, secs % 60),
        _ => format!("{} h {:02} min", secs / 3_600, secs % 3_600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_right_to_a_fiftieth_and_never_longer_than_the_longest() {
        let mut times = Times::default();
        (1..=100).for_each(|n| times.add(f64::from(n) * 10.0));
        for (of_hundred, millis) in [(50, 500.0), (95, 950.0), (99, 990.0)] {
            let told = times.percentile(of_hundred).as_secs_f64() * 1e3;
            assert!((told / millis - 1.0).abs() < 0.02, "{told} for {millis}");
        }
        assert!(times.percentile(100) <= Duration::from_secs(1));
        let mut one = Times::default();
        one.add(6_223.552);
        assert!(one.percentile(50) <= Duration::from_micros(6_223_552));
    }
}
