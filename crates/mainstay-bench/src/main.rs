//! What layers cost, beside tower's own in the same run.
//!
//! ```text
//! cargo run --release -p mainstay-bench             a table: see below
//! cargo run --release -p mainstay-bench -- --check  allocations only; fails where one is too many
//! cargo run --release -p mainstay-bench -- batch    batches beside `buffer_unordered`
//! cargo run --release -p mainstay-bench -- CASE N   one case, N calls, for a profiler
//! cargo run --release -p mainstay-bench -- soak [MINUTES [SEED]]    see `soak`; 2 minutes by default
//! ```
//!
//! Instructions are exact: the difference between two runs under callgrind, divided by the calls
//! between them, less those of the bare service. They need valgrind and are left out without it.
//! Nanoseconds are medians of rounds that take turns, in a runtime of one thread. Build with
//! `-p mainstay-bench`: with the whole workspace tokio's clock is the one of tests, which takes a
//! lock. Callgrind does not see what a clock costs, and nanoseconds depend on the machine: quote
//! both, and ratios.
//!
//! Two threads run for as long as one another on one stack; what they do together is told in those
//! of one alone, as the median of rounds. The bare service shows what the machine has to give.
#![expect(clippy::print_stdout, reason = "this is what it is for")]

mod batch;
mod batches;
mod callgrind;
mod calls;
mod cases;
mod chance;
mod clock;
mod http;
#[cfg(feature = "peers")]
mod peers;
mod server;
mod services;
mod soak;

use std::env;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::Duration;

use cases::{CASES, Case};

const ROUNDS: usize = 41;
const CALLS: u64 = 20_000;
/// Rounds of two threads take long.
const ROUNDS_OF_TWO: usize = 15;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => within(table),
        [check] if check == "--check" => return within(check_allocations),
        [batch] if batch == "batch" => return batch::compare(),
        [batch, kind, inputs, url] if batch == "batch" => return batch::measure(kind, inputs, url),
        [soak, rest @ ..] if soak == "soak" => {
            let parsed = (rest.first().map(|it| it.parse()), rest.get(1).map(|it| it.parse()));
            return match (parsed.0.unwrap_or(Ok(2.0)), parsed.1.unwrap_or(Ok(1))) {
                (Ok(minutes), Ok(seed)) if rest.len() < 3 => soak::run(minutes, seed),
                _ => usage(),
            };
        }
        [case, calls] => match (CASES.iter().find(|known| known.name == case), calls.parse()) {
            (Some(case), Ok(calls)) => {
                within(|| black_box((case.run)(calls)));
            }
            _ => return usage(),
        },
        _ => return usage(),
    }
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    println!("mainstay-bench [--check | batch | soak [MINUTES [SEED]] | CASE CALLS]");
    for case in CASES {
        println!("  {}", case.name);
    }
    ExitCode::from(2)
}

/// Some layers ask for tokio's clock.
fn within<T>(run: impl FnOnce() -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    #[expect(clippy::expect_used, reason = "without a runtime there is nothing to measure")]
    let runtime = runtime.expect("a runtime");
    let _entered = runtime.enter();
    run()
}

fn table() {
    println!(
        "{:<30} {:>12} {:>5} {:>8} {:>6} {:>6} {:>9}",
        "case", "instructions", "bar", "ns", "allocs", "future", "2 threads"
    );
    let nanos = medians();
    let mut bare = (None, 0.0, 0);
    for (case, nanos) in CASES.iter().zip(nanos) {
        let gross = callgrind::instructions(case);
        // Each bare service stands before those that are compared with it.
        if case.name.starts_with("bare") {
            bare = (gross, nanos, allocations(case));
        }
        let net = gross.zip(bare.0).map(|(it, bare)| it - bare);
        let net = net.map_or_else(|| "?".into(), |net| format!("{net:.0}"));
        let nanos = nanos - bare.1;
        let bar = case.bar.as_ref().and_then(|bar| bar.instructions);
        let bar = bar.map_or_else(String::new, |bar| bar.to_string());
        let (each, size) = (allocations(case) - bare.2, (case.size)());
        let threads = case.rate.map_or_else(String::new, |rate| format!("{:.2}", scaling(rate)));
        println!(
            "{:<30} {net:>12} {bar:>5} {nanos:>8.1} {each:>6} {size:>6} {threads:>9}",
            case.name
        );
    }
    println!(
        "instructions, ns and allocs: net of the bare service before; future: its size in bytes;"
    );
    println!("2 threads: what two do on one stack, in those of one");
}

/// Allocations are the same everywhere, so they can be held to.
fn check_allocations() -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    let mut bare = 0;
    for case in CASES {
        if case.name.starts_with("bare") {
            bare = allocations(case);
        }
        let Some(bar) = &case.bar else { continue };
        let each = allocations(case) - bare;
        if each > bar.allocations {
            println!("{}: {each} allocations, at most {} are allowed", case.name, bar.allocations);
            code = ExitCode::FAILURE;
        }
    }
    code
}

/// How often a call allocates, once everything is warm.
fn allocations(case: &Case) -> u64 {
    let count = |calls| {
        allocation_counter::measure(|| {
            black_box((case.run)(calls));
        })
        .count_total
    };
    count(1);
    let (one, more) = (count(1), count(101));
    (more - one).div_ceil(100)
}

/// Every case has a turn in each round, so that a slow moment hits all of them.
fn medians() -> Vec<f64> {
    let mut rounds: Vec<Vec<Duration>> = vec![Vec::with_capacity(ROUNDS); CASES.len()];
    for _ in 0..ROUNDS {
        for (case, taken) in CASES.iter().zip(&mut rounds) {
            taken.push(clock::time(|| {
                black_box((case.run)(CALLS));
            }));
        }
    }
    let medians = rounds.into_iter().map(|taken| median(taken, Ord::cmp));
    medians.map(|taken| taken.as_secs_f64() * 1e9 / CALLS as f64).collect()
}

/// How much more two threads do together than one does alone.
fn scaling(rate: fn(usize) -> f64) -> f64 {
    let ratios = (0..ROUNDS_OF_TWO).map(|_| {
        let (one, two) = (rate(1), rate(2));
        two / one
    });
    median(ratios.collect(), f64::total_cmp)
}

fn median<T: Copy>(mut all: Vec<T>, order: impl Fn(&T, &T) -> std::cmp::Ordering) -> T {
    all.sort_by(order);
    all[all.len() / 2]
}
