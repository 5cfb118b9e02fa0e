//! What is paid, observed and left behind, whichever way a call ends.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tower::{ServiceExt, service_fn};

use super::*;

#[tokio::test(start_paused = true)]
async fn a_hedge_is_paid_for_when_decided_and_spent_when_it_has_ended() {
    let mut stand = fixed();
    let mut call = stand.waits();
    stand.server.is_busy();
    pass(DELAY).await;
    assert_pending!(call.poll());
    assert_eq!(stand.account(), (2, 1));
    stand.server.is_ready();
    assert!(call.is_woken());
    assert_pending!(call.poll());
    assert_eq!((stand.server.calls(), stand.account()), (2, (2, 1)));
    drop(call);
    assert_eq!(stand.account(), (2, 0));
}

/// It fails, and a breaker refuses what a retry beneath would send after it.
#[tokio::test(start_paused = true)]
async fn a_hedge_that_was_sent_is_spent_although_it_ends_in_a_refusal() {
    use crate::breaker::{CircuitBreaker, CircuitBreakerLayer};
    use crate::retry::{Backoff, Retry, RetryLayer};

    let budget = Arc::new(Budget::new(RetryBudget::new().ratio(0.0).reserve(2)).unwrap());
    let server = service_fn(|_: Request<Full<Bytes>>| async {
        if Scope::current().attempt == 1 {
            clock::sleep(DELAY * 10).await;
        }
        let answer = Response::builder().status(StatusCode::SERVICE_UNAVAILABLE);
        Ok::<_, Error<Wrong>>(answer.body(Full::<Bytes>::default()).unwrap())
    });
    let breaker = CircuitBreaker::new().consecutive_failures(Some(1));
    let breaker = breaker.open_time(Backoff::constant(DELAY * 1_000));
    let breaker = CircuitBreakerLayer::new(breaker).unwrap();
    let retry = Retry::up_to(2).backoff(Backoff::constant(Duration::ZERO));
    let retry = RetryLayer::new(retry).unwrap().budget(Arc::clone(&budget));
    let hedge = HedgeLayer::new(Hedge::after(DELAY)).unwrap().budget(Arc::clone(&budget));
    let service = hedge.layer(retry.layer(breaker.layer(server)));
    let mut call = task::spawn(service.oneshot(Request::new(Full::default())));
    assert_pending!(call.poll());
    pass(DELAY).await;
    assert_pending!(call.poll());
    let snapshot = budget.snapshot();
    assert_eq!((snapshot.available, snapshot.waiting), (1, 0), "what was refused is refunded");
}

#[tokio::test(start_paused = true)]
async fn a_hedge_goes_out_also_beside_an_attempt_that_uses_the_budget_of_its_task_up() {
    let greedy = service_fn(|_: Req| async {
        while Scope::current().attempt == 1 {
            tokio::task::consume_budget().await;
        }
        well("second")
    });
    let call = tokio::spawn(fixed().layer.layer(greedy).oneshot(Request::new("body")));
    for _ in 0..20 {
        advance(DELAY / 10).await;
        tokio::task::yield_now().await;
    }
    assert!(call.is_finished());
    assert_eq!(call.await.unwrap().unwrap().into_body(), "second");
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
async fn no_hedge_is_decided_or_sent_when_the_time_of_its_call_is_over() {
    for is_decided in [false, true] {
        let mut stand = fixed();
        let scope = Scope::current().until(clock::now() + DELAY * 2);
        let mut call = scope.around(|| stand.waits());
        assert_eq!(stand.server.calls(), 1);
        if is_decided {
            stand.server.is_busy();
            pass(DELAY).await;
            assert_pending!(call.poll());
            assert_eq!(stand.account(), (2, 1));
        }
        pass(DELAY * 2).await;
        stand.server.is_ready();
        assert_pending!(call.poll());
        assert_eq!((stand.server.calls(), stand.account()), (0, (3, 0)), "decided: {is_decided}");
    }
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
    let hedger = |host| layer.hedgers().hedger(&to(host)).unwrap();
    assert!(Arc::ptr_eq(&hedger("https://here.example"), &hedger("https://here.example/again")));
    assert!(!Arc::ptr_eq(&hedger("https://here.example"), &hedger("https://there.example")));
}

#[test]
fn settings_that_cannot_work_are_refused() {
    assert!(HedgeLayer::new(Hedge::at_percentile(0.95)).is_err());
}

#[tokio::test(start_paused = true)]
async fn an_extra_attempt_and_the_ends_of_both_are_told_once_and_a_lone_one_is_not() {
    for is_hedged in [false, true] {
        let stand = fixed();
        let observe = crate::observe::ObserveLayer::new().report(true);
        let mut client = observe.layer(stand.client);
        assert_ready_ok!(task::spawn(std::future::poll_fn(|cx| client.poll_ready(cx))).poll());
        let mut call =
            task::spawn(client.call(Request::get("https://a.example").body("").unwrap()));
        assert_pending!(call.poll());
        let first = stand.server.next();
        let told: &[&str] = if is_hedged {
            pass(DELAY).await;
            assert_pending!(call.poll());
            stand.server.next().ends(well("second"));
            &[
                "hedge: begins attempt 2",
                "attempt 2 ends: success, after 0.000 s",
                "attempt 1 ends: abandoned, after 0.101 s",
            ]
        } else {
            first.ends(well("first"));
            &[]
        };
        let answer = assert_ready_ok!(call.poll());
        let report = answer.extensions().get::<crate::observe::CallReport>().unwrap();
        let lines: Vec<_> = report.entries().iter().map(ToString::to_string).collect();
        assert_eq!(lines, told);
    }
}
