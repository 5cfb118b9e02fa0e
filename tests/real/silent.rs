//! A server that accepts and never answers, and five thousand calls that wait for it.

use std::future::Future;
use std::time::{Duration, Instant};

use mainstay::client::Client;
use mainstay::pipeline::{Pipeline, PipelineSpec};
use mainstay_testkit::server::{Faulty, Reply};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tower::{Layer, ServiceExt};

use crate::calls::{bare, get, ms, secs};

const CALLS: usize = 5_000;
const TIMEOUT: Duration = secs(15);
/// They begin over ten seconds: without optimisation a client takes a millisecond of a processor to
/// give a call up, raw reqwest too, so those that end at the same moment are seconds late.
const AT_ONCE: usize = 10;
const PAUSE: Duration = ms(20);
/// How late a call may end.
const LATE: Duration = ms(100);
/// Whoever shares the machine makes calls late; of so many rounds one is in time.
const ROUNDS: usize = 3;

fn silent() -> Faulty {
    Faulty::builder().keeps(1).start(|_| Reply::never()).unwrap()
}

fn only_a_deadline() -> Pipeline {
    PipelineSpec::named("patient").deadline(TIMEOUT).build().unwrap()
}

/// Each call has a socket here and one at the server's end.
fn allows_sockets() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    assert!(
        allowed > 2 * CALLS as u64 + 100,
        "{allowed} descriptors are too few for {CALLS} calls"
    );
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// All of them wait at the same time for a while; how late the last one ends.
async fn lateness<F>(server: &Faulty, call: impl Fn() -> F) -> Duration
where
    F: Future<Output = ()> + Send + 'static,
{
    let (mut calls, before) = (JoinSet::new(), server.requests());
    for _ in 0..CALLS / AT_ONCE {
        sleep(PAUSE).await;
        for _ in 0..AT_ONCE {
            let call = call();
            calls.spawn(async move {
                let began = Instant::now();
                call.await;
                began.elapsed()
            });
        }
    }
    sleep(ms(500)).await;
    assert_eq!(server.requests() - before, CALLS, "all of them have come to the server");
    let took = calls.join_all().await;
    assert!(took.iter().all(|took| *took >= TIMEOUT), "none is given up too soon");
    took.iter().max().unwrap().saturating_sub(TIMEOUT)
}

async fn ends_in_time<F>(what: &str, server: &Faulty, call: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    for _ in 0..ROUNDS {
        let late = lateness(server, &call).await;
        println!("    {what}: {CALLS} calls ended {} ms late at most", late.as_millis());
        if late <= LATE {
            return;
        }
    }
    panic!("{what}: none of {ROUNDS} rounds ended within {LATE:?}");
}

/// What was there before the calls is all that is there after them.
async fn nothing_is_left(before: (usize, usize)) {
    while (descriptors(), tasks()) != before {
        sleep(ms(20)).await; // sockets close when their tasks have noticed
    }
}

pub(crate) async fn five_thousand_calls_end_at_their_timeout_and_leave_nothing() {
    allows_sockets();
    let server = silent();
    let before = (descriptors(), tasks());
    let service = only_a_deadline().layer(bare());
    ends_in_time("over hyper", &server, || {
        let call = service.clone().oneshot(get(&server.url("/")));
        async move { assert!(call.await.is_err()) }
    })
    .await;
    drop(service);
    nothing_is_left(before).await;
}

pub(crate) async fn so_do_those_of_our_client() {
    allows_sockets();
    let server = silent();
    let before = (descriptors(), tasks());
    let client = Client::builder().reqwest(reqwest::ClientBuilder::no_proxy);
    let client = client.pipeline(only_a_deadline()).build().unwrap();
    ends_in_time("our client", &server, || {
        let call = client.get(server.url("/")).send();
        async move { assert!(call.await.is_err_and(|error| error.is_timeout())) }
    })
    .await;
    drop(client);
    nothing_is_left(before).await;
}
