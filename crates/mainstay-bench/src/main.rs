//! What layers, batches and clients cost, beside those of others in the same run.
//!
//! ```text
//! cargo run --release -p mainstay-bench -- SUITE... [--json] [--instructions]
//! ```
//!
//! | suite | what it measures |
//! |---|---|
//! | `overhead` | a call through each layer, through three as one, through the standard pipeline |
//! | `contention` | the same from one thread and from two |
//! | `waiters` | a hundred, ten thousand and a hundred thousand that wait for one limit |
//! | `keys` | a million hosts that come by once |
//! | `batch` | batches beside `buffer_unordered` |
//! | `http` | clients over loopback, each in a process of its own, and so is the server |
//! | `accuracy` | starts within a second, beside what each limiter promises |
//! | `all` | all of these |
//!
//! With `--json` each row is an object on a line of its own. Instructions are counted with
//! `--instructions`, by callgrind; without valgrind they are left out.
//!
//! ```text
//! cargo run --release -p mainstay-bench -- gate [--write]           allocations and instructions beside those of costs.txt
//! cargo run --release -p mainstay-bench -- soak [MINUTES [SEED]]    random faults for minutes, see `soak`; 2 unless said
//! cargo run --release -p mainstay-bench -- download                 a GiB over a line that is cut twenty times
//! cargo run --release -p mainstay-bench -- run CASE N               N calls of a case of `overhead`, for a profiler
//! ```
//!
//! Build with `-p mainstay-bench`: with the whole workspace tokio's clock is the one of tests, which
//! takes a lock.
#![expect(clippy::print_stdout, reason = "this is what it is for")]

mod accuracy;
mod batch;
mod callgrind;
mod chance;
mod clients;
mod clock;
mod gate;
mod keys;
mod measure;
mod overhead;
mod report;
mod soak;
mod waiters;

use std::env;
use std::error::Error;
use std::future::Future;
use std::hint::black_box;
use std::process::ExitCode;

use report::Report;

type Done = Result<(), Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["gate"] => entered(gate::check),
        ["gate", "--write"] => entered(gate::write),
        ["download"] => clients::download(),
        ["run", case, calls] => run(case, calls),
        // What processes are told that the others begin.
        ["batch-of", kind, inputs, url] => batch::tell(kind, inputs, url),
        ["client", rest @ ..] => clients::tell(rest),
        ["soak", rest @ ..] => return soaked(rest),
        _ => suites(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

const SUITES: [&str; 7] =
    ["overhead", "contention", "waiters", "keys", "batch", "http", "accuracy"];

fn suites(arguments: &[&str]) -> Done {
    let (flags, named): (Vec<&str>, Vec<&str>) =
        arguments.iter().partition(|argument| argument.starts_with("--"));
    for flag in &flags {
        if !["--json", "--instructions"].contains(flag) {
            return Err(format!("there is no {flag}; {USAGE}").into());
        }
    }
    let is_all = named.contains(&"all");
    if let Some(odd) = named.iter().find(|name| **name != "all" && !SUITES.contains(name)) {
        return Err(format!("there is no suite {odd}; {USAGE}").into());
    }
    if named.is_empty() {
        return Err(USAGE.into());
    }
    let report = if flags.contains(&"--json") { Report::Json } else { Report::Table };
    let counts_instructions = flags.contains(&"--instructions");
    for suite in SUITES.iter().filter(|suite| is_all || named.contains(suite)) {
        match *suite {
            "overhead" => entered(|| overhead::suite(report, counts_instructions)),
            "contention" => entered(|| overhead::contention(report)),
            "waiters" => waiters::suite(report),
            "keys" => entered(|| keys::suite(report)),
            "batch" => batch::suite(report, counts_instructions)?,
            "http" => clients::suite(report)?,
            _ => accuracy::suite(report),
        }
    }
    Ok(())
}

const USAGE: &str = "\
mainstay-bench SUITE... [--json] [--instructions]
    suites: overhead, contention, waiters, keys, batch, http, accuracy, all
mainstay-bench gate [--write] | soak [MINUTES [SEED]] | download | run CASE N";

fn soaked(arguments: &[&str]) -> ExitCode {
    let minutes = arguments.first().map_or(Ok(2.0), |minutes| minutes.parse());
    let seed = arguments.get(1).map_or(Ok(1), |seed| seed.parse());
    match (minutes, seed) {
        (Ok(minutes), Ok(seed)) if arguments.len() < 3 => soak::run(minutes, seed),
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn run(case: &str, calls: &str) -> Done {
    let case = overhead::cases::named(case).ok_or("there is no such case")?;
    let calls = calls.parse()?;
    entered(|| black_box((case.run)(calls)));
    Ok(())
}

/// In a runtime of one thread, whose clock and timers some layers ask for.
fn entered<T>(run: impl FnOnce() -> T) -> T {
    let runtime = runtime();
    let _entered = runtime.enter();
    run()
}

/// On a runtime of one thread.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    runtime().block_on(future)
}

#[expect(clippy::expect_used, reason = "without a runtime there is nothing to measure")]
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}
