use std::time::Duration;

use ::http::{Request, Response};
use mainstay_policy::Outcome;
use tokio::time::advance;
use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok, task};
use tower::Service;
use tower_test::mock;

use super::*;
use crate::{BoxError, CallError};

mod semantics;

type Req = Request<&'static str>;
type Client = mock::Spawn<Guarded<mock::Mock<Req, Response<()>>, Arc<BreakerGuard>>>;
type Server = mock::Handle<Req, Response<()>>;

const OPEN_TIME: Duration = Duration::from_secs(1);

fn opens_at_the_second_failure() -> CircuitBreakerLayer {
    let open_time = mainstay_policy::backoff::Backoff::constant(OPEN_TIME);
    let settings = CircuitBreaker::new().consecutive_failures(Some(2)).open_time(open_time);
    CircuitBreakerLayer::new(settings).unwrap()
}

fn over(layer: &CircuitBreakerLayer) -> (Client, Server) {
    mock::spawn_with(|service| layer.layer(service))
}

/// One call that is answered with this status.
async fn answered(client: &mut Client, server: &mut Server, status: u16) {
    assert_ready_ok!(client.poll_ready::<Req>());
    let mut call = task::spawn(client.call(Request::new("x")));
    let (_, send) = server.next_request().await.unwrap();
    send.send_response(Response::builder().status(status).body(()).unwrap());
    assert_ready_ok!(call.poll());
}

/// One call that is not let through.
fn refused(client: &mut Client) -> Refused {
    assert_ready_ok!(client.poll_ready::<Req>());
    let error = assert_ready_err!(task::spawn(client.call(Request::new("x"))).poll());
    error.refused().cloned().unwrap()
}

