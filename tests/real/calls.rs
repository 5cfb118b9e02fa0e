//! The clients, and what calls in a batch came to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client as Bare, Error};
use hyper_util::rt::TokioExecutor;
use mainstay::breaker::CircuitBreaker;
use mainstay::client::Client;
use mainstay::cooldown::CoolDown;
use mainstay::pipeline::{Pipeline, PipelineSpec};
use mainstay::policy::backoff::Jitter;
use mainstay::retry::{Backoff, Retry};
use tower::{Service, ServiceExt};

pub(crate) type Body = Full<Bytes>;

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Hyper's own client.
pub(crate) fn bare() -> Bare<HttpConnector, Body> {
    Bare::builder(TokioExecutor::new()).build_http()
}

/// The same, and how many requests it was given.
pub(crate) fn counted() -> (impl Sends<Error>, Arc<AtomicUsize>) {
    let sent = Arc::<AtomicUsize>::default();
    let counts = Arc::clone(&sent);
    let client = bare().map_request(move |request: Request<Body>| {
        counts.fetch_add(1, Ordering::SeqCst);
        request
    });
    (client, sent)
}

pub(crate) trait Sends<E>:
    Service<Request<Body>, Response = Response<Incoming>, Error = E, Future: Send>
    + Clone
    + Send
    + 'static
{
}

impl<S, E> Sends<E> for S where
    S: Service<Request<Body>, Response = Response<Incoming>, Error = E, Future: Send>
        + Clone
        + Send
        + 'static
{
}

/// Ours, with this pipeline.
pub(crate) fn ours(pipeline: &Pipeline) -> Client {
    let builder = Client::builder().reqwest(reqwest::ClientBuilder::no_proxy);
    builder.pipeline(pipeline.clone()).build().unwrap()
}

pub(crate) fn request<B: Default>(method: Method, url: &str) -> Request<B> {
    Request::builder().method(method).uri(url).body(B::default()).unwrap()
}

pub(crate) fn get<B: Default>(url: &str) -> Request<B> {
    request(Method::GET, url)
}

/// For a job that has the time: many attempts, and every guard that waits.
pub(crate) fn patient(calls: u32) -> PipelineSpec {
    let backoff = Backoff::exponential(ms(100)).cap(secs(2));
    let open = Backoff::exponential(ms(500)).cap(secs(2)).jitter(Jitter::None);
    PipelineSpec::named("patient")
        .deadline(secs(60))
        .retry(Retry::up_to(12).backoff(backoff).longest_asked(secs(20)))
        .attempt_timeout(secs(5))
        .per_host(|host| {
            host.concurrency(calls)
                .cool_down(CoolDown::new())
                .circuit_breaker(CircuitBreaker::new().open_time(open))
        })
}
