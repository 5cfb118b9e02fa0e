//! How do I put what I want around a service that I have, and keep my error?
//!
//! `cargo run --example how_do_i_wrap_my_service`
#![expect(clippy::print_stdout, reason = "it is for reading")]

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use mainstay::breaker::{CircuitBreaker, CircuitBreakerLayer};
use mainstay::pipeline::Pipeline;
use mainstay::rate_limit::{RateLimit, RateLimitLayer};
use mainstay::retry::{Backoff, Retry, RetryLayer};
use mainstay::timeout::TimeoutLayer;
use mainstay::{CallError, LiftLayer, Refused};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

type Call = Request<Full<Bytes>>;
type Answer = Response<Full<Bytes>>;

/// An error that a service had before anybody thought of layers.
#[derive(Debug)]
enum StoreError {
    NoConnection,
    /// Added for ours: layers refuse calls through it.
    Refused(Refused),
}

impl From<Refused> for StoreError {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl CallError for StoreError {
    fn refused(&self) -> Option<&Refused> {
        match self {
            Self::Refused(refused) => Some(refused),
            Self::NoConnection => None,
        }
    }

    fn as_error(&self) -> &(dyn StdError + 'static) {
        self
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoConnection => "no connection to the store",
            Self::Refused(_) => "the store was not asked",
        })
    }
}

impl StdError for StoreError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.refused().map(|refused| refused as _)
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn StdError>> {
    // The service that there is: anything of tower's that can be cloned.
    let mut asked = 0;
    let store = tower::util::BoxCloneSyncService::new(service_fn(move |call: Call| {
        asked += 1;
        store(call, asked)
    }));

    // One line: everything that most calls want. The error is mainstay's, around that of the store.
    let mut resilient = Pipeline::standard().layer(store.clone());
    let answer = resilient.ready().await?.call(get("/falters")).await?;
    println!("with a pipeline: {}", answer.status());

    // The same, and the error of the store stays, since it can carry a refusal.
    let mut kept = Pipeline::standard().keep_error().layer(store.clone());
    let answer: Result<_, StoreError> = kept.ready().await?.call(get("/falters")).await;
    println!("with its own error: {}", answer?.status());

    // Layer by layer: what is not here is not done.
    let breaker = CircuitBreakerLayer::new(CircuitBreaker::new().consecutive_failures(Some(3)))?;
    let backoff = Backoff::constant(Duration::from_millis(100));
    let mut stacked = ServiceBuilder::new()
        .layer(RetryLayer::new(Retry::up_to(2).backoff(backoff))?)
        .layer(RateLimitLayer::new(RateLimit::per_second(10))?)
        .layer(breaker.clone())
        .layer(TimeoutLayer::new(Duration::from_secs(2)))
        .service(store.clone());
    for _ in 0..3 {
        let error = stacked.ready().await?.call(get("/down")).await.err().ok_or("it is down")?;
        let why = error.source().map(|why| format!(", {why}")).unwrap_or_default();
        println!("layer by layer: {error}{why}");
    }
    println!("the breaker: {:?}", breaker.handle().state());

    // An error that is somebody else's, and cannot be changed, is lifted at the bottom.
    let other = service_fn(|_: Call| async { Err::<Answer, _>(fmt::Error) });
    let lifted = ServiceBuilder::new()
        .layer(RetryLayer::new(Retry::up_to(2))?)
        .layer(LiftLayer::new())
        .service(other);
    println!("lifted: {}", lifted.oneshot(get("/")).await.err().ok_or("it always fails")?);
    Ok(())
}

fn get(path: &'static str) -> Call {
    let mut request = Request::new(Full::default());
    *request.uri_mut() = http::Uri::from_static(path);
    request
}

/// Fails every other time, or always.
async fn store(call: Call, asked: u32) -> Result<Answer, StoreError> {
    let mut answer = Answer::default();
    match call.uri().path() {
        "/down" => return Err(StoreError::NoConnection),
        "/falters" if asked % 2 == 1 => *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE,
        _ => {}
    }
    Ok(answer)
}
