use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use mainstay::LiftLayer;
use mainstay::http::{Http, ReplayLayer, RetryRules};
use mainstay::retry::{Backoff, Retry, RetryLayer};
use tower::{ServiceBuilder, ServiceExt};

use crate::finishes;
use crate::server::{Server, Speaks, status};

/// Long enough for hyper-util to take its connection back, which needs turns and no time.
const WAIT: Duration = Duration::from_millis(20);

fn retry() -> RetryLayer {
    RetryLayer::new(Retry::up_to(3).backoff(Backoff::constant(WAIT))).unwrap()
}

/// Fails twice, with an answer that takes reading; then echoes what it is sent.
async fn falters() -> Server {
    Server::answers(Speaks::Http1, |before, request| async move {
        let sent = request.into_body().collect().await.unwrap().to_bytes();
        let chunks =
            if before < 2 { vec![Bytes::from_static(&[b'x'; 1000]); 20] } else { vec![sent] };
        let frames = chunks.into_iter().map(|chunk| Ok::<_, Infallible>(Frame::data(chunk)));
        let body = StreamBody::new(stream::iter(frames));
        Response::builder().status(if before < 2 { 503 } else { 200 }).body(body).unwrap()
    })
    .await
}

/// Unread, each failed answer would cost a connection.
#[tokio::test]
async fn the_attempts_of_a_call_share_a_connection() {
    let server = falters().await;
    let client: Client<_, Full<Bytes>> =
        Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build_http();
    let service = ServiceBuilder::new().layer(retry()).layer(LiftLayer::new()).service(client);
    let request = Request::put(&server.url).body(Full::from("in memory")).unwrap();
    let answer = finishes(service.oneshot(request)).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "in memory");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_stream_is_repeated_beneath_a_replay_layer() {
    let server = falters().await;
    let client: Client<_, _> =
        Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build_http();
    let service = ServiceBuilder::new()
        .layer(ReplayLayer::new())
        .layer(retry())
        .layer(LiftLayer::new())
        .service(client);
    let frames = ["some ", "chunks"].map(|chunk| Ok::<_, Infallible>(Frame::data(chunk.into())));
    let body: StreamBody<_> = StreamBody::new(stream::iter(frames));
    let body = body.map_frame(|frame: Frame<Bytes>| frame);
    let request = Request::put(&server.url).body(body).unwrap();
    let answer = finishes(service.oneshot(request)).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "some chunks");
}

#[tokio::test]
async fn a_client_of_reqwest_s_is_retried_as_it_is() {
    let server = falters().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.put(&server.url).body("in memory").build().unwrap();
    let service = ServiceBuilder::new().layer(retry()).layer(LiftLayer::new()).service(client);
    let answer = finishes(service.oneshot(request)).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(finishes(answer.text()).await.unwrap(), "in memory");
    assert_eq!(server.connections(), 1);
}

/// What was never sent is repeated even if it is a POST, and no redirects are followed.
#[tokio::test]
async fn a_post_of_reqwest_s_is_sent_again_where_there_are_no_redirects() {
    let server = Server::answers(Speaks::Http1, |before, _| async move {
        status(if before == 0 { 429 } else { 200 })
    })
    .await;
    let no_redirects = reqwest::redirect::Policy::none();
    let client = reqwest::Client::builder().no_proxy().redirect(no_redirects).build().unwrap();
    let rules = RetryRules::standard().without_redirects();
    let retry = retry().protocol(Http::new().rules(rules));
    let request = client.request(Method::POST, &server.url).body("order").build().unwrap();
    let service = ServiceBuilder::new().layer(retry).layer(LiftLayer::new()).service(client);
    assert_eq!(finishes(service.oneshot(request)).await.unwrap().status(), 200);
}
