//! The run itself: inputs in, lines out, until there are no more or somebody says stop.

use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, OnceLock};

use futures_util::stream::{Stream, StreamExt, poll_fn};
use mainstay::batch::{self, Batch, Completed};
use tokio::signal::ctrl_c;
use tokio::sync::mpsc::{Receiver, Sender};
use tower::service_fn;

use super::caller::Sends;
use super::flags::{Fetch, Order};
use super::hosts::Hosts;
use super::input::{Ended, Input};
use super::job::{Job, Name};
use super::output::{self, Output};
use super::progress::Progress;
use super::record::{Kind, Record};
use super::resume;
use crate::clock;
use crate::exit::Exit;
use crate::out;

/// All that a run needs.
pub(super) struct Run {
    pub(super) fetch: Fetch,
    pub(super) caller: Sends,
    pub(super) hosts: Hosts,
    pub(super) jobs: Receiver<Input>,
    pub(super) output: Output,
    /// How many of the records that are kept failed for good.
    pub(super) kept_failed: u64,
}

/// How the inputs ended, once they have.
type End = Arc<OnceLock<Result<Ended, String>>>;

/// Why no more results are taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// There are no more.
    End,
    /// The one that was looked for is there.
    Found,
    /// One has failed where none may.
    Failed,
    Interrupted,
    /// Nothing can be written any more.
    Unwritten,
}

impl Run {
    pub(super) async fn run(self) -> Exit {
        let Self { fetch, caller, hosts, jobs, output, kept_failed } = self;
        let (began, end) = (clock::now(), End::default());
        let inputs = batch::stream(inputs(jobs, Arc::clone(&end)));
        // Where every line counts, an input keeps its place until its line is taken: a slow reader
        // of the output slows what is started, and nothing that is on its way.
        let in_place = fetch.order == Order::Completion && !fetch.first && !fetch.fail_fast;
        let records = output.records();
        let sends = in_place.then(|| records.clone());
        let service = service_fn(move |job| sent(caller.clone(), job, sends.clone()));
        let batch =
            Batch::over(service).concurrency(fetch.concurrency.get()).with_ids().asking(hosts);
        let (counts, progress) = (batch.progress(), Progress::of(&fetch));
        let results = match fetch.order {
            Order::Input => batch.in_order(inputs).left_stream(),
            Order::Completion => batch.as_completed(inputs).right_stream(),
        };
        let stop = {
            let mut ticks = progress.ticks();
            let show = || progress.show(&counts.counts(), &output.summary(), clock::since(began));
            let shows = async {
                loop {
                    ticks.tick().await;
                    show();
                }
            };
            tokio::select! {
                stop = take(results, records, &fetch) => stop,
                () = shows => Stop::End,
                // Without a signal there is nobody to be heeded.
                Ok(()) = ctrl_c() => Stop::Interrupted,
            }
        };
        progress.end();
        let (summary, written) = output.end();
        let ended = end.get().cloned().transpose();
        let kept = ended.as_ref().ok().copied().flatten().map_or(0, |ended| ended.kept);
        out::note(summary.told(clock::since(began), kept));
        let failed = summary.failed + kept_failed;
        finish(&fetch, failed, stop, ended.map(|_| ()), written)
    }
}

/// The inputs as they are read.
fn inputs(mut jobs: Receiver<Input>, end: End) -> impl Stream<Item = (Name, Job)> {
    poll_fn(move |cx| {
        jobs.poll_recv(cx).map(|read| match read {
            Some(Input::Job(job)) => Some((job.name.clone(), *job)),
            Some(Input::Ended(ended)) => {
                end.get_or_init(|| ended);
                None
            }
            None => None,
        })
    })
}

/// The record of an input, unless it has been sent where it is to go.
async fn sent(
    caller: Sends,
    job: Job,
    sends: Option<Sender<Record>>,
) -> Result<Option<Record>, Infallible> {
    let record = caller.call(job).await;
    Ok(match sends {
        Some(sends) => sends.send(record).await.err().map(|unsent| unsent.0),
        None => Some(record),
    })
}

/// Takes results until there are no more or there is a reason to stop; what still runs is dropped.
async fn take(
    results: impl Stream<Item = Completed<Option<Record>, Infallible, Name>>,
    records: Sender<Record>,
    fetch: &Fetch,
) -> Stop {
    let mut results = pin!(results);
    while let Some(Completed { id, result, .. }) = results.next().await {
        let record = match result {
            Ok(None) => continue,
            Ok(Some(record)) => record,
            Err(panicked) => Record::of(id).failed(Kind::Internal, panicked.to_string()),
        };
        let is_ok = record.ok;
        if records.send(record).await.is_err() {
            return Stop::Unwritten;
        }
        match is_ok {
            true if fetch.first => return Stop::Found,
            false if fetch.fail_fast => return Stop::Failed,
            _ => {}
        }
    }
    Stop::End
}

/// What is left to do with the output, and what the shell is told.
fn finish(
    fetch: &Fetch,
    failed: u64,
    stop: Stop,
    inputs: Result<(), String>,
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
    if let Err(what) = inputs {
        return out::wrong(format_args!("the input: {what}"));
    }
    if stop == Stop::Interrupted {
        if fetch.output != Path::new("-") {
            out::note("interrupted; --resume goes on with what is left");
        }
        return Exit::Interrupted;
    }
    if stop == Stop::End && fetch.resume.is_some() {
        if let Err(error) = replace(fetch) {
            return out::wrong(format_args!("the output {}: {error}", fetch.output.display()));
        }
    }
    match stop {
        Stop::Found => Exit::Ok,
        _ if fetch.first => Exit::SomeFailed,
        _ if failed == 0 => Exit::Ok,
        _ => Exit::SomeFailed,
    }
}

/// The lines of a resumed run take the place of the output, in the order that was asked for.
fn replace(fetch: &Fetch) -> io::Result<()> {
    if fetch.order == Order::Input {
        output::sort(&resume::part_of(&fetch.output))?;
    }
    resume::finish(&fetch.output)
}
