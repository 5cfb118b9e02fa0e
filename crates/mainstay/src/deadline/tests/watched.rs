//! Whose timer ends what, and what those in between learn of it.

use std::sync::Arc;
use std::sync::mpsc;
use std::task::{Wake, Waker};
use std::thread::{self, Thread};

use tokio::time::timeout;

use super::*;
use crate::breaker::{BreakerGuard, BreakerState, CircuitBreaker, CircuitBreakerLayer};
use crate::coalesce::CoalesceLayer;
use crate::concurrency::ConcurrencyGuard;
use crate::guard::GuardLayer;
use crate::http::Key;
use crate::rate_limit::{RateLimit, RateLimitLayer};
use crate::timeout::TimeoutLayer;

const HOUR: Duration = Duration::from_secs(3600);

async fn hangs(_: Req) -> Result<Response<()>, Error<io::Error>> {
    pending().await
}

async fn uses_its_budget_up(_: Req) -> Result<Response<()>, Error<io::Error>> {
    loop {
        tokio::task::consume_budget().await;
    }
}

fn layer_of<T>(end: Result<T, impl CallError>) -> Option<&'static str> {
    let error = end.err()?;
    reason(&error).map(|(layer, _)| layer)
}

#[tokio::test(start_paused = true)]
async fn work_that_uses_its_budget_up_at_every_poll_is_ended_in_time() {
    let service = DeadlineLayer::new(SECOND).layer(service_fn(uses_its_budget_up));
    let call = tokio::spawn(service.oneshot(Request::new("x")));
    for _ in 0..20 {
        advance(SECOND / 10).await;
        tokio::task::yield_now().await;
    }
    assert!(call.is_finished());
    assert_eq!(layer_of(call.await.unwrap()), Some("deadline"));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_joined_another_is_ended_by_the_timeout_when_that_one_is_gone() {
    let service = ServiceBuilder::new()
        .layer(DeadlineLayer::per_call())
        .layer(CoalesceLayer::new(|_: &Req| Some(Key::new("k"))))
        .layer(TimeoutLayer::new(5 * SECOND))
        .service(service_fn(|request: Req| async {
            hangs(request).await.map_err(|_| Error::Inner(Arc::new(io::Error::other("x"))))
        }));
    let first = tokio::spawn(service.clone().oneshot(with(SECOND)));
    tokio::task::yield_now().await;
    let joined = tokio::spawn(service.oneshot(Request::new("x")));
    tokio::task::yield_now().await;
    assert_eq!(layer_of(first.await.unwrap()), Some("deadline"));
    let joined = timeout(HOUR, joined).await.expect("nobody ends it");
    assert_eq!(layer_of(joined.unwrap()), Some("attempt timeout"));
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// As a client does that blocks its thread.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        if let Poll::Ready(end) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return end;
        }
        thread::park();
    }
}

#[test]
fn a_timeout_in_a_poll_that_blocks_its_thread_has_a_timer_of_its_own() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let handle = runtime.handle().clone();
    thread::spawn(move || runtime.block_on(pending::<()>()));
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let _entered = handle.enter();
        let blocks = service_fn(|request: Req| {
            let inner = TimeoutLayer::new(20 * MILLI).layer(service_fn(hangs));
            async { block_on(inner.oneshot(request)) }
        });
        let end = block_on(DeadlineLayer::new(10 * MILLI).layer(blocks).oneshot(Request::new("x")));
        tell.send(layer_of(end)).unwrap();
    });
    let end = told.recv_timeout(Duration::from_secs(10)).expect("the inner call never ends");
    assert_eq!(end, Some("attempt timeout"), "its end is there, so it is handed on");
}

#[tokio::test(start_paused = true)]
async fn one_who_stands_in_line_in_another_task_leaves_it_at_its_end() {
    let rate = RateLimitLayer::new(RateLimit::per(1, HOUR)).unwrap();
    let handle = rate.handle();
    let well = |_: Req| async { Ok::<_, Error<io::Error>>(Response::new(())) };
    let limited = rate.layer(service_fn(well));
    let spawned = limited.clone();
    let spawns = service_fn(move |request: Req| {
        let call = tokio::spawn(spawned.clone().call(request));
        async { call.await.unwrap() }
    });
    let call = || limited.clone().oneshot(Request::new("x"));
    call().await.unwrap();
    let mut first = task::spawn(call());
    assert_pending!(first.poll());
    let waits = DeadlineLayer::per_call().layer(spawns).oneshot(with(3 * HOUR));
    assert!(waits.await.is_err());
    tokio::time::sleep(MILLI).await;
    assert_eq!(handle.waiting(), 1, "the first alone, which is not polled any more");
}

