//! `mainstay demo`: two hundred calls of an API with faults, made in three ways.

mod api;
mod table;
mod ways;

use std::io::{self, IsTerminal, Write};

use crate::exit::Exit;
use crate::out;
use api::Api;
use ways::{CALLS, Run, SAMPLE};

pub(crate) fn run() -> Exit {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let ran = match runtime {
        Ok(runtime) => runtime.block_on(all()),
        Err(error) => Err(error.to_string()),
    };
    match ran {
        Ok(runs) => judged(&runs),
        Err(what) => out::wrong(what),
    }
}

async fn all() -> Result<[Run; 3], String> {
    out::whole(&format!("{}\n\n", Api::FAULTS));
    let shown = |way: &'static str, of: usize| {
        let is_terminal = io::stderr().is_terminal();
        move |done: usize| {
            if is_terminal {
                line(&bar(way, done, of));
            }
        }
    };
    let runs = [
        ways::one_by_one(shown("one after another", SAMPLE)).await?,
        ways::all_at_once(shown("all at once", CALLS)).await?,
        ways::through_a_pipeline(shown("through the standard pipeline", CALLS)).await?,
    ];
    line("");
    Ok(runs)
}

/// `all at once  ━━━━━━━━━━━━━━━─────  150 of 200`.
fn bar(way: &str, done: usize, of: usize) -> String {
    const WIDTH: usize = 40;
    let full = done * WIDTH / of.max(1);
    format!("{way:<30} {}{} {done} of {of}", "━".repeat(full), "─".repeat(WIDTH - full))
}

/// Writes over the last line of the terminal.
fn line(text: &str) {
    let mut err = io::stderr().lock();
    if err.is_terminal() {
        // Nobody is left to be told that nobody listens.
        let _: io::Result<()> = write!(err, "\r\x1b[2K{text}").and_then(|()| err.flush());
    }
}

fn judged(runs: &[Run; 3]) -> Exit {
    let [_, _, pipeline] = runs;
    let mut text = table::table(runs);
    let checks = [
        ("every call of a host that is up succeeded", pipeline.lost == 0),
        (
            "no request came before the time was over that a 429 had asked for",
            pipeline.too_early() == 0,
        ),
        // What the standard pipeline allows: a fifth of the calls, and a reserve for each host.
        ("not half as many requests again as calls", pipeline.attempts as usize <= CALLS * 3 / 2),
    ];
    text.push('\n');
    for (what, is_so) in checks {
        text.push_str(&format!("{} {what}\n", if is_so { "✓" } else { "✗" }));
    }
    text.push_str(NEXT);
    match (out::whole(&text), checks.iter().all(|(_, is_so)| *is_so)) {
        (Exit::Ok, false) => Exit::SomeFailed,
        (exit, _) => exit,
    }
}

const NEXT: &str = "
What it did, and why: mainstay explain
The same for URLs of yours: mainstay fetch --help
The same in Rust: https://docs.rs/mainstay
";
