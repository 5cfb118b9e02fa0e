//! Calls that are made inside of a task.
//!
//! What an `async` block holds is checked to be `Send` with all lifetimes forgotten, the `'static`
//! of a `BoxError` too, and then nothing holds any more that was implemented for a `BoxError`. So
//! none of our futures may ask a trait about the service or the error for the types in it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use mainstay::breaker::{BreakerGuard, CircuitBreaker, CircuitBreakerLayer};
use mainstay::concurrency::{Concurrency, ConcurrencyGuard, ConcurrencyLayer};
use mainstay::fallback::{FallbackLayer, service, value};
use mainstay::guard::GuardLayer;
use mainstay::hedge::{Hedge, HedgeLayer};
use mainstay::observe::ObserveLayer;
use mainstay::{BoxError, CallError, LiftLayer, Reason, Refused};
use mainstay_testkit::{Script, Scripted, finishes};
use tower::{Layer, Service, ServiceBuilder, ServiceExt};

use crate::layers::{Layers, retry};

type Req = Request<Full<Bytes>>;
/// Its type names the error, as that of a `BoxCloneService` does.
type Server = Script<Req, Response<Full<Bytes>>, BoxError>;

/// A call inside of a task. A macro, since a function that takes any service proves nothing of this
/// one.
macro_rules! spawned {
    ($service:expr) => {{
        let mut service = $service;
        let get = Request::get("http://server/").body(Full::default()).unwrap();
        tokio::spawn(async move { service.ready().await?.call(get).await })
    }};
}

fn well() -> Response<Full<Bytes>> {
    Response::new("well".into())
}

fn cut() -> BoxError {
    io::Error::from(io::ErrorKind::ConnectionRefused).into()
}

/// A server that cannot be reached so many times, and is then well.
fn falters(times: usize) -> Scripted<Req, Response<Full<Bytes>>, BoxError> {
    let (server, asked) = (Server::new(), std::sync::Mutex::new(0));
    server.answers(move |_| {
        let mut asked = asked.lock().unwrap();
        *asked += 1;
        if *asked > times { Ok(well()) } else { Err(cut()) }
    });
    server.service()
}

fn breaker() -> CircuitBreakerLayer {
    CircuitBreakerLayer::new(CircuitBreaker::new()).unwrap()
}

async fn text<B: http_body::Body<Error: std::fmt::Debug>>(answer: Response<B>) -> Bytes {
    answer.into_body().collect().await.unwrap().to_bytes()
}

#[tokio::test(start_paused = true)]
async fn a_breaker_hands_the_error_on_and_refuses_through_it() {
    let breaker = breaker();
    let service = breaker.layer(falters(1));
    let error = finishes(spawned!(service.clone())).await.unwrap().unwrap_err();
    assert!(error.is::<io::Error>(), "{error}");
    assert_eq!(text(finishes(spawned!(service.clone())).await.unwrap().unwrap()).await, "well");
    breaker.handle().isolate();
    let error = finishes(spawned!(service)).await.unwrap().unwrap_err();
    assert_eq!(error.refused().map(Refused::reason), Some(Reason::Open));
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_held_to_the_end_of_the_body() {
    let slots = ConcurrencyLayer::new(Concurrency::limit(1)).unwrap();
    let service = slots.clone().hold_bodies().layer(falters(0));
    let answer = finishes(spawned!(service.clone())).await.unwrap().unwrap();
    let waits = spawned!(service);
    tokio::task::yield_now().await;
    assert_eq!(slots.handle().snapshot().in_use, 1);
    assert_eq!(text(answer).await, "well");
    assert_eq!(text(finishes(waits).await.unwrap().unwrap()).await, "well");
    assert_eq!(slots.handle().snapshot().in_use, 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_is_repeated() {
    assert_eq!(
        text(finishes(spawned!(retry().layer(falters(2)))).await.unwrap().unwrap()).await,
        "well"
    );
    let error = finishes(spawned!(retry().layer(falters(3)))).await.unwrap().unwrap_err();
    assert!(error.is::<io::Error>(), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_call_is_sent_twice() {
    let server = Server::new();
    let hedge = HedgeLayer::new(Hedge::after(Duration::from_millis(100))).unwrap();
    let call = spawned!(hedge.layer(breaker().layer(server.service())));
    let _slow = finishes(server.arrives()).await;
    finishes(server.arrives()).await.answer(well());
    assert_eq!(text(finishes(call).await.unwrap().unwrap()).await, "well");
}

#[tokio::test(start_paused = true)]
async fn a_retry_stands_over_guards_in_one() {
    let breaker = Arc::new(BreakerGuard::new(CircuitBreaker::new()).unwrap());
    let slots = ConcurrencyGuard::new(Concurrency::limit(1)).unwrap();
    let guards = GuardLayer::new((slots, Arc::clone(&breaker)));
    let service = retry().layer(guards.layer(falters(2)));
    assert_eq!(text(finishes(spawned!(service.clone())).await.unwrap().unwrap()).await, "well");
    let held = retry().layer(guards.hold_bodies().layer(falters(2)));
    assert_eq!(text(finishes(spawned!(held)).await.unwrap().unwrap()).await, "well");
    breaker.isolate();
    let error = finishes(spawned!(service)).await.unwrap().unwrap_err();
    assert_eq!(error.refused().map(Refused::reason), Some(Reason::Open));
}

#[tokio::test(start_paused = true)]
async fn layers_stand_in_one_another() {
    let layers = Layers::new();
    let stack = layers.stack().service(falters(2));
    let other = FallbackLayer::new(service(breaker().layer(falters(0))));
    let whole = ServiceBuilder::new()
        .layer(ObserveLayer::new())
        .layer(FallbackLayer::new(value(Response::new("closed".into()))))
        .layer(other)
        .service(stack);
    assert_eq!(text(finishes(spawned!(whole.clone())).await.unwrap().unwrap()).await, "well");
    layers.assert_at_rest();
    layers.breaker.handle().isolate();
    assert_eq!(text(finishes(spawned!(whole)).await.unwrap().unwrap()).await, "well");
}

#[tokio::test(start_paused = true)]
async fn errors_are_lifted_over_one_that_was_boxed() {
    let layers = Layers::new();
    let service = layers
        .stack()
        .layer(LiftLayer::new())
        .map_err(|error: BoxError| io::Error::other(error))
        .service(falters(0));
    assert_eq!(text(finishes(spawned!(service.clone())).await.unwrap().unwrap()).await, "well");
    layers.breaker.handle().isolate();
    let error = finishes(spawned!(service)).await.unwrap().unwrap_err();
    assert_eq!(error.refused().map(Refused::reason), Some(Reason::Open));
}

/// Bodies whose types name the error.
#[tokio::test(start_paused = true)]
async fn bodies_may_have_been_boxed() {
    type Boxed = UnsyncBoxBody<Bytes, BoxError>;

    let boxed = |body: &'static str| Full::from(body).map_err(BoxError::from).boxed_unsync();
    let server = Script::<Request<Boxed>, Response<Boxed>, BoxError>::new();
    server.answers(move |_| Ok(Response::new(boxed("well"))));
    let mut service = Layers::new().stack().service(server.service());
    let get = Request::get("http://server/").body(boxed("")).unwrap();
    let call = tokio::spawn(async move { service.ready().await?.call(get).await });
    assert_eq!(text(finishes(call).await.unwrap().unwrap()).await, "well");
}