/// What becomes of a breaker that opens at the second failure, when nothing answers in time.
async fn breaker_between(deadline: Duration, attempt: Duration) -> BreakerState {
    let opens = CircuitBreaker::new().consecutive_failures(Some(2));
    let breaker = CircuitBreakerLayer::new(opens).unwrap();
    let handle = breaker.handle();
    let service = ServiceBuilder::new()
        .layer(DeadlineLayer::new(deadline))
        .layer(breaker)
        .layer(TimeoutLayer::new(attempt))
        .service(service_fn(hangs));
    for _ in 0..2 {
        assert!(service.clone().oneshot(Request::new("x")).await.is_err());
    }
    handle.state()
}

#[tokio::test(start_paused = true)]
async fn a_breaker_learns_that_what_a_deadline_ended_has_timed_out() {
    assert_eq!(breaker_between(SECOND, HOUR).await, BreakerState::Open);
    assert_eq!(breaker_between(SECOND, SECOND).await, BreakerState::Open);
}

#[tokio::test(start_paused = true)]
async fn what_its_caller_drops_has_not_timed_out() {
    let opens = CircuitBreaker::new().consecutive_failures(Some(1));
    let breaker = CircuitBreakerLayer::new(opens).unwrap();
    let handle = breaker.handle();
    let service = DeadlineLayer::new(HOUR).layer(breaker.layer(service_fn(hangs)));
    assert!(timeout(SECOND, service.oneshot(Request::new("x"))).await.is_err());
    assert_eq!(handle.state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn what_waits_in_a_queue_of_ours_until_its_time_is_over_says_nothing_of_the_server() {
    let opens = CircuitBreaker::new().consecutive_failures(Some(1));
    let breaker = CircuitBreakerLayer::new(opens).unwrap();
    let slots = ConcurrencyLayer::new(Concurrency::limit(1)).unwrap();
    let _taken = tokio::spawn(slots.layer(service_fn(hangs)).oneshot(Request::new("x")));
    tokio::task::yield_now().await;
    let handle = breaker.handle();
    // The queue does not know of this end, so it refuses nothing.
    let service =
        ServiceBuilder::new().layer(TimeoutLayer::new(SECOND)).layer(breaker).layer(slots);
    let end = service.service(service_fn(hangs)).oneshot(Request::new("x")).await;
    assert_eq!(layer_of(end), Some("attempt timeout"));
    assert_eq!(handle.state(), BreakerState::Closed);
}

/// A handler that asks two servers at once, of which one is never sent its request.
#[tokio::test(start_paused = true)]
async fn what_is_dropped_beside_one_in_a_queue_has_timed_out() {
    for queued_first in [true, false] {
        let opens = CircuitBreaker::new().consecutive_failures(Some(1));
        let breaker = CircuitBreakerLayer::new(opens).unwrap();
        let slots = ConcurrencyLayer::new(Concurrency::limit(1)).unwrap();
        let queued = slots.layer(service_fn(hangs));
        let _taken = tokio::spawn(queued.clone().oneshot(Request::new("x")));
        tokio::task::yield_now().await;
        let (handle, sent) = (breaker.handle(), breaker.layer(service_fn(hangs)));
        let handler = service_fn(move |_: Req| {
            let queued = queued.clone().oneshot(Request::new("x"));
            let sent = sent.clone().oneshot(Request::new("x"));
            async move {
                match queued_first {
                    true => tokio::join!(queued, sent).1,
                    false => tokio::join!(sent, queued).0,
                }
            }
        });
        let end = TimeoutLayer::new(SECOND).layer(handler).oneshot(Request::new("x")).await;
        assert_eq!(layer_of(end), Some("attempt timeout"));
        assert_eq!(
            handle.state(),
            BreakerState::Open,
            "the one in the queue first: {queued_first}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_let_go_and_found_nothing_ready_in_time_was_not_sent() {
    let opens = CircuitBreaker::new().consecutive_failures(Some(1));
    let breaker = BreakerGuard::new(opens).unwrap();
    let slots = ConcurrencyGuard::new(Concurrency::limit(1)).unwrap();
    let guards = GuardLayer::new((slots, breaker));
    let stack = ServiceBuilder::new().layer(TimeoutLayer::new(SECOND)).layer(guards.clone());
    let (mut client, mut server) =
        mock::spawn_with(|mock: mock::Mock<Req, Response<()>>| stack.service(mock));
    server.allow(2);
    assert_ready_ok!(client.poll_ready::<Req>());
    let mut first = task::spawn(client.call(Request::new("x")));
    assert_ready_ok!(client.poll_ready::<Req>());
    let mut waits = task::spawn(client.call(Request::new("x")));
    server.allow(0);
    assert_pending!(first.poll());
    assert_pending!(waits.poll());
    let (_, answer) = server.next_request().await.unwrap();
    answer.send_response(Response::new(()));
    assert_ready_ok!(first.poll());
    assert_pending!(waits.poll());
    assert_pending!(server.poll_request(), "it is sent");
    let (after, end) = ends_after(&mut waits).await;
    assert_eq!((after, layer_of(end)), (SECOND, Some("attempt timeout")));
    let (slots, breaker) = guards.guard();
    assert_eq!((slots.snapshot().in_use, breaker.state()), (0, BreakerState::Closed));
}
