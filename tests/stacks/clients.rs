//! Over real clients. What is beneath is a server of hyper's on the loopback device.

use std::future::pending;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use mainstay::breaker::{BreakerState, CircuitBreaker, CircuitBreakerLayer};
use mainstay::cooldown::{CoolDown, CoolDownLayer};
use mainstay::deadline::DeadlineLayer;
use mainstay::fallback::{FallbackLayer, function};
use mainstay::hedge::{Hedge, HedgeLayer};
use mainstay::http::Http;
use mainstay::rate_limit::{RateLimit, RateLimitGuard, RateLimitLayer};
use mainstay::timeout::TimeoutLayer;
use mainstay::{CallError, LiftLayer, Reason};
use tower::{Service, ServiceBuilder, ServiceExt};

use crate::finishes;
use crate::layers::{LONG, Layers, retry};
use crate::server::{Server, Speaks, status};

type Hyper = Client<HttpConnector, Full<Bytes>>;

fn hyper() -> Hyper {
    Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build_http()
}

fn reqwest() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().retry(reqwest::retry::never()).build().unwrap()
}

/// Fails once, and then echoes what it is sent; says how many requests came before.
async fn falters() -> Server {
    Server::answers(Speaks::Http1, |before, request| async move {
        let sent = request.into_body().collect().await.unwrap().to_bytes();
        let code = if before == 0 { 503 } else { 200 };
        Response::builder().status(code).header("before", before).body(Full::from(sent)).unwrap()
    })
    .await
}

async fn always(code: u16) -> Server {
    Server::answers(Speaks::Http1, move |_, _| async move { status(code) }).await
}

fn put(url: &str) -> Request<Full<Bytes>> {
    Request::put(url).body(Full::from("well")).unwrap()
}

#[tokio::test]
async fn all_layers_in_their_order_work_over_hyper_s_client() {
    let (server, layers) = (falters().await, Layers::new());
    let mut service = layers.stack().layer(LiftLayer::new()).service(hyper());
    for before in ["1", "2"] {
        let service = finishes(service.ready()).await.unwrap();
        let answer = finishes(service.call(put(&server.url))).await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["before"]),
            (200, &before.parse().unwrap())
        );
        assert_eq!(finishes(answer.into_body().collect()).await.unwrap().to_bytes(), "well");
    }
    assert_eq!(server.connections(), 1);
    layers.assert_at_rest();
}

#[tokio::test]
async fn all_layers_in_their_order_work_over_reqwest_s_client_as_it_is() {
    let (server, layers, client) = (falters().await, Layers::new(), reqwest());
    let mut service = layers.stack().layer(LiftLayer::new()).service(client.clone());
    for before in ["1", "2"] {
        let request = client.put(&server.url).body("well").build().unwrap();
        let service = finishes(service.ready()).await.unwrap();
        let answer = finishes(service.call(request)).await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["before"]),
            (200, &before.parse().unwrap())
        );
        assert_eq!(finishes(answer.text()).await.unwrap(), "well");
    }
    assert_eq!(server.connections(), 1);
    layers.assert_at_rest();
}

#[tokio::test]
async fn a_breaker_opens_over_both_clients_and_sends_nothing_more() {
    let server = always(500).await;
    let layer = || {
        let settings = CircuitBreaker::new().consecutive_failures(Some(2));
        CircuitBreakerLayer::new(settings).unwrap()
    };
    let breaker = layer();
    let mut service =
        ServiceBuilder::new().layer(breaker.clone()).layer(LiftLayer::new()).service(hyper());
    for _ in 0..2 {
        let answer = finishes(service.ready().await.unwrap().call(put(&server.url))).await.unwrap();
        assert_eq!(answer.status(), 500);
    }
    assert_eq!(breaker.handle().state(), BreakerState::Open);
    let error = finishes(service.ready().await.unwrap().call(put(&server.url))).await.unwrap_err();
    assert_eq!(error.refused().unwrap().reason(), Reason::Open);

    let (breaker, client) = (layer(), reqwest());
    let mut service = ServiceBuilder::new()
        .layer(breaker.clone())
        .layer(LiftLayer::new())
        .service(client.clone());
    let get = || client.get(&server.url).build().unwrap();
    for _ in 0..2 {
        let answer = finishes(service.ready().await.unwrap().call(get())).await.unwrap();
        assert_eq!(answer.status(), 500);
    }
    let error = finishes(service.ready().await.unwrap().call(get())).await.unwrap_err();
    assert_eq!(error.refused().unwrap().reason(), Reason::Open);
}

