use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use ::http::Request;
use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use tokio::time::{Instant, advance};
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_test::mock;

use super::*;
use crate::breaker::{BreakerState, CircuitBreaker, CircuitBreakerLayer};
use crate::error::{BoxError, CallError, Error, Reason, Refused};
use crate::http::{Cause, Failure};
use crate::retry::{Retry, RetryLayer};

type Req = Request<()>;
type Text = Full<Bytes>;
type NoError = Error<Infallible>;

const SECOND: Duration = Duration::from_secs(1);

fn switched_on<F, M>(layer: ChaosLayer<F, M>) -> ChaosLayer<F, M> {
    layer.handle().enable();
    layer
}

fn all(settings: Chaos) -> ChaosLayer {
    switched_on(ChaosLayer::new(settings).unwrap())
}

async fn well(_: Req) -> Result<Response<Text>, NoError> {
    Ok(Response::new(Full::from("twelve bytes")))
}

/// What comes of a call, said shortly.
async fn comes_to(layer: &ChaosLayer) -> String {
    let call = layer.layer(service_fn(well)).oneshot(Request::new(()));
    match tokio::time::timeout(60 * SECOND, call).await {
        Err(_) => "nothing".to_owned(),
        Ok(Err(error)) => error.refused().unwrap().to_string(),
        Ok(Ok(answer)) => match (answer.status().as_u16(), answer.into_body().collect().await) {
            (status, Ok(body)) => format!("{status} {:?}", body.to_bytes()),
            (status, Err(error)) => format!("{status} {error}"),
        },
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_goes_wrong_until_it_is_switched_on_and_when_it_is_off_again() {
    let layer = ChaosLayer::new(Chaos::seeded(1).answers(100.0)).unwrap();
    let handle = layer.clone().handle();
    assert!(!handle.is_on());
    assert_eq!(comes_to(&layer).await, "200 b\"twelve bytes\"");
    handle.enable();
    assert_eq!(comes_to(&layer).await, "503 b\"\"");
    handle.disable();
    assert_eq!(comes_to(&layer).await, "200 b\"twelve bytes\"");
    assert_eq!(handle.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn each_fault_is_what_it_is_said_to_be() {
    let of = Chaos::seeded(1);
    let fails = "chaos: it was made to fail";
    assert_eq!(comes_to(&all(of.errors(100.0))).await, fails);
    assert_eq!(comes_to(&all(of.answers(100.0))).await, "503 b\"\"");
    assert_eq!(comes_to(&all(of.hangs(100.0))).await, "nothing");
    assert_eq!(comes_to(&all(of.cuts(100.0))).await, "200 the body was cut off on purpose");
    let begun = Instant::now();
    let late = all(of.late(100.0, 5 * SECOND, 5 * SECOND));
    assert_eq!(comes_to(&late).await, "200 b\"twelve bytes\"");
    assert_eq!(begun.elapsed(), 5 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_calls_and_so_does_a_new_start() {
    let settings = Chaos::seeded(7).errors(20.0).answers(20.0).hangs(20.0).cuts(20.0);
    let (one, other) = (all(settings), all(settings));
    let mut first = Vec::new();
    for _ in 0..50 {
        first.push(comes_to(&one).await);
    }
    let kinds: std::collections::BTreeSet<_> = first.iter().collect();
    assert_eq!(kinds.len(), 5);
    one.handle().restart();
    for came in &first {
        assert_eq!((comes_to(&one).await, &comes_to(&other).await), (came.clone(), came));
    }
}

#[tokio::test(start_paused = true)]
async fn services_of_one_layer_share_the_numbers() {
    let layer = all(Chaos::seeded(7).answers(50.0));
    let clone = layer.clone();
    for _ in 0..10 {
        comes_to(&layer).await;
        comes_to(&clone).await;
    }
    assert_eq!(layer.handle().calls(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_server_sees_nothing_of_what_fails_is_answered_or_hangs() {
    let of = Chaos::seeded(1);
    for settings in [of.errors(100.0), of.answers(100.0), of.hangs(100.0)] {
        let layer = all(settings);
        let (mut client, mut server) =
            mock::spawn_with(|service: mock::Mock<Req, Response<Text>>| layer.layer(service));
        assert_ready_ok!(client.poll_ready::<Req>());
        let mut call = task::spawn(client.call(Request::new(())));
        let _ = call.poll();
        assert_pending!(task::spawn(server.next_request()).poll());
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_not_sent_gives_the_readiness_beneath_back() {
    let of = Chaos::seeded(1);
    for settings in [of.errors(100.0), of.answers(100.0), of.hangs(100.0)] {
        let limited = ServiceBuilder::new().concurrency_limit(1).service_fn(well);
        let mut first = all(settings).layer(limited);
        let mut other = first.get_ref().clone();
        let ready = first.ready().await.unwrap();
        let mut call = task::spawn(ready.call(Request::new(())));
        let _ = call.poll();
        assert_ready_ok!(task::spawn(other.ready()).poll());
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_was_asked_for_at_once() {
    let layer = all(Chaos::seeded(1).late(100.0, SECOND, SECOND));
    let (mut client, mut server) =
        mock::spawn_with(|service: mock::Mock<Req, Response<Text>>| layer.layer(service));
    assert_ready_ok!(client.poll_ready::<Req>());
    let mut call = task::spawn(client.call(Request::new(())));
    assert_pending!(call.poll());
    let (_, send) = server.next_request().await.unwrap();
    send.send_response(Response::new(Full::default()));
    assert_pending!(call.poll());
    advance(SECOND).await;
    assert!(call.is_woken());
    assert_ready_ok!(call.poll());
}

#[tokio::test(start_paused = true)]
async fn statuses_heads_and_errors_can_be_one_s_own() {
    let settings = Chaos::seeded(1).answers(100.0);
    assert_eq!(comes_to(&all(settings).status(StatusCode::BAD_GATEWAY)).await, "502 b\"\"");

    let throttled = all(settings).answers_with(|_| {
        Response::builder().status(429).header("retry-after", "3").body(()).unwrap()
    });
    let answer = throttled.layer(service_fn(well)).oneshot(Request::new(())).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["retry-after"]),
        (429, &"3".parse().unwrap())
    );

    let resets = all(Chaos::seeded(1).errors(100.0))
        .errors_with(|_| Error::Inner(io::Error::from(io::ErrorKind::ConnectionReset)));
    let answers =
        service_fn(|_: Req| async { Ok::<_, Error<io::Error>>(Response::new(Text::default())) });
    let error = resets.layer(answers).oneshot(Request::new(())).await.unwrap_err();
    assert_eq!(Failure::of(&error).cause(), Cause::Broken);
}

#[tokio::test(start_paused = true)]
async fn an_injected_error_is_retried_and_counted_as_a_connection_that_was_not_made() {
    let chaos = all(Chaos::seeded(1).errors(100.0));
    let breaker = CircuitBreaker::new().consecutive_failures(Some(3));
    let breaker = CircuitBreakerLayer::new(breaker).unwrap();
    let service = ServiceBuilder::new()
        .layer(RetryLayer::new(Retry::up_to(3)).unwrap())
        .layer(breaker.clone())
        .layer(chaos.clone())
        .service(service_fn(well));
    let post = Request::post("/").body(()).unwrap();
    let error = service.oneshot(post).await.unwrap_err();
    assert_eq!(error.refused().map(Refused::reason), Some(Reason::Injected));
    assert_eq!((chaos.handle().calls(), breaker.handle().state()), (3, BreakerState::Open));
}

/// A body of so many pieces of four bytes.
struct Fours(u32);

impl Body for Fours {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(left) = self.0.checked_sub(1) else { return Poll::Ready(None) };
        self.0 = left;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"four")))))
    }
}

/// How many bytes come of three pieces of four before the body breaks off, and how it does.
async fn read_of(bytes: u64) -> (usize, BoxError) {
    let mut body = ChaosBody::new(Fours(3), Some(bytes));
    let mut read = 0;
    loop {
        match body.frame().await.unwrap() {
            Ok(frame) => read += frame.into_data().unwrap().len(),
            Err(error) => {
                assert!(body.frame().await.is_none() && body.is_end_stream());
                return (read, error);
            }
        }
    }
}

#[tokio::test]
async fn a_body_breaks_off_before_the_piece_that_is_too_much_or_at_its_end() {
    for (bytes, read) in [(0, 0), (3, 0), (4, 4), (11, 8), (12, 12), (100, 12)] {
        let (came, error) = read_of(bytes).await;
        assert_eq!(came, read, "{bytes}");
        let broken = error.downcast_ref::<io::Error>().map(io::Error::kind);
        assert_eq!(broken, Some(io::ErrorKind::UnexpectedEof));
        assert_eq!(Failure::of(&*error).cause(), Cause::Broken);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_is_cut_where_the_layer_says_and_keeps_the_size_it_announced() {
    let layer = all(Chaos::seeded(1).cuts(100.0)).cut_after(12);
    let answer = layer.layer(service_fn(well)).oneshot(Request::new(())).await.unwrap();
    let mut body = answer.into_body();
    assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(12), false));
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "twelve bytes");
    assert!(!body.is_end_stream(), "the end is yet to break off");
    assert!(matches!(body.frame().await, Some(Err(_))));
}

#[tokio::test(start_paused = true)]
async fn calls_of_any_kind_fail_come_late_and_hang_but_are_not_answered() {
    let settings = Chaos::seeded(1).errors(100.0);
    let plain = switched_on(ChaosLayer::plain(settings).unwrap().named("flaky"));
    let echo = service_fn(|text: &'static str| async move { Ok::<_, NoError>(text) });
    let error = plain.layer(echo).oneshot("x").await.unwrap_err();
    assert!(matches!(error.refused().map(Refused::reason), Some(Reason::Injected)));
    plain.handle().disable();
    assert_eq!(plain.layer(echo).oneshot("x").await, Ok("x"));
    assert!(ChaosLayer::plain(Chaos::seeded(1).answers(1.0)).is_err());
    assert!(ChaosLayer::plain(Chaos::seeded(1).cuts(1.0)).is_err());
}

#[test]
fn settings_that_cannot_work_are_refused() {
    assert!(ChaosLayer::new(Chaos::seeded(1).errors(101.0)).is_err());
}

#[test]
fn the_service_beneath_can_be_had() {
    let mut service = ChaosLayer::new(Chaos::seeded(1)).unwrap().layer(7);
    *service.get_mut() += 1;
    assert_eq!((*service.get_ref(), service.into_inner()), (8, 8));
}
