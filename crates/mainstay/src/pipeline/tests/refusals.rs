//! What is not sent, and who says so.

use mainstay_policy::concurrency::Concurrency;
use mainstay_policy::cooldown::CoolDown;
use mainstay_policy::rate_limit::RateLimit;
use mainstay_policy::throttle::Throttle;
use tokio::time::advance;

use super::*;
use crate::observe::testing::heard;

/// The first refusal of a host whose server answers so, and how many calls were sent before it.
#[track_caller]
fn first_refusal(stand: &Stand, status: u16) -> (Refused, usize) {
    let refused = (0..1_000).find_map(|_| stand.ends(get("a"), status).err());
    (refused.expect("nothing is refused"), stand.server.calls())
}

#[tokio::test(start_paused = true)]
async fn every_guard_refuses_in_the_name_of_the_pipeline_and_for_its_host_and_sends_nothing() {
    let nobody_waits = Concurrency::limit(1).max_waiting(0);
    let open = Stand::guarded(|host| host.circuit_breaker(opens_after(3)));
    let no_turn =
        Stand::guarded(|host| host.rate_limit(RateLimit::per_second(1).burst(3)).max_waiting(0));
    let cooling = Stand::guarded(|host| host.cool_down(CoolDown::new()).max_waiting(0));
    let both = Stand::guarded(|host| {
        host.cool_down(CoolDown::new()).rate_limit(RateLimit::per_second(9).burst(9)).max_waiting(0)
    });
    let throttled = Stand::guarded(|host| host.throttle(Throttle::new()));
    let refusals = [
        (first_refusal(&open, 500), Reason::Open),
        (first_refusal(&no_turn, 200), Reason::NoTurn),
        (first_refusal(&cooling, 429), Reason::CoolingDown),
        (first_refusal(&both, 429), Reason::CoolingDown),
        (first_refusal(&throttled, 503), Reason::Throttled),
    ];
    for ((refused, sent), reason) in &refusals {
        assert_eq!(refused.reason(), *reason);
        assert_eq!((refused.name(), refused.key()), (Some("github"), Some(&key("a"))), "{refused}");
        assert!((1..1_000).contains(sent), "{refused}: {sent}");
    }
    let no_slot = Stand::guarded(|host| host.concurrency(nobody_waits));
    let (_running, _at_server) = no_slot.sent(get("a"));
    let refused = no_slot.ends(get("a"), 200).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "concurrency limit \"github\" of https://a: no free slot in time"
    );
    assert_eq!(no_slot.server.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn so_do_the_guards_that_let_wait_and_give_up() {
    let line =
        Stand::guarded(|host| host.rate_limit(RateLimit::per(1, secs(60))).max_wait(secs(5)));
    assert_eq!(line.ends(get("a"), 200), Ok(200));
    let refused = line.ends(get("a"), 200).unwrap_err();
    assert_eq!((refused.name(), refused.key()), (Some("github"), Some(&key("a"))), "{refused}");

    let slots = Stand::guarded(|host| host.concurrency(Concurrency::limit(1).max_wait(secs(5))));
    let (_running, _at_server) = slots.sent(get("a"));
    let mut waits = slots.call(get("a"));
    assert_pending!(waits.poll());
    advance(secs(6)).await;
    let refused = said(assert_ready!(waits.poll())).unwrap_err();
    assert_eq!(refused.reason(), Reason::NoSlot);
    assert_eq!((refused.name(), refused.key()), (Some("github"), Some(&key("a"))), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn deadline_and_attempt_timeout_refuse_in_the_name_of_the_pipeline() {
    for spec in [
        Pipeline::named("github").deadline(secs(5)),
        Pipeline::named("github").attempt_timeout(secs(5)),
    ] {
        let stand = Stand::new(spec);
        let refused = said(finishes(stand.call(get("a"))).await).unwrap_err();
        assert_eq!((refused.name(), refused.reason()), (Some("github"), Reason::TimedOut));
    }
}

#[tokio::test(start_paused = true)]
async fn a_breaker_in_shadow_refuses_nothing_and_says_what_it_would() {
    let stand = Stand::guarded(|host| {
        host.circuit_breaker(opens_after(1)).shadow(GuardKind::CircuitBreaker)
    });
    assert_eq!(stand.ends(get("a"), 500), Ok(500));
    heard();
    assert_eq!(stand.ends(get("a"), 200), Ok(200));
    let would = |event: &&String| event.starts_with("WouldRefuse");
    let heard = heard();
    let would: Vec<_> = heard.iter().filter(would).collect();
    assert_eq!(would.len(), 1, "{heard:?}");
    assert!(would[0].contains("circuit breaker") && would[0].contains("github"), "{would:?}");
    assert_eq!(state(&stand.host("a")), BreakerState::Open);
}

#[tokio::test(start_paused = true)]
async fn limits_in_shadow_let_nobody_wait_and_say_who_would() {
    let limits = |host: HostSpec| {
        host.concurrency(1).rate_limit(RateLimit::per(1, secs(60))).cool_down(CoolDown::new())
    };
    let stand =
        Stand::guarded(|host| limits(host).shadow(GuardKind::Concurrency).shadow(GuardKind::Turns));
    let _first = stand.sent(get("a"));
    heard();
    let _second = stand.sent(get("a"));
    let heard = heard();
    for layer in ["concurrency limit", "rate limit with cool-down"] {
        let says = format!("WouldWait {{ layer: {layer:?}, name: Some(\"github\") }}");
        assert!(heard.contains(&says), "{says} is not in {heard:?}");
    }
}
