//! What opens it, what closes it, and what says nothing.

use mainstay_policy::backoff::Backoff;

use super::*;
use crate::{Error, LiftLayer};

type Mock = mock::Mock<Req, Response<()>>;
type Call = task::Spawn<<Guarded<Mock, Arc<BreakerGuard>> as Service<Req>>::Future>;

/// Until when it is open is kept in whole milliseconds, rounded up.
const MILLI: Duration = Duration::from_millis(1);

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A breaker that nothing but this opens, and that is then open for a second.
fn opens(settings: CircuitBreaker) -> (Arc<BreakerGuard>, Client, Server) {
    let open_time = Backoff::constant(OPEN_TIME);
    let layer = CircuitBreakerLayer::new(settings.open_time(open_time)).unwrap();
    let (client, server) = over(&layer);
    (layer.handle(), client, server)
}

fn by_row(failures: u32) -> CircuitBreaker {
    CircuitBreaker::new().consecutive_failures(Some(failures)).failure_ratio(None)
}

fn by_ratio() -> CircuitBreaker {
    CircuitBreaker::new().consecutive_failures(None)
}

/// A call that has reached the server, and what answers it.
async fn sent(
    client: &mut Client,
    server: &mut Server,
) -> (Call, mock::SendResponse<Response<()>>) {
    assert_ready_ok!(client.poll_ready::<Req>());
    let mut call = task::spawn(client.call(Request::new("x")));
    assert_pending!(call.poll());
    let (_, send) = server.next_request().await.unwrap();
    (call, send)
}

