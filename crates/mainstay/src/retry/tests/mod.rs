mod attempts;
mod budgets;
mod copies;
mod ends;
mod script;
mod waits;

#[cfg(feature = "tower")]
mod tower_retry;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use ::http::{Method, Request, Response};
use bytes::Bytes;
use http_body_util::Full;
use script::{Body, Reply, Server};
use tower_layer::Layer;
use tower_service::Service;

use super::*;
use crate::Error;
use crate::budget::{Budget, RetryBudget};

type Req = Request<Full<Bytes>>;
type Res = Response<Body>;
type TestError = Error<std::io::Error>;

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Waits of exactly 100, 200, 400, ... ms.
fn plain(attempts: u32) -> Retry {
    Retry::up_to(attempts).backoff(Backoff::exponential(ms(100)).jitter(Jitter::None))
}

fn layer(settings: Retry) -> RetryLayer {
    RetryLayer::new(settings).unwrap()
}

fn request(method: Method) -> Req {
    let body = Full::new(Bytes::from("body"));
    Request::builder().method(method).uri("https://api.example.com/").body(body).unwrap()
}

fn get() -> Req {
    request(Method::GET)
}

fn budget(ratio: f64, reserve: u32) -> Arc<Budget> {
    Arc::new(Budget::new(RetryBudget::new().ratio(ratio).reserve(reserve)).unwrap())
}

/// Makes a service ready and calls it.
fn start<S: Service<Req>>(service: &mut S, request: Req) -> S::Future {
    let ready = service.poll_ready(&mut std::task::Context::from_waker(std::task::Waker::noop()));
    assert!(matches!(ready, std::task::Poll::Ready(Ok(()))), "it is not ready");
    service.call(request)
}

/// One call through a layer to a server that replies so.
async fn called<L>(layer: &L, server: &Server, request: Req) -> Result<Res, TestError>
where
    L: Layer<Server>,
    L::Service: Service<Req, Response = Res, Error = TestError>,
{
    start(&mut layer.layer(server.clone()), request).await
}

/// How a call ends that has a task in common with work that uses the task's budget up at every poll.
async fn beside_greedy_work<F>(call: F) -> Result<u16, String>
where
    F: Future<Output = Result<Res, TestError>> + Send + 'static,
{
    let mut call = Box::pin(call);
    let task = tokio::spawn(std::future::poll_fn(move |cx| {
        while pin!(tokio::task::consume_budget()).poll(cx).is_ready() {}
        call.as_mut().poll(cx)
    }));
    for _ in 0..20 {
        tokio::time::advance(ms(10)).await;
        tokio::task::yield_now().await;
    }
    assert!(task.is_finished(), "nothing wakes it");
    said(task.await.unwrap())
}

/// The status of an answer, or what the error says.
fn said(end: Result<Res, TestError>) -> Result<u16, String> {
    end.map(|answer| answer.status().as_u16()).map_err(|error| error.to_string())
}

fn resets() -> Reply {
    Reply::Fails(std::io::ErrorKind::ConnectionReset)
}
