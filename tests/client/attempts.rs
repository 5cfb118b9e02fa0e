//! What is sent again, and what is not.

use std::convert::Infallible;

use http::Method;
use mainstay::client::Reported;
use mainstay::http::{IdempotencyKeys, RetryRules};
use mainstay::pipeline::Pipeline;
use tower::service_fn;

use super::*;
use crate::socket::nobody;

#[tokio::test]
async fn a_get_that_is_answered_with_503_is_sent_three_times_and_a_post_once() {
    let (server, counts) = statuses(&[503]).await;
    let client = client();
    let sent = client.get(&server.url).report().send();
    let answer = finishes(sent).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.report().unwrap().attempts()), (503, 3));
    assert_eq!(counts.take(), 3);

    let answer = finishes(client.post(&server.url).body("once").report().send()).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.report().unwrap().attempts()), (503, 1));
    assert_eq!(counts.take(), 1);
}

#[tokio::test]
async fn a_post_with_a_key_is_sent_again_with_the_same_one() {
    let keys = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = Arc::clone(&keys);
    let server = Server::answers(Speaks::Http1, move |before, request| {
        let key = request.headers()["idempotency-key"].to_str().unwrap().to_owned();
        seen.lock().unwrap().push(key);
        let status = if before % 2 == 0 { 503 } else { 201 };
        async move { server::status(status) }
    })
    .await;
    let client = client();
    let order = client.post(&server.url).json(&["apples"]).idempotency_key("order-7");
    assert_eq!(finishes(order.send()).await.unwrap().status(), 201);
    let order = client.post(&server.url).unique_key(&IdempotencyKeys::new().bare());
    assert_eq!(finishes(order.send()).await.unwrap().status(), 201);
    let keys = keys.lock().unwrap();
    assert_eq!(keys[..2], ["order-7", "order-7"]);
    assert!(keys[2] == keys[3] && keys[2].len() == 36, "{keys:?}");
}

/// Also where the pipeline knows of no such field, and whatever key was said before.
#[tokio::test]
async fn a_post_with_a_key_in_another_field_is_sent_again_and_has_one_key() {
    let keys = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = Arc::clone(&keys);
    let server = Server::answers(Speaks::Http1, move |_, request| {
        let fields = ["idempotency-key", "paypal-request-id"];
        let keys = fields.map(|name| request.headers().get_all(name).iter().count());
        seen.lock().unwrap().push(keys);
        async { server::status(503) }
    })
    .await;
    let paypal = IdempotencyKeys::new().header(http::HeaderName::from_static("paypal-request-id"));
    // Each has a breaker of its own.
    let (one, other) = (client().post(&server.url), client().post(&server.url));
    finishes(one.unique_key(&paypal).unique_key(&paypal).send()).await.unwrap();
    assert_eq!(std::mem::take(&mut *keys.lock().unwrap()), [[0, 1]; 3]);
    finishes(other.idempotency_key("one").idempotency_key("two").send()).await.unwrap();
    assert_eq!(std::mem::take(&mut *keys.lock().unwrap()), [[1, 0]; 3]);
}

#[tokio::test]
async fn a_connection_that_is_refused_is_tried_again_whatever_the_method() {
    let (_port, url) = nobody();
    for method in [Method::GET, Method::POST] {
        let error = finishes(client().request(method, &url).body("x").send()).await.unwrap_err();
        assert!(error.is_connect(), "{error:?}");
        assert_eq!(error.attempts(), 3);
    }
}

#[tokio::test]
async fn a_stream_is_sent_once_and_whole() {
    let received = Arc::new(std::sync::Mutex::new(Vec::new()));
    let all = Arc::clone(&received);
    let server = Server::answers(Speaks::Http1, move |_, request| {
        let all = Arc::clone(&all);
        async move {
            use http_body_util::BodyExt;
            let body = request.into_body().collect().await.unwrap().to_bytes();
            all.lock().unwrap().push(body);
            server::status(503)
        }
    })
    .await;
    let pieces = ["one, ", "two, ", "three"].map(Ok::<_, std::io::Error>);
    let stream = reqwest::Body::wrap_stream(futures_util::stream::iter(pieces));
    let answer = finishes(client().put(&server.url).body(stream).send()).await.unwrap();
    assert_eq!(answer.status(), 503);
    assert_eq!(*received.lock().unwrap(), ["one, two, three"]);
}

#[tokio::test]
async fn one_call_may_have_other_rules_and_another_pipeline() {
    let (server, counts) = statuses(&[409]).await;
    let client = client();
    let rules = RetryRules::standard()
        .status(http::StatusCode::CONFLICT, mainstay::http::When::IfIdempotent)
        .idempotent(Method::PATCH);
    finishes(client.patch(&server.url).rules(rules).send()).await.unwrap();
    assert_eq!(counts.take(), 3);
    finishes(client.patch(&server.url).send()).await.unwrap();
    assert_eq!(counts.take(), 1);

    let (server, counts) = statuses(&[503]).await;
    let once = Pipeline::named("once").build().unwrap();
    let answer = finishes(client.get(&server.url).pipeline(&once).send()).await.unwrap();
    assert_eq!((answer.status().as_u16(), counts.take()), (503, 1));
    assert!(once.hosts().len() == 1 && client.pipeline().hosts().len() == 1);
}

/// Paused time, and no socket.
#[tokio::test(start_paused = true)]
async fn the_pipeline_of_a_client_s_first_call_is_not_that_of_the_next() {
    let counts = Counts::default();
    let counted = counts.clone();
    let down = service_fn(move |_: http::Request<reqwest::Body>| {
        counted.one_more();
        async { Ok::<_, Infallible>(server::status(503)) }
    });
    let client = builder().base_url("http://down").over(down).build().unwrap();
    let once = Pipeline::named("once").build().unwrap();
    client.get("/").pipeline(&once).send().await.unwrap();
    assert_eq!((counts.take(), once.hosts().len(), client.pipeline().hosts().len()), (1, 1, 0));
    client.get("/").send().await.unwrap();
    assert_eq!((counts.take(), client.pipeline().hosts().len()), (3, 1));

    client.pipeline().close().await;
    let closed = client.get("/").send().await.unwrap_err();
    assert_eq!(closed.refused().unwrap().reason(), mainstay::Reason::Closed);
    client.get("/").pipeline(&once).send().await.unwrap();
}

/// Out of a client that follows redirects inside of an attempt it may be the answer to another
/// request, which came after this one was done.
#[tokio::test]
async fn a_post_that_is_answered_with_429_is_sent_again() {
    let (server, counts) = statuses(&[429, 201]).await;
    let pipeline = quick().per_host(|mut host| {
        host.cool_down = None; // it would wait a second
        host
    });
    let client = builder().pipeline(pipeline.build().unwrap()).build().unwrap();
    let answer = finishes(client.post(&server.url).body("pay").send()).await.unwrap();
    assert_eq!((answer.status().as_u16(), counts.take()), (201, 2));
}
