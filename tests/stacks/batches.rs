//! Batches over real clients: what a server sees of them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use mainstay::batch::{Batch, ItemError};
use mainstay::concurrency::Concurrency;
use mainstay::pipeline::{Hold, Pipeline};
use mainstay::{CallError, Reason, Refused};
use tokio::sync::watch;
use tower::Layer;

use crate::finishes;
use crate::server::{Server, Speaks};

/// How many requests a server has at work.
#[derive(Clone)]
struct AtWork {
    count: Arc<watch::Sender<usize>>,
}

struct Working(AtWork);

impl AtWork {
    fn new() -> Self {
        Self { count: Arc::new(watch::Sender::new(0)) }
    }

    fn begins(&self) -> Working {
        self.count.send_modify(|count| *count += 1);
        Working(self.clone())
    }

    async fn comes_to(&self, wanted: usize) {
        let mut count = self.count.subscribe();
        finishes(count.wait_for(|count| *count == wanted)).await.unwrap();
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.count.send_modify(|count| *count -= 1);
    }
}

/// Answers the first so many, and never the others.
async fn answers_only(first: usize, at_work: &AtWork) -> Server {
    let at_work = at_work.clone();
    Server::answers(Speaks::Http1, move |before, _| {
        let working = at_work.begins();
        async move {
            if before >= first {
                std::future::pending::<()>().await;
            }
            drop(working);
            Response::new(Full::from("well"))
        }
    })
    .await
}

fn client() -> Client<HttpConnector, Full<Bytes>> {
    Client::builder(TokioExecutor::new()).build_http()
}

fn get(server: &Server) -> Request<Full<Bytes>> {
    Request::get(&server.url).body(Full::default()).unwrap()
}

#[tokio::test]
async fn a_batch_that_is_dropped_leaves_no_attempt_with_the_server() {
    let fives = Pipeline::named("fives").per_host(|host| host.concurrency(5));
    let service = fives.build().unwrap().layer(client());
    for first in [0, 1, 30] {
        let at_work = AtWork::new();
        let server = answers_only(first, &at_work).await;
        let inputs = (0..50).map(|_| get(&server));
        let mut results = Batch::through(service.clone()).concurrency(10).as_completed(inputs);
        for _ in 0..first {
            assert!(finishes(results.next()).await.unwrap().result.is_ok());
        }
        tokio::select! {
            () = at_work.comes_to(5) => {}
            ended = results.next() => assert!(ended.is_none(), "nothing is answered any more"),
        }
        drop(results);
        at_work.comes_to(0).await;
    }
}

#[tokio::test]
async fn at_its_deadline_a_batch_leaves_none_either_and_says_what_did_not_end() {
    let at_work = AtWork::new();
    let server = answers_only(3, &at_work).await;
    let batch = Batch::http(client()).concurrency(4).deadline(Duration::from_millis(300));
    let all = finishes(batch.keep_everything((0..50).map(|_| get(&server)))).await;
    let (well, late): (Vec<_>, Vec<_>) = all.into_iter().partition(|done| done.result.is_ok());
    assert_eq!((well.len(), late.len()), (3, 4));
    assert!(late.iter().all(|done| matches!(done.result, Err(ItemError::Deadline))));
    at_work.comes_to(0).await;
}

/// Bodies that are too large to lie in the buffers of a socket.
async fn large() -> Server {
    Server::answers(Speaks::Http1, |_, _| async { Response::new(Full::from(vec![7; 1 << 23])) })
        .await
}

#[tokio::test]
async fn heads_that_are_gathered_unread_hold_nobody_up() {
    let server = large().await;
    let spec = Pipeline::named("heads").per_host(|host| host.concurrency(8));
    let service = spec.build().unwrap().layer(client());
    let batch = Batch::through(service).stream_bodies().concurrency(50);
    let mut results = batch.as_completed((0..50).map(|_| get(&server)));
    let mut heads = Vec::new();
    while let Some(done) = finishes(results.next()).await {
        heads.push(done.result.unwrap());
    }
    assert_eq!(heads.len(), 50);
}

/// Six answers that nobody reads, where two slots are held to the end of a body: how many heads came
/// while all wait so long for a slot, and a body gives its own up after such a silence; and why the
/// others did not.
async fn held(wait: Duration, idle: Duration) -> (usize, Vec<Refused>) {
    let server = large().await;
    let spec = Pipeline::named("bodies").per_host(|host| {
        host.concurrency(Concurrency::limit(2).max_wait(wait)).hold(Hold::Body { idle })
    });
    let service = spec.build().unwrap().layer(client());
    let batch = Batch::through(service).stream_bodies().concurrency(6);
    let mut results = batch.as_completed((0..6).map(|_| get(&server)));
    let (mut heads, mut refused) = (Vec::new(), Vec::new());
    while let Some(done) = finishes(results.next()).await {
        match done.result {
            Ok(head) => heads.push(head),
            Err(error) => refused.push(error.into_call().unwrap().refused().unwrap().clone()),
        }
    }
    (heads.len(), refused)
}

#[tokio::test]
async fn where_bodies_hold_slots_unread_ones_give_them_up_or_those_that_wait_are_refused() {
    let (short, long) = (Duration::from_millis(200), Duration::from_secs(50));
    let (heads, refused) = held(long, short).await;
    assert_eq!((heads, refused.len()), (6, 0));
    let (heads, refused) = held(short, long).await;
    assert_eq!((heads, refused.len()), (2, 4));
    assert_eq!(refused[0].reason(), Reason::NoSlot);
    let why = refused[0].to_string();
    assert!(why.starts_with("concurrency limit \"bodies\"") && why.ends_with("in time"), "{why}");
}
