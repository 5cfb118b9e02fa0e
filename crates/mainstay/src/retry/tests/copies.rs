//! Of which requests copies are kept, and how many are made.

use std::future::ready;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use mainstay_policy::Outcome;

use super::*;
use crate::budget::Unbounded;
use crate::http::{Copies, ReplayBody};
use crate::{BoxError, CallError, Discard, Ending, Protocol};

/// A protocol of one's own: a word is sent, an error may pass. Counts what it is asked for.
#[derive(Debug, Default)]
struct Words {
    copied: AtomicU32,
    prepared: AtomicU32,
}

impl Protocol<String, &'static str, BoxError> for Arc<Words> {
    type About = ();

    fn copies(&self, request: &String) -> Copies {
        if request == "once" { Copies::Never } else { Copies::Alongside }
    }

    fn copy(&self, request: &String) -> Option<String> {
        self.copied.fetch_add(1, Ordering::Relaxed);
        Some(request.clone())
    }

    fn prepare(&self, request: &mut String) {
        self.prepared.fetch_add(1, Ordering::Relaxed);
        request.push('!');
    }

    fn about(&self, _: &String) {}

    fn may_repeat(&self, (): &()) -> bool {
        true
    }

    fn end(&self, (): &(), end: Result<&&'static str, &BoxError>) -> Ending {
        Ending::new(match end {
            Ok(_) => Outcome::Success,
            Err(error) if error.refused().is_some() => Outcome::Refused,
            Err(_) => Outcome::Transient,
        })
    }
}

impl Discard<&'static str> for Arc<Words> {}

/// How often a server that answers the n-th attempt was asked, and how many copies were made.
async fn sent(attempts: u32, answers_at: usize, word: &str) -> (Vec<String>, u32) {
    let words = Arc::new(Words::default());
    let layer = RetryLayer::of(plain(attempts), Unbounded, Arc::clone(&words)).unwrap();
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let mut service = layer.layer(tower::service_fn(move |word: String| {
        let mut seen = log.lock().unwrap();
        seen.push(word);
        let well = seen.len() >= answers_at;
        ready(if well { Ok("well") } else { Err(BoxError::from("ill")) })
    }));
    assert!(service.poll_ready(&mut Context::from_waker(std::task::Waker::noop())).is_ready());
    let _ = service.call(word.to_owned()).await;
    assert_eq!(words.prepared.load(Ordering::Relaxed), 1, "once a call");
    (std::mem::take(&mut *seen.lock().unwrap()), words.copied.load(Ordering::Relaxed))
}

/// C14
#[tokio::test(start_paused = true)]
async fn the_last_attempt_takes_the_request_and_makes_no_copy() {
    assert_eq!(sent(3, 9, "again").await, (vec!["again!".to_owned(); 3], 2));
    assert_eq!(sent(3, 2, "again").await, (vec!["again!".to_owned(); 2], 2));
    assert_eq!(sent(3, 1, "again").await, (vec!["again!".to_owned()], 1));
}

/// C14
#[tokio::test(start_paused = true)]
async fn a_call_of_one_attempt_makes_no_copy() {
    assert_eq!(sent(1, 9, "again").await, (vec!["again!".to_owned()], 0));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_copied_is_sent_once() {
    let words = sent(3, 9, "once").await;
    assert_eq!(words.0.len(), 3, "prepared, it can be");
}

type Streamed = ::http::Request<UnsyncBoxBody<Bytes, std::io::Error>>;

#[tokio::test(start_paused = true)]
async fn a_streaming_body_is_sent_once() {
    let count = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&count);
    let mut service = layer(plain(3)).layer(tower::service_fn(move |_: Streamed| {
        counted.fetch_add(1, Ordering::Relaxed);
        ready(Ok::<_, TestError>(unavailable()))
    }));
    let body = Full::new(Bytes::from("stream")).map_err(|never| match never {}).boxed_unsync();
    assert!(service.poll_ready(&mut Context::from_waker(std::task::Waker::noop())).is_ready());
    let answer = service.call(::http::Request::put("/").body(body).unwrap()).await.unwrap();
    assert_eq!((answer.status().as_u16(), count.load(Ordering::Relaxed)), (503, 1));
}

fn unavailable() -> ::http::Response<Full<Bytes>> {
    ::http::Response::builder().status(503).body(Full::default()).unwrap()
}

/// What a server that reads its requests to the end has read, over a limit of eleven bytes.
async fn replayed(text: &'static str) -> Vec<Result<Bytes, String>> {
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let server = tower::service_fn(move |request: ::http::Request<ReplayBody>| {
        let log = Arc::clone(&log);
        async move {
            let read = request.into_body().collect().await;
            let read = read.map(|read| read.to_bytes()).map_err(|error| error.to_string());
            log.lock().unwrap().push(read);
            Ok::<_, TestError>(unavailable())
        }
    });
    let mut service = layer(plain(3)).layer(server);
    let stream = Chunks(text.as_bytes().chunks(4));
    let request = ::http::Request::put("/").body(ReplayBody::with_limit(stream, 11)).unwrap();
    assert!(service.poll_ready(&mut Context::from_waker(std::task::Waker::noop())).is_ready());
    let answer = service.call(request).await.unwrap();
    assert_eq!(answer.status(), 503);
    std::mem::take(&mut *seen.lock().unwrap())
}

/// A stream of which nobody knows the size.
struct Chunks(std::slice::Chunks<'static, u8>);

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, std::io::Error>>> {
        let chunk = self.0.next().map(Bytes::from_static);
        Poll::Ready(chunk.map(|chunk| Ok(http_body::Frame::data(chunk))))
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_kept_is_sent_whole_by_each_attempt() {
    assert_eq!(replayed("eleven byte").await, vec![Ok(Bytes::from("eleven byte")); 3]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_grew_too_large_ends_the_call_with_the_answer_it_had() {
    assert_eq!(replayed("twelve bytes").await, vec![Ok(Bytes::from("twelve bytes"))]);
}
