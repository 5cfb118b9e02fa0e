//! What is read of a response that nobody wants, and what is not.

use std::future::poll_fn;
use std::time::Duration;

use ::http::header::{CONNECTION, HeaderValue};
use ::http::{Response, Version};
use tokio::time::timeout;

use super::super::{DRAIN_BYTES, DRAIN_TIME, drain};
use super::*;

const TOO_LONG: Duration = Duration::from_secs(60);

/// A script that goes on for ever, with the same step.
struct Endless(Step, Log);

impl Body for Endless {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polls = self.1.polls.fetch_add(1, Ordering::Relaxed);
        assert!(polls < 10_000, "the drain has no end");
        let once = Script::of([self.0.clone()]);
        Box::pin(once).as_mut().poll_frame(cx)
    }
}

async fn drains(response: Response<impl Body>) {
    timeout(TOO_LONG, drain(response)).await.expect("the drain has no end");
}

fn says(connection: &'static str) -> Response<Script> {
    let mut response = Response::new(Script::of([data("a")]));
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static(connection));
    response
}

fn hangs() -> (Response<Endless>, Log) {
    let log = Log::default();
    (Response::new(Endless(Step::Waits, log.clone())), log)
}

#[tokio::test(start_paused = true)]
async fn a_body_within_bounds_is_read_to_its_end_and_let_go() {
    let steps = [data("a"), Step::Waits, data("b"), Step::Trailers];
    let script = Script::of(steps);
    let log = script.log();
    let mut draining = by_hand(drain(Response::new(script)));
    assert!(draining.poll().is_pending());
    log.wake();
    assert!(draining.poll().is_ready());
    assert_eq!(log.polls(), 5);
    assert!(log.is_alone(), "the body is dropped before the future is");
    assert!(draining.poll().is_ready(), "polling it again does no harm");
}

#[tokio::test(start_paused = true)]
async fn exactly_the_limit_is_read_to_its_end_and_one_byte_more_is_not() {
    let limit = usize::try_from(DRAIN_BYTES).unwrap();
    for (last, polls) in [(limit - 1, 3), (limit, 2)] {
        let script = Script::of([data(vec![0; last]), data("b")]);
        let log = script.log();
        drains(Response::new(script)).await;
        assert_eq!(log.polls(), polls);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_without_end_is_read_up_to_the_limit() {
    let log = Log::default();
    drains(Response::new(Endless(data(vec![0; 1024]), log.clone()))).await;
    assert_eq!(log.polls(), 65);
    assert!(log.is_alone());
}

#[tokio::test(start_paused = true)]
async fn empty_frames_without_end_do_not_hold_the_executor() {
    let log = Log::default();
    drains(Response::new(Endless(data(""), log.clone()))).await;
    assert_eq!(log.polls(), 1025);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_hangs_is_given_up_after_the_time_limit() {
    let (response, log) = hangs();
    let mut draining = Box::pin(drain(response));
    let tick = Duration::from_millis(1); // a timer may be late by as much
    timeout(DRAIN_TIME - tick, draining.as_mut()).await.expect_err("it is given up too soon");
    timeout(tick * 2, draining.as_mut()).await.expect("it is given up too late");
    assert!(log.is_alone());
}

#[tokio::test(start_paused = true)]
async fn what_is_there_when_the_time_is_up_is_still_read() {
    let script = Script::of([Step::Waits, data("late")]);
    let log = script.log();
    let mut draining = Box::pin(drain(Response::new(script)));
    poll_fn(|cx| Poll::Ready(draining.as_mut().poll(cx).is_pending())).await;
    tokio::time::advance(DRAIN_TIME * 2).await;
    draining.await;
    assert_eq!(log.polls(), 3);
}

#[test]
fn a_body_that_does_not_wait_needs_no_timer() {
    // Outside of a runtime, making one would panic.
    let mut draining = by_hand(drain(Response::new(Script::of(ten_chunks()))));
    assert!(draining.poll().is_ready());
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_body_ends_it() {
    let script = Script::of([data("a"), Step::Fails, data("b")]);
    let log = script.log();
    drains(Response::new(script)).await;
    assert_eq!(log.polls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_says_that_it_is_too_large_is_not_polled() {
    for (size, polls) in [(DRAIN_BYTES, 2), (DRAIN_BYTES + 1, 0)] {
        let script = Script::of([data("a")]).with_size(size, Some(size));
        let log = script.log();
        drains(Response::new(script)).await;
        assert_eq!(log.polls(), polls, "{size}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_at_its_end_is_not_polled() {
    let script = Script::of([]).sized();
    let log = script.log();
    drains(Response::new(script)).await;
    assert_eq!(log.polls(), 0);
}

#[tokio::test(start_paused = true)]
async fn other_versions_of_http_are_not_polled() {
    for version in [Version::HTTP_09, Version::HTTP_10, Version::HTTP_2, Version::HTTP_3] {
        let script = Script::of([data("a")]);
        let log = script.log();
        let mut response = Response::new(script);
        *response.version_mut() = version;
        let draining = drain(response);
        assert!(log.is_alone(), "it is dropped at once");
        draining.await;
        assert_eq!(log.polls(), 0, "{version:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_will_be_closed_is_not_polled() {
    for connection in ["close", "Close", "keep-alive, close", "close , upgrade"] {
        let response = says(connection);
        let log = response.body().log();
        drains(response).await;
        assert_eq!(log.polls(), 0, "{connection}");
    }
    for connection in ["keep-alive", "closed", "", "upgrade"] {
        let response = says(connection);
        let log = response.body().log();
        drains(response).await;
        assert_eq!(log.polls(), 2, "{connection}");
    }
    let mut response = says("keep-alive");
    response.headers_mut().append(CONNECTION, HeaderValue::from_static("close"));
    let log = response.body().log();
    drains(response).await;
    assert_eq!(log.polls(), 0, "in a second header");
}

/// A future that is polled by hand.
struct Polled<F>(Pin<Box<F>>);

fn by_hand<F: Future>(future: F) -> Polled<F> {
    Polled(Box::pin(future))
}

impl<F: Future> Polled<F> {
    fn poll(&mut self) -> Poll<F::Output> {
        self.0.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }
}
