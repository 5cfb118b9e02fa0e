//! Clients over real sockets: what a call costs beside raw reqwest, and a download that is cut off.
//!
//! ```text
//! cargo run --release -p mainstay-bench --features client --bin clients              a table
//! cargo run --release -p mainstay-bench --features client --bin clients -- rounds 5 200000
//! cargo run --release -p mainstay-bench --features client --bin clients -- download  a GiB, cut off
//! ```
//!
//! Every client runs in a process of its own against a server in another, so what is counted is the
//! client's. They take turns, and what is told are medians of ratios to the run of raw reqwest in
//! the same round.
#![expect(clippy::print_stdout, reason = "this is what it is for")]

#[path = "clients/clock.rs"]
mod clock;
#[path = "clients/download.rs"]
mod download;
#[path = "clients/run.rs"]
mod run;
#[path = "clients/server.rs"]
mod server;

use std::env;
use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};

use run::{CALLS, Client, Cost};

const ROUNDS: usize = 31;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        [] => table(ROUNDS, CALLS),
        ["rounds", rounds] => rounds.parse().map_err(Into::into).and_then(|it| table(it, CALLS)),
        ["rounds", rounds, calls] => match (rounds.parse(), calls.parse()) {
            (Ok(rounds), Ok(calls)) => table(rounds, calls),
            _ => Err("how many rounds, and of how many calls?".into()),
        },
        ["download"] => download::all(),
        // What the processes are told that the others begin.
        ["serve-calls"] => server::calls(),
        ["serve-parts"] => server::parts(),
        ["run-client", client, url, calls] => run::tell(client, url, calls),
        ["run-download", url, file] => download::tell(url, file),
        _ => Err("clients [rounds N [CALLS] | download]".into()),
    };
    done.unwrap_or_else(|error| {
        println!("{error}");
        ExitCode::FAILURE
    })
}

type Done = Result<ExitCode, Box<dyn std::error::Error>>;

fn table(rounds: usize, calls: usize) -> Done {
    let server = Process::begin(&["serve-calls"])?;
    let mut all: Vec<[Cost; Client::ALL.len()]> = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let mut costs = [Cost::default(); Client::ALL.len()];
        for (client, cost) in Client::ALL.iter().zip(&mut costs) {
            let run = ["run-client", client.name(), &server.said, &calls.to_string()];
            *cost = Process::begin(&run)?.said.parse()?;
        }
        all.push(costs);
    }
    println!("{calls} calls, 100 at a time, {rounds} rounds; medians");
    println!(
        "{:<26} {:>9} {:>9} {:>17} {:>10} {:>9}",
        "client", "CPU µs", "ratio", "[10..90 %]", "resident", "net MiB"
    );
    for (at, client) in Client::ALL.iter().enumerate() {
        let of = |read: fn(&Cost) -> f64| {
            let mut each: Vec<_> = all.iter().map(|round| read(&round[at])).collect();
            each.sort_by(f64::total_cmp);
            each[each.len() / 2]
        };
        let against = |read: fn(&Cost, &Cost) -> f64| {
            let mut each: Vec<_> = all.iter().map(|round| read(&round[at], &round[0])).collect();
            each.sort_by(f64::total_cmp);
            each
        };
        let ratios = against(|cost, raw| cost.micros / raw.micros);
        let net = against(|cost, raw| cost.resident - raw.resident);
        let part = |of: &[f64], part: usize| of[of.len() * part / 100];
        println!(
            "{:<26} {:>9.2} {:>9.3} {:>17} {:>10.1} {:>9.1}",
            client.name(),
            of(|cost| cost.micros),
            part(&ratios, 50),
            format!("[{:.3}..{:.3}]", part(&ratios, 10), part(&ratios, 90)),
            of(|cost| cost.resident),
            part(&net, 50),
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// This program in another process, which is ended with this.
struct Process {
    child: Child,
    /// Its first line.
    said: String,
}

impl Process {
    fn begin(arguments: &[&str]) -> io::Result<Self> {
        let mut child = Command::new(env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut said = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut said)?;
        }
        Ok(Self { child, said: said.trim().to_owned() })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
