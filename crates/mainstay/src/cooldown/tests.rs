use ::http::{Request, Response};
use mainstay_policy::rate_limit::RateLimit;
use tokio::time::advance;
use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok, task};
use tower_service::Service;
use tower_test::mock;

use super::*;
use crate::error::{BoxError, CallError, Reason};
use crate::scope::Scope;

mod handles;

type Req = Request<&'static str>;
type Mock = mock::Mock<Req, Response<()>>;
type Client<T> = mock::Spawn<Guarded<Mock, Arc<TurnGuard<T>>>>;
type Server = mock::Handle<Req, Response<()>>;
type Call<T> = task::Spawn<<Guarded<Mock, Arc<TurnGuard<T>>> as Service<Req>>::Future>;

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn gate() -> (Client<Arc<WatchedGate>>, Server) {
    over(CoolDownGuard::new(CoolDown::new()).unwrap())
}

fn over<T: Turns + 'static>(guard: TurnGuard<T>) -> (Client<T>, Server) {
    let layer = GuardLayer::new(Arc::new(guard));
    mock::spawn_with(move |service| layer.layer(service))
}

fn call<T: Turns + 'static>(client: &mut Client<T>) -> Call<T> {
    assert_ready_ok!(client.poll_ready::<Req>());
    task::spawn(client.call(Request::new("x")))
}

/// The same, with so much time left.
fn hurried<T: Turns + 'static>(client: &mut Client<T>, left: Duration) -> Call<T> {
    Scope::current().until(clock::now() + left).around(|| call(client))
}

fn answer(status: u16, fields: &[(&str, &str)]) -> Response<()> {
    let mut answer = Response::builder().status(status);
    for (name, value) in fields {
        answer = answer.header(*name, *value);
    }
    answer.body(()).unwrap()
}

/// One call that the server answers so.
fn sees<T: Turns + 'static>(
    client: &mut Client<T>,
    server: &mut Server,
    status: u16,
    fields: &[(&str, &str)],
) {
    let mut call = call(client);
    assert_pending!(call.poll());
    answers(server, status, fields);
    assert_ready_ok!(call.poll());
}

fn answers(server: &mut Server, status: u16, fields: &[(&str, &str)]) {
    let (_, send) = tokio_test::assert_ready!(server.poll_request()).unwrap();
    send.send_response(answer(status, fields));
}

/// How many of these start when they are polled, which they do when they reach the server.
fn start<T: Turns + 'static>(calls: &mut Vec<Call<T>>, server: &mut Server) -> usize {
    // One that starts wakes the next, so one round is enough; who is done is polled no more.
    calls.retain_mut(|call| call.poll().is_pending());
    let mut started = 0;
    while let std::task::Poll::Ready(Some((_, send))) = server.poll_request() {
        send.send_response(answer(200, &[]));
        started += 1;
    }
    started
}

fn standing<T: Turns + 'static>(client: &mut Client<T>, n: usize) -> Vec<Call<T>> {
    let mut calls: Vec<_> = (0..n).map(|_| call(client)).collect();
    for call in &mut calls {
        assert_pending!(call.poll());
    }
    calls
}

/// Why, and how many milliseconds to stay away; the gate knows them to one, and rounds up.
fn refused(error: &BoxError) -> (Reason, u128) {
    let refused = error.refused().unwrap();
    (refused.reason(), refused.retry_in().unwrap().as_millis())
}

#[tokio::test(start_paused = true)]
async fn a_429_holds_back_calls_that_have_not_seen_it_and_lets_them_go_in_a_ramp() {
    let (mut client, mut server) = gate();
    sees(&mut client, &mut server, 429, &[("retry-after", "3")]);
    let mut calls = standing(&mut client, 20);
    assert_eq!(start(&mut calls, &mut server), 0);
    advance(ms(2_999)).await;
    assert_eq!(start(&mut calls, &mut server), 0);
    for (after, expected) in [(2, 1), (100, 2), (100, 4), (100, 8), (100, 5)] {
        advance(ms(after)).await;
        assert_eq!(start(&mut calls, &mut server), expected);
    }
    assert_eq!(start(&mut calls, &mut server), 0);
    assert!(calls.is_empty());
}

