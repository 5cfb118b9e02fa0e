//! What is held on to until a body has ended.

use std::io;
use std::pin::Pin;
use std::time::Duration;

use ::http::{HeaderMap, HeaderValue, Response};
use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::{BodyExt, StreamBody};
use tokio::sync::mpsc;
use tokio::time::advance;

use super::*;
use crate::breaker::{BreakerGuard, BreakerState, CircuitBreaker};
use crate::cooldown::{CoolDown, CoolDownGuard, GateState};
use crate::http::Http;
use crate::throttle::{Throttle, ThrottleGuard};

type Item = Result<Frame<Bytes>, io::Error>;

/// A body whose frames a test sends one by one.
struct Sent {
    frames: mpsc::UnboundedReceiver<Item>,
}

impl Body for Sent {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        self.frames.poll_recv(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_closed() && self.frames.is_empty()
    }
}

/// Says what it was told and holds to the end of the body.
#[derive(Clone, Default)]
struct Told(Log);

impl Told {
    fn says(&self, what: &str, ending: &Ending) {
        self.0.lock().unwrap().push(format!("{what}: {:?}", ending.outcome()));
    }
}

type Asked = ::http::Request<&'static str>;

impl Guard<Asked> for Told {
    type Subject = ();
    type Permit = ();
    type Held = ();

    fn subject(&self, _: &Asked) {}

    fn try_admit(&self, (): &(), _: Ask, _: &Now) -> Admission<()> {
        Admission::Go(())
    }

    fn settle(&self, (): &(), (): (), ending: &Ending, _: &Now) {
        self.says("head", ending);
    }

    fn let_go(&self, (): &(), (): (), ending: &Ending, _: &Now) {
        self.says("body", ending);
    }
}

const IDLE: Duration = Duration::from_secs(30);

/// An answer whose head is there, the log, and the sender of its frames.
fn answered(
    change: impl FnOnce(&mut Response<Sent>),
) -> (HeldBody<Sent>, Log, mpsc::UnboundedSender<Item>) {
    let (sender, frames) = mpsc::unbounded_channel();
    let mut answer = Response::new(Sent { frames });
    change(&mut answer);
    let (body, log) = held(answer);
    (body, log, sender)
}

fn held<B: Body + Send + 'static>(answer: Response<B>) -> (HeldBody<B>, Log) {
    let guard = Told::default();
    let log = Arc::clone(&guard.0);
    let layer = GuardLayer::of(guard, Http::new()).hold_bodies();
    let (mut client, mut server) =
        mock::spawn_with(|service: mock::Mock<Asked, Response<B>>| layer.layer(service));
    assert_ready_ok!(client.poll_ready::<Asked>());
    let mut call = task::spawn(client.call(Asked::new("x")));
    assert_ready!(server.poll_request()).unwrap().1.send_response(answer);
    (assert_ready!(call.poll()).unwrap().into_body(), log)
}

fn data(text: &'static str) -> Item {
    Ok(Frame::data(Bytes::from_static(text.as_bytes())))
}

