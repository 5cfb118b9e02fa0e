//! The command over real sockets: what it fetches in a second, in how much memory, and how it keeps
//! to a rate.
//!
//! ```text
//! cargo build --release -p mainstay-cli -p mainstay-bench
//! target/release/command many [ROUNDS [INPUTS]]
//! target/release/command rate [SECONDS]
//! ```
//!
//! Built together, so that both have the same reqwest, with TLS and proxies.
//!
//! `many` gives it 100 000 inputs through a pipe, and the same to a batch of the library, 200 at a
//! time: each in a process of its own, in turns, over one server in a third. Memory is that of the
//! command when a tenth of its lines are there, and when all but the last thousand are.
//!
//! `rate` has it fetch from two hosts with `--rate 50/s`, and counts what arrives in any window of a
//! second; now and then a host says 429 with `Retry-After: 1`, and whatever comes before that is
//! over is counted as well. It fails where there is more than there may be.
#![expect(clippy::print_stdout, reason = "this is what it is for")]

#[path = "command/clock.rs"]
mod clock;
#[path = "command/many.rs"]
mod many;
#[path = "command/rate.rs"]
mod rate;

use std::env;
use std::error::Error;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

type Done = Result<ExitCode, Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<usize>().map_err(|_| format!("{text} is no number"));
    let done = match arguments.as_slice() {
        ["many"] => many::all(7, 100_000),
        ["many", rounds] => {
            number(rounds).map_err(Into::into).and_then(|it| many::all(it, 100_000))
        }
        ["many", rounds, inputs] => match (number(rounds), number(inputs)) {
            (Ok(rounds), Ok(inputs)) => many::all(rounds, inputs),
            (Err(wrong), _) | (_, Err(wrong)) => Err(wrong.into()),
        },
        ["rate"] => rate::all(20),
        ["rate", seconds] => number(seconds).map_err(Into::into).and_then(rate::all),
        // What the processes are told that the others begin.
        ["serve"] => many::serve(),
        ["batch", url, inputs] => {
            number(inputs).map_err(Into::into).and_then(|it| many::batch(url, it))
        }
        _ => Err("command many [ROUNDS [INPUTS]] | rate [SECONDS]".into()),
    };
    done.unwrap_or_else(|error| {
        println!("{error}");
        ExitCode::FAILURE
    })
}

/// The command, which is built beside this program.
fn mainstay() -> Result<Command, Box<dyn Error>> {
    let beside: PathBuf = env::current_exe()?.with_file_name("mainstay");
    if !beside.exists() {
        return Err(format!("{} is not there; build mainstay-cli", beside.display()).into());
    }
    let mut command = Command::new(beside);
    command.env_remove("http_proxy").env_remove("HTTP_PROXY").env_remove("ALL_PROXY");
    Ok(command)
}
