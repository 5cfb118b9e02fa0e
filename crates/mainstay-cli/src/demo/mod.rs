//! `mainstay demo`: two hundred calls of an API with faults, made in three ways.

mod api;
mod table;
mod ways;

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
use ways::{CALLS, DOWN, Done, Run, SAMPLE};

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
    for text in [Api::FAULTS, WAYS] {
        out::whole(&format!("{}\n\n", terminal::wrapped(text, width)));
    }
    let [one, all, pipeline] = table::NAMES;
    Ok([
        watched(one, SAMPLE, ways::one_by_one).await?,
        watched(all, CALLS, ways::all_at_once).await?,
        watched(pipeline, CALLS, ways::through_a_pipeline).await?,
    ])
}

/// Shows how far a way is, on a line that stays.
async fn watched<F>(way: &str, of: usize, run: impl FnOnce(Rc<Done>) -> F) -> Result<Run, String>
where
    F: Future<Output = Result<Run, String>>,
{
    let (done, began) = (Rc::new(Done::default()), clock::now());
    let (mut area, is_seen) = (Area::default(), io::stderr().is_terminal());
    let draw = |area: &mut Area| {
        if is_seen {
            let width = terminal::width(&io::stderr()) - 1;
            area.draw(&[line(way, &done, of, clock::since(began), width)]);
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

/// `all at once       ━━━━━━━━━━━━━━━━××××××   94 ok, 106 failed   1.3 s`.
fn line(way: &str, done: &Done, of: usize, took: Duration, columns: usize) -> String {
    /// Of the name, the counts and the time.
    const LEAST: usize = 18 + 18 + 9;

    let (ok, failed, took) = (done.ok.get(), done.failed.get(), seconds(took));
    if columns < LEAST {
        return format!("{way:<18}{ok:>3} of {of:<3} ok{took:>8}");
    }
    let counts = format!("{ok:>3} ok, {failed:>3} failed");
    match terminal::bar((ok + failed) as u64, of as u64, columns.saturating_sub(LEAST + 1)) {
        bar if bar.is_empty() => format!("{way:<18}{counts}{took:>9}"),
        bar => format!("{way:<18}{}  {counts}{took:>8}", with_failures(&bar, failed, of)),
    }
}

/// The same bar, of which the end of what is done is what failed.
fn with_failures(bar: &str, failed: usize, of: usize) -> String {
    let full = bar.chars().filter(|c| *c == '━').count();
    // Who failed once is seen, and who succeeded as well.
    let share = (failed * bar.chars().count()).div_ceil(of).min(full);
    let (ok, rest) = ("━".repeat(full - share), "─".repeat(bar.chars().count() - full));
    match share {
        0 => format!("{ok}{rest}"),
        _ => format!("{ok}{}{rest}", out::if_coloured(RED, &"×".repeat(share))),
    }
}

fn told(runs: &[Run; 3]) -> Exit {
    let (checks, width) = (checks(&runs[2]), terminal::width(&io::stdout()));
    let mut text = format!("\n{}\n", table::table(runs, width));
    for (what, is_so) in &checks {
        let (colour, sign) = if *is_so { (GREEN, '✓') } else { (RED, '✗') };
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
fn checks(pipeline: &Run) -> [(String, bool); 4] {
    /// The standard pipeline allows a fifth of the calls, and a reserve for each host.
    const REQUESTS: usize = CALLS * 3 / 2;
    /// Three attempts for each call would be twice as many.
    const KNOCKS: usize = DOWN * 3 / 2;

    let &Run { attempts, knocks, lost, .. } = pipeline;
    [
        ("The pipeline: every call of a host that is up succeeded.".to_owned(), lost == 0),
        (
            "Once a host had said 429, no request came to it before the time was over.".to_owned(),
            pipeline.too_early() == 0,
        ),
        (
            format!("It sent {attempts} requests for {CALLS} calls: no more than {REQUESTS}."),
            attempts as usize <= REQUESTS,
        ),
        (
            format!(
                "{knocks} of them went to the host that is down, for {DOWN} calls: no more than \
                 {KNOCKS}."
            ),
            knocks as usize <= KNOCKS,
        ),
    ]
}

const WAYS: &str = "\
Two of three ways have no pipeline: one by one, which makes 20 of the calls, each once; and all at \
once, where a call that fails is tried up to three times, 200 ms apart.";

const NEXT: &str = "\
Next: `mainstay explain` says what the pipeline is made of, and what a call costs at worst; `mainstay \
fetch --help` does it for URLs of yours; docs/guides/first-steps.md of the repository does it in Rust.";

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
        assert_eq!(passes(&Run { attempts: 301, ..well() }), [true, true, false, true]);
        assert_eq!(passes(&Run { knocks: 16, ..well() }), [true, true, true, false]);
    }

    #[test]
    fn what_it_checks_is_said_with_the_figures_of_the_run() {
        let [_, _, requests, knocks] = checks(&well()).map(|(what, _)| what);
        assert_eq!(requests, "It sent 230 requests for 200 calls: no more than 300.");
        assert!(knocks.starts_with("11 of them went to the host that is down, for 10 calls"));
    }

    fn drawn(ok: usize, failed: usize, columns: usize) -> String {
        let done = Done { ok: ok.into(), failed: failed.into() };
        let line = line("standard pipeline", &done, 200, Duration::from_secs(9), columns);
        anstream::adapter::strip_str(&line).to_string()
    }

    #[test]
    fn a_line_fits_the_terminal() {
        for columns in [39, 44, 45, 55, 60, 79, 200] {
            let line = drawn(100, 50, columns);
            assert!(line.chars().count() <= columns, "{line}");
        }
        assert_eq!(drawn(100, 50, 39), "standard pipeline 100 of 200 ok   9.0 s");
    }

    #[test]
    fn what_failed_is_seen_in_the_bar() {
        let wide = |bar| format!("standard pipeline {bar}");
        let (well, badly, rest) = ("━".repeat(20), "×".repeat(10), "─".repeat(10));
        let expected = wide(format!("{well}{badly}{rest}  100 ok,  50 failed   9.0 s"));
        assert_eq!(drawn(100, 50, 120), expected);
        assert!(drawn(199, 1, 120).contains("━×  199 ok,   1 failed"), "{}", drawn(199, 1, 120));
        assert!(!drawn(200, 0, 120).contains('×'));
    }
}
