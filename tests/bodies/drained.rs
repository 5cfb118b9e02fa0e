use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use mainstay::http::body::drain;

use crate::finishes;
use crate::server::{Server, Speaks};

const ANSWERS: usize = 5;

#[tokio::test]
async fn drained_answers_share_a_connection() {
    assert_eq!(finishes(connections(true)).await, 1);
}

#[tokio::test]
async fn dropped_answers_that_are_not_read_cost_a_connection_each() {
    assert_eq!(finishes(connections(false)).await, ANSWERS);
}

/// How many connections a few unwanted answers cost.
async fn connections(drains: bool) -> usize {
    let server = Server::answers(Speaks::Http1, |_, request| async {
        let _ = request.into_body().collect().await;
        let chunk = |_| Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[b'x'; 1000])));
        let body = StreamBody::new(stream::iter((0..20).map(chunk)));
        Response::builder().status(503).body(body).unwrap()
    })
    .await;
    let client: Client<_, Full<Bytes>> =
        Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build_http();
    for _ in 0..ANSWERS {
        let request = Request::get(&server.url).body(Full::default()).unwrap();
        let answer = client.request(request).await.unwrap();
        assert_eq!(answer.status(), 503);
        if drains {
            drain(answer).await;
        }
        the_client_has_its_connection_back().await;
    }
    server.connections()
}

/// hyper-util takes a connection back in a task of its own. There is one thread for all, and
/// nothing to wait for but turns.
async fn the_client_has_its_connection_back() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