#[tokio::test(start_paused = true)]
async fn failures_open_it_and_a_probe_closes_it() {
    let layer = opens_at_the_second_failure();
    let ((mut client, mut server), handle) = (over(&layer), layer.handle());
    for _ in 0..2 {
        answered(&mut client, &mut server, 503).await;
    }
    assert_eq!(handle.state(), BreakerState::Open);
    let refusal = refused(&mut client);
    assert_eq!((refusal.layer(), refusal.reason()), ("circuit breaker", Reason::Open));
    assert!(refusal.retry_in().is_some_and(|wait| wait <= OPEN_TIME * 2), "{refusal}");

    advance(OPEN_TIME * 2).await;
    while handle.state() != BreakerState::Closed {
        answered(&mut client, &mut server, 200).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_4xx_and_a_429_are_no_failures() {
    let layer = opens_at_the_second_failure();
    let (mut client, mut server) = over(&layer);
    for status in [404, 429, 404, 429, 503, 404, 503, 200, 503] {
        answered(&mut client, &mut server, status).await;
    }
    assert_eq!(layer.handle().state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn all_services_of_a_layer_and_its_clones_share_one_breaker() {
    let layer = opens_at_the_second_failure();
    let (mut here, mut server) = over(&layer);
    let (mut there, _other_server) = over(&layer.clone());
    for _ in 0..2 {
        answered(&mut here, &mut server, 503).await;
    }
    refused(&mut there);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_probe_makes_room_for_the_next_one() {
    let open_time = mainstay_policy::backoff::Backoff::constant(OPEN_TIME);
    let settings = CircuitBreaker::new().consecutive_failures(Some(1)).open_time(open_time);
    let layer = CircuitBreakerLayer::new(settings.probes(1)).unwrap();
    let (mut client, mut server) = over(&layer);
    answered(&mut client, &mut server, 503).await;
    advance(OPEN_TIME * 2).await;

    assert_ready_ok!(client.poll_ready::<Req>());
    let mut dropped = task::spawn(client.call(Request::new("dropped")));
    assert_pending!(dropped.poll());
    refused(&mut client);
    drop(dropped);
    drop(server.next_request().await);
    answered(&mut client, &mut server, 200).await;
    assert_eq!(layer.handle().state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn changed_settings_judge_at_once_and_it_stays_as_it_is() {
    let layer = opens_at_the_second_failure();
    let ((mut client, mut server), handle) = (over(&layer), layer.handle());
    let row = |failures| CircuitBreaker::new().consecutive_failures(Some(failures));
    handle.change(row(4)).unwrap();
    for _ in 0..3 {
        answered(&mut client, &mut server, 503).await;
    }
    assert_eq!(handle.state(), BreakerState::Closed);
    handle.change(row(2).probes(1)).unwrap();
    answered(&mut client, &mut server, 503).await;
    assert_eq!(handle.state(), BreakerState::Open);

    let before = handle.snapshot().retry_in.unwrap();
    let longer = mainstay_policy::backoff::Backoff::constant(OPEN_TIME * 60);
    handle.change(row(2).probes(1).open_time(longer)).unwrap();
    assert_eq!(handle.snapshot().retry_in, Some(before), "it is open for as long as it was drawn");
    advance(before).await;
    answered(&mut client, &mut server, 503).await;
    assert_eq!(handle.snapshot().retry_in, Some(OPEN_TIME * 60));

    assert!(handle.change(row(0)).is_err());
    assert_eq!(handle.state(), BreakerState::Open);
}

#[tokio::test(start_paused = true)]
async fn what_was_changed_by_hand_may_not_be_forgotten() {
    let guard = BreakerGuard::new(CircuitBreaker::new()).unwrap();
    let at_rest = |guard: &BreakerGuard| Guard::<Req>::at_rest_from(guard).is_some();
    assert!(at_rest(&guard));
    guard.change(CircuitBreaker::new()).unwrap();
    assert!(!at_rest(&guard));
}

#[tokio::test(start_paused = true)]
async fn by_hand_it_refuses_until_it_is_released() {
    let breaker = BreakerGuard::new(CircuitBreaker::new()).unwrap().named("billing");
    let layer = CircuitBreakerLayer::of(breaker, Http::new());
    let ((mut client, mut server), handle) = (over(&layer), layer.handle());
    assert_eq!(handle.isolate(), Some(Transition::Isolated));
    let refusal = refused(&mut client);
    assert_eq!((refusal.name(), refusal.retry_in()), (Some("billing"), None));
    assert_eq!(handle.snapshot().state, BreakerState::Isolated);
    assert_eq!(handle.release(), Some(Transition::Closed));
    answered(&mut client, &mut server, 200).await;
    assert_eq!(handle.reset(), None);
}

#[tokio::test(start_paused = true)]
async fn who_watches_is_woken_by_each_change() {
    let layer = opens_at_the_second_failure();
    let ((mut client, mut server), mut states) = (over(&layer), layer.handle().watch());
    assert_eq!(*states.borrow_and_update(), BreakerState::Closed);
    let mut changed = task::spawn(async move {
        states.changed().await.unwrap();
        *states.borrow_and_update()
    });
    answered(&mut client, &mut server, 503).await;
    assert_pending!(changed.poll());
    answered(&mut client, &mut server, 503).await;
    assert!(changed.is_woken());
    assert_eq!(tokio_test::assert_ready!(changed.poll()), BreakerState::Open);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let nothing = CircuitBreaker::new().consecutive_failures(Some(0));
    assert!(CircuitBreakerLayer::new(nothing).is_err());
}

/// An answer of gRPC that has no status yet, to one who asked half a second before, and the moment.
fn open_answer(guard: &BreakerGuard) -> (Option<OpenTicket>, Moment) {
    let asked = Now::default();
    let Admission::Go(ticket) = Guard::<Req>::try_admit(guard, &(), Ask::default(), &asked) else {
        panic!("it is not closed")
    };
    let head = asked.get() + Duration::from_millis(500);
    let ending = Ending::new(Outcome::Success).still_open();
    let held = Guard::<Req>::settle(guard, &(), ticket, &ending, &Now::from(head));
    (held, head)
}

fn opens_at_once(settings: CircuitBreaker) -> BreakerGuard {
    BreakerGuard::new(settings.consecutive_failures(Some(1)).abandoned_after(Some(OPEN_TIME)))
        .unwrap()
}

fn ends(guard: &BreakerGuard, outcome: Outcome, after: Duration) -> BreakerSnapshot {
    let (held, head) = open_answer(guard);
    assert!(held.is_some() && guard.snapshot().calls == 0, "it is not known yet");
    let end = Now::from(head + after);
    Guard::<Req>::let_go(guard, &(), held, &Ending::new(outcome), &end);
    guard.snapshot()
}

#[tokio::test(start_paused = true)]
async fn of_an_answer_whose_status_stands_behind_its_body_the_end_counts() {
    let hour = Duration::from_secs(3_600);
    let failed = ends(&opens_at_once(CircuitBreaker::new()), Outcome::Transient, OPEN_TIME);
    assert_eq!(failed.state, BreakerState::Open);
    let well = ends(&opens_at_once(CircuitBreaker::new()), Outcome::Success, OPEN_TIME);
    assert_eq!((well.state, well.calls, well.failures), (BreakerState::Closed, 1, 0));
    let dropped = ends(&opens_at_once(CircuitBreaker::new()), Outcome::Abandoned, hour);
    assert_eq!((dropped.state, dropped.calls), (BreakerState::Closed, 0));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_read_slowly_is_no_slow_call() {
    let slow = CircuitBreaker::new().slow_calls(Duration::from_millis(600), 0.5);
    let read = ends(&opens_at_once(slow), Outcome::Success, Duration::from_secs(60));
    assert_eq!((read.calls, read.slow_calls), (1, 0));
    let slow = CircuitBreaker::new().slow_calls(Duration::from_millis(400), 0.5);
    assert_eq!(ends(&opens_at_once(slow), Outcome::Success, Duration::ZERO).slow_calls, 1);
}

#[test]
fn its_name_can_be_asked_for() {
    assert_eq!(BreakerGuard::new(CircuitBreaker::new()).unwrap().named("x").name(), Some("x"));
}
