//! Clients over real sockets: what a call costs beside raw reqwest, and a download that is cut off.
//!
//! Every client runs in a process of its own against a server in another, so what is counted is the
//! client's. They take turns, and what is told are medians of ratios to the run of raw reqwest in
//! the same round.

mod download;
mod run;
mod server;

pub(crate) use download::all as download;

use std::env;
use std::error::Error;
use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use run::{Client, Cost};

use crate::Done;
use crate::measure::median;
use crate::report::{Report, Row};

const ROUNDS: usize = 31;

/// What the processes are told that this one begins.
pub(crate) fn tell(arguments: &[&str]) -> Done {
    match arguments {
        ["serve-calls"] => server::calls(),
        ["serve-parts"] => server::parts(),
        ["run", client, calls, url] => run::tell(client, calls.parse()?, url),
        ["download", url, file] => download::tell(url, file),
        _ => Err("no such process".into()),
    }
}

/// All clients.
pub(crate) fn suite(report: Report) -> Done {
    report.begins("http", "computing time of a call, 100 at a time; ratio: to raw reqwest");
    let server = Process::begin(&["serve-calls"])?;
    let cost = |client: Client, calls: &str| {
        let process = Process::begin(&["run", client.name(), calls, &server.said])?;
        process.said.parse::<Cost>().map_err(Box::<dyn Error>::from)
    };
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let costs: Result<Vec<_>, _> =
            Client::ALL.iter().map(|client| cost(*client, "20000")).collect();
        rounds.push(costs?);
    }
    for (at, client) in Client::ALL.into_iter().enumerate() {
        let of = |read: &dyn Fn(&[Cost]) -> f64| {
            median(rounds.iter().map(|round| read(round)).collect(), f64::total_cmp)
        };
        let many = cost(client, "200000")?;
        report.row(&Row {
            nanos: Some(of(&|round| round[at].micros * 1e3)),
            allocations: Some(of(&|round| round[at].allocations)),
            ratio: Some(of(&|round| round[at].micros / round[0].micros)),
            more: vec![
                ("MiB", of(&|round| round[at].resident)),
                ("net", of(&|round| round[at].resident - round[0].resident)),
                ("MiB of 200000", many.resident),
            ],
            ..Row::new("http", client.name(), client.peer())
        });
    }
    report.ends();
    Ok(())
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
            .arg("client")
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
