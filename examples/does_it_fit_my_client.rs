//! Does it fit the client and the server that I have?
//!
//! `cargo run --example does_it_fit_my_client`
#![expect(clippy::print_stdout, reason = "it is for reading")]

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use mainstay::breaker::{CircuitBreaker, CircuitBreakerLayer};
use mainstay::concurrency::{Concurrency, ConcurrencyLayer};
use mainstay::http::AnswerRefusalsLayer;
use mainstay::retry::{Backoff, Retry, RetryLayer};
use mainstay::timeout::TimeoutLayer;
use mainstay::{BoxError, LiftLayer};
use tokio::net::TcpListener;
use tower::{ServiceBuilder, ServiceExt, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let asked = Arc::new(AtomicU32::new(0));
    let url = serve(Arc::clone(&asked)).await?;

    let backoff = Backoff::exponential(Duration::from_millis(10)).cap(Duration::from_millis(50));
    let layers = ServiceBuilder::new()
        .layer(RetryLayer::new(Retry::up_to(3).backoff(backoff))?)
        .layer(CircuitBreakerLayer::new(CircuitBreaker::new())?)
        .layer(TimeoutLayer::new(Duration::from_secs(5)))
        .layer(LiftLayer::new());

    // hyper-util's client, as it is.
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::get(&url).body(Full::default())?;
    let answer = layers.clone().service(client).oneshot(request).await?;
    println!("hyper-util: {}, after {} requests", answer.status(), asked.swap(0, Ordering::SeqCst));
    answer.into_body().collect().await?;

    // reqwest's client, which is a service of its own requests; its own retries are switched off.
    let client = reqwest::Client::builder().no_proxy().retry(reqwest::retry::never()).build()?;
    let request = client.get(&url).build()?;
    let answer = layers.service(client).oneshot(request).await?;
    println!("reqwest: {}, after {} requests", answer.status(), asked.swap(0, Ordering::SeqCst));
    println!("it says {:?}", answer.text().await?);
    Ok(())
}

/// A server of hyper's that takes sixteen calls at a time and fails the first that is counted.
async fn serve(asked: Arc<AtomicU32>) -> Result<String, BoxError> {
    let falters = service_fn(move |_: Request<Incoming>| {
        let mut answer = Response::new(Full::new(Bytes::from("hello")));
        if asked.fetch_add(1, Ordering::SeqCst) == 0 {
            *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        std::future::ready(Ok::<_, Infallible>(answer))
    });
    let service = ServiceBuilder::new()
        .layer(AnswerRefusalsLayer::new()) // what is refused is a 503, and the error stays Infallible
        .layer(ConcurrencyLayer::new(Concurrency::limit(16).max_waiting(64))?)
        .layer(LiftLayer::new())
        .service(falters);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    Ok(url)
}
