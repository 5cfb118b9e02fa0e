//! A thousand specs, one after the other, while calls run on several threads.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use mainstay::breaker::{BreakerState, CircuitBreaker};
use mainstay::budget::RetryBudget;
use mainstay::concurrency::Concurrency;
use mainstay::cooldown::CoolDown;
use mainstay::hedge::Hedge;
use mainstay::http::Key;
use mainstay::pipeline::{
    GuardKind, Hold, HostHandle, HostSpec, Pipeline, PipelineBody, PipelineSpec,
};
use mainstay::policy::backoff::{Backoff, Jitter};
use mainstay::rate_limit::RateLimit;
use mainstay::retry::Retry;
use mainstay::throttle::Throttle;
use mainstay::{CallError, Reason, Refused};
use mainstay_testkit::finishes_within;
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, yield_now};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::secs;

const SWAPS: u64 = 1_000;
const TASKS: usize = 64;
/// How many calls there are for each of them.
const CALLS: usize = 16;
/// How many hosts the calls go to, besides those that are new.
const HOSTS: usize = 8;

type Req = Request<Full<Bytes>>;
type Res = Response<Full<Bytes>>;

fn get(host: &str) -> Req {
    Request::get(format!("http://{host}/")).body(Full::default()).unwrap()
}

fn breaker() -> CircuitBreaker {
    let open_time = Backoff::constant(secs(3_600)).jitter(Jitter::None);
    CircuitBreaker::new().open_time(open_time)
}

/// What every spec has: more room than there are calls, and a breaker for which one failure in many
/// is none.
fn roomy() -> PipelineSpec {
    Pipeline::named("reloaded")
        .deadline(secs(30))
        .retry(Retry::up_to(3).backoff(Backoff::constant(std::time::Duration::ZERO)))
        .per_host(|host| host.concurrency(slots(100)).circuit_breaker(breaker()))
}

fn slots(limit: u32) -> Concurrency {
    Concurrency::limit(limit).max_waiting(Concurrency::MOST).max_wait(secs(20))
}

/// The specs that follow one another: other numbers, other kinds, guards that come and go.
fn spec(n: u64) -> PipelineSpec {
    let many = RateLimit::per_second(1_000_000).burst(100_000);
    let host = |change: fn(HostSpec) -> HostSpec| roomy().per_host(change);
    match n % 10 {
        0 => roomy(),
        1 => host(|host| host.concurrency(slots(3))),
        2 => host(|host| host.cool_down(CoolDown::new())),
        3 => roomy().per_host(|host| host.cool_down(CoolDown::new()).rate_limit(many)),
        4 => roomy().per_host(|host| host.rate_limit(many)),
        5 => roomy().hedge(Hedge::after(secs(5))).deadline(secs(29)),
        6 => host(|host| host.throttle(Throttle::new()).hold(Hold::Body { idle: secs(20) })),
        7 => roomy().budget(RetryBudget::new().reserve(50)).rename("renamed"),
        8 => host(|host| host.circuit_breaker(breaker().probes(5)).shadow(GuardKind::Concurrency)),
        _ => roomy().host("host-1", |host| host.concurrency(slots(2))).attempt_timeout(secs(9)),
    }
}

/// Every 97th request fails, so that something is drawn from the budgets.
fn server(requests: Arc<AtomicU64>) -> impl Serves {
    service_fn(move |request: Req| {
        let nth = requests.fetch_add(1, SeqCst);
        let is_down = request.uri().host() == Some("down");
        async move {
            yield_now().await;
            let status = if is_down || nth % 97 == 0 { 503 } else { 200 };
            Ok(Response::builder().status(status).body(Full::from("answer")).unwrap())
        }
    })
}

trait Serves:
    Service<Req, Response = Res, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static
{
}

impl<S> Serves for S where
    S: Service<Req, Response = Res, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

