//! Who is polled late: when the time of its call is over.

use std::time::Duration;

use tokio::time::advance;

use super::*;
use crate::CallError;
use crate::breaker::{BreakerGuard, BreakerState, CircuitBreaker};
use crate::clock;
use crate::concurrency::{Concurrency, ConcurrencyGuard};
use crate::scope::Scope;

const SECOND: Duration = Duration::from_secs(1);

fn reason<E: CallError>(error: &E) -> Option<(&'static str, Reason)> {
    error.refused().map(|refused| (refused.layer(), refused.reason()))
}

#[tokio::test(start_paused = true)]
async fn what_may_start_only_when_its_time_is_over_does_not_start() {
    let log = Log::default();
    for waits_for in ["its permit", "the service"] {
        let guard = Script::new("a", &log, [Admission::Wait]);
        let grants = guard.grants();
        let (mut client, mut server) = over(guard);
        ready(&mut client);
        let scope = Scope::current().until(clock::now() + SECOND);
        let mut call = task::spawn(scope.around(|| client.call("late")));
        assert_pending!(call.poll());
        if waits_for == "the service" {
            server.allow(0);
            grants.send(7).unwrap();
            assert_pending!(call.poll());
            advance(SECOND).await;
            server.allow(1);
        } else {
            advance(SECOND).await;
            grants.send(7).unwrap();
        }
        assert!(call.is_woken());
        let end = assert_ready_err!(call.poll());
        assert_eq!(reason(&end), Some(("deadline", Reason::Deadline)), "{waits_for}");
        assert_eq!(said(&log), ["a: asked about late", "a: 7 ended: Refused"], "{waits_for}");
        assert_pending!(server.poll_request(), "{waits_for}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_is_found_when_the_time_is_over_goes_back_and_says_nothing_of_the_server() {
    let slots = Arc::new(ConcurrencyGuard::new(Concurrency::limit(1)).unwrap());
    let opens = CircuitBreaker::new().consecutive_failures(Some(1));
    let breaker = Arc::new(BreakerGuard::new(opens).unwrap());
    let (mut client, mut server) = over((Arc::clone(&slots), Arc::clone(&breaker)));
    ready(&mut client);
    let mut first = task::spawn(client.call("first"));
    let scope = Scope::current().until(clock::now() + SECOND);
    let mut late = task::spawn(scope.around(|| client.call("late")));
    assert_pending!(late.poll());
    assert_request_eq!(server, "first").send_response("well");
    assert_ready_ok!(first.poll());
    assert!(late.is_woken());
    advance(SECOND).await;
    let end = assert_ready_err!(late.poll());
    assert_eq!(reason(&end), Some(("concurrency limit", Reason::Deadline)));
    assert_eq!((slots.snapshot().in_use, breaker.state()), (0, BreakerState::Closed));
    assert_pending!(server.poll_request());
}