#[tokio::test(start_paused = true)]
async fn what_is_held_goes_back_when_the_body_has_ended() {
    let (mut body, log, sender) = answered(|_| ());
    assert_eq!(said(&log), ["head: Success"]);
    sender.send(data("a")).unwrap();
    body.frame().await.unwrap().unwrap();
    assert!(said(&log).is_empty());
    drop(sender);
    assert!(body.frame().await.is_none());
    assert_eq!(said(&log), ["body: Success"]);
    drop(body);
    assert!(said(&log).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_body_whose_last_frame_says_so_has_ended_with_it() {
    let (mut body, log, sender) = answered(|_| ());
    sender.send(data("all")).unwrap();
    // Closed from the other side, as a body of a known length is.
    body.get_mut().frames.close();
    body.frame().await.unwrap().unwrap();
    assert_eq!(said(&log), ["head: Success", "body: Success"]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_a_body_holds_nothing() {
    let (_body, log, _sender) = answered(|answer| answer.body_mut().frames.close());
    assert_eq!(said(&log), ["head: Success", "body: Success"]);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_is_a_failure_and_one_that_is_dropped_was_abandoned() {
    let (mut body, log, sender) = answered(|_| ());
    sender.send(Err(io::ErrorKind::ConnectionReset.into())).unwrap();
    assert!(body.frame().await.unwrap().is_err());
    assert_eq!(said(&log), ["head: Success", "body: Transient"]);

    let (body, log, _sender) = answered(|_| ());
    drop(body);
    assert_eq!(said(&log), ["head: Success", "body: Abandoned"]);
}

#[tokio::test(start_paused = true)]
async fn the_status_of_grpc_is_told_when_the_trailers_are_there() {
    let (mut body, log, sender) = answered(|answer| {
        *answer.version_mut() = ::http::Version::HTTP_2;
        let grpc = HeaderValue::from_static("application/grpc");
        answer.headers_mut().insert("content-type", grpc);
    });
    sender.send(data("a message")).unwrap();
    body.frame().await.unwrap().unwrap();
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("14"));
    sender.send(Ok(Frame::trailers(trailers))).unwrap();
    body.frame().await.unwrap().unwrap();
    assert_eq!(said(&log), ["head: Success", "body: Transient"]);
}

#[tokio::test(start_paused = true)]
async fn a_reader_who_reads_nothing_loses_what_is_held_and_not_the_body() {
    let (mut body, log, sender) = answered(|_| ());
    advance(IDLE - Duration::from_millis(1)).await;
    sender.send(data("a")).unwrap();
    body.frame().await.unwrap().unwrap();
    advance(IDLE - Duration::from_millis(1)).await;
    assert_eq!(said(&log), ["head: Success"], "it was read in between");
    advance(Duration::from_millis(2)).await;
    assert_eq!(said(&log), ["body: Abandoned"], "though nobody polled it");

    sender.send(data("b")).unwrap();
    assert!(body.frame().await.unwrap().is_ok());
    drop(sender);
    assert!(body.frame().await.is_none());
    assert!(said(&log).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_sends_nothing_for_so_long_has_failed() {
    let (mut body, log, _sender) = answered(|_| ());
    let mut frame = task::spawn(body.frame());
    assert_pending!(frame.poll());
    advance(IDLE + Duration::from_millis(1)).await;
    assert_eq!(said(&log), ["head: Success", "body: Transient"]);
    assert!(!frame.is_woken(), "the reader may go on waiting");
}

/// A task that has done much in one poll may get no timer from tokio.
#[tokio::test(start_paused = true)]
async fn a_task_whose_budget_is_spent_loses_nothing_at_once() {
    use tokio::task::coop::{has_budget_remaining, poll_proceed};

    let frames = ["a", "b"].map(data);
    let (mut body, log) = held(Response::new(StreamBody::new(futures_util::stream::iter(frames))));
    std::future::poll_fn(|cx| {
        while has_budget_remaining() {
            if let Poll::Ready(spent) = poll_proceed(cx) {
                spent.made_progress();
            }
        }
        Pin::new(&mut body).poll_frame(cx).map(drop)
    })
    .await;
    tokio::task::yield_now().await;
    assert_eq!(said(&log), ["head: Success"]);
}

/// A breaker, a throttle and a gate, over an answer of gRPC whose head is there.
struct Open {
    guards: (Arc<BreakerGuard>, Arc<ThrottleGuard>, Arc<CoolDownGuard>),
    body: HeldBody<Sent>,
    sender: mpsc::UnboundedSender<Item>,
}

impl Open {
    fn new() -> Self {
        let settings = CircuitBreaker::new().consecutive_failures(Some(1));
        let guards = (
            Arc::new(BreakerGuard::new(settings).unwrap()),
            Arc::new(ThrottleGuard::new(Throttle::new()).unwrap()),
            Arc::new(CoolDownGuard::new(CoolDown::new()).unwrap()),
        );
        let layer = GuardLayer::new(guards.clone()).hold_bodies();
        let (sender, frames) = mpsc::unbounded_channel();
        let mut answer = Response::new(Sent { frames });
        *answer.version_mut() = ::http::Version::HTTP_2;
        let grpc = HeaderValue::from_static("application/grpc");
        answer.headers_mut().insert("content-type", grpc);
        let (mut client, mut server) =
            mock::spawn_with(|service: mock::Mock<Asked, Response<Sent>>| layer.layer(service));
        assert_ready_ok!(client.poll_ready::<Asked>());
        let mut call = task::spawn(client.call(Asked::new("x")));
        assert_ready!(server.poll_request()).unwrap().1.send_response(answer);
        let body = assert_ready!(call.poll()).unwrap().into_body();
        Self { guards, body, sender }
    }

    /// What they make of it: the state of the breaker, results and refusals, the state of the gate.
    fn say(&self) -> (BreakerState, (u64, u64), GateState) {
        let (breaker, throttle, gate) = &self.guards;
        let counted = throttle.snapshot();
        (breaker.state(), (counted.requests, counted.accepted), gate.state())
    }

    async fn ends(&mut self, code: &'static str, pushback: Option<&'static str>) {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static(code));
        if let Some(pushback) = pushback {
            trailers.insert("grpc-retry-pushback-ms", HeaderValue::from_static(pushback));
        }
        self.sender.send(Ok(Frame::trailers(trailers))).unwrap();
        self.body.frame().await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_verdict_behind_the_body_is_what_every_guard_goes_by() {
    let at_first = (BreakerState::Closed, (0, 0), GateState::Open);
    for (code, pushback, then) in [
        ("0", None, (BreakerState::Closed, (1, 1), GateState::Open)),
        ("14", None, (BreakerState::Open, (1, 0), GateState::Open)),
        ("8", Some("5000"), (BreakerState::Closed, (1, 0), GateState::Closed)),
    ] {
        let mut answer = Open::new();
        assert_eq!(answer.say(), at_first, "the head says nothing");
        answer.ends(code, pushback).await;
        assert_eq!(answer.say(), then, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_stops_reading_says_nothing_of_the_server_however_late_it_is() {
    let Open { guards, body, .. } = Open::new();
    advance(Duration::from_secs(20)).await;
    drop(body);
    assert_eq!(guards.0.state(), BreakerState::Closed);
    assert_eq!(guards.1.snapshot().requests, 0);
}

/// Where bodies are not held, the head is all that there is.
#[tokio::test(start_paused = true)]
async fn a_verdict_that_nobody_waits_for_is_that_of_the_head() {
    let guard = Arc::new(ThrottleGuard::new(Throttle::new()).unwrap());
    let now = Now::default();
    let dice = Guard::<Asked>::subject(&guard, &Asked::new("x"));
    let answer = Guard::<Asked>::try_admit(&guard, &dice, Ask::default(), &now);
    let Admission::Go(ticket) = answer else { panic!("{answer:?}") };
    let open = Ending::new(Outcome::Success).still_open();
    let held = Guard::<Asked>::settle(&guard, &dice, ticket, &open, &now);
    Guard::<Asked>::let_go(&guard, &dice, held, &open, &now);
    assert_eq!((guard.snapshot().requests, guard.snapshot().accepted), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_reader_who_was_woken_and_does_not_come_is_not_the_servers_fault() {
    let (mut body, log, sender) = answered(|_| ());
    let mut frame = task::spawn(body.frame());
    assert_pending!(frame.poll());
    sender.send(data("a")).unwrap();
    assert!(frame.is_woken());
    advance(IDLE + Duration::from_millis(1)).await;
    assert_eq!(said(&log), ["head: Success", "body: Abandoned"]);
    assert!(assert_ready!(frame.poll()).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_read_by_another_task_wakes_that_one() {
    let (body, _log, sender) = answered(|_| ());
    let mut body = Box::pin(body);
    let (mut one, mut other) = (task::spawn(()), task::spawn(()));
    assert_pending!(one.enter(|cx, _| body.as_mut().poll_frame(cx)));
    assert_pending!(other.enter(|cx, _| body.as_mut().poll_frame(cx)));
    sender.send(data("a")).unwrap();
    assert!(other.is_woken() && !one.is_woken());
}

struct Panics;

impl Body for Panics {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Item>> {
        panic!("a body")
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_panics_has_failed() {
    let (mut body, log) = held(Response::new(Panics));
    let read = || task::spawn(body.frame()).poll().is_ready();
    assert!(catch_unwind(AssertUnwindSafe(read)).is_err());
    drop(body);
    assert_eq!(said(&log), ["head: Success", "body: Transient"]);
}

#[tokio::test(start_paused = true)]
async fn without_any_idle_time_what_is_held_goes_back_with_the_head() {
    let guard = Told::default();
    let log = Arc::clone(&guard.0);
    let layer = GuardLayer::of(guard, Http::new()).hold_bodies().idle(Duration::ZERO);
    let (mut client, mut server) =
        mock::spawn_with(|service: mock::Mock<Asked, Response<Sent>>| layer.layer(service));
    assert_ready_ok!(client.poll_ready::<Asked>());
    let mut call = task::spawn(client.call(Asked::new("x")));
    let (sender, frames) = mpsc::unbounded_channel();
    assert_ready!(server.poll_request()).unwrap().1.send_response(Response::new(Sent { frames }));
    let mut body = assert_ready_ok!(call.poll()).into_body();
    tokio::time::sleep(Duration::from_millis(2)).await;
    assert_eq!(said(&log), ["head: Success", "body: Abandoned"]);
    sender.send(data("a")).unwrap();
    assert!(body.frame().await.unwrap().is_ok());
}
