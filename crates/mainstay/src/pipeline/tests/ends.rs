//! Every way out leaves things as they were.

use mainstay_policy::hedge::Hedge;
use mainstay_policy::rate_limit::RateLimit;
use tokio::time::advance;

use super::*;

fn in_use(stand: &Stand) -> (u32, u32) {
    let slots = stand.host("a").concurrency().unwrap().snapshot();
    (slots.in_use, slots.waiting)
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_gives_its_slot_and_its_place_in_the_line_back() {
    let stand = Stand::guarded(|host| host.concurrency(1));
    let (running, at_server) = stand.sent(get("a"));
    let mut waits = stand.call(get("a"));
    assert_pending!(waits.poll());
    assert_eq!(in_use(&stand), (1, 1));
    drop(waits);
    assert_eq!(in_use(&stand), (1, 0));
    drop(running);
    assert!(at_server.is_dropped());
    assert_eq!(in_use(&stand), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_in_line_for_a_turn_leaves_it_to_the_next() {
    let stand = Stand::guarded(|host| host.rate_limit(RateLimit::per(1, secs(10))).concurrency(9));
    assert_eq!(stand.ends(get("a"), 200), Ok(200));
    let (mut one, mut other) = (stand.call(get("a")), stand.call(get("a")));
    assert_pending!(one.poll());
    assert_pending!(other.poll());
    drop(one);
    assert_eq!(stand.host("a").turns().unwrap().waiting(), 1);
    assert_eq!(in_use(&stand), (1, 0));
    advance(secs(10)).await;
    assert_pending!(other.poll());
    stand.server.next().ends(Ok(answer(200)));
    assert_eq!(said(assert_ready!(other.poll())), Ok(200));
    assert_eq!((stand.host("a").turns().unwrap().waiting(), in_use(&stand)), (0, (0, 0)));
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_dropped_makes_room_for_another() {
    let stand = Stand::guarded(|host| host.circuit_breaker(opens_after(1)));
    assert_eq!(stand.ends(get("a"), 500), Ok(500));
    advance(secs(11)).await;
    let (probe, _at_server) = stand.sent(get("a"));
    assert_eq!(why(stand.ends(get("a"), 200)), Reason::Open);
    drop(probe);
    assert_eq!(stand.ends(get("a"), 200), Ok(200));
    assert_eq!(state(&stand.host("a")), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_before_its_next_attempt_gets_back_what_it_paid() {
    let stand =
        Stand::new(Pipeline::named("github").retry(attempts(3)).hedge(Hedge::after(secs(5))));
    let budget = || {
        let budget = stand.host("a").budget().unwrap();
        (budget.available, budget.waiting)
    };
    let (mut call, first) = stand.sent(get("a"));
    let full = budget();
    first.ends(Ok(answer(503)));
    assert_pending!(call.poll());
    assert_eq!(budget(), (full.0 - 1, 1));
    drop(call);
    assert_eq!(budget(), full);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_panics_has_failed_and_holds_nothing() {
    let stand = Stand::guarded(|host| host.concurrency(1).circuit_breaker(opens_after(1)));
    let (mut call, at_server) = stand.sent(get("a"));
    at_server.panics();
    let poll = std::panic::AssertUnwindSafe(|| call.poll());
    assert!(std::panic::catch_unwind(poll).is_err());
    drop(call);
    assert_eq!((in_use(&stand), state(&stand.host("a"))), ((0, 0), BreakerState::Open));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_never_polled_holds_nothing() {
    let stand = Stand::guarded(|host| host.concurrency(1));
    let (never_polled, other) = (stand.call(get("a")), stand.call(get("a")));
    drop((never_polled, other));
    assert_eq!(in_use(&stand), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_is_dead_says_so_when_it_is_made_ready() {
    let stand = Stand::of(Pipeline::standard());
    stand.server.is_dead();
    let mut service = stand.service.clone();
    assert!(matches!(finishes(service.ready()).await, Err(Error::Inner(Wrong))));
}
