//! What a batch costs beside `buffer_unordered` over the same service.
//!
//! Each measurement is a process of its own, so that its processor time and its memory are its own;
//! the server is in this one.

mod kinds;
mod server;

use std::env;
use std::error::Error;
use std::fs;
use std::process::Command;

use crate::measure::median;
use crate::overhead::cases::OURS;
use crate::report::{Report, Row};
use crate::{Done, callgrind};
use kinds::Kind;

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
pub(crate) fn suite(report: Report, counts_instructions: bool) -> Done {
    let url = server::starts().ok_or("no server could be started")?;
    report
        .begins("batch", "computing time of an input; ratio: to `buffer_unordered` over the same");
    for pair in Kind::PAIRS {
        compared(report, pair, &url, counts_instructions)?;
    }
    kinds::how_long(report, &url);
    report.ends();
    Ok(())
}

fn compared(report: Report, pair: &[Kind; 2], url: &str, counts_instructions: bool) -> Done {
    let [theirs, ours] = *pair;
    // What takes a microsecond must be done often to be seen by the clock of the system.
    let inputs = if ours.needs_no_server() { 50 * FEW } else { FEW };
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        rounds.push((run(theirs, inputs, url)?, run(ours, inputs, url)?));
    }
    let of =
        |each: fn(&(Cost, Cost)) -> f64| median(rounds.iter().map(each).collect(), f64::total_cmp);
    let rows = [
        (theirs, "futures", of(|(theirs, _)| theirs.nanos), 1.0),
        (ours, OURS, of(|(_, ours)| ours.nanos), of(|(theirs, ours)| ours.nanos / theirs.nanos)),
    ];
    for (kind, peer, nanos, ratio) in rows {
        let counts = counts_instructions && kind.needs_no_server();
        let counted = || callgrind::between(&arguments(kind, url));
        let kilobytes = |inputs| Ok::<_, Box<dyn Error>>(run(kind, inputs, url)?.kilobytes as f64);
        report.row(&Row {
            nanos: Some(nanos),
            instructions: counts.then(counted).flatten(),
            ratio: Some(ratio),
            more: vec![("kB of 20000", kilobytes(FEW)?), ("kB of 200000", kilobytes(MANY)?)],
            ..Row::new("batch", kind.name(), peer)
        });
    }
    Ok(())
}

fn arguments(kind: Kind, url: &str) -> impl Fn(u64) -> Vec<String> {
    move |inputs| vec!["batch-of".into(), kind.name().into(), inputs.to_string(), url.into()]
}

/// Runs it in a process of its own.
fn run(kind: Kind, inputs: u64, url: &str) -> Result<Cost, Box<dyn Error>> {
    let output = Command::new(env::current_exe()?).args(arguments(kind, url)(inputs)).output()?;
    let says = String::from_utf8(output.stdout)?;
    let mut words = says.split_whitespace();
    let mut word = || words.next().ok_or_else(|| format!("{} said {says:?}", kind.name()));
    Ok(Cost { nanos: word()?.parse()?, kilobytes: word()?.parse()? })
}

/// One measurement, in the process that is there for it.
pub(crate) fn tell(kind: &str, inputs: &str, url: &str) -> Done {
    let (kind, inputs) = (Kind::named(kind).ok_or("no such kind")?, inputs.parse::<u64>()?);
    let before = busy();
    let ended = kinds::run(kind, inputs, url);
    let after = busy();
    if ended != inputs {
        return Err(format!("only {ended} of {inputs} ended well").into());
    }
    println!("{} {}", (after - before) as f64 / inputs.max(1) as f64, most_memory());
    Ok(())
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
