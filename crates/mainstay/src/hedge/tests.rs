use std::sync::Arc;
use std::time::Duration;

use ::http::{Method, Request, Response, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use tokio::time::advance;
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower_layer::Layer;
use tower_service::Service;

use super::*;
use crate::budget::{Budget, RetryBudget, Unbounded};
use crate::clock;
use crate::error::{Error, Reason, Refused};
use crate::http::{Http, ReplayBody, RetryRules};
use crate::scope::Scope;
use crate::scripted::{Script, Scripted, Wrong, script};

type Req = Request<&'static str>;
type Res = Response<&'static str>;
type Inner = Scripted<Req, Res>;
type Layered = HedgeLayer<Http, Arc<Hedger>, Arc<Budget>>;
type Client = Hedged<Inner, Http, Arc<Hedger>, Arc<Budget>>;
type Call = task::Spawn<<Client as Service<Req>>::Future>;

mod queued;
mod ways_out;

const DELAY: Duration = Duration::from_millis(100);

struct Stand {
    layer: Layered,
    client: Client,
    server: Script<Req, Res>,
    budget: Arc<Budget>,
}

fn stand(settings: Hedge, http: Http) -> Stand {
    let budget = Arc::new(Budget::new(RetryBudget::new().ratio(1.0).reserve(3)).unwrap());
    let hedger = Arc::new(Hedger::new(settings).unwrap());
    let layer = HedgeLayer::of(hedger, Arc::clone(&budget), http);
    let (server, service) = script();
    Stand { client: layer.layer(service), layer, server, budget }
}

fn fixed() -> Stand {
    stand(Hedge::after(DELAY), Http::new())
}

impl Stand {
    fn send(&mut self, method: Method) -> Call {
        let mut request = Request::new("body");
        *request.method_mut() = method;
        assert_ready_ok!(task::spawn(std::future::poll_fn(|cx| self.client.poll_ready(cx))).poll());
        task::spawn(self.client.call(request))
    }

    /// A call that has been sent and waits for its answer.
    fn waits(&mut self) -> Call {
        let mut call = self.send(Method::GET);
        assert_pending!(call.poll());
        call
    }

    /// A call of which two attempts are on their way.
    async fn hedged(&mut self) -> Call {
        let mut call = self.waits();
        pass(DELAY).await;
        assert!(call.is_woken());
        assert_pending!(call.poll());
        assert_eq!(self.server.calls(), 2);
        call
    }

    /// Extra attempts that could be paid for, and those that are paid for and not yet sent.
    fn account(&self) -> (u32, u32) {
        let snapshot = self.budget.snapshot();
        (snapshot.available, snapshot.waiting)
    }
}

/// A timer may be a millisecond late.
async fn pass(time: Duration) {
    advance(time + Duration::from_millis(1)).await;
}

fn says(status: StatusCode, body: &'static str) -> Result<Res, Error<Wrong>> {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    Ok(answer)
}

fn well(body: &'static str) -> Result<Res, Error<Wrong>> {
    says(StatusCode::OK, body)
}

fn unavailable(body: &'static str) -> Result<Res, Error<Wrong>> {
    says(StatusCode::SERVICE_UNAVAILABLE, body)
}

fn no_slot() -> Error<Wrong> {
    Refused::new("concurrency limit", Reason::NoSlot).into()
}

#[track_caller]
fn answered(call: &mut Call) -> &'static str {
    assert!(call.is_woken());
    assert_ready_ok!(call.poll()).into_body()
}

#[tokio::test(start_paused = true)]
async fn a_slow_request_is_sent_a_second_time_after_the_delay_and_not_before() {
    let mut stand = fixed();
    let mut call = stand.waits();
    advance(DELAY - Duration::from_millis(1)).await;
    assert_pending!(call.poll());
    assert_eq!(stand.server.calls(), 1);

    pass(Duration::from_millis(1)).await;
    assert!(call.is_woken());
    assert_pending!(call.poll());
    assert_eq!(stand.server.calls(), 1);
    let (first, second) = (stand.server.next(), stand.server.next());
    assert_eq!(second.request.body(), first.request.body());
    assert_eq!((first.scope.attempt, second.scope.attempt), (1, 2));
    second.ends(well("second"));
    assert_eq!(answered(&mut call), "second");
}