fn status(status: u16) -> Response<()> {
    Response::builder().status(status).body(()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn five_failures_in_a_row_open_it_unless_told_otherwise() {
    let (handle, mut client, mut server) = opens(CircuitBreaker::new().failure_ratio(None));
    for _ in 0..4 {
        answered(&mut client, &mut server, 503).await;
    }
    answered(&mut client, &mut server, 200).await; // ends the row
    for _ in 0..4 {
        answered(&mut client, &mut server, 503).await;
    }
    assert_eq!(handle.state(), BreakerState::Closed);
    answered(&mut client, &mut server, 503).await;
    assert_eq!(handle.state(), BreakerState::Open);
}

/// A1, A10: of ten calls half must fail, and not fewer calls.
#[tokio::test(start_paused = true)]
async fn half_of_at_least_ten_calls_that_fail_open_it() {
    let (handle, mut client, mut server) = opens(by_ratio());
    for call in 0..9 {
        answered(&mut client, &mut server, if call % 2 == 0 { 200 } else { 503 }).await;
    }
    assert_eq!(handle.state(), BreakerState::Closed, "four of nine");
    answered(&mut client, &mut server, 503).await;
    assert_eq!(handle.state(), BreakerState::Open, "five of ten");

    let (handle, mut client, mut server) = opens(by_ratio());
    for _ in 0..9 {
        answered(&mut client, &mut server, 503).await;
    }
    assert_eq!(handle.state(), BreakerState::Closed, "nine of nine, which are too few");
}

/// A1: results that are old do not outweigh those of now.
#[tokio::test(start_paused = true)]
async fn results_leave_the_window_after_ten_seconds() {
    let (handle, mut client, mut server) = opens(by_ratio());
    for _ in 0..100 {
        answered(&mut client, &mut server, 200).await;
    }
    advance(secs(10)).await;
    for _ in 0..9 {
        answered(&mut client, &mut server, 503).await;
    }
    assert_eq!(handle.state(), BreakerState::Closed);
    answered(&mut client, &mut server, 503).await;
    assert_eq!(handle.state(), BreakerState::Open, "ten of ten; the hundred are gone");
}

/// A1.
#[tokio::test(start_paused = true)]
async fn a_window_of_calls_forgets_what_is_older_however_little_time_has_passed() {
    let settings = by_ratio().window(Span::Calls(10));
    let (handle, mut client, mut server) = opens(settings);
    for _ in 0..100 {
        answered(&mut client, &mut server, 200).await;
    }
    for _ in 0..4 {
        answered(&mut client, &mut server, 503).await;
    }
    assert_eq!(handle.state(), BreakerState::Closed);
    answered(&mut client, &mut server, 503).await;
    assert_eq!(handle.state(), BreakerState::Open, "five of the last ten");
}

#[tokio::test(start_paused = true)]
async fn slow_calls_open_it_though_they_succeed_where_that_is_asked_for() {
    let settings = by_ratio().failure_ratio(None).slow_calls(secs(2), 0.5).min_calls(2);
    let (handle, mut client, mut server) = opens(settings);
    for took in [secs(1), secs(2)] {
        assert_eq!(handle.state(), BreakerState::Closed);
        let (mut call, send) = sent(&mut client, &mut server).await;
        advance(took).await;
        send.send_response(status(200));
        assert_ready_ok!(call.poll());
    }
    assert_eq!(handle.state(), BreakerState::Open);
}

#[tokio::test(start_paused = true)]
async fn its_open_time_grows_from_a_second_to_half_a_minute_and_is_short_again_after_a_recovery() {
    let layer = CircuitBreakerLayer::new(by_row(1).probes(1)).unwrap();
    let (mut client, mut server) = over(&layer);
    let mut times = Vec::new();
    for _ in 0..8 {
        answered(&mut client, &mut server, 503).await;
        let time = refused(&mut client).retry_in().unwrap();
        times.push(time);
        advance(time).await;
    }
    // Half of it is chance, and it is kept in whole milliseconds.
    for (time, whole) in times.iter().zip([1, 2, 4, 8, 16, 30, 30, 30]) {
        let bounds = secs(whole) / 2..=secs(whole) + MILLI;
        assert!(bounds.contains(time), "{times:?}");
    }
    assert!(times[5] != times[6] || times[6] != times[7], "{times:?}");

    answered(&mut client, &mut server, 200).await;
    assert_eq!(layer.handle().state(), BreakerState::Closed);
    answered(&mut client, &mut server, 503).await;
    assert!(refused(&mut client).retry_in().unwrap() <= secs(1) + MILLI);
}

#[tokio::test(start_paused = true)]
async fn the_first_probe_goes_alone_and_each_success_lets_one_more_go_at_a_time() {
    let (handle, mut client, mut server) = opens(by_row(1).probes(4));
    answered(&mut client, &mut server, 503).await;
    advance(OPEN_TIME + MILLI).await;

    let (mut one, answers) = sent(&mut client, &mut server).await;
    refused(&mut client);
    answers.send_response(status(200));
    assert_ready_ok!(one.poll());

    let (mut two, answers_two) = sent(&mut client, &mut server).await;
    let (mut three, answers_three) = sent(&mut client, &mut server).await;
    refused(&mut client);
    for (call, answers) in [(&mut two, answers_two), (&mut three, answers_three)] {
        answers.send_response(status(200));
        assert_ready_ok!(call.poll());
    }
    assert_eq!(handle.state(), BreakerState::HalfOpen);
    answered(&mut client, &mut server, 200).await;
    assert_eq!(handle.state(), BreakerState::Closed);
}

/// D2, A2: and its answer comes too late to decide anything.
#[tokio::test(start_paused = true)]
async fn a_probe_that_hangs_is_given_up_after_ten_seconds() {
    let (handle, mut client, mut server) = opens(by_row(1).probes(1));
    answered(&mut client, &mut server, 503).await;
    advance(OPEN_TIME + MILLI).await;
    let (mut hangs, late) = sent(&mut client, &mut server).await;
    advance(secs(9)).await;
    let wait = refused(&mut client).retry_in().unwrap();
    assert!((secs(1)..=secs(1) + MILLI).contains(&wait), "{wait:?}");
    advance(wait).await;

    let (mut next, answers) = sent(&mut client, &mut server).await;
    late.send_response(status(503));
    assert_ready_ok!(hangs.poll());
    assert_eq!(handle.state(), BreakerState::HalfOpen);
    answers.send_response(status(200));
    assert_ready_ok!(next.poll());
    assert_eq!(handle.state(), BreakerState::Closed);
}

/// A3.
#[tokio::test(start_paused = true)]
async fn an_answer_to_a_call_from_before_it_opened_decides_nothing() {
    for late_status in [200, 503] {
        let (handle, mut client, mut server) = opens(by_row(1).probes(1));
        let (mut early, late) = sent(&mut client, &mut server).await;
        answered(&mut client, &mut server, 503).await;
        advance(OPEN_TIME + MILLI).await;
        let (mut probe, answers) = sent(&mut client, &mut server).await;

        late.send_response(status(late_status));
        assert_ready_ok!(early.poll());
        assert_eq!(handle.state(), BreakerState::HalfOpen, "{late_status}");
        answers.send_response(status(200));
        assert_ready_ok!(probe.poll());
        assert_eq!(handle.state(), BreakerState::Closed);
    }
}

/// A4.
#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_says_nothing_unless_it_had_run_for_five_seconds() {
    let (handle, mut client, mut server) = opens(by_row(1));
    let (call, _send) = sent(&mut client, &mut server).await;
    advance(Duration::from_millis(4_999)).await;
    drop(call);
    assert_eq!(handle.state(), BreakerState::Closed);

    let (call, _send) = sent(&mut client, &mut server).await;
    advance(secs(5)).await;
    drop(call);
    assert_eq!(handle.state(), BreakerState::Open);
}

#[tokio::test(start_paused = true)]
async fn refusals_further_in_never_count() {
    use crate::concurrency::{Concurrency, ConcurrencyLayer};

    let breaker = CircuitBreakerLayer::new(by_row(1)).unwrap();
    let slots = ConcurrencyLayer::new(Concurrency::limit(1).max_waiting(0)).unwrap();
    let hangs =
        tower::service_fn(|_: Req| std::future::pending::<Result<Response<()>, BoxError>>());
    let mut service = breaker.layer(slots.layer(hangs));
    let mut running = task::spawn(service.call(Request::new("runs")));
    assert_pending!(running.poll());
    for _ in 0..100 {
        let error = assert_ready_err!(task::spawn(service.call(Request::new("x"))).poll());
        assert_eq!(error.refused().map(Refused::reason), Some(Reason::NoSlot));
    }
    assert_eq!(breaker.handle().state(), BreakerState::Closed);
}

/// C12: what lies beneath is the source of what comes out, and counts.
#[tokio::test(start_paused = true)]
async fn an_error_of_the_connection_counts_and_comes_back_as_it_was() {
    let breaker = CircuitBreakerLayer::new(by_row(1)).unwrap();
    let reset = || std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    let broken =
        tower::service_fn(move |_: Req| std::future::ready(Err::<Response<()>, _>(reset())));
    let mut service = breaker.layer(LiftLayer::new().layer(broken));
    let error = assert_ready_err!(task::spawn(service.call(Request::new("x"))).poll());
    assert!(matches!(error, Error::Inner(error) if error.kind() == reset().kind()));
    assert_eq!(breaker.handle().state(), BreakerState::Open);
}