fn host(pipeline: &Pipeline, name: &str) -> HostHandle {
    pipeline.host(&Key::new(format!("http://{name}"))).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_call_fails_because_of_a_reload_and_nothing_is_lost_by_one() {
    finishes_within(secs(120), reloads_under_load()).await;
}

async fn reloads_under_load() {
    let requests = Arc::<AtomicU64>::default();
    let pipeline = spec(0).build().unwrap();
    let service = pipeline.layer(server(Arc::clone(&requests)));

    let down = || service.clone().oneshot(get("down"));
    while down().await.is_ok() {}
    assert_eq!(host(&pipeline, "down").circuit_breaker().unwrap().state(), BreakerState::Open);

    // So many calls may begin with each spec; a task that finds none left waits for the next.
    let tickets = Arc::new(Semaphore::new(0));
    let mut calls = JoinSet::new();
    for task in 0..TASKS {
        let (service, tickets) = (service.clone(), Arc::clone(&tickets));
        calls.spawn(async move {
            let mut n = 0;
            while let Ok(ticket) = tickets.acquire().await {
                ticket.forget();
                calls_once(service.clone(), task, n).await;
                n += 1;
            }
            n
        });
    }
    for n in 1..=SWAPS {
        tickets.add_permits(CALLS);
        pipeline.reload(spec(n)).unwrap();
        while tickets.available_permits() > CALLS * 2 {
            assert!(calls.try_join_next().is_none_or(|end| end.is_ok()));
            yield_now().await;
        }
    }
    while tickets.available_permits() > 0 {
        assert!(calls.try_join_next().is_none_or(|end| end.is_ok()));
        yield_now().await;
    }
    tickets.close();
    let ended = calls.join_all().await.into_iter().sum::<usize>();
    // Whoever is given a ticket while it is being told that there are no more makes no call of it.
    assert!(ended > CALLS * usize::try_from(SWAPS).unwrap() - TASKS, "{ended}");

    assert_eq!(pipeline.spec(), spec(SWAPS));
    let hosts = pipeline.hosts();
    assert!(hosts.len() > 1, "{}", hosts.len());
    for host in hosts {
        let slots = host.concurrency().unwrap().snapshot();
        assert_eq!((slots.in_use, slots.waiting, slots.limit), (0, 0, 100), "{:?}", host.key());
        let budget = host.budget().unwrap();
        assert_eq!((budget.waiting, budget.reserve), (0, 100), "{:?}", host.key());
        let state = host.circuit_breaker().unwrap().state();
        let is_down = host.key().as_str() == "http://down";
        let expected = if is_down { BreakerState::Open } else { BreakerState::Closed };
        assert_eq!(state, expected, "{:?}", host.key());
    }
    pipeline.close().await;
}

/// The nth call of a task, to one of the hosts or to a new one; now and then another to the one that
/// is down.
async fn calls_once<S>(service: S, task: usize, n: usize)
where
    S: Service<Req, Error = mainstay::Error<Infallible>> + Clone,
    S::Response: Into<Response<PipelineBody<Full<Bytes>>>>,
{
    let host = match n % 64 {
        0 => format!("new-{task}-{n}"),
        _ => format!("host-{}", (task + n) % HOSTS),
    };
    let answer = service.clone().oneshot(get(&host)).await;
    assert!(answer.is_ok(), "{host}: {:?}", answer.err());
    let answer = answer.unwrap().into();
    assert_eq!(answer.status(), 200, "{host}");
    answer.into_body().collect().await.unwrap();
    if n % 16 == 1 {
        let refused = service.oneshot(get("down")).await.err().unwrap();
        assert_eq!(refused.refused().map(Refused::reason), Some(Reason::Open));
    }
}

/// Each call is the first of its host, which is made while the spec is another.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_host_that_is_new_while_the_spec_changes_goes_by_one_of_the_two_and_then_by_the_last() {
    finishes_within(secs(120), new_hosts_while_reloading()).await;
}

async fn new_hosts_while_reloading() {
    let limited = |limit: u32| Pipeline::named("new").per_host(|host| host.concurrency(limit));
    let pipeline = limited(1).build().unwrap();
    let service = pipeline.layer(server(Arc::default()));
    for round in 2..200_u32 {
        let mut calls = JoinSet::new();
        for n in 0..8 {
            let service = service.clone();
            calls.spawn(async move { service.oneshot(get(&format!("{round}-{n}"))).await.is_ok() });
        }
        yield_now().await;
        pipeline.reload(limited(round)).unwrap();
        assert!(calls.join_all().await.into_iter().all(|is_ok| is_ok));
        for host in pipeline.hosts() {
            let slots = host.concurrency().unwrap().snapshot();
            assert_eq!((slots.limit, slots.in_use), (round, 0), "{:?}", host.key());
        }
    }
}

/// Whoever is told that it is closed may rely on that: nothing is sent after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_sent_any_more_when_it_is_closed() {
    for round in 0..200 {
        finishes_within(secs(60), closes_under_load(round)).await;
    }
}

/// While other specs come, so that many a call finds its host as it was.
async fn closes_under_load(round: u32) {
    let requests = Arc::<AtomicU64>::default();
    let pipeline = Pipeline::named("closed").build().unwrap();
    let service = pipeline.layer(server(Arc::clone(&requests)));
    let mut calls = JoinSet::new();
    for n in 0..4 {
        let service = service.clone();
        calls.spawn(async move {
            let mut call = 0;
            while service.clone().oneshot(get(&format!("{n}-{}", call % 16))).await.is_ok() {
                call += 1;
            }
        });
    }
    let reloads = pipeline.clone();
    calls.spawn_blocking(move || while reloads.reload(spec(1)).is_ok() {});
    for _ in 0..round % 16 {
        yield_now().await;
    }
    pipeline.close().await;
    let sent = requests.load(SeqCst);
    calls.join_all().await;
    assert_eq!(requests.load(SeqCst), sent);
    assert!(pipeline.hosts().is_empty());
}