#[tokio::test(start_paused = true)]
async fn the_delay_counts_from_the_first_poll() {
    let mut stand = fixed();
    let mut call = stand.send(Method::GET);
    pass(DELAY * 100).await;
    assert_pending!(call.poll());
    pass(DELAY / 2).await;
    assert_pending!(call.poll());
    assert_eq!(stand.server.calls(), 1);
    pass(DELAY / 2).await;
    assert_pending!(call.poll());
    assert_eq!(stand.server.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_quick_request_is_sent_once() {
    let mut stand = fixed();
    let mut call = stand.waits();
    stand.server.next().ends(well("first"));
    assert_eq!(answered(&mut call), "first");
    pass(DELAY * 10).await;
    assert_eq!((stand.server.calls(), stand.account()), (1, (3, 0)));
}

#[tokio::test(start_paused = true)]
async fn the_first_success_wins_and_who_loses_is_dropped_before_the_answer() {
    for winner in [0, 1] {
        let mut stand = fixed();
        let mut call = stand.hedged().await;
        let mut attempts = vec![stand.server.next(), stand.server.next()];
        attempts.remove(winner).ends(well("winner"));
        assert!(!attempts[0].is_dropped());
        assert_eq!(answered(&mut call), "winner");
        assert!(attempts[0].is_dropped(), "the call itself is still there");
    }
}

#[tokio::test(start_paused = true)]
async fn a_quick_failure_does_not_beat_a_slow_success() {
    for failing in [0, 1] {
        let mut stand = fixed();
        let mut call = stand.hedged().await;
        let mut attempts = vec![stand.server.next(), stand.server.next()];
        attempts.remove(failing).ends(unavailable("quick"));
        assert_pending!(call.poll());
        attempts.remove(0).ends(well("slow"));
        assert_eq!(answered(&mut call), "slow");
    }
}

// C6
#[tokio::test(start_paused = true)]
async fn a_failure_with_nothing_else_on_its_way_is_returned_at_once() {
    let mut stand = fixed();
    let mut call = stand.waits();
    stand.server.next().ends(unavailable("down"));
    assert_eq!(answered(&mut call), "down");
    assert_eq!((stand.server.calls(), stand.account()), (1, (3, 0)));
}

#[tokio::test(start_paused = true)]
async fn what_asking_again_cannot_change_decides() {
    let mut stand = fixed();
    let mut call = stand.hedged().await;
    let (first, second) = (stand.server.next(), stand.server.next());
    second.ends(says(StatusCode::NOT_FOUND, "nothing there"));
    assert_eq!(answered(&mut call), "nothing there");
    assert!(first.is_dropped());
}

#[tokio::test(start_paused = true)]
async fn what_its_user_repeats_decides_nothing() {
    use crate::http::When;
    let rules = RetryRules::standard().status(StatusCode::NOT_FOUND, When::Always);
    let mut stand = stand(Hedge::after(DELAY), Http::new().rules(rules));
    let mut call = stand.hedged().await;
    let (first, second) = (stand.server.next(), stand.server.next());
    second.ends(says(StatusCode::NOT_FOUND, "not yet replicated"));
    assert_pending!(call.poll());
    first.ends(well("there"));
    assert_eq!(answered(&mut call), "there");
}

#[tokio::test(start_paused = true)]
async fn of_equal_failures_the_last_is_returned_and_a_refusal_gives_way() {
    let mut stand = fixed();
    let mut call = stand.hedged().await;
    let (first, second) = (stand.server.next(), stand.server.next());
    second.ends(unavailable("second"));
    assert_pending!(call.poll());
    first.ends(unavailable("first, and last to end"));
    assert_eq!(answered(&mut call), "first, and last to end");

    let mut call = stand.hedged().await;
    let (first, second) = (stand.server.next(), stand.server.next());
    first.ends(unavailable("sent"));
    assert_pending!(call.poll());
    second.ends(Err(no_slot()));
    assert_eq!(answered(&mut call), "sent");
}

fn asks_for(
    status: StatusCode,
    name: &'static str,
    value: &'static str,
) -> Result<Res, Error<Wrong>> {
    let mut answer = says(status, name)?;
    answer.headers_mut().insert(name, value.parse().unwrap());
    Ok(answer)
}

#[tokio::test(start_paused = true)]
async fn if_all_fail_the_one_is_returned_that_binds_a_retry_most() {
    use crate::http::ServerWord;
    let rules = RetryRules::standard().obey(ServerWord::XShouldRetry);
    let throttled = asks_for(StatusCode::TOO_MANY_REQUESTS, "retry-after", "10");
    let forbids = asks_for(StatusCode::SERVICE_UNAVAILABLE, "x-should-retry", "false");
    for (ends, kept) in [
        ([throttled, unavailable("plain")], "retry-after"),
        (
            [forbids, asks_for(StatusCode::SERVICE_UNAVAILABLE, "retry-after", "10")],
            "x-should-retry",
        ),
    ] {
        let mut stand = stand(Hedge::after(DELAY), Http::new().rules(rules.clone()));
        let mut call = stand.hedged().await;
        let [one, two] = ends;
        stand.server.next().ends(one);
        assert_pending!(call.poll());
        stand.server.next().ends(two);
        assert_eq!(answered(&mut call), kept);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_hedge_leaves_the_first_attempt_alone() {
    let mut stand = fixed();
    let mut call = stand.hedged().await;
    let (first, second) = (stand.server.next(), stand.server.next());
    second.ends(Err(no_slot()));
    assert_pending!(call.poll());
    assert_eq!(stand.account(), (3, 0), "nothing was sent");
    first.ends(well("first"));
    assert_eq!(answered(&mut call), "first");
}

#[tokio::test(start_paused = true)]
async fn no_more_go_out_than_are_allowed_each_a_delay_after_the_one_before() {
    let mut stand = stand(Hedge::after(DELAY).extra_attempts(2), Http::new());
    let mut call = stand.hedged().await;
    pass(DELAY).await;
    assert_pending!(call.poll());
    assert_eq!(stand.server.calls(), 1);
    pass(DELAY * 10).await;
    assert_pending!(call.poll());
    assert_eq!(stand.server.calls(), 0);
    let attempts = [(); 3].map(|()| stand.server.next());
    assert_eq!([1, 2, 3], [0, 1, 2].map(|n: usize| attempts[n].scope.attempt));
    let [first, second, third] = attempts;
    second.ends(well("second"));
    assert_eq!(answered(&mut call), "second");
    assert!(first.is_dropped() && third.is_dropped());
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_no_further_attempt_goes_out() {
    let mut stand = stand(Hedge::after(DELAY).extra_attempts(2), Http::new());
    let mut call = stand.hedged().await;
    let (first, second) = (stand.server.next(), stand.server.next());
    first.ends(unavailable("quick"));
    assert_pending!(call.poll());
    pass(DELAY * 10).await;
    assert_pending!(call.poll());
    assert_eq!(stand.server.calls(), 0);
    second.ends(well("slow"));
    assert_eq!(answered(&mut call), "slow");
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_one_that_waits_to_be_sent_is_refunded() {
    let mut stand = stand(Hedge::after(DELAY).extra_attempts(2), Http::new());
    let mut call = stand.hedged().await;
    stand.server.is_busy();
    pass(DELAY).await;
    assert_pending!(call.poll());
    assert_eq!(stand.account(), (1, 2));
    let (first, _second) = (stand.server.next(), stand.server.next());
    first.ends(unavailable("quick"));
    assert_pending!(call.poll());
    assert_eq!(stand.account(), (2, 1));
    stand.server.is_ready();
    assert_pending!(call.poll());
    assert_eq!(stand.server.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn no_hedge_goes_out_that_could_not_end_before_the_deadline() {
    for (left, calls) in [(DELAY, 1), (DELAY + Duration::from_millis(50), 2)] {
        let mut stand = fixed();
        let scope = Scope::current().until(clock::now() + left);
        let mut call = scope.around(|| stand.waits());
        pass(DELAY).await;
        assert_pending!(call.poll());
        assert_eq!(stand.server.calls(), calls, "{left:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_to_be_on_its_way_twice_is_sent_once_and_costs_no_clone() {
    let mut stand = fixed();
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        let mut call = stand.send(method.clone());
        assert_pending!(call.poll());
        pass(DELAY * 10).await;
        assert!(!call.is_woken());
        assert_eq!((stand.server.calls(), stand.server.clones()), (1, 0), "{method}");
        drop((call, stand.server.next()));
    }
}

#[tokio::test(start_paused = true)]
async fn an_idempotency_key_lets_a_post_be_repeated_and_not_sent_twice_at_once() {
    let keys = crate::http::IdempotencyKeys::new();
    let rules = RetryRules::standard().twice_at_once(Method::POST);
    for (rules, calls) in [(RetryRules::standard(), 1), (rules, 2)] {
        let http = Http::new().rules(rules).idempotency_keys(keys.clone());
        let mut stand = stand(Hedge::after(DELAY), http);
        let mut call = stand.send(Method::POST);
        assert_pending!(call.poll());
        pass(DELAY).await;
        assert_pending!(call.poll());
        assert_eq!(stand.server.calls(), calls);
        if calls == 2 {
            let sent = [stand.server.next(), stand.server.next()];
            let key = |n: usize| sent[n].request.headers()["idempotency-key"].clone();
            assert_eq!(key(0), key(1), "all attempts of a call have it in common");
        }
    }
}

/// How many requests a call with this body makes that is slow.
async fn slow_calls<B: 'static>(body: B) -> usize {
    let (server, service) = script::<Request<B>, Res>();
    let hedger = Arc::new(Hedger::new(Hedge::after(DELAY)).unwrap());
    let mut client = HedgeLayer::of(hedger, Unbounded, Http::new()).layer(service);
    assert_ready_ok!(task::spawn(std::future::poll_fn(|cx| client.poll_ready(cx))).poll());
    let mut call = task::spawn(client.call(Request::new(body)));
    assert_pending!(call.poll());
    pass(DELAY).await;
    assert_pending!(call.poll());
    server.calls()
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_body_cannot_be_sent_beside_its_copy_is_sent_once() {
    assert_eq!(slow_calls(vec![1_u32]).await, 1);
    assert_eq!(slow_calls(vec![1_u8]).await, 2);
    let stream = || Full::new(Bytes::from("stream")).boxed();
    assert_eq!(slow_calls(ReplayBody::new(stream())).await, 1, "a copy waits for the stream");
}
