//! A pipeline over real clients, and in front of what users have.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use mainstay::http::{CallOptions, Key};
use mainstay::pipeline::{FixedAnswer, Hold, Pipeline, PipelineSpec};
use mainstay::policy::backoff::Backoff;
use mainstay::retry::Retry;
use mainstay::{CallError, Reason, Refused};
use tower::buffer::BufferLayer;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt};

use crate::finishes;
use crate::layers::LONG;
use crate::server::{Server, Speaks, status};

fn reqwest() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().retry(reqwest::retry::never()).build().unwrap()
}

/// Three attempts, a few milliseconds apart.
fn quick() -> PipelineSpec {
    let backoff = Backoff::constant(Duration::from_millis(5));
    PipelineSpec::standard().rename("quick").retry(Retry::up_to(3).backoff(backoff))
}

/// Fails once, and then echoes what it is sent.
async fn falters() -> Server {
    Server::answers(Speaks::Http1, |before, request| async move {
        let sent = request.into_body().collect().await.unwrap().to_bytes();
        let code = if before == 0 { 503 } else { 200 };
        Response::builder().status(code).body(Full::from(sent)).unwrap()
    })
    .await
}

fn key(server: &Server) -> Key {
    Key::new(server.url.trim_end_matches('/').to_owned())
}

fn in_use(pipeline: &Pipeline, server: &Server) -> u32 {
    pipeline.host(&key(server)).unwrap().concurrency().unwrap().snapshot().in_use
}

#[tokio::test]
async fn it_stands_before_reqwest_s_client_and_answers_with_that_crate_s_own_type() {
    let (server, client) = (falters().await, reqwest());
    let mut service = quick().build().unwrap().layer(client.clone());
    for _ in 0..2 {
        let request = client.put(&server.url).body("well").build().unwrap();
        let answer: reqwest::Response =
            finishes(service.ready().await.unwrap().call(request)).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(finishes(answer.text()).await.unwrap(), "well");
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_body_of_reqwest_s_holds_its_slot_until_it_is_read() {
    let (server, client) = (falters().await, reqwest());
    let hold = Hold::Body { idle: LONG };
    let pipeline = quick().body_idle(LONG).per_host(|host| host.hold(hold)).build().unwrap();
    let service = pipeline.layer(client.clone());
    let request = client.put(&server.url).body("well").build().unwrap();
    let answer = finishes(service.oneshot(request)).await.unwrap();
    assert_eq!(in_use(&pipeline, &server), 1);
    assert_eq!(finishes(answer.text()).await.unwrap(), "well");
    assert_eq!(in_use(&pipeline, &server), 0);
}

#[tokio::test]
async fn what_it_falls_back_on_is_an_answer_of_reqwest_s() {
    let server = Server::answers(Speaks::Http1, |_, _| async { status(503) }).await;
    let client = reqwest();
    let instead = FixedAnswer::new(StatusCode::NON_AUTHORITATIVE_INFORMATION).body("yesterday's");
    let service = quick().fallback(instead).build().unwrap().layer(client.clone());
    let request = client.get(&server.url).build().unwrap();
    let answer = finishes(service.oneshot(request)).await.unwrap();
    assert_eq!(answer.status(), 203);
    assert_eq!(finishes(answer.text()).await.unwrap(), "yesterday's");
}

#[tokio::test]
async fn it_stands_before_hyper_s_client() {
    let server = falters().await;
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let service = quick().build().unwrap().layer(client);
    let mut request = Request::put(&server.url).body(Full::from("well")).unwrap();
    request.extensions_mut().insert(CallOptions::new().key(Key::new("hyper's")));
    let answer = finishes(tokio::spawn(service.oneshot(request))).await.unwrap().unwrap();
    assert_eq!(finishes(answer.into_body().collect()).await.unwrap().to_bytes(), "well");
}

#[tokio::test]
async fn nobody_is_asked_at_a_port_where_nobody_listens_once_its_breaker_is_open() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = reqwest();
    let open_time = Backoff::constant(LONG).jitter(mainstay::policy::backoff::Jitter::None);
    let spec = quick().per_host(|mut host| {
        host.circuit_breaker = host.circuit_breaker.map(|breaker| breaker.open_time(open_time));
        host
    });
    let mut service = spec.build().unwrap().layer(client.clone());
    let get = || client.get(format!("http://{closed}/")).build().unwrap();
    let mut ends = Vec::new();
    for _ in 0..3 {
        let end = finishes(service.ready().await.unwrap().call(get())).await;
        ends.push(end.unwrap_err().refused().map(Refused::reason));
    }
    // Three attempts, two of the next call, and then none.
    assert_eq!(ends, [None, Some(Reason::Open), Some(Reason::Open)]);
}

/// What tower's own layers do to a service: another error, another task, no type.
#[tokio::test]
async fn it_stands_among_tower_s_own_layers() {
    let (server, client) = (falters().await, reqwest());
    let service = ServiceBuilder::new()
        .layer(BufferLayer::new(8))
        .layer(quick().build().unwrap().keep_error())
        .timeout(LONG)
        .service(client.clone());
    let service: BoxCloneSyncService<_, _, BoxError> = BoxCloneSyncService::new(service);
    let request = client.put(&server.url).body("well").build().unwrap();
    let answer = finishes(tokio::spawn(service.oneshot(request))).await.unwrap().unwrap();
    assert_eq!(answer.status(), 200);
}
