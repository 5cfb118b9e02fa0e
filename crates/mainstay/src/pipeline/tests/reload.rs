//! One spec follows another.

use mainstay_policy::cooldown::{CoolDown, GateState};
use mainstay_policy::hedge::Hedge;
use mainstay_policy::rate_limit::RateLimit;
use tokio::time::{Instant, advance};

use super::*;
use crate::observe::testing::heard;

fn github() -> PipelineSpec {
    Pipeline::named("github")
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_on_its_way_ends_by_the_spec_with_which_it_began() {
    let stand = Stand::new(github().attempt_timeout(secs(5)).retry(attempts(2)));
    let began = Instant::now();
    let mut call = stand.call(get("a"));
    assert_pending!(call.poll());
    stand.pipeline.reload(github().attempt_timeout(secs(1))).unwrap();
    assert_eq!(why(said(finishes(call).await)), Reason::TimedOut);
    assert_eq!((began.elapsed().as_secs(), stand.server.calls()), (11, 2));

    let began = Instant::now();
    assert_eq!(why(said(finishes(stand.call(get("a"))).await)), Reason::TimedOut);
    assert_eq!((began.elapsed().as_secs(), stand.server.calls()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_was_raised_lets_those_in_line_go_at_once() {
    let stand = Stand::new(github().per_host(|host| host.concurrency(1)));
    let (_running, _at_server) = stand.sent(get("a"));
    let mut waits = stand.call(get("a"));
    assert_pending!(waits.poll());
    stand.pipeline.reload(github().per_host(|host| host.concurrency(2))).unwrap();
    assert!(waits.is_woken());
    assert_pending!(waits.poll());
    stand.server.next().ends(Ok(answer(200)));
    assert_eq!(said(assert_ready!(waits.poll())), Ok(200));
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_was_given_before_counts_after() {
    let stand = Stand::new(github().per_host(|host| host.concurrency(1)));
    let (running, _at_server) = stand.sent(get("a"));
    stand
        .pipeline
        .reload(github().deadline(secs(30)).per_host(|host| host.concurrency(1)))
        .unwrap();
    let mut waits = stand.call(get("a"));
    assert_pending!(waits.poll());
    drop(running);
    assert!(waits.is_woken());
    assert_pending!(waits.poll());
    stand.server.next().ends(Ok(answer(200)));
    assert_eq!(said(assert_ready!(waits.poll())), Ok(200));
}

#[tokio::test(start_paused = true)]
async fn a_rate_that_was_changed_holds_for_who_comes_and_who_stands_in_line() {
    let rate =
        |seconds| github().per_host(|host| host.rate_limit(RateLimit::per(1, secs(seconds))));
    let stand = Stand::new(rate(60));
    assert_eq!(stand.ends(get("a"), 200), Ok(200));
    let mut waits = stand.call(get("a"));
    assert_pending!(waits.poll());
    stand.pipeline.reload(rate(2)).unwrap();
    advance(ms(2_001)).await;
    assert!(waits.is_woken());
    assert_pending!(waits.poll());
    stand.server.next().ends(Ok(answer(200)));
    assert_eq!(said(assert_ready!(waits.poll())), Ok(200));
}

#[tokio::test(start_paused = true)]
async fn a_breaker_that_is_open_stays_open_whatever_else_changes() {
    let breaker = |spec: PipelineSpec| spec.per_host(|host| host.circuit_breaker(opens_after(1)));
    let stand = Stand::new(breaker(github()));
    assert_eq!(stand.ends(get("a"), 500), Ok(500));
    let changes = [
        breaker(github().rename("hub").retry(attempts(1)).deadline(secs(3))),
        breaker(github().per_host(|host| host.concurrency(9).cool_down(CoolDown::new()))),
        breaker(github().per_host(|host| host.rate_limit(RateLimit::per_second(9)))),
        breaker(github()).per_host(|host| host.shadow(GuardKind::Turns)),
        breaker(github()).host("a", |host| host.concurrency(1)),
    ];
    for spec in changes {
        stand.pipeline.reload(spec).unwrap();
        assert_eq!(why(stand.ends(get("a"), 200)), Reason::Open);
    }
    assert_eq!(stand.server.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_gate_that_is_closed_stays_closed_also_beside_a_rate_limit_that_is_new() {
    let gate = |spec: PipelineSpec| spec.per_host(|host| host.cool_down(CoolDown::new()));
    let rate = |spec: PipelineSpec| spec.per_host(|host| host.rate_limit(RateLimit::per_second(9)));
    let stand = Stand::new(gate(github()));
    let (mut call, at_server) = stand.sent(get("a"));
    let mut asks = answer(429);
    asks.headers_mut().insert("retry-after", 30.into());
    at_server.ends(Ok(asks));
    assert_eq!(said(assert_ready!(call.poll())), Ok(429));

    for spec in [gate(github()).deadline(secs(60)), rate(gate(github())), gate(github())] {
        stand.pipeline.reload(spec).unwrap();
        let gate = stand.host("a").turns().unwrap().gate().unwrap();
        assert_eq!(
            (gate.state, gate.opens_in.map(|time| time.as_secs())),
            (GateState::Closed, Some(30))
        );
        assert_pending!(stand.call(get("a")).poll());
    }
    assert_eq!(stand.server.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_stands_in_line_when_its_kind_changes_starts_by_the_line_it_stands_in() {
    let gate = |spec: PipelineSpec| spec.per_host(|host| host.cool_down(CoolDown::new()));
    let stand = Stand::new(gate(github()));
    assert_eq!(stand.ends(get("a"), 429), Ok(429)); // closed for a second
    let mut waits = stand.call(get("a"));
    assert_pending!(waits.poll());
    let both = gate(github()).per_host(|host| host.rate_limit(RateLimit::per_second(9)));
    stand.pipeline.reload(both).unwrap();
    advance(ms(1_001)).await;
    assert!(waits.is_woken());
    assert_pending!(waits.poll());
    stand.server.next().ends(Ok(answer(200)));
    assert_eq!(said(assert_ready!(waits.poll())), Ok(200));
}

#[tokio::test(start_paused = true)]
async fn what_a_server_says_to_an_attempt_from_before_is_heeded_by_those_after() {
    let gate = |spec: PipelineSpec| spec.per_host(|host| host.cool_down(CoolDown::new()));
    let rate = |spec: PipelineSpec| spec.per_host(|host| host.rate_limit(RateLimit::per_second(9)));
    for (before, after) in
        [(gate(github()), rate(gate(github()))), (rate(gate(github())), gate(github()))]
    {
        let stand = Stand::new(before);
        let (mut call, at_server) = stand.sent(get("a"));
        stand.pipeline.reload(after).unwrap();
        at_server.ends(Ok(answer(429)));
        assert_eq!(said(assert_ready!(call.poll())), Ok(429));
        assert_pending!(stand.call(get("a")).poll());
        assert_eq!(stand.server.calls(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_rate_is_kept_by_those_in_line_from_before_and_those_after_together() {
    let rate = || github().per_host(|host| host.rate_limit(RateLimit::per(1, secs(10))));
    let stand = Stand::new(rate());
    assert_eq!(stand.ends(get("a"), 200), Ok(200)); // the one of the burst
    let mut waits = stand.call(get("a"));
    assert_pending!(waits.poll());
    stand.pipeline.reload(rate().per_host(|host| host.cool_down(CoolDown::new()))).unwrap();
    let mut after = stand.call(get("a"));
    assert_pending!(after.poll());
    advance(secs(10)).await;
    assert_pending!(waits.poll());
    assert_pending!(after.poll());
    assert_eq!(stand.server.calls(), 2, "one of them, and not both");
}

#[tokio::test(start_paused = true)]
async fn what_was_paid_stays_paid_and_what_was_learned_stays_known() {
    let spec = || github().retry(attempts(2)).hedge(Hedge::at_percentile(95.0));
    let stand = Stand::new(spec());
    assert_eq!(stand.ends(get("a"), 200), Ok(200));
    stand.ends_at_the_second(get("a")).await;

    let known = || (stand.host("a").budget(), stand.host("a").hedge());
    let before = known();
    assert!(before.0.unwrap().available < 100 && before.1.unwrap().observations > 0);
    stand.pipeline.reload(spec().deadline(secs(9))).unwrap();
    assert_eq!(known(), before);
}

#[tokio::test(start_paused = true)]
async fn a_reload_is_told_and_so_is_one_that_is_refused() {
    let stand = Stand::new(github());
    heard();
    stand.pipeline.reload(github().rename("hub")).unwrap();
    let told = "Changed { layer: \"pipeline\", name: Some(\"hub\"), to: \"reloaded\" }";
    assert_eq!(heard(), [told]);
    assert_eq!((&*stand.pipeline.name(), stand.pipeline.spec()), ("hub", github().rename("hub")));

    finishes(stand.pipeline.close()).await;
    let error = stand.pipeline.reload(github()).unwrap_err();
    assert!(error.to_string().contains("was closed"), "{error}");
    let heard = heard();
    assert!(heard.len() == 1 && heard[0].starts_with("Warning"), "{heard:?}");
}

#[tokio::test(start_paused = true)]
async fn other_numbers_close_no_breaker_and_hold_from_then_on() {
    let breaker = |failures| github().per_host(|host| host.circuit_breaker(opens_after(failures)));
    let stand = Stand::new(breaker(1));
    assert_eq!(stand.ends(get("a"), 500), Ok(500));
    stand.pipeline.reload(breaker(3)).unwrap();
    assert_eq!(why(stand.ends(get("a"), 200)), Reason::Open);
    advance(secs(11)).await;
    assert_eq!(stand.ends(get("a"), 200), Ok(200));
    for _ in 0..3 {
        assert_eq!(stand.ends(get("a"), 500), Ok(500));
    }
    assert_eq!(why(stand.ends(get("a"), 200)), Reason::Open);
}

#[tokio::test(start_paused = true)]
async fn a_spec_that_does_not_fit_together_is_refused_and_the_last_good_one_stays() {
    let good = github().attempt_timeout(secs(5)).deadline(secs(20));
    let stand = Stand::new(good.clone());
    let (_running, _at_server) = stand.sent(get("a"));
    heard();
    let error = stand.pipeline.reload(good.clone().rename("hub").deadline(secs(2))).unwrap_err();
    assert_eq!(error.findings()[0].setting, "attempt_timeout", "{error}");
    let heard = heard();
    assert!(heard.len() == 1 && heard[0].starts_with("Warning"), "{heard:?}");
    assert!(heard[0].contains("attempt_timeout: 5s"), "{heard:?}");
    assert_eq!(stand.pipeline.spec(), good);
    assert_eq!(stand.ends(get("a"), 200), Ok(200));
}

#[tokio::test(start_paused = true)]
async fn whatever_else_a_preset_has_is_there_after_it_and_what_it_lacks_is_gone() {
    let stand = Stand::new(github());
    let (mut running, at_server) = stand.sent(get("a"));
    for name in PipelineSpec::PRESETS.into_iter().chain(PipelineSpec::PRESETS.into_iter().rev()) {
        let spec = PipelineSpec::preset(name).unwrap();
        stand.pipeline.reload(spec.clone()).unwrap();
        let (host, of_host) = (stand.host("a"), &spec.per_host);
        assert_eq!(host.concurrency().is_some(), of_host.concurrency.is_some(), "{name}");
        assert_eq!(host.adaptive().is_some(), of_host.adaptive.is_some(), "{name}");
        let turns = of_host.rate_limit.is_some() || of_host.cool_down.is_some();
        assert_eq!(host.turns().is_some(), turns, "{name}");
        assert_eq!(host.throttle().is_some(), of_host.throttle.is_some(), "{name}");
        assert_eq!(host.circuit_breaker().is_some(), of_host.circuit_breaker.is_some(), "{name}");
        assert_eq!(host.hedge().is_some(), spec.hedge.is_some(), "{name}");
        assert_eq!(stand.ends(get("a"), 200), Ok(200), "{name}");
    }
    at_server.ends(Ok(answer(200)));
    assert_eq!(said(assert_ready!(running.poll())), Ok(200));
}
