//! What a call wants otherwise.

use ::http::Method;
use mainstay_policy::rate_limit::RateLimit;
use tokio::time::{Instant, advance};

use super::*;
use crate::http::{CallOptions, IdempotencyKeys, RetryRules, When};

fn with(mut request: Req, options: CallOptions) -> Req {
    request.extensions_mut().insert(options);
    request
}

/// After how long a call ends that is not answered.
async fn times_out_after(stand: &Stand, options: CallOptions) -> Duration {
    let began = Instant::now();
    assert_eq!(why(said(finishes(stand.call(with(get("a"), options))).await)), Reason::TimedOut);
    let ended = began.elapsed();
    assert!(stand.server.next().is_dropped());
    Duration::from_secs(ended.as_secs())
}

#[tokio::test(start_paused = true)]
async fn a_call_can_have_less_time_than_the_pipeline_gives_and_not_more() {
    let stand = Stand::new(Pipeline::named("github").deadline(secs(10)));
    assert_eq!(times_out_after(&stand, CallOptions::new()).await, secs(10));
    assert_eq!(times_out_after(&stand, CallOptions::new().within(secs(2))).await, secs(2));
    assert_eq!(times_out_after(&stand, CallOptions::new().within(secs(60))).await, secs(10));
    let has_none = Stand::new(Pipeline::named("github"));
    assert_eq!(times_out_after(&has_none, CallOptions::new().within(secs(60))).await, secs(60));
}

#[tokio::test(start_paused = true)]
async fn the_rules_of_the_pipeline_say_what_may_be_sent_again() {
    let never = RetryRules::standard().status(StatusCode::SERVICE_UNAVAILABLE, When::Never);
    let stand = Stand::new(Pipeline::named("github").retry(attempts(2)).rules(never));
    assert_eq!(stand.ends(get("a"), 503), Ok(503));
    let (mut call, first) = stand.sent(get("a"));
    first.ends(Ok(answer(502)));
    assert_pending!(call.poll());
}

#[tokio::test(start_paused = true)]
async fn a_call_can_have_rules_of_its_own_for_what_may_be_sent_again() {
    let stand = Stand::new(Pipeline::named("github").retry(attempts(2)));
    assert_eq!(stand.ends(post("a"), 503), Ok(503));

    let may = CallOptions::new().rules(RetryRules::standard().idempotent(Method::POST));
    stand.ends_at_the_second(with(post("a"), may)).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_can_cost_more_than_another() {
    let stand = Stand::guarded(|host| host.rate_limit(RateLimit::per_second(10).burst(10)));
    let dear = CallOptions::new().cost(10);
    assert_eq!(stand.ends(with(get("a"), dear), 200), Ok(200));
    let mut waits = stand.call(get("a"));
    assert_pending!(waits.poll());
    assert_eq!(stand.host("a").turns().unwrap().waiting(), 1);
    advance(ms(101)).await;
    assert_pending!(waits.poll());
    stand.server.next().ends(Ok(answer(200)));
    assert_eq!(said(assert_ready!(waits.poll())), Ok(200));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_a_key_for_idempotency_may_be_sent_again_with_the_same() {
    let keys = Pipeline::named("payments").idempotency_keys(IdempotencyKeys::new());
    let stand = Stand::new(keys.retry(attempts(2)));
    let (mut call, first) = stand.sent(post("a"));
    let key = first.request.headers()["idempotency-key"].clone();
    first.ends(Ok(answer(503)));
    assert_pending!(call.poll());
    advance(secs(1)).await;
    assert_pending!(call.poll());
    let second = stand.server.next();
    assert_eq!(second.request.headers()["idempotency-key"], key);
    second.ends(Ok(answer(200)));
    assert_eq!(said(assert_ready!(call.poll())), Ok(200));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_brings_a_key_of_its_own_may_be_sent_again() {
    let stand = Stand::new(Pipeline::named("payments").retry(attempts(2)));
    let mut request = post("a");
    request.headers_mut().insert("idempotency-key", "8e03978e".parse().unwrap());
    stand.ends_at_the_second(request).await;
}