#[tokio::test]
async fn one_429_holds_the_next_call_back_which_is_refused_where_it_has_no_time_to_wait() {
    let server = Server::answers(Speaks::Http1, |_, _| async {
        let answer = Response::builder().status(429).header("retry-after", "30");
        answer.body(Full::<Bytes>::default()).unwrap()
    })
    .await;
    let client = reqwest();
    let mut service = ServiceBuilder::new()
        .layer(DeadlineLayer::new(Duration::from_secs(20)))
        .layer(CoolDownLayer::new(CoolDown::new()).unwrap())
        .layer(LiftLayer::new())
        .service(client.clone());
    let get = || client.get(&server.url).build().unwrap();
    let answer = finishes(service.ready().await.unwrap().call(get())).await.unwrap();
    assert_eq!(answer.status(), 429);
    let error = finishes(service.ready().await.unwrap().call(get())).await.unwrap_err();
    let refused = error.refused().unwrap();
    assert_eq!(refused.reason(), Reason::CoolingDown);
    assert!(refused.retry_in().unwrap() > Duration::from_secs(20), "{refused}");
}

#[tokio::test]
async fn a_rate_limit_in_which_nobody_may_wait_refuses_the_second_call() {
    let (server, client) = (always(200).await, reqwest());
    let limit = RateLimitGuard::new(RateLimit::per(1, LONG)).unwrap().max_waiting(0);
    let mut service = ServiceBuilder::new()
        .layer(RateLimitLayer::of(limit, Http::new()))
        .layer(LiftLayer::new())
        .service(client.clone());
    let get = || client.get(&server.url).build().unwrap();
    assert!(finishes(service.ready().await.unwrap().call(get())).await.is_ok());
    let error = finishes(service.ready().await.unwrap().call(get())).await.unwrap_err();
    assert_eq!(error.refused().unwrap().reason(), Reason::NoTurn);
}

#[tokio::test]
async fn an_attempt_that_hangs_times_out_and_is_sent_again() {
    let server = Server::answers(Speaks::Http1, |before, _| async move {
        if before == 0 {
            pending::<()>().await;
        }
        status(200)
    })
    .await;
    let client = reqwest();
    let service = ServiceBuilder::new()
        .layer(retry())
        .layer(TimeoutLayer::new(Duration::from_millis(250)))
        .layer(LiftLayer::new())
        .service(client.clone());
    let request = client.get(&server.url).build().unwrap();
    assert_eq!(finishes(service.oneshot(request)).await.unwrap().status(), 200);
    assert_eq!(server.connections(), 2, "whoever gives an attempt up has its connection closed");
}

#[tokio::test]
async fn a_second_attempt_overtakes_one_that_hangs() {
    let server = Server::answers(Speaks::Http1, |before, _| async move {
        if before == 0 {
            pending::<()>().await;
        }
        status(200)
    })
    .await;
    let service = ServiceBuilder::new()
        .layer(HedgeLayer::new(Hedge::after(Duration::from_millis(5))).unwrap())
        .layer(LiftLayer::new())
        .service(hyper());
    let get = Request::get(&server.url).body(Full::default()).unwrap();
    assert_eq!(finishes(service.oneshot(get)).await.unwrap().status(), 200);
}

/// No `Res: Clone`, which responses of no client have.
#[tokio::test]
async fn what_is_fallen_back_on_is_an_answer_of_the_client_s_own_type() {
    let (server, client) = (always(503).await, reqwest());
    let yesterday = function(|_| Ok(Response::new("yesterday's").into()));
    let service = ServiceBuilder::new()
        .layer(FallbackLayer::new(yesterday))
        .layer(LiftLayer::new())
        .service(client.clone());
    let request = client.get(&server.url).build().unwrap();
    let answer = finishes(service.oneshot(request)).await.unwrap();
    assert_eq!(finishes(answer.text()).await.unwrap(), "yesterday's");
}
