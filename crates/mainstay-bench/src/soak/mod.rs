//! Random pipelines before servers with random faults, called, cancelled and reloaded for minutes;
//! what must always hold is looked at all along.

mod server;
mod specs;

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::Request;
use http_body_util::{BodyExt, Full};
use mainstay::pipeline::{HostHandle, Pipeline, PipelineService};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tower::{Layer, ServiceExt};

use crate::chance::Chance;
use crate::clock::{self, sleep};
use server::{HOSTS, Server};

const TASKS: usize = 200;
/// How long a pipeline is called before all is looked at.
const PHASE: Duration = Duration::from_secs(5);
/// A busy machine may be late; a call that hangs is later.
const LATE: Duration = Duration::from_secs(5);
/// What memory may grow by once all that is kept has been there.
const GROWTH: u64 = 8 << 20;

/// What has been counted in all phases.
#[derive(Default)]
struct Counts {
    calls: AtomicU64,
    well: AtomicU64,
    failed: AtomicU64,
    cancelled: AtomicU64,
    panicked: AtomicU64,
    reloads: AtomicU64,
    /// Calls that did not end in their time.
    overdue: AtomicU64,
}

pub(crate) fn run(minutes: f64, seed: u64) -> ExitCode {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
    let Ok(runtime) = runtime else { return ExitCode::FAILURE };
    // The servers panic on purpose.
    std::panic::set_hook(Box::new(|_| {}));
    let problems = runtime.block_on(soak(Duration::from_secs_f64(minutes * 60.0), seed));
    for problem in &problems {
        println!("PROBLEM: {problem}");
    }
    if problems.is_empty() {
        println!("clean");
        return ExitCode::SUCCESS;
    }
    ExitCode::FAILURE
}

async fn soak(long: Duration, seed: u64) -> Vec<String> {
    println!("{TASKS} tasks, {HOSTS} hosts, phases of {} s, seed {seed}", PHASE.as_secs());
    let (mut chance, counts) = (Chance::seeded(seed), Arc::new(Counts::default()));
    let (began, mut problems, mut memory) = (clock::now(), Vec::new(), Vec::new());
    let (mut requests, mut throttled) = (0, 0);
    while clock::since(began) < long {
        let is_heeded = chance.percent(60);
        let server = Server::new(&mut chance, is_heeded);
        problems.extend(phase(&mut chance, &server, is_heeded, &counts).await);
        let seen = server.seen();
        requests += seen.requests.load(Ordering::Relaxed);
        throttled += seen.throttled.load(Ordering::Relaxed);
        memory.extend(resident());
        println!(
            "{:>5.0} s: {} calls, {requests} requests, {} MiB",
            clock::since(began).as_secs_f64(),
            counts.calls.load(Ordering::Relaxed),
            memory.last().map_or(0, |bytes| bytes >> 20),
        );
    }
    problems.extend(growth(&memory));
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    println!(
        "{} calls: {} well, {} failed, {} cancelled, {} panicked; {} reloads; {requests} requests, \
         {throttled} of them answered 429",
        count(&counts.calls),
        count(&counts.well),
        count(&counts.failed),
        count(&counts.cancelled),
        count(&counts.panicked),
        count(&counts.reloads),
    );
    if count(&counts.overdue) > 0 {
        problems.push(format!("{} calls did not end", count(&counts.overdue)));
    }
    problems
}

/// One pipeline, called and reloaded for a while; what is wrong afterwards.
async fn phase(
    chance: &mut Chance,
    server: &Server,
    cools_down: bool,
    counts: &Arc<Counts>,
) -> Vec<String> {
    let first = specs::spec(chance, cools_down);
    let pipeline = match first.build() {
        Ok(pipeline) => pipeline,
        Err(error) => return vec![format!("a spec that was checked cannot be built: {error}")],
    };
    let service = pipeline.layer(server.clone());
    let (mut tasks, is_over) = (JoinSet::new(), Arc::new(AtomicBool::new(false)));
    for _ in 0..TASKS {
        let (service, counts) = (service.clone(), Arc::clone(counts));
        let (chance, is_over) = (chance.fork(), Arc::clone(&is_over));
        tasks.spawn(call_on(service, chance, counts, is_over));
    }
    let (began, mut problems) = (clock::now(), Vec::new());
    while clock::since(began) < PHASE {
        sleep(chance.ms(1, 100)).await;
        if let Err(error) = pipeline.reload(specs::spec(chance, cools_down)) {
            problems.push(format!("a spec that was checked cannot be reloaded: {error}"));
        }
        counts.reloads.fetch_add(1, Ordering::Relaxed);
    }
    is_over.store(true, Ordering::Relaxed);
    while tasks.join_next().await.is_some() {}
    problems.extend(held(&pipeline, server));
    let early = server.seen().too_early.load(Ordering::Relaxed);
    if early > 0 {
        problems.push(format!("{early} requests came sooner than the server had allowed"));
    }
    problems
}

