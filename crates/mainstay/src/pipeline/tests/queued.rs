//! A first attempt that waits for a slot, and the one timer of its call.

use mainstay_policy::concurrency::Concurrency;
use mainstay_policy::rate_limit::RateLimit;
use tokio::time::{Instant, advance};

use super::*;

/// One slot, for which a call waits so long.
fn one_slot(max_wait: Duration) -> PipelineSpec {
    Pipeline::named("github")
        .per_host(|host| host.concurrency(Concurrency::limit(1).max_wait(max_wait)))
}

/// How a call ends that waits for a slot which does not come back, and when.
async fn ends(stand: &Stand) -> (Refused, Duration) {
    let (_running, _at_server) = stand.sent(post("a"));
    let began = Instant::now();
    let end = finishes(stand.call(post("a")).into_inner()).await;
    (said(end).unwrap_err(), began.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_a_slot_as_long_as_it_may_or_to_the_end_of_its_time() {
    let (slot, call, long) = (Reason::NoSlot, Reason::Deadline, Duration::MAX);
    for (max_wait, deadline, attempt, reason, at) in [
        (secs(10), secs(30), secs(8), slot, 10),
        (secs(10), secs(30), long, slot, 10),
        (secs(5), secs(30), secs(8), slot, 5),
        (secs(10), secs(4), secs(2), call, 4),
        (secs(10), secs(4), long, call, 4),
    ] {
        let spec = one_slot(max_wait).deadline(deadline);
        let stand = Stand::new(match attempt {
            Duration::MAX => spec,
            attempt => spec.attempt_timeout(attempt),
        });
        let (refused, after) = ends(&stand).await;
        let told = (refused.layer(), refused.reason(), after);
        assert_eq!(told, ("concurrency limit", reason, secs(at)), "{max_wait:?} {deadline:?}");
    }
}

/// The timer that was there while it waited was set for no later than this.
#[tokio::test(start_paused = true)]
async fn the_time_of_an_attempt_that_waited_begins_when_it_is_sent() {
    for (wait, max_wait) in [(1, 60), (6, 60), (6, 7), (20, 60), (25, 3_000)] {
        let spec = one_slot(secs(max_wait)).deadline(secs(30)).attempt_timeout(secs(8));
        let stand = Stand::new(spec);
        let (running, _at_server) = stand.sent(post("a"));
        let mut waits = stand.call(post("a"));
        for _ in 0..wait {
            assert_pending!(waits.poll());
            advance(secs(1)).await;
        }
        drop(running);
        assert!(waits.is_woken());
        assert_pending!(waits.poll());
        let _at_server = stand.server.next();
        let sent = Instant::now();
        let refused = said(finishes(waits.into_inner()).await).unwrap_err();
        let (layer, left) = match 30 - wait {
            left @ 0..8 => ("deadline", left),
            _ => ("attempt timeout", 8),
        };
        let told = (refused.layer(), refused.reason(), sent.elapsed());
        assert_eq!(told, (layer, Reason::TimedOut, secs(left)), "{wait} {max_wait}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_woken_at_its_end_where_it_was_polled_last() {
    let stand = Stand::new(one_slot(secs(10)).deadline(secs(30)).attempt_timeout(secs(8)));
    let (_running, _at_server) = stand.sent(post("a"));
    let mut waits = stand.call(post("a")).into_inner();
    let (mut one, mut other) = (task::spawn(()), task::spawn(()));
    assert_pending!(one.enter(|cx, _| waits.as_mut().poll(cx)));
    assert_pending!(other.enter(|cx, _| waits.as_mut().poll(cx)));
    for _ in 0..9 {
        advance(secs(1)).await;
        assert_pending!(other.enter(|cx, _| waits.as_mut().poll(cx)));
    }
    advance(secs(1)).await;
    assert!(other.is_woken() && !one.is_woken());
    let end = assert_ready!(other.enter(|cx, _| waits.as_mut().poll(cx)));
    assert_eq!(why(said(end)), Reason::NoSlot);
}

/// Beneath a deadline that somebody else has a timer for, which is none of this call's.
#[tokio::test(start_paused = true)]
async fn a_call_that_waits_beneath_a_deadline_ends_with_it() {
    let stand = Stand::new(one_slot(secs(10)));
    let (_running, _at_server) = stand.sent(post("a"));
    let service = ServiceBuilder::new()
        .layer(crate::deadline::DeadlineLayer::new(secs(3)))
        .service(stand.service.clone());
    let began = Instant::now();
    let refused = said(finishes(service.oneshot(post("a"))).await).unwrap_err();
    assert_eq!((refused.reason(), began.elapsed()), (Reason::Deadline, secs(3)));
}

#[tokio::test(start_paused = true)]
async fn who_got_a_slot_does_not_wait_for_a_turn_where_the_breaker_has_opened_meanwhile() {
    let stand = Stand::guarded(|host| {
        let rate = RateLimit::per(1, secs(10));
        host.concurrency(1).rate_limit(rate).circuit_breaker(opens_after(1))
    });
    let (mut running, at_server) = stand.sent(post("a"));
    let mut waits = stand.call(post("a"));
    assert_pending!(waits.poll());
    at_server.ends(Ok(answer(500)));
    assert_eq!(said(assert_ready!(running.poll())), Ok(500));
    assert!(waits.is_woken());
    assert_eq!(why(said(assert_ready!(waits.poll()))), Reason::Open);
    assert_eq!(stand.host("a").concurrency().unwrap().snapshot().in_use, 0);
}
