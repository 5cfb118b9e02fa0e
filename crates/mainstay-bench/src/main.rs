//! What a guard costs, beside tower's own limits in the same run.
//!
//! ```text
//! cargo run --release -p mainstay-bench            a table: instructions, nanoseconds, allocations
//! cargo run --release -p mainstay-bench -- CASE N  one case, N calls, for a profiler
//! ```
//!
//! Instructions are exact: the difference between two runs under callgrind, divided by the calls
//! between them, less those of the bare service. They need valgrind and are left out without it.
//! Nanoseconds are medians of rounds that take turns. Callgrind does not see what a clock costs,
//! and nanoseconds depend on the machine: quote both, and ratios.
#![expect(clippy::print_stdout, reason = "this is what it is for")]

mod callgrind;
mod cases;
mod clock;

use std::env;
use std::hint::black_box;
use std::time::Duration;

use cases::CASES;

const ROUNDS: usize = 41;
const CALLS: u64 = 20_000;

fn main() {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => table(),
        [case, calls] => match (CASES.iter().find(|known| known.name == case), calls.parse()) {
            (Some(case), Ok(calls)) => within(|| {
                black_box((case.run)(calls));
            }),
            _ => usage(),
        },
        _ => usage(),
    }
}

fn usage() {
    println!("mainstay-bench [CASE CALLS]");
    for case in CASES {
        println!("  {}", case.name);
    }
    std::process::exit(2);
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
        "{:<34} {:>12} {:>10} {:>8} {:>12}",
        "case", "instructions", "ns", "allocs", "2 threads"
    );
    let nanos = medians();
    let bare = CASES.first().and_then(callgrind::instructions);
    for (case, nanos) in CASES.iter().zip(nanos) {
        let net = callgrind::instructions(case).zip(bare).map(|(it, bare)| it - bare);
        let net = net.map_or_else(|| "?".into(), |net| format!("{net:.0}"));
        let allocations = within(|| {
            black_box((case.run)(1));
            allocation_counter::measure(|| {
                black_box((case.run)(1));
            })
            .count_total
        });
        let more = within(|| {
            allocation_counter::measure(|| {
                black_box((case.run)(101));
            })
            .count_total
        });
        let each = (more - allocations) / 100;
        let threads =
            case.two_threads.map_or_else(String::new, |run| format!("{:.2}", scaling(run)));
        println!("{:<34} {net:>12} {nanos:>10.1} {each:>8} {threads:>12}", case.name);
    }
    println!(
        "instructions: net of the bare service; 2 threads: throughput of two on one stack, in those of one"
    );
}

/// Every case has a turn in each round, so that a slow moment hits all of them.
fn medians() -> Vec<f64> {
    within(|| {
        let mut rounds: Vec<Vec<Duration>> = vec![Vec::with_capacity(ROUNDS); CASES.len()];
        for _ in 0..ROUNDS {
            for (case, taken) in CASES.iter().zip(&mut rounds) {
                taken.push(clock::time(|| {
                    black_box((case.run)(CALLS));
                }));
            }
        }
        rounds.into_iter().map(|taken| median(taken).as_secs_f64() * 1e9 / CALLS as f64).collect()
    })
}

/// How much more two threads do together than one does alone.
fn scaling(run: fn(usize, u64) -> Duration) -> f64 {
    let ratios = (0..ROUNDS).map(|_| {
        let (one, two) = (run(1, CALLS), run(2, CALLS));
        2.0 * one.as_secs_f64() / two.as_secs_f64()
    });
    let mut ratios: Vec<_> = ratios.collect();
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}

fn median(mut taken: Vec<Duration>) -> Duration {
    taken.sort_unstable();
    taken[taken.len() / 2]
}