/// Calls until it is told to stop.
async fn call_on(
    service: PipelineService<Server>,
    mut chance: Chance,
    counts: Arc<Counts>,
    is_over: Arc<AtomicBool>,
) {
    let add = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
    while !is_over.load(Ordering::Relaxed) {
        add(&counts.calls);
        let (lingers, patience) = (chance.percent(10), chance.ms(0, 60));
        let request = request(&mut chance);
        let call = async {
            let answer = service.clone().oneshot(request).await.map_err(drop)?;
            if lingers {
                sleep(patience).await; // the body is there, and nobody reads it
            }
            answer.into_body().collect().await.map(drop).map_err(drop)
        };
        let is_cancelled = chance.percent(20);
        let cancelled = async {
            if !is_cancelled {
                std::future::pending::<()>().await;
            }
            sleep(patience).await;
        };
        // The longest deadline that there is.
        let longest = Duration::from_secs(2) + LATE;
        let ended = AssertUnwindSafe(async {
            tokio::select! {
                ended = timeout(longest, call) => Some(ended),
                () = cancelled => None,
            }
        });
        add(match ended.catch_unwind().await {
            Ok(Some(Ok(Ok(())))) => &counts.well,
            Ok(Some(Ok(Err(())))) => &counts.failed,
            Ok(Some(Err(_))) => &counts.overdue,
            Ok(None) => &counts.cancelled,
            Err(_) => &counts.panicked,
        });
        if chance.percent(5) {
            sleep(chance.ms(0, 30)).await;
        }
        // A refusal comes at once, and the others want to have their turn.
        tokio::task::yield_now().await;
    }
}

fn request(chance: &mut Chance) -> Request<Full<Bytes>> {
    let host = chance.of(0, 7);
    let mut request = Request::new(Full::from("some body"));
    if chance.percent(30) {
        *request.method_mut() = http::Method::POST;
    }
    #[expect(clippy::expect_used, reason = "it is a URL")]
    let uri = format!("http://host.example:{}/x", 8_000 + host).parse().expect("a URL");
    *request.uri_mut() = uri;
    request
}

/// What is still held though no call is left.
fn held(pipeline: &Pipeline, server: &Server) -> Vec<String> {
    let mut problems: Vec<String> = pipeline.hosts().iter().flat_map(held_of_host).collect();
    match server.in_flight() {
        0 => {}
        left => problems.push(format!("{left} requests were neither answered nor dropped")),
    }
    problems
}

fn held_of_host(host: &HostHandle) -> Vec<String> {
    let slots = host.concurrency().map(|guard| guard.snapshot());
    let adaptive = host.adaptive().map(|guard| guard.snapshot());
    let counts = [
        ("slots in use", slots.map(|slots| slots.in_use)),
        ("waiters for slots", slots.map(|slots| slots.waiting)),
        ("adaptive slots in use", adaptive.map(|slots| slots.in_use)),
        ("waiters for adaptive slots", adaptive.map(|slots| slots.waiting)),
        ("waiters for turns", host.turns().map(|turns| turns.waiting())),
        ("probes", host.circuit_breaker().map(|guard| guard.snapshot().probes_out)),
        ("extra attempts that are paid for", host.budget().map(|budget| budget.waiting)),
    ];
    let held = counts.into_iter().filter_map(|(what, count)| {
        let count = count.filter(|count| *count > 0)?;
        Some(format!("{}: {count} {what} with no call left", host.key().as_str()))
    });
    held.collect()
}

/// What this process has in memory, where the system says it.
fn resident() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    pages.split(' ').nth(1)?.parse::<u64>().ok().map(|pages| pages * 4_096)
}

/// The first fifth is for what is kept to come to its size.
fn growth(memory: &[u64]) -> Option<String> {
    let (warm, rest) = memory.split_at(memory.len().div_ceil(5));
    let (before, after) = (warm.iter().max()?, rest.iter().max()?);
    let grown = after.saturating_sub(*before);
    (grown > GROWTH).then(|| format!("memory has grown by {} MiB", grown >> 20))
}
