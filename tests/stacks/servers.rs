//! Inside a server of axum's.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use mainstay::LiftLayer;
use mainstay::breaker::{CircuitBreaker, CircuitBreakerLayer};
use mainstay::concurrency::{Concurrency, ConcurrencyLayer};
use mainstay::http::{AnswerRefusalsLayer, Http};
use mainstay::rate_limit::{RateLimit, RateLimitGuard, RateLimitLayer};
use mainstay::timeout::TimeoutLayer;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower::ServiceBuilder;

use crate::finishes;
use crate::layers::LONG;

/// Serves until the test ends; gives the URL without a path.
async fn serves(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

/// A connection of its own for each call.
async fn status(url: &str, path: &str) -> u16 {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    finishes(client.get(format!("{url}{path}")).send()).await.unwrap().status().as_u16()
}

fn only(calls: u32) -> RateLimitLayer {
    let limit = RateLimitGuard::new(RateLimit::per(calls, LONG).burst(calls)).unwrap();
    RateLimitLayer::of(limit.max_waiting(0), Http::new())
}

/// axum#2634: the layer is applied for each route, and the service that comes out is cloned for each
/// connection.
#[tokio::test]
async fn one_limit_counts_for_all_routes_and_all_connections() {
    let limit = ServiceBuilder::new()
        .layer(AnswerRefusalsLayer::new())
        .layer(only(4))
        .layer(LiftLayer::new());
    let app = Router::new()
        .route("/one", get(|| async { "one" }))
        .route("/two", get(|| async { "two" }).layer(limit.clone()))
        .layer(limit.clone());
    let url = serves(app).await;
    assert_eq!(status(&url, "/one").await, 200);
    assert_eq!(status(&url, "/two").await, 200, "it is counted twice");
    assert_eq!(status(&url, "/none").await, 404, "and so is what has no route");
    assert_eq!(status(&url, "/one").await, 429);
}

#[tokio::test]
async fn one_breaker_stands_before_routes_that_each_have_the_layer() {
    let breaker =
        CircuitBreakerLayer::new(CircuitBreaker::new().consecutive_failures(Some(2))).unwrap();
    let layer = || {
        let answers = ServiceBuilder::new().layer(AnswerRefusalsLayer::new());
        answers.layer(breaker.clone()).layer(LiftLayer::new())
    };
    let fails = || async { http::StatusCode::INTERNAL_SERVER_ERROR };
    let app = Router::new()
        .route("/one", get(fails).layer(layer()))
        .route("/two", get(fails).layer(layer()))
        .route("/well", get(|| async { "well" }).layer(layer()));
    let url = serves(app).await;
    assert_eq!(status(&url, "/one").await, 500);
    assert_eq!(status(&url, "/two").await, 500);
    assert_eq!(status(&url, "/well").await, 503);
}

#[tokio::test]
async fn calls_beyond_the_slots_are_answered_with_a_503() {
    let (go, runs) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let waits = {
        let (go, runs) = (Arc::clone(&go), Arc::clone(&runs));
        move || async move {
            runs.add_permits(1);
            go.acquire().await.unwrap().forget();
        }
    };
    let slots = ConcurrencyLayer::new(Concurrency::limit(1).max_waiting(0)).unwrap();
    let layers = ServiceBuilder::new()
        .layer(AnswerRefusalsLayer::new())
        .layer(slots)
        .layer(TimeoutLayer::new(LONG))
        .layer(LiftLayer::new());
    let url = serves(Router::new().route("/waits", get(waits)).layer(layers)).await;
    let first = tokio::spawn({
        let url = url.clone();
        async move { status(&url, "/waits").await }
    });
    finishes(runs.acquire()).await.unwrap().forget();
    assert_eq!(status(&url, "/waits").await, 503);
    go.add_permits(1);
    assert_eq!(finishes(first).await.unwrap(), 200);
}

#[test]
fn the_error_of_a_route_stays_infallible() {
    fn never_fails<S: tower::Service<axum::extract::Request, Error = Infallible>>(_: &S) {}
    let layers = ServiceBuilder::new()
        .layer(AnswerRefusalsLayer::new())
        .layer(only(1))
        .layer(LiftLayer::new());
    never_fails(&layers.service(Router::<()>::new()));
}
