//! The run itself: inputs in, lines out, until there are no more or somebody says stop.

use std::convert::Infallible;
use std::io::{self, ErrorKind, IsTerminal};
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::{Poll, ready};

use futures_util::FutureExt;
use futures_util::stream::{Stream, StreamExt, poll_fn};
use mainstay::batch::{self, Batch, Completed};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tower::service_fn;

use super::caller::Sends;
use super::flags::{Fetch, Last, Order};
use super::hosts::Hosts;
use super::input::{Input, Wrong};
use super::job::{Job, Name};
use super::lines::Lines;
use super::output::Output;
use super::progress::{Counted, Progress};
use super::record::{Kind, Record};
use super::resume::{self, Before};
use super::signal;
use crate::clock;
use crate::exit::Exit;
use crate::out;
use crate::terminal;

/// All that a run needs.
pub(super) struct Run {
    pub(super) fetch: Fetch,
    pub(super) caller: Sends,
    pub(super) hosts: Hosts,
    pub(super) jobs: Receiver<Input>,
    pub(super) output: Output,
    /// What is kept of an earlier run.
    pub(super) before: Before,
    /// How many inputs are left, once they are counted.
    pub(super) counted: Counted,
}

/// How the inputs ended, once they have.
type End = Arc<OnceLock<Result<(), Wrong>>>;

/// Why no more results are taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// There are no more.
    End,
    /// The one that ends a run is there.
    Last,
    Interrupted,
    /// Nothing can be written any more.
    Unwritten,
}

impl Run {
    pub(super) async fn run(self) -> Exit {
        let Self { fetch, caller, hosts, jobs, output, before, counted } = self;
        let (began, end) = (clock::now(), End::default());
        let lines = output.lines().in_order(fetch.order);
        let inputs = inputs(jobs, lines.clone(), Arc::clone(&end), Arc::clone(&counted));
        let (lasts, last) = channel(1);
        let ways = Ways { lines: lines.clone(), last: fetch.last().map(|last| (last, lasts)) };
        let pipelines = hosts.pipelines.clone();
        let service = service_fn(move |job| sent(caller.clone(), job, ways.clone()));
        let batch =
            Batch::over(service).concurrency(fetch.concurrency.get()).with_ids().asking(hosts);
        let mut progress = Progress::of(&fetch, batch.progress(), pipelines, counted);
        let results = match fetch.order {
            Order::Input => batch.in_order(batch::stream(inputs)).left_stream(),
            Order::Completion => batch.as_completed(batch::stream(inputs)).right_stream(),
        };
        let stop = {
            let mut ticks = progress.ticks();
            let shows = async {
                loop {
                    ticks.tick().await;
                    progress.show(&output.summary(), clock::since(began));
                }
            };
            tokio::select! {
                stop = take(results, &lines, last, fetch.fail_fast) => stop,
                () = shows => Stop::End,
                () = signal::ends() => Stop::Interrupted,
                () = lines.closed() => Stop::Unwritten,
            }
        };
        progress.end();
        lines.ends();
        // What is left is to write what is in hand, and whoever reads it may never read on.
        tokio::spawn(async move {
            if stop != Stop::Interrupted {
                signal::ends().await;
            }
            signal::ends_at_once().await;
        });
        let (summary, written) = output.end();
        let err = io::stderr();
        let columns = if err.is_terminal() { terminal::width(&err) } else { usize::MAX };
        out::note(summary.told(clock::since(began), before.records, columns));
        if stop == Stop::End && summary.done() == 0 && before.records == 0 {
            out::note("no input came");
        }
        if let Some(Err(wrong)) = end.get() {
            return not_read(&fetch, &before, wrong);
        }
        let failed = match fetch.first {
            // Those that failed before it are no failure of what was asked for.
            true => u64::from(summary.ok == 0),
            false => summary.failed + before.failed,
        };
        finish(&fetch, &before, failed, stop, written)
    }
}

