use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use ::http::{Method, Request, Response, StatusCode};
use tokio::time::advance;
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower_layer::Layer;
use tower_service::Service;

use super::*;
use crate::budget::{Budget, RetryBudget};
use crate::clock;
use crate::error::{Error, Reason, Refused};
use crate::http::{Http, RetryRules};
use crate::scope::Scope;
use crate::scripted::{Script, Scripted, Wrong, script};

type Req = Request<&'static str>;
type Res = Response<&'static str>;
type Inner = Scripted<Req, Res>;
type Layered = HedgeLayer<Http, Arc<Hedger>, Arc<Budget>>;
type Client = Hedged<Inner, Http, Arc<Hedger>, Arc<Budget>>;
type Call = task::Spawn<HedgeFuture<Req, Inner, Http, Arc<Hedger>, Arc<Budget>>>;

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
async fn if_all_fail_the_last_failure_is_returned_and_a_refusal_gives_way() {
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

#[tokio::test(start_paused = true)]
async fn a_refused_hedge_leaves_the_first_attempt_alone() {
    let mut stand = fixed();
    let mut call = stand.hedged().await;
    let (first, second) = (stand.server.next(), stand.server.next());
    second.ends(Err(no_slot()));
    assert_pending!(call.poll());
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

#[tokio::test(start_paused = true)]
async fn a_request_whose_body_cannot_be_copied_is_sent_once() {
    let (server, service) = script::<Request<Vec<u32>>, Res>();
    let hedger = Arc::new(Hedger::new(Hedge::after(DELAY)).unwrap());
    let mut client = HedgeLayer::of(hedger, crate::budget::Unbounded, Http::new()).layer(service);
    assert_ready_ok!(task::spawn(std::future::poll_fn(|cx| client.poll_ready(cx))).poll());
    let mut call = task::spawn(client.call(Request::new(vec![1])));
    assert_pending!(call.poll());
    pass(DELAY).await;
    assert!(!call.is_woken());
    assert_eq!((server.calls(), server.clones()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_hedge_is_paid_for_when_decided_and_spent_when_sent() {
    let mut stand = fixed();
    let mut call = stand.waits();
    stand.server.is_busy();
    pass(DELAY).await;
    assert_pending!(call.poll());
    assert_eq!(stand.account(), (2, 1));
    stand.server.is_ready();
    assert!(call.is_woken());
    assert_pending!(call.poll());
    assert_eq!((stand.server.calls(), stand.account()), (2, (2, 0)));
    drop(call);
    assert_eq!(stand.account(), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_hedge_whose_service_is_not_ready_holds_nobody_up_and_is_refunded() {
    let mut stand = fixed();
    for end in [well("first"), unavailable("first")] {
        let mut call = stand.waits();
        stand.server.is_busy();
        pass(DELAY).await;
        assert_pending!(call.poll());
        assert_eq!(stand.account(), (2, 1));
        stand.server.next().ends(end);
        assert_eq!(answered(&mut call), "first");
        assert_eq!((stand.server.calls(), stand.account()), (1, (3, 0)));
        stand.server.is_ready();
    }
}

#[tokio::test(start_paused = true)]
async fn a_hedge_whose_service_is_dead_leaves_the_first_attempt_alone() {
    let mut stand = fixed();
    let mut call = stand.waits();
    stand.server.is_dead();
    pass(DELAY).await;
    assert_pending!(call.poll());
    pass(DELAY * 10).await;
    assert_pending!(call.poll());
    assert_eq!((stand.server.calls(), stand.account()), (1, (3, 0)));
    stand.server.next().ends(well("first"));
    assert_eq!(answered(&mut call), "first");
}

#[tokio::test(start_paused = true)]
async fn without_budget_no_hedge_goes_out_and_nobody_asks_again() {
    let mut stand = fixed();
    while let Some(extra) = stand.budget.withdraw() {
        extra.spend();
    }
    // The call itself pays one in, which another takes.
    let mut call = stand.waits();
    stand.budget.withdraw().unwrap().spend();
    pass(DELAY).await;
    assert_pending!(call.poll());
    stand.budget.deposit();
    pass(DELAY).await;
    assert!(!call.is_woken());
    assert_eq!(stand.server.calls(), 1);
    stand.server.next().ends(well("first"));
    assert_eq!(answered(&mut call), "first");
}

#[tokio::test(start_paused = true)]
async fn a_call_pays_once_into_a_budget_that_a_layer_further_out_shares() {
    let mut stand = fixed();
    while let Some(extra) = stand.budget.withdraw() {
        extra.spend();
    }
    let (_, scope) = crate::budget::begin(&stand.budget, &"the call, further out");
    assert_eq!(stand.account(), (1, 0));
    let _call = scope.around(|| stand.waits());
    assert_eq!(stand.account(), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_anywhere_leaves_nothing_behind() {
    for stage in 0..4 {
        let mut stand = fixed();
        let mut call = stand.send(Method::GET);
        if stage > 0 {
            assert_pending!(call.poll());
        }
        if stage == 2 {
            stand.server.is_busy();
        }
        if stage > 1 {
            pass(DELAY).await;
            assert_pending!(call.poll());
        }
        drop(call);
        while stand.server.calls() > 0 {}
        let first = stand.server.next();
        assert!(first.is_dropped(), "{stage}");
        let expected = if stage == 3 { (2, 0) } else { (3, 0) };
        assert_eq!(stand.account(), expected, "{stage}");
        if stage == 3 {
            assert!(stand.server.next().is_dropped());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_an_attempt_passes_on_and_leaves_nothing_behind() {
    for panicking in [0, 1] {
        let mut stand = fixed();
        let mut call = stand.hedged().await;
        let mut attempts = vec![stand.server.next(), stand.server.next()];
        attempts.remove(panicking).panics();
        assert!(catch_unwind(AssertUnwindSafe(|| call.poll())).is_err());
        drop(call);
        assert!(attempts[0].is_dropped());
        assert_eq!(stand.account(), (2, 0));
        assert_eq!(Scope::current().attempt, 1);
    }
    let mut stand = fixed();
    let mut call = stand.waits();
    stand.server.panics();
    pass(DELAY).await;
    assert!(catch_unwind(AssertUnwindSafe(|| call.poll())).is_err());
    drop(call);
    assert!(stand.server.next().is_dropped());
    assert_eq!(stand.account(), (2, 0), "it was handed on");
}

#[tokio::test(start_paused = true)]
async fn what_was_observed_says_when_and_all_services_of_a_layer_share_it() {
    let settings = Hedge::at_percentile(90.0).min_observations(10).max_delay(DELAY * 100);
    let mut stand = stand(settings, Http::new());
    for _ in 0..10 {
        let mut call = stand.waits();
        advance(DELAY).await;
        stand.server.next().ends(well("observed"));
        answered(&mut call);
    }
    stand.server.calls();
    let (server, service) = script();
    let mut other = Stand {
        client: stand.layer.clone().layer(service),
        layer: stand.layer,
        server,
        budget: stand.budget,
    };
    let mut call = other.waits();
    advance(DELAY).await;
    assert_pending!(call.poll());
    assert_eq!(other.server.calls(), 1);
    pass(DELAY / 32).await;
    assert_pending!(call.poll());
    assert_eq!(other.server.calls(), 1);
    assert_eq!(other.layer.hedgers().snapshot().observations, 10);
}

#[tokio::test(start_paused = true)]
async fn what_a_hedge_has_beaten_is_observed_and_the_hedge_is_not() {
    let settings = Hedge::at_percentile(50.0).min_observations(2).max_delay(DELAY);
    let mut stand = stand(settings, Http::new());
    let mut call = stand.hedged().await;
    let (_first, second) = (stand.server.next(), stand.server.next());
    second.ends(well("second"));
    answered(&mut call);
    assert_eq!(stand.layer.hedgers().snapshot().observations, 1);

    let dropped = stand.waits();
    drop(dropped);
    assert_eq!(stand.layer.hedgers().snapshot().observations, 1, "it did not last");
}

#[tokio::test(start_paused = true)]
async fn each_host_is_observed_by_itself() {
    let layer = HedgeLayer::new(Hedge::at_percentile(95.0)).unwrap();
    let to = |host: &str| Request::get(host).body("").unwrap();
    let hedger = |host| layer.hedgers().hedger(&to(host));
    assert!(Arc::ptr_eq(&hedger("https://here.example"), &hedger("https://here.example/again")));
    assert!(!Arc::ptr_eq(&hedger("https://here.example"), &hedger("https://there.example")));
}

#[test]
fn settings_that_cannot_work_are_refused() {
    assert!(HedgeLayer::new(Hedge::at_percentile(0.95)).is_err());
}
