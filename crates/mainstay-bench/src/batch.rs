//! What a batch costs beside `buffer_unordered` over the same service.
//!
//! Each measurement is a process of its own, so that its processor time and its memory are its own;
//! the server is in this one.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::process::{Command, ExitCode};

use crate::batches::{self, Kind};
use crate::{callgrind, server};

/// Few inputs, and ten times as many.
const FEW: u64 = 20_000;
const MANY: u64 = 200_000;

/// Rounds in which the two take turns.
const ROUNDS: usize = 9;

/// What one process says of itself.
#[derive(Clone, Copy)]
struct Cost {
    /// Processor time of an input, in nanoseconds.
    nanos: f64,
    /// The most memory that it held, in kilobytes.
    kilobytes: u64,
}

/// The whole comparison.
pub(crate) fn compare() -> ExitCode {
    let Some(url) = server::starts() else {
        println!("no server could be started");
        return ExitCode::FAILURE;
    };
    batches::how_long(&url);
    println!();
    println!("{:<34} {:>12} {:>9} {:>8}", "an input", "instructions", "ns of cpu", "ratio");
    for pair in Kind::PAIRS {
        compare_pair(pair, &url);
    }
    println!();
    println!("{:<34} {:>12} {:>12}", "most memory held, in kB", FEW, MANY);
    for kind in Kind::ALL {
        let held = |inputs| {
            run(*kind, inputs, &url).map_or_else(|| "?".into(), |cost| cost.kilobytes.to_string())
        };
        println!("{:<34} {:>12} {:>12}", kind.name(), held(FEW), held(MANY));
    }
    ExitCode::SUCCESS
}

fn compare_pair([theirs, ours]: &[Kind; 2], url: &str) {
    let mut costs = [Vec::new(), Vec::new()];
    let mut ratios = Vec::new();
    // What takes a microsecond must be done often to be seen by the clock of the system.
    let inputs = if ours.needs_no_server() { 50 * FEW } else { FEW };
    for _ in 0..ROUNDS {
        let (Some(one), Some(other)) = (run(*theirs, inputs, url), run(*ours, inputs, url)) else {
            continue;
        };
        costs[0].push(one.nanos);
        costs[1].push(other.nanos);
        ratios.push(other.nanos / one.nanos);
    }
    let ratio = (!ratios.is_empty()).then(|| crate::median(ratios, f64::total_cmp));
    for (kind, nanos) in [theirs, ours].into_iter().zip(costs) {
        let mut line = format!("{:<34}", kind.name());
        let instructions =
            kind.needs_no_server().then(|| callgrind::between(&arguments(*kind, url)));
        match instructions.flatten() {
            Some(count) => _ = write!(line, " {count:>12.0}"),
            None => _ = write!(line, " {:>12}", "-"),
        }
        if !nanos.is_empty() {
            _ = write!(line, " {:>9.0}", crate::median(nanos, f64::total_cmp));
        }
        if let (Some(ratio), true) = (ratio, kind == ours) {
            _ = write!(line, " {ratio:>8.3}");
        }
        println!("{line}");
    }
}

fn arguments(kind: Kind, url: &str) -> impl Fn(u64) -> Vec<String> {
    move |inputs| vec!["batch".into(), kind.name().into(), inputs.to_string(), url.into()]
}

/// Runs it in a process of its own.
fn run(kind: Kind, inputs: u64, url: &str) -> Option<Cost> {
    let output =
        Command::new(env::current_exe().ok()?).args(arguments(kind, url)(inputs)).output().ok()?;
    let says = String::from_utf8(output.stdout).ok()?;
    let mut words = says.split_whitespace();
    let nanos = words.next()?.parse().ok()?;
    Some(Cost { nanos, kilobytes: words.next()?.parse().ok()? })
}

/// One measurement, in the process that is there for it.
pub(crate) fn measure(kind: &str, inputs: &str, url: &str) -> ExitCode {
    let (Some(kind), Ok(inputs)) = (Kind::named(kind), inputs.parse::<u64>()) else {
        return ExitCode::from(2);
    };
    let before = busy();
    let ended = batches::run(kind, inputs, url);
    let after = busy();
    if ended != inputs {
        println!("only {ended} of {inputs} ended well");
        return ExitCode::FAILURE;
    }
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let nanos = (after - before) as f64 / inputs.max(1) as f64;
    println!("{nanos} {}", most_memory());
    ExitCode::SUCCESS
}

/// How long the only thread has run, in nanoseconds; zero where the system does not say.
fn busy() -> u64 {
    let says = fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    says.split_whitespace().next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0)
}

/// The most memory that was resident, in kilobytes; zero where the system does not say.
fn most_memory() -> u64 {
    let says = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = says.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
