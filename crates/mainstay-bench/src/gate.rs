//! What our layers cost, held to what was written down.
//!
//! Allocations are the same everywhere; instructions are those of one compiler, within three in a
//! hundred. Who makes something dearer, or cheaper, writes the file anew and says why.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::overhead::cases::{CASES, Case, OURS};
use crate::{Done, callgrind, measure};

/// How far the instructions may be from what was written, in parts of it.
const SHARE: f64 = 0.03;
/// A handful of instructions is no share of a small count.
const FEW: f64 = 8.0;

/// Fails where something costs what the file does not say.
pub(crate) fn check() -> Done {
    let written = fs::read_to_string(file())?;
    let of_here = compiler();
    let mut lines = written.lines().filter(|line| !line.starts_with('#'));
    let of_then = lines.next().ok_or("costs.txt is empty")?.trim();
    let counts = if of_then != of_here {
        println!("instructions NOT CHECKED: written with {of_then}, and this is {of_here}");
        false
    } else if callgrind::instructions(&CASES[0]).is_none() {
        println!("instructions NOT CHECKED: there is no valgrind to count them");
        false
    } else {
        true
    };
    let mut wrong = Vec::new();
    let written: Vec<Cost> = lines.map(Cost::read).collect::<Result<_, _>>()?;
    for (case, bare) in ours() {
        let Some(cost) = written.iter().find(|cost| cost.case == case.name) else {
            wrong.push(format!("{}: nothing is written of it", case.name));
            continue;
        };
        let here = Cost::of(case, bare, counts);
        if here.allocations != cost.allocations {
            let (here, then) = (here.allocations, cost.allocations);
            wrong.push(format!("{}: {here} allocations, {then} are written", case.name));
        }
        if let (Some(here), Some(then)) = (here.net, cost.net) {
            let room = (then * SHARE).max(FEW);
            if (here - then).abs() > room {
                wrong.push(format!("{}: {here:.0} instructions, {then:.0} are written", case.name));
            }
        }
    }
    let gone = |cost: &&Cost| !ours().any(|(case, _)| case.name == cost.case);
    wrong.extend(written.iter().filter(gone).map(|cost| format!("{}: it is gone", cost.case)));
    if wrong.is_empty() {
        println!("{} costs are as they are written", written.len());
        return Ok(());
    }
    wrong.push("`-- gate --write` writes them as they are; say why they changed".to_owned());
    Err(wrong.join("\n").into())
}

/// Writes them as they are.
pub(crate) fn write() -> Done {
    let mut text = String::from(
        "# What a call through our layers costs: case, allocations, instructions, both net of the bare\n\
         # service. Written by `cargo run --release -p mainstay-bench -- gate --write`, of a build with:\n",
    );
    writeln!(text, "{}", compiler())?;
    for (case, bare) in ours() {
        let cost = Cost::of(case, bare, true);
        let net = cost.net.ok_or("there is no valgrind to count instructions")?;
        writeln!(text, "{} {} {net:.0}", cost.case, cost.allocations)?;
    }
    fs::write(file(), text)?;
    Ok(())
}

/// Our cases, each with its bare service.
fn ours() -> impl Iterator<Item = (&'static Case, &'static Case)> {
    CASES
        .iter()
        .filter(|case| case.peer == OURS)
        .filter_map(|case| Some((case, CASES.iter().find(|other| other.name == case.bare)?)))
}

struct Cost {
    case: String,
    allocations: u64,
    net: Option<f64>,
}

impl Cost {
    fn of(case: &Case, bare: &Case, counts: bool) -> Self {
        let net = || Some(callgrind::instructions(case)? - callgrind::instructions(bare)?);
        Self {
            case: case.name.to_owned(),
            allocations: measure::allocations(case) - measure::allocations(bare),
            net: counts.then(net).flatten(),
        }
    }

    fn read(line: &str) -> Result<Self, Box<dyn std::error::Error>> {
        let words: Vec<_> = line.split_whitespace().collect();
        let [case, allocations, net] = words.as_slice() else {
            return Err(format!("costs.txt: {line:?} is no case with two numbers").into());
        };
        let (allocations, net) = (allocations.parse()?, Some(net.parse()?));
        Ok(Self { case: (*case).to_owned(), allocations, net })
    }
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("costs.txt")
}

/// What would build it here.
fn compiler() -> String {
    let said = Command::new("rustc").arg("--version").output().map(|said| said.stdout);
    let said = String::from_utf8(said.unwrap_or_default()).unwrap_or_default();
    said.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}
