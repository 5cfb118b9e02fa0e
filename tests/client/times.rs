//! What takes too long.

use mainstay::client::ClientError;
use mainstay::http::Cause;

use super::*;
use crate::socket::serve;

const SHORT: Duration = Duration::from_millis(100);

/// Gives half of its answer's body, and then says nothing.
async fn falls_silent() -> String {
    falls_silent_after("200 OK").await
}

async fn falls_silent_after(status: &'static str) -> String {
    serve(move |mut connection| async move {
        connection.reads_request_to("").await;
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: 8\r\n\r\nhalf");
        connection.writes(head.as_bytes()).await;
        connection.says_nothing().await;
    })
    .await
}

#[tokio::test]
async fn a_body_that_falls_silent_fails_by_the_read_timeout() {
    let url = falls_silent().await;
    let client = builder().read_timeout(SHORT).build().unwrap();
    let answer = finishes(client.get(&url).send()).await.unwrap();
    assert_eq!(answer.url().as_str(), url);
    let error = ClientError::from(finishes(answer.text()).await.unwrap_err());
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(error.refused().unwrap().layer(), "body timeout");
}

#[tokio::test]
async fn the_timeout_of_a_call_ends_its_body_too() {
    let url = falls_silent().await;
    let answer = finishes(client().get(&url).timeout(SHORT).send()).await.unwrap();
    let error = ClientError::from(finishes(answer.text()).await.unwrap_err());
    assert_eq!(error.refused().unwrap().layer(), "timeout of the call");
}

#[tokio::test]
async fn the_answer_in_an_error_is_bounded_as_any_other() {
    let url = falls_silent_after("404 Not Found").await;
    let client = client();
    let call = || client.get(&url).error_for_status();
    for (call, layer) in [
        (call().timeout(SHORT), "timeout of the call"),
        (call().read_timeout(SHORT), "body timeout"),
    ] {
        let answer = finishes(call.send()).await.unwrap_err().into_response().unwrap();
        let error = ClientError::from(finishes(answer.text()).await.unwrap_err());
        assert_eq!(error.refused().unwrap().layer(), layer);
    }
}

#[tokio::test]
async fn the_timeout_of_a_call_ends_it_before_its_head() {
    let url = serve(|connection| connection.says_nothing()).await;
    let client = builder().timeout(LONG).build().unwrap();
    let error = finishes(client.get(&url).timeout(SHORT).send()).await.unwrap_err();
    assert_eq!(error.cause(), Cause::TimedOut);
    assert_eq!(
        error.to_string(),
        format!(
            "GET {url}: no answer in time; `timeout` gives it longer, a report says what was slow"
        )
    );
}

/// Paused time, and no socket.
#[tokio::test(start_paused = true)]
async fn an_error_says_which_of_the_times_would_have_to_be_longer() {
    let silent = tower::service_fn(|_: http::Request<reqwest::Body>| {
        std::future::pending::<Result<Response<String>, std::convert::Infallible>>()
    });
    let client = |spec: PipelineSpec| {
        Client::builder().over(silent).pipeline(spec.build().unwrap()).build().unwrap()
    };
    let (bare, once) = (PipelineSpec::named("bare"), quick().retry(Retry::up_to(1)));
    for (call, advice) in [
        (client(bare.clone()).get("http://a/").timeout(SHORT), "`timeout` gives it longer"),
        (client(once).get("http://a/").timeout(LONG), "its pipeline's `attempt_timeout` gives"),
        (client(bare.deadline(SHORT)).get("http://a/"), "its pipeline's `deadline` gives it"),
    ] {
        let error = call.send().await.unwrap_err().to_string();
        assert!(error.contains(&format!("no answer in time; {advice}")), "{error}");
    }
}

/// Where the length was said, nobody asks for an end: that it is let go of says that it was taken.
#[tokio::test]
async fn an_upload_that_was_taken_whole_is_let_go_of_before_its_answer() {
    let (held, let_go) = tokio::sync::oneshot::channel::<()>();
    let let_go = Arc::new(tokio::sync::Mutex::new(Some(let_go)));
    let url = serve(move |mut connection| {
        let let_go = Arc::clone(&let_go);
        async move {
            connection.reads_request_to("hello").await;
            let let_go = let_go.lock().await.take().unwrap();
            assert!(let_go.await.is_err(), "it is dropped");
            connection.writes(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        }
    })
    .await;
    let client = builder().write_timeout(LONG).build().unwrap();
    let mut pieces = ["hel", "lo"].into_iter();
    let stream = futures_util::stream::poll_fn(move |_| {
        let _is_held = &held;
        std::task::Poll::Ready(pieces.next().map(Ok::<_, std::io::Error>))
    });
    let body = reqwest::Body::wrap_stream(stream);
    let call = client.put(&url).header("content-length", "5").body(body);
    assert_eq!(finishes(call.send()).await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_upload_that_the_server_does_not_take_fails_by_the_write_timeout() {
    let url = serve(|connection| async move {
        connection.sees_bytes().await;
        std::future::pending::<()>().await;
    })
    .await;
    let client = builder().write_timeout(SHORT).build().unwrap();
    let pieces = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![7; 1 << 16]));
    let body = reqwest::Body::wrap_stream(pieces);
    let error = finishes(client.put(&url).body(body).send()).await.unwrap_err();
    assert_eq!(error.refused().unwrap().layer(), "write timeout");
    assert!(error.is_timeout());
}
