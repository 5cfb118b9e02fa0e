//! Of which requests copies are kept, and how many are made.

use std::future::ready;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};

use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use mainstay_policy::Outcome;
use tower::service_fn;

use super::*;
use crate::budget::Unbounded;
use crate::http::{Copies, ReplayBody};
use crate::{BoxError, CallError, Discard, Ending, Protocol, Reason, Refused};

/// A protocol of one's own: a word is sent, and all is well if the answer is. What else is answered
/// is never let go of. Counts what it is asked for.
#[derive(Debug, Default)]
struct Words {
    copied: AtomicU32,
    prepared: AtomicU32,
}

impl Protocol<String, &'static str, BoxError> for Words {
    type About = bool;

    fn copies(&self, request: &String) -> Copies {
        if request.starts_with("stream") { Copies::Never } else { Copies::Alongside }
    }

    fn copy(&self, request: &String) -> Option<String> {
        let before = self.copied.fetch_add(1, Ordering::Relaxed);
        (before == 0 || !request.starts_with("twice")).then(|| request.clone())
    }

    fn prepare(&self, request: &mut String) {
        self.prepared.fetch_add(1, Ordering::Relaxed);
        request.push('!');
    }

    fn about(&self, request: &String) -> bool {
        !request.starts_with("never")
    }

    fn may_repeat(&self, may_repeat: &bool) -> bool {
        *may_repeat
    }

    fn end(&self, _: &bool, end: Result<&&'static str, &BoxError>) -> Ending {
        match end.map_err(CallError::refused) {
            Ok(&"well") => Ending::new(Outcome::Success),
            Err(Some(_)) => Ending::new(Outcome::Refused).with_wait(ms(5)),
            Ok(_) | Err(None) => Ending::new(Outcome::Transient),
        }
    }
}

impl Discard<&'static str> for Words {
    fn discard(&self, _: &'static str) -> impl Future<Output = ()> + Send + 'static {
        std::future::pending()
    }
}

type Answer = Result<&'static str, BoxError>;

fn ill() -> Answer {
    Err("ill".into())
}

fn well() -> Answer {
    Ok("well")
}

fn refused() -> Answer {
    Err(Refused::new("circuit breaker", Reason::Open).into())
}

/// What a server was sent that answers so, and how many copies were made.
async fn sent(attempts: u32, answers: &[fn() -> Answer], word: &str) -> (Vec<String>, u32) {
    let words = Arc::new(Words::default());
    let at_once = Retry::up_to(attempts).backoff(Backoff::constant(Duration::ZERO));
    let layer = RetryLayer::of(at_once, Unbounded, Arc::clone(&words)).unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (log, answers) = (Arc::clone(&seen), answers.to_vec());
    let mut service = layer.layer(service_fn(move |word: String| {
        let mut seen = log.lock().unwrap();
        seen.push(word);
        ready(answers[seen.len() - 1]())
    }));
    assert!(service.poll_ready(&mut Context::from_waker(Waker::noop())).is_ready());
    let _ = service.call(word.to_owned()).await;
    assert_eq!(words.prepared.load(Ordering::Relaxed), 1, "once a call");
    (std::mem::take(&mut *seen.lock().unwrap()), words.copied.load(Ordering::Relaxed))
}

fn times(count: usize, word: &str) -> Vec<String> {
    vec![word.to_owned(); count]
}

/// C14
#[tokio::test(start_paused = true)]
async fn the_last_attempt_takes_the_request_and_makes_no_copy() {
    assert_eq!(sent(3, &[ill, ill, ill], "again").await, (times(3, "again!"), 2));
    assert_eq!(sent(3, &[ill, well], "again").await, (times(2, "again!"), 2));
    assert_eq!(sent(2, &[ill, well], "again").await, (times(2, "again!"), 1));
    assert_eq!(sent(3, &[well], "again").await, (times(1, "again!"), 1));
}

/// C14
#[tokio::test(start_paused = true)]
async fn a_call_of_one_attempt_makes_no_copy() {
    assert_eq!(sent(1, &[ill], "again").await, (times(1, "again!"), 0));
}

#[tokio::test(start_paused = true)]
async fn no_copy_is_made_of_what_may_never_be_repeated_and_it_is_sent_once() {
    assert_eq!(sent(3, &[ill], "never").await, (times(1, "never!"), 0));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_copied_is_sent_once() {
    assert_eq!(sent(3, &[ill], "stream").await, (times(1, "stream!"), 0));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_not_waited_out_without_a_copy() {
    assert_eq!(sent(3, &[refused], "stream").await, (times(1, "stream!"), 0));
    assert_eq!(sent(3, &[refused, well], "again").await, (times(2, "again!"), 2));
    // The second attempt took the only copy there could be.
    assert_eq!(sent(3, &[ill, refused], "twice").await, (times(2, "twice!"), 2));
}

#[tokio::test(start_paused = true)]
async fn a_protocol_that_never_lets_go_of_an_answer_costs_a_tenth_of_a_second() {
    let began = crate::clock::now();
    let strange = || Ok("ill");
    assert_eq!(sent(3, &[strange, strange, well], "again").await.0, times(3, "again!"));
    assert_eq!(crate::clock::now().since(began), ms(200));
}

#[cfg(feature = "tower")]
#[tokio::test(start_paused = true)]
async fn tower_s_retry_makes_no_copy_for_the_last_attempt() {
    let words = Arc::new(Words::default());
    let ours = RetryLayer::of(plain(3), Unbounded, Arc::clone(&words)).unwrap();
    let theirs = tower::retry::RetryLayer::new(ours.as_policy());
    let mut service = theirs.layer(service_fn(|_: String| ready(ill())));
    assert!(service.poll_ready(&mut Context::from_waker(Waker::noop())).is_ready());
    assert!(service.call("again".to_owned()).await.is_err());
    assert_eq!(words.copied.load(Ordering::Relaxed), 2);
}

type Streamed = ::http::Request<UnsyncBoxBody<Bytes, std::io::Error>>;

#[tokio::test(start_paused = true)]
async fn a_streaming_body_is_sent_once() {
    let count = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&count);
    let mut service = layer(plain(3)).layer(service_fn(move |_: Streamed| {
        counted.fetch_add(1, Ordering::Relaxed);
        ready(Ok::<_, TestError>(unavailable()))
    }));
    let body = Full::new(Bytes::from("stream")).map_err(|never| match never {}).boxed_unsync();
    assert!(service.poll_ready(&mut Context::from_waker(Waker::noop())).is_ready());
    let answer = service.call(::http::Request::put("/").body(body).unwrap()).await.unwrap();
    assert_eq!((answer.status().as_u16(), count.load(Ordering::Relaxed)), (503, 1));
}

fn unavailable() -> ::http::Response<Full<Bytes>> {
    ::http::Response::builder().status(503).body(Full::default()).unwrap()
}

/// What a server that reads its requests to the end has read, over a limit of eleven bytes.
async fn replayed(text: &'static str) -> Vec<Result<Bytes, String>> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let server = service_fn(move |request: ::http::Request<ReplayBody>| {
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
    assert!(service.poll_ready(&mut Context::from_waker(Waker::noop())).is_ready());
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
