//! The three ways in which the demo makes its calls.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use mainstay::batch::Batch;
use mainstay::pipeline::{PipelineSpec, Pipelines};
use mainstay::{Lift, LiftLayer};
use mainstay_testkit::server::Exchange;
use tower::service_fn;
use tower_layer::Layer;

use super::api::Api;
use crate::clock;
use crate::fetch::{Caller, Defaults, Hosts, Job, Kind, Record, Times, Transport, client};

/// How many calls there are.
pub(crate) const CALLS: usize = 200;
/// How many of them go to the host that is down.
pub(crate) const DOWN: usize = CALLS / 20;
/// How many of them are made one after another.
pub(crate) const SAMPLE: usize = 20;

/// What came of one way.
pub(crate) struct Run {
    pub(crate) calls: usize,
    pub(crate) took: Duration,
    pub(crate) ok: usize,
    /// Calls to hosts that are up that have failed.
    pub(crate) lost: usize,
    /// Requests that were sent, to the host that is down as well.
    pub(crate) attempts: u32,
    /// Those of them that went to the host that is down.
    pub(crate) knocks: u32,
    /// What the hosts saw, each in its order.
    pub(crate) seen: Vec<Vec<Exchange>>,
    /// How many calls failed, and why.
    pub(crate) failed: BTreeMap<Kind, usize>,
    /// Of the calls that succeeded.
    pub(crate) times: Times,
}

/// How many calls have ended so far.
#[derive(Default)]
pub(crate) struct Done {
    pub(crate) ok: Cell<usize>,
    pub(crate) failed: Cell<usize>,
}

impl Done {
    fn add(&self, record: &Record) {
        let count = if record.error.is_none() { &self.ok } else { &self.failed };
        count.set(count.get() + 1);
    }
}

/// Some of the calls, each after the one before.
pub(crate) async fn one_by_one(done: Rc<Done>) -> Result<Run, String> {
    let (api, caller) = (start()?, bare()?);
    let (began, mut records) = (clock::now(), Vec::new());
    for call in 0..SAMPLE {
        let record = caller.clone().call(job(&api, call)).await;
        done.add(&record);
        records.push((call, record));
    }
    Ok(Run::of(&api, records, clock::since(began)))
}

/// All calls at once, and those that fail again soon, as it is written by hand.
pub(crate) async fn all_at_once(done: Rc<Done>) -> Result<Run, String> {
    let (api, caller) = (start()?, bare()?);
    let began = clock::now();
    let (by, to) = (&caller, &api);
    let calls = (0..CALLS).map(|call| async move { (call, by_hand(by, to, call).await) });
    let mut calls: FuturesUnordered<_> = calls.collect();
    let mut records = Vec::new();
    while let Some((call, record)) = calls.next().await {
        done.add(&record);
        records.push((call, record));
    }
    drop(calls);
    Ok(Run::of(&api, records, clock::since(began)))
}

/// How often a call is tried by hand, and how long after.
const TRIES: u32 = 3;
const APART: Duration = Duration::from_millis(200);

async fn by_hand(caller: &Caller<Bare>, api: &Api, call: usize) -> Record {
    let (began, mut tries) = (clock::now(), 1);
    loop {
        let record = caller.clone().call(job(api, call)).await;
        if record.ok || tries == TRIES {
            return record.took(tries, clock::since(began), APART * (tries - 1));
        }
        clock::wait(APART).await;
        tries += 1;
    }
}

/// All calls as a batch through the standard pipeline, which has a state for each host.
pub(crate) async fn through_a_pipeline(done: Rc<Done>) -> Result<Run, String> {
    let api = start()?;
    let pipelines = Pipelines::new(PipelineSpec::standard()).map_err(|wrong| wrong.to_string())?;
    let caller = Caller::new(pipelines.layer(transport()?));
    let hosts = Hosts::new(pipelines, None, PATIENCE);
    let began = clock::now();
    let service = service_fn(move |job| {
        let caller = caller.clone();
        async move { Ok::<_, Infallible>(caller.call(job).await) }
    });
    let batch = Batch::over(service).concurrency(64).asking(hosts);
    let jobs: Vec<Job> = (0..CALLS).map(|call| job(&api, call)).collect();
    let mut results = batch.as_completed(jobs);
    let mut records = Vec::new();
    while let Some(ended) = results.next().await {
        let call = usize::try_from(ended.index).unwrap_or_default();
        let record = ended.result.map_err(|panicked| panicked.to_string())?;
        done.add(&record);
        records.push((call, record));
    }
    Ok(Run::of(&api, records, clock::since(began)))
}

/// How long calls wait for a host that is down; `fetch` has more of it.
const PATIENCE: Duration = Duration::from_secs(2);

type Bare = Lift<Transport>;

fn start() -> Result<Api, String> {
    Api::start().map_err(|error| format!("the hosts of the demo cannot be started: {error}"))
}

fn transport() -> Result<Bare, String> {
    // No proxy leads to the hosts of this machine.
    let client = client(reqwest::ClientBuilder::no_proxy)?;
    Ok(LiftLayer::new().layer(Transport::new(client, 1 << 20)))
}

/// A client without any pipeline.
fn bare() -> Result<Caller<Bare>, String> {
    transport().map(Caller::new)
}

fn job(api: &Api, call: usize) -> Job {
    Job::of_url(&api.url(call), call as u64, &Defaults::default())
}

impl Run {
    fn of(api: &Api, records: Vec<(usize, Record)>, took: Duration) -> Self {
        let mut run = Self {
            calls: records.len(),
            took,
            ok: 0,
            lost: 0,
            knocks: 0,
            attempts: 0,
            seen: api.seen(),
            failed: BTreeMap::new(),
            times: Times::default(),
        };
        for (call, record) in records {
            run.attempts += record.attempts;
            run.knocks += if Api::is_down(call) { record.attempts } else { 0 };
            match record.error {
                None => {
                    run.ok += 1;
                    run.times.add(record.elapsed_ms);
                }
                Some(wrong) => {
                    run.lost += usize::from(!Api::is_down(call));
                    *run.failed.entry(wrong.kind).or_default() += 1;
                }
            }
        }
        run
    }

    /// Requests that reached a host.
    pub(crate) fn arrived(&self) -> usize {
        self.seen.iter().map(Vec::len).sum()
    }

    /// Answers with this status.
    pub(crate) fn answered(&self, status: u16) -> usize {
        self.seen.iter().flatten().filter(|seen| seen.status == Some(status)).count()
    }

    /// Requests that reached a host before the time was over that it had asked for.
    pub(crate) fn too_early(&self) -> usize {
        self.seen.iter().map(|host| too_early(host)).sum()
    }
}

/// What was on its way when a host said 429 could not know of it.
const ON_ITS_WAY: Duration = Duration::from_millis(100);

fn too_early(host: &[Exchange]) -> usize {
    let asked = host.iter().filter(|seen| seen.status == Some(429)).map(|seen| {
        let said = seen.request.at() + seen.took.unwrap_or_default();
        (said + ON_ITS_WAY, said + Duration::from_secs(1))
    });
    let asked: Vec<_> = asked.collect();
    let is_early = |at| asked.iter().any(|(from, until)| *from < at && at < *until);
    host.iter().filter(|seen| is_early(seen.request.at())).count()
}
