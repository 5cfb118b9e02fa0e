//! What each layer costs a call that goes well, and what a refusal costs, beside the pieces of
//! others in the same rounds.
//!
//! Instructions are exact: the difference between two runs under callgrind, divided by the calls
//! between them. Callgrind does not see what a clock costs, and nanoseconds depend on the machine:
//! quote both, and ratios.

pub(crate) mod calls;
pub(crate) mod cases;
mod floor;
pub(crate) mod http;
pub(crate) mod peers;
pub(crate) mod services;

use cases::CASES;

use crate::report::{Report, Row};
use crate::{callgrind, measure};

/// What the design allows, in instructions net of the bare service.
const BARS: &[(&str, f64)] = &[
    ("concurrency", 100.0),
    ("rate", 200.0),
    ("breaker", 260.0),
    ("fused3", 400.0),
    ("standard-post", 1_300.0),
];

/// All cases, with their instructions where they are asked for.
pub(crate) fn suite(report: Report, counts_instructions: bool) {
    report
        .begins("overhead", "a call through each; ratio: of its nanoseconds to the bare service's");
    let nanos = measure::nanoseconds(CASES);
    let counted: Vec<_> = CASES
        .iter()
        .map(|case| counts_instructions.then(|| callgrind::instructions(case)).flatten())
        .collect();
    for ((case, taken), instructions) in CASES.iter().zip(&nanos).zip(&counted) {
        let bare = CASES.iter().position(|other| other.name == case.bare);
        let of_bare = |each: &[f64]| bare.and_then(|at| each.get(at)).copied();
        let bare_counted = bare.and_then(|at| counted[at]);
        let mut more = vec![("future", (case.size)() as f64)];
        more.extend(BARS.iter().find(|(name, _)| *name == case.name).map(|&(_, bar)| ("bar", bar)));
        report.row(&Row {
            nanos: Some(*taken),
            allocations: Some(measure::allocations(case) as f64),
            instructions: *instructions,
            net: instructions.zip(bare_counted).map(|(all, bare)| all - bare),
            ratio: of_bare(&nanos).map(|bare| taken / bare),
            more,
            ..Row::new("overhead", case.name, case.peer)
        });
    }
    report.ends();
}

/// What one and two threads make of one stack.
pub(crate) fn contention(report: Report) {
    report.begins(
        "contention",
        "nanoseconds from one call to the next of all threads; ratio: what two do in what one does",
    );
    for case in CASES {
        let Some(rate) = case.rate else { continue };
        let (one, two, ratio) = measure::together(rate);
        let row = |threads: u32, nanos, ratio| Row {
            nanos: Some(nanos),
            ratio: Some(ratio),
            more: vec![("threads", f64::from(threads))],
            ..Row::new("contention", case.name, case.peer)
        };
        report.row(&row(1, one, 1.0));
        report.row(&row(2, two, ratio));
    }
    report.ends();
}
