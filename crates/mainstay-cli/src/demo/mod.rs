//! `mainstay demo`: two hundred calls of an API with faults, made in three ways.

mod api;
mod table;
mod ways;

use std::cell::Cell;
use std::future::Future;
use std::io::{self, IsTerminal};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::interval;

use crate::clock;
use crate::exit::Exit;
use crate::fetch::seconds;
use crate::out::{self, GREEN, PLAIN, RED};
use crate::terminal::{self, Area};
use api::Api;
use ways::{CALLS, DOWN, Run, SAMPLE};

pub(crate) fn run() -> Exit {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let ran = match runtime {
        Ok(runtime) => runtime.block_on(all()),
        Err(error) => Err(error.to_string()),
    };
    match ran {
        Ok(runs) => told(&runs),
        Err(what) => out::wrong(what),
    }
}

async fn all() -> Result<[Run; 3], String> {
    let width = terminal::width(&io::stdout()).min(80) - 1;
    out::whole(&format!("{}\n\n", terminal::wrapped(Api::FAULTS, width)));
    let [one, all, pipeline] = table::NAMES;
    Ok([
        watched(one, SAMPLE, ways::one_by_one).await?,
        watched(all, CALLS, ways::all_at_once).await?,
        watched(pipeline, CALLS, ways::through_a_pipeline).await?,
    ])
}

/// Shows how far a way is, on a line that stays.
async fn watched<F>(
    way: &str,
    of: usize,
    run: impl FnOnce(Rc<Cell<usize>>) -> F,
) -> Result<Run, String>
where
    F: Future<Output = Result<Run, String>>,
{
    let (done, began) = (Rc::new(Cell::new(0)), clock::now());
    let (mut area, is_seen) = (Area::default(), io::stderr().is_terminal());
    let draw = |area: &mut Area| {
        if is_seen {
            let width = terminal::width(&io::stderr()) - 1;
            area.draw(&[line(way, done.get(), of, clock::since(began), width)]);
        }
    };
    let mut running = pin!(run(Rc::clone(&done)));
    let mut ticks = interval(Duration::from_millis(100));
    loop {
        tokio::select! {
            ended = &mut running => {
                draw(&mut area);
                area.keep();
                return ended;
            }
            _ = ticks.tick() => draw(&mut area),
        }
    }
}

/// `all at once        ━━━━━━━━━━━━━━━─────────  150 of 200     1.2 s`.
fn line(way: &str, done: usize, of: usize, took: Duration, columns: usize) -> String {
    let (far, took) = (format!("{done:>3} of {of:<3}"), seconds(took));
    let room = columns.saturating_sub(18 + far.len() + 2 + 8);
    match terminal::bar(done as u64, of as u64, room) {
        bar if bar.is_empty() => format!("{way:<18}{far}{took:>9}"),
        bar => format!("{way:<18}{bar}  {far}{took:>8}"),
    }
}

fn told(runs: &[Run; 3]) -> Exit {
    let (checks, width) = (checks(&runs[2]), terminal::width(&io::stdout()));
    let mut text = format!("\n{}\n", table::table(runs, width));
    for (what, is_so) in checks {
        let (colour, sign) = if is_so { (GREEN, '✓') } else { (RED, '✗') };
        let what = terminal::wrapped(what, width.min(80) - 3).replace('\n', "\n  ");
        text.push_str(&format!("{colour}{sign}{PLAIN} {what}\n"));
    }
    text.push_str(&format!("\n{}\n", terminal::wrapped(NEXT, width.min(80) - 1)));
    match (out::whole(&text), checks.iter().all(|(_, is_so)| *is_so)) {
        (Exit::Ok, false) => Exit::SomeFailed,
        (exit, _) => exit,
    }
}

/// What the pipeline is for, and whether it did it.
fn checks(pipeline: &Run) -> [(&'static str, bool); 4] {
    [
        ("The pipeline: every call of a host that is up succeeded.", pipeline.lost == 0),
        (
            "Once a host had said 429, no request came to it before the time was over.",
            pipeline.too_early() == 0,
        ),
        // What the standard pipeline allows: a fifth of the calls, and a reserve for each host.
        (
            "It sent less than half as many requests again as there were calls.",
            (pipeline.attempts as usize) < CALLS * 3 / 2,
        ),
        // Three attempts for each of them would be three times as many.
        (
            "It knocked at the host that is down about once for each call, and not thrice.",
            pipeline.knocks as usize <= DOWN * 3 / 2,
        ),
    ]
}

const NEXT: &str = "\
Next: `mainstay explain` says what it is made of, and why; `mainstay fetch --help` does it for URLs \
of yours; docs/guides/first-steps.md of the repository does it in Rust.";

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::fetch::Times;

    fn well() -> Run {
        Run {
            calls: CALLS,
            took: Duration::from_secs(9),
            ok: 190,
            lost: 0,
            knocks: 11,
            attempts: 230,
            seen: Vec::new(),
            failed: BTreeMap::new(),
            times: Times::default(),
        }
    }

    #[test]
    fn it_fails_when_the_pipeline_did_not_do_what_it_is_for() {
        let passes = |run: &Run| checks(run).map(|(_, is_so)| is_so);
        assert_eq!(passes(&well()), [true; 4]);
        assert_eq!(passes(&Run { lost: 1, ok: 189, ..well() }), [false, true, true, true]);
        assert_eq!(passes(&Run { attempts: 300, ..well() }), [true, true, false, true]);
        assert_eq!(passes(&Run { knocks: 30, ..well() }), [true, true, true, false]);
    }

    #[test]
    fn a_line_fits_the_terminal() {
        let line = |columns| line("standard pipeline", 150, 200, Duration::from_secs(9), columns);
        for columns in [39, 60, 79, 200] {
            assert!(line(columns).chars().count() <= columns, "{}", line(columns));
        }
        assert_eq!(line(39), "standard pipeline 150 of 200    9.0 s");
        let wide = "standard pipeline ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━──────────  150 of 200   9.0 s";
        assert_eq!(line(120), wide);
    }
}