/// The inputs as they are read.
fn inputs(
    mut jobs: Receiver<Input>,
    lines: Lines,
    end: End,
    counted: Counted,
) -> impl Stream<Item = (Name, Job)> {
    let mut read = Vec::<Job>::new().into_iter();
    let mut waits = None;
    poll_fn(move |cx| {
        loop {
            if waits.is_none() {
                waits = lines.may_be_taken();
            }
            if let Some(waits) = &mut waits {
                ready!(waits.poll_unpin(cx));
            }
            waits = None;
            if let Some(job) = read.next() {
                return Poll::Ready(Some((job.name.clone(), job)));
            }
            let ended = match ready!(jobs.poll_recv(cx)) {
                Some(Input::Jobs(jobs)) => {
                    read = jobs.into_iter();
                    continue;
                }
                Some(Input::Ended(ended)) => ended,
                None => Err(Wrong::Ended("what reads it has ended too early".to_owned())),
            };
            end.get_or_init(|| ended.map(|sent| _ = counted.set(sent)));
            return Poll::Ready(None);
        }
    })
}

/// Where records go.
#[derive(Clone)]
struct Ways {
    lines: Lines,
    /// Told of the one that ends the run.
    last: Option<(Last, Sender<()>)>,
}

/// Makes the record of an input, and has it written.
async fn sent(caller: Sends, job: Job, ways: Ways) -> Result<(), Infallible> {
    ways.lines.may_begin().await;
    let record = caller.call(job).await;
    let is_last = |last: &Last| (*last == Last::Succeeds) == record.ok;
    if let Some((_, ends)) = ways.last.filter(|(last, _)| is_last(last)) {
        // Of two that succeed at once one is the first.
        if ends.try_send(()).is_err() && record.ok {
            return Ok(());
        }
    }
    ways.lines.put(record);
    Ok(())
}

/// Takes results until there are no more or there is a reason to stop; what still runs is dropped.
async fn take(
    results: impl Stream<Item = Completed<(), Infallible, Name>>,
    lines: &Lines,
    mut last: Receiver<()>,
    is_any_failure_last: bool,
) -> Stop {
    let mut results = pin!(results);
    loop {
        let ended = tokio::select! {
            biased;
            Some(()) = last.recv() => return Stop::Last,
            done = results.next() => done,
        };
        let Some(Completed { id, result, .. }) = ended else { return Stop::End };
        let index = id.index;
        let panicked = result.err();
        if let Some(panicked) = &panicked {
            lines.put(Record::of(id).failed(Kind::Internal, panicked.to_string()));
        }
        lines.is_next(index);
        if panicked.is_some() && is_any_failure_last {
            return Stop::Last;
        }
    }
}

/// The inputs came to no end of theirs.
fn not_read(fetch: &Fetch, before: &Before, wrong: &Wrong) -> Exit {
    match wrong {
        Wrong::Ended(what) => out::wrong(format_args!("the input: {what}")),
        Wrong::Others(what) => match resume::undo(&fetch.output, before) {
            Ok(()) => out::wrong(what),
            Err(error) => out::wrong(format_args!("{what}; {}: {error}", fetch.output.display())),
        },
    }
}

/// What is left to do with the output, and what the shell is told.
fn finish(
    fetch: &Fetch,
    before: &Before,
    failed: u64,
    stop: Stop,
    written: io::Result<()>,
) -> Exit {
    match written {
        // Whoever read it has had enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => return Exit::SomeFailed,
        Err(error) => {
            return out::wrong(format_args!("the output {}: {error}", fetch.output.display()));
        }
        Ok(()) => {}
    }
    if stop == Stop::Interrupted {
        if fetch.output != Path::new("-") {
            out::note("interrupted; --resume goes on with what is left");
        }
        return Exit::Interrupted;
    }
    if fetch.resume.is_some() && stop == Stop::Last {
        out::note(format_args!(
            "ended before its inputs did: {} is as it was, and --resume goes on with what is left",
            fetch.output.display()
        ));
    } else if fetch.resume.is_some() {
        let is_sorted = fetch.order == Order::Input;
        if let Err(error) = resume::finish(&fetch.output, is_sorted, before) {
            return out::wrong(format_args!("the output {}: {error}", fetch.output.display()));
        }
    }
    if failed == 0 { Exit::Ok } else { Exit::SomeFailed }
}