#[tokio::test(start_paused = true)]
async fn when_the_line_is_empty_the_ramp_is_over() {
    let (mut client, mut server) = gate();
    sees(&mut client, &mut server, 429, &[("retry-after", "1")]);
    let mut calls = standing(&mut client, 3);
    advance(ms(1_001)).await;
    assert_eq!(start(&mut calls, &mut server), 1);
    advance(ms(100)).await;
    assert_eq!(start(&mut calls, &mut server), 2);
    let mut more = (0..50).map(|_| call(&mut client)).collect();
    assert_eq!(start(&mut more, &mut server), 50);
}

#[tokio::test(start_paused = true)]
async fn two_seconds_after_it_opened_the_ramp_is_over_however_many_stand() {
    let steps_of_a_second = CoolDown::new().step(ms(1_000));
    let (mut client, mut server) = over(CoolDownGuard::new(steps_of_a_second).unwrap());
    sees(&mut client, &mut server, 429, &[("retry-after", "1")]);
    let mut calls = standing(&mut client, 50);
    for (after, expected) in [(1_001, 1), (1_000, 2), (996, 0), (4, 47)] {
        advance(ms(after)).await;
        assert_eq!(start(&mut calls, &mut server), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_429_in_the_ramp_closes_it_again() {
    let (mut client, mut server) = gate();
    sees(&mut client, &mut server, 429, &[("retry-after", "1")]);
    let mut calls = standing(&mut client, 20);
    advance(ms(1_001)).await;
    calls.retain_mut(|call| call.poll().is_pending());
    answers(&mut server, 429, &[("retry-after", "2")]);
    calls.retain_mut(|call| call.poll().is_pending());
    advance(ms(1_999)).await;
    assert_eq!(start(&mut calls, &mut server), 0);
    advance(ms(2)).await;
    assert_eq!(start(&mut calls, &mut server), 1);
}

#[tokio::test(start_paused = true)]
async fn the_second_503_with_retry_after_within_a_second_closes_it_and_one_does_not() {
    let (mut client, mut server) = gate();
    sees(&mut client, &mut server, 503, &[("retry-after", "5")]);
    sees(&mut client, &mut server, 503, &[]);
    sees(&mut client, &mut server, 503, &[("retry-after", "5")]);
    let _calls = standing(&mut client, 1);
    assert!(server.poll_request().is_pending());
}

#[tokio::test(start_paused = true)]
async fn nothing_left_closes_it_until_the_reset() {
    let (mut client, mut server) = gate();
    let spent = [("ratelimit-remaining", "0"), ("ratelimit-reset", "7")];
    sees(&mut client, &mut server, 200, &spent);
    let mut calls = standing(&mut client, 1);
    advance(ms(6_999)).await;
    assert_eq!(start(&mut calls, &mut server), 0);
    advance(ms(2)).await;
    assert_eq!(start(&mut calls, &mut server), 1);
}

#[tokio::test(start_paused = true)]
async fn a_success_opens_nothing() {
    let (mut client, mut server) = gate();
    let (mut early, mut other) = (call(&mut client), call(&mut client));
    assert_pending!(early.poll());
    assert_pending!(other.poll());
    answers(&mut server, 429, &[("retry-after", "5")]);
    assert_ready_ok!(early.poll());
    answers(&mut server, 200, &[]);
    assert_ready_ok!(other.poll());
    let _calls = standing(&mut client, 1);
    assert!(server.poll_request().is_pending());
}

#[tokio::test(start_paused = true)]
async fn a_wait_beyond_the_deadline_is_refused_at_once() {
    let (mut client, mut server) = gate();
    sees(&mut client, &mut server, 429, &[("retry-after", "5")]);
    let error = assert_ready_err!(hurried(&mut client, ms(5_000)).poll());
    assert_eq!(refused(&error), (Reason::CoolingDown, 5_000));
    assert_pending!(hurried(&mut client, ms(5_001)).poll());
}

#[tokio::test(start_paused = true)]
async fn who_stands_in_line_is_refused_as_soon_as_its_wait_would_be_too_long() {
    let (mut client, mut server) = gate();
    let mut running = call(&mut client);
    assert_pending!(running.poll());
    let (_, last_word) = tokio_test::assert_ready!(server.poll_request()).unwrap();
    sees(&mut client, &mut server, 429, &[("retry-after", "1")]);
    let mut patient = call(&mut client);
    let mut hurried = hurried(&mut client, ms(2_000));
    assert_pending!(patient.poll());
    assert_pending!(hurried.poll());

    last_word.send_response(answer(429, &[("retry-after", "9")]));
    assert_ready_ok!(running.poll());
    assert!(patient.is_woken() && hurried.is_woken());
    assert_pending!(patient.poll());
    let error = assert_ready_err!(hurried.poll());
    assert_eq!(refused(&error), (Reason::CoolingDown, 9_000));
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_beyond_a_minute_is_told_and_not_waited_for() {
    let (mut client, mut server) = gate();
    sees(&mut client, &mut server, 429, &[("retry-after", "3600")]);
    let error = assert_ready_err!(hurried(&mut client, ms(1_000)).poll());
    assert_eq!(refused(&error), (Reason::CoolingDown, 3_600_000));
    let mut calls = standing(&mut client, 1);
    advance(ms(60_001)).await;
    assert_eq!(start(&mut calls, &mut server), 1);
}

#[tokio::test(start_paused = true)]
async fn it_can_be_closed_by_hand() {
    let layer = CoolDownLayer::new(CoolDown::new()).unwrap();
    let handle = layer.handle();
    let (mut client, mut server) = mock::spawn_with(|service: Mock| layer.clone().layer(service));
    assert!(handle.close_for(ms(500)).is_some());
    assert_eq!(handle.snapshot().state, GateState::Closed);
    let mut calls = standing(&mut client, 1);
    assert!(handle.close_for(ms(400)).is_none());
    advance(ms(501)).await;
    assert_eq!(start(&mut calls, &mut server), 1);
    assert_eq!(handle.snapshot().state, GateState::Open);
}

#[tokio::test(start_paused = true)]
async fn behind_one_turnstile_a_call_starts_at_the_later_of_rate_and_gate() {
    let limit = RateLimit::per_second(2);
    let (mut client, mut server) = over(PacedGuard::new(limit, CoolDown::new()).unwrap());
    sees(&mut client, &mut server, 429, &[("retry-after", "1")]);
    let mut calls = standing(&mut client, 4);
    advance(ms(999)).await;
    assert_eq!(start(&mut calls, &mut server), 0, "the gate is closed");
    for expected in [1, 0, 1, 0, 1] {
        advance(ms(251)).await;
        assert_eq!(start(&mut calls, &mut server), expected, "the rate is two a second");
    }
}

#[tokio::test(start_paused = true)]
async fn behind_one_turnstile_a_refusal_says_which_of_the_two_it_was() {
    let limit = RateLimit::per_second(2);
    let (mut client, mut server) = over(PacedGuard::new(limit, CoolDown::new()).unwrap());
    sees(&mut client, &mut server, 200, &[]);
    let error = assert_ready_err!(hurried(&mut client, ms(100)).poll());
    assert_eq!(refused(&error), (Reason::NoTurn, 500));
    advance(ms(501)).await;
    sees(&mut client, &mut server, 429, &[("retry-after", "9")]);
    let error = assert_ready_err!(hurried(&mut client, ms(100)).poll());
    assert_eq!(refused(&error), (Reason::CoolingDown, 9_000));
}

#[test]
fn settings_that_cannot_work_are_refused() {
    assert!(CoolDownLayer::new(CoolDown::new().max(Duration::ZERO)).is_err());
}
