//! What services, clones and hosts have in common, and what not.

use mainstay_policy::budget::RetryBudget;
use mainstay_policy::hedge::Hedge;
use mainstay_policy::rate_limit::RateLimit;
use tokio::time::advance;

use super::*;
use crate::http::CallOptions;

fn open(stand: &Stand, host: &str) -> bool {
    state(&stand.host(host)) == BreakerState::Open
}

#[tokio::test(start_paused = true)]
async fn all_services_of_a_pipeline_and_its_clones_share_what_is_known_of_a_host() {
    let one = Stand::guarded(|host| host.circuit_breaker(opens_after(1)));
    let other = Stand::of(one.pipeline.clone());
    assert_eq!(one.ends(get("a"), 500), Ok(500));
    assert_eq!(why(other.ends(get("a"), 200)), Reason::Open);
    assert_eq!(other.server.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn every_host_has_a_state_of_its_own() {
    let stand = Stand::guarded(|host| host.circuit_breaker(opens_after(1)));
    assert_eq!(stand.ends(get("a"), 500), Ok(500));
    assert_eq!(stand.ends(get("b"), 200), Ok(200));
    assert_eq!(why(stand.ends(get("a"), 200)), Reason::Open);
    assert_eq!(why(stand.ends(get("A:443"), 200)), Reason::Open);
    assert_eq!(stand.pipeline.hosts().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn of_the_patterns_that_a_host_matches_the_first_counts() {
    let spec = Pipeline::named("github")
        .per_host(|host| host.circuit_breaker(opens_after(3)))
        .host("one.example.com", |host| host.circuit_breaker(opens_after(1)))
        .host("*.example.com", |host| host.circuit_breaker(opens_after(2)));
    let stand = Stand::new(spec);
    for (host, failures) in [("one.example.com", 1), ("two.example.com", 2), ("example.com", 3)] {
        for _ in 0..failures {
            assert_eq!(stand.ends(get(host), 500), Ok(500), "{host}");
        }
        assert_eq!(why(stand.ends(get(host), 500)), Reason::Open, "{host}");
    }
}

#[tokio::test(start_paused = true)]
async fn state_is_kept_by_what_the_closure_says() {
    let spec = Pipeline::named("tenants")
        .per_host(|host| host.circuit_breaker(opens_after(1)))
        .host("globex", |host| host.circuit_breaker(opens_after(2)));
    let tenant = |request: &RequestHead<'_>| {
        Key::new(request.headers["tenant"].to_str().unwrap().to_owned())
    };
    let stand = Stand::of(spec.build_by(tenant).unwrap());
    let of = |tenant: &'static str, host: &str| {
        let mut request = get(host);
        request.headers_mut().insert("tenant", tenant.parse().unwrap());
        request
    };
    assert_eq!(stand.ends(of("acme", "a"), 500), Ok(500));
    let refused = stand.ends(of("acme", "b"), 200).unwrap_err();
    assert_eq!((refused.reason(), refused.key()), (Reason::Open, Some(&Key::new("acme"))));
    assert_eq!(stand.ends(of("globex", "a"), 500), Ok(500), "patterns are matched against the key");
    assert_eq!(stand.ends(of("globex", "a"), 200), Ok(200));
}

#[tokio::test(start_paused = true)]
async fn a_call_can_say_whose_state_it_shares() {
    let stand = Stand::guarded(|host| host.circuit_breaker(opens_after(1)));
    let of_acme = |host| {
        let mut request = get(host);
        request.extensions_mut().insert(CallOptions::new().key(Key::new("acme")));
        request
    };
    assert_eq!(stand.ends(of_acme("a"), 500), Ok(500));
    assert_eq!(why(stand.ends(of_acme("b"), 200)), Reason::Open);
    assert_eq!(stand.ends(get("a"), 200), Ok(200), "the host has a state of its own");
    assert!(stand.pipeline.host(&Key::new("acme")).is_some());
}

#[tokio::test(start_paused = true)]
async fn retries_and_hedges_of_a_host_are_paid_from_one_budget() {
    let spec = Pipeline::named("github")
        .retry(attempts(2))
        .hedge(Hedge::after(secs(1)))
        .budget(RetryBudget::new().ratio(0.0).reserve(2));
    let stand = Stand::new(spec);
    let left = |host| stand.host(host).budget().unwrap().available;

    let (mut hedged, slow) = stand.sent(get("a"));
    advance(secs(1)).await;
    assert_pending!(hedged.poll());
    stand.server.next().ends(Ok(answer(200)));
    assert_eq!(said(assert_ready!(hedged.poll())), Ok(200));
    assert!(slow.is_dropped());
    assert_eq!(left("a"), 1);

    stand.ends_at_the_second(get("a")).await;
    assert_eq!(left("a"), 0);

    assert_eq!(stand.ends(get("a"), 503), Ok(503), "there is nothing left to retry with");
    let (mut slow, at_server) = stand.sent(get("a"));
    advance(secs(9)).await;
    assert_pending!(slow.poll());
    at_server.ends(Ok(answer(200)));
    assert_eq!(said(assert_ready!(slow.poll())), Ok(200));
    assert_eq!(stand.server.calls(), 6, "nor to hedge");

    assert_eq!(stand.ends(get("b"), 200), Ok(200));
    assert_eq!(left("b"), 2);
}

/// Calls of so many others, which look around for what can be forgotten.
async fn others_come(stand: &Stand, hosts: std::ops::Range<u32>) {
    for n in hosts {
        assert_eq!(stand.ends(get(&format!("host-{n}")), 200), Ok(200));
        tokio::task::yield_now().await; // what a task may poll at once is bounded
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_is_forgotten_when_nothing_is_to_be_known_of_it() {
    let stand = Stand::of(Pipeline::standard());
    assert_eq!(stand.ends(get("well"), 200), Ok(200));
    for _ in 0..5 {
        assert_eq!(stand.ends(post("ill"), 500), Ok(500));
    }
    assert!(open(&stand, "ill"));
    advance(secs(25)).await;
    others_come(&stand, 0..300).await;
    assert!(stand.pipeline.host(&key("well")).is_none());
    assert!(open(&stand, "ill"), "its breaker has not closed");
    assert!(stand.pipeline.hosts().len() < 100, "{}", stand.pipeline.hosts().len());
}

#[tokio::test(start_paused = true)]
async fn nor_while_a_call_is_on_its_way_under_whatever_spec_it_began() {
    let stand = Stand::guarded(|host| host.concurrency(1));
    let (mut call, at_server) = stand.sent(get("a"));
    others_come(&stand, 0..300).await;
    assert_eq!(stand.host("a").concurrency().unwrap().snapshot().in_use, 1);

    stand.pipeline.reload(Pipeline::named("github").deadline(secs(9))).unwrap();
    others_come(&stand, 300..600).await;
    assert!(stand.pipeline.host(&key("a")).is_some());

    at_server.ends(Ok(answer(200)));
    assert_eq!(said(assert_ready!(call.poll())), Ok(200));
    drop(call);
    others_come(&stand, 600..900).await;
    assert!(stand.pipeline.host(&key("a")).is_none());
}

#[tokio::test(start_paused = true)]
async fn nor_while_its_rate_is_one_that_was_set_by_hand_whatever_else_changes() {
    let limited = |rate| {
        let spec = Pipeline::named("github").attempt_timeout(secs(9));
        spec.per_host(|host| host.rate_limit(RateLimit::per_second(rate).burst(1_000)))
    };
    let stand = Stand::new(limited(9));
    assert_eq!(stand.ends(get("a"), 200), Ok(200));
    let by_hand = RateLimit::per_second(1).burst(1_000);
    let host = stand.host("a");
    let Some(HostTurns::Rate(rate)) = host.turns() else { panic!("it has a rate limit") };
    rate.change(by_hand).unwrap();
    drop(host);
    stand.pipeline.reload(limited(9).attempt_timeout(secs(8))).unwrap();
    advance(secs(2_000)).await;
    others_come(&stand, 0..300).await;
    assert!(stand.pipeline.host(&key("a")).is_some());

    stand.pipeline.reload(limited(8)).unwrap();
    advance(secs(2_000)).await;
    others_come(&stand, 300..600).await;
    assert!(stand.pipeline.host(&key("a")).is_none());
}
