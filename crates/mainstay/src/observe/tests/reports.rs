//! Reports.

use tokio::time::{advance, sleep};
use tokio_test::{assert_pending, assert_ready_err, task};

use super::*;
use crate::CallError;
use crate::concurrency::{Concurrency, ConcurrencyGuard, ConcurrencyLayer};
use crate::deadline::DeadlineLayer;
use crate::http::Http;
use crate::rate_limit::{RateLimit, RateLimitGuard, RateLimitLayer};

#[tokio::test(start_paused = true)]
async fn a_report_says_what_took_the_time_and_who_decided_what() {
    let layer = ObserveLayer::new().named("users").report(true);
    let answer = layer.layer(at_the_second_attempt()).oneshot(get()).await.unwrap();
    let report = answer.extensions().get::<CallReport>().unwrap();

    assert_eq!(report.name(), Some("users"));
    assert_eq!((report.outcome(), report.attempts()), (Outcome::Success, 2));
    assert_eq!((report.waited(), report.total()), (ms(100), ms(120)));
    assert_eq!(
        report.to_string(),
        "\
users: success, 2 attempts, 0.120 s in all, 0.100 s of it waiting
     0.020 s  attempt 1 ends: transient
     0.020 s  retry: waits for 0.100 s
     0.120 s  retry: has waited for 0.100 s
     0.120 s  retry: begins attempt 2
     0.120 s  attempt 2 ends: success"
    );
    let last = report.entries().last().unwrap();
    assert_eq!((last.at(), last.layer()), (ms(120), None));
    let second = What::Ended { attempt: 2, outcome: Outcome::Success, took: None };
    assert_eq!(*last.what(), second);
}

#[tokio::test]
async fn a_report_says_what_was_not_tried_and_why() {
    let (layer, reports) = reporting();
    let refused = layer.layer(stack(|_| async {
        let refused = open();
        tell(Event::Refused(&refused));
        tell(Event::Ended { attempt: 1, outcome: Outcome::Refused, took: Some(ms(20)) });
        tell(Event::NotRetried {
            layer: "retry",
            name: None,
            attempts: 1,
            why: Stop::NoTime { needed: ms(1_500) },
        });
        Err(refused.into())
    }));
    refused.oneshot(get()).await.unwrap_err();
    let report = only(&reports);
    assert_eq!((report.outcome(), report.attempts()), (Outcome::Refused, 0));
    let lines = report.entries().iter().map(Entry::to_string).collect::<Vec<_>>();
    assert_eq!(
        lines,
        [
            "circuit breaker \"billing\": refuses: the circuit is open; retry in 1.500 s",
            "attempt 1 ends: refused, after 0.020 s",
            "retry: no attempt after 1: no time for a wait of 1.500 s",
        ]
    );
}

#[tokio::test]
async fn no_report_is_made_unless_somebody_asks() {
    let service = ObserveLayer::new().layer(stack(|_| async { well() }));
    let answer = service.clone().oneshot(get()).await.unwrap();
    assert!(answer.extensions().get::<CallReport>().is_none());

    let mut request = get();
    request.extensions_mut().insert(WithReport);
    let answer = service.oneshot(request).await.unwrap();
    assert!(answer.extensions().get::<CallReport>().is_some());
}

#[tokio::test]
async fn a_long_report_is_cut_and_says_so() {
    let (layer, reports) = reporting();
    let restless = layer.layer(stack(|_| async {
        for attempt in 2..=101 {
            tell(Event::Again { layer: "retry", name: None, attempt });
        }
        well()
    }));
    restless.oneshot(get()).await.unwrap();
    let report = only(&reports);
    assert_eq!((report.entries().len(), report.left_out(), report.attempts()), (64, 36, 101));
    assert!(report.to_string().ends_with("\n              and 36 more"), "{report}");
}

#[tokio::test(start_paused = true)]
async fn two_calls_at_once_keep_their_notes_apart() {
    let (layer, reports) = reporting();
    let service = layer.layer(stack(|request: Req| async move {
        let (first, second) = if request.method() == "PUT" { (1, 4) } else { (2, 2) };
        let _wait = Wait::begins("retry", None, Some(ms(first)));
        sleep(ms(first)).await;
        sleep(ms(second)).await;
        well()
    }));
    let put = Request::put("/").body(()).unwrap();
    let (one, other) = tokio::join!(service.clone().oneshot(put), service.oneshot(get()));
    assert!(one.is_ok() && other.is_ok());
    let waited: Vec<_> = reports.lock().unwrap().iter().map(CallReport::waited).collect();
    assert_eq!(waited, [ms(4), ms(5)]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_or_refused_while_it_waits_for_its_turn_has_waited() {
    let (layer, reports) = reporting();
    let slow = RateLimit::per(1, Duration::from_secs(100));
    let turns = RateLimitLayer::of(RateLimitGuard::new(slow).unwrap().named("api"), Http::new());
    let handle = turns.handle();
    let service = layer.layer(turns.layer(stack(|_| async { well() })));
    service.clone().oneshot(get()).await.unwrap();
    let mut dropped = task::spawn(service.clone().oneshot(get()));
    assert_pending!(dropped.poll());
    advance(ms(700)).await;
    drop(dropped);
    let deadline = DeadlineLayer::new(Duration::from_secs(150)).layer(service);
    let mut refused = task::spawn(deadline.oneshot(get()));
    assert_pending!(refused.poll());
    advance(ms(500)).await;
    handle.change(RateLimit::per(1, Duration::from_secs(1_000))).unwrap();
    assert!(refused.is_woken());
    assert_ready_err!(refused.poll());
    let reports = reports.lock().unwrap();
    let seen: Vec<_> = reports[1..].iter().map(|call| (call.outcome(), call.waited())).collect();
    assert_eq!(seen, [(Outcome::Abandoned, ms(700)), (Outcome::Refused, ms(500))]);
    let lines: Vec<_> = reports[1].entries().iter().map(Entry::to_string).collect();
    let waits = "rate limit \"api\": waits for 100.000 s";
    assert_eq!(lines, [waits, "rate limit \"api\": has waited for 0.700 s"]);
}

#[tokio::test]
async fn a_client_that_is_lifted_twice_is_refused_all_the_same() {
    let (layer, reports) = reporting();
    let refuses = stack(|_| async { Err(open().into()) });
    let service = layer.layer(LiftLayer::new().layer(refuses));
    let error = service.oneshot(get()).await.unwrap_err();
    assert_eq!(error.refused(), Some(&open()));
    let report = only(&reports);
    assert_eq!((report.outcome(), report.attempts()), (Outcome::Refused, 0));
}

#[tokio::test]
async fn a_call_within_a_call_is_in_the_reports_of_both() {
    let ((outer, outside), (inner, inside)) = (reporting(), reporting());
    let within = stack(|_| async {
        tell(Event::Again { layer: "retry", name: None, attempt: 2 });
        well()
    });
    let service = outer.layer(stack(move |request| {
        tell(Event::Refused(&open()));
        inner.layer(within.clone()).oneshot(request)
    }));
    service.oneshot(get()).await.unwrap();
    assert_eq!((only(&outside).entries().len(), only(&inside).entries().len()), (2, 1));
    assert!(!log::is_kept());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_while_it_waits_for_a_slot_has_waited() {
    let (layer, reports) = reporting();
    let slots = ConcurrencyGuard::new(Concurrency::limit(1)).unwrap().named("db");
    let slots = ConcurrencyLayer::of(slots, Http::new());
    let hangs = slots.layer(stack(|_| std::future::pending::<Answer>()));
    let mut holder = task::spawn(hangs.clone().oneshot(get()));
    assert_pending!(holder.poll());

    let mut waiter = task::spawn(layer.layer(hangs).oneshot(get()));
    assert_pending!(waiter.poll());
    advance(ms(700)).await;
    drop(waiter);
    let report = only(&reports);
    assert_eq!((report.outcome(), report.waited()), (Outcome::Abandoned, ms(700)));
    let lines: Vec<_> = report.entries().iter().map(Entry::to_string).collect();
    let waits = "concurrency limit \"db\": waits";
    assert_eq!(lines, [waits, "concurrency limit \"db\": has waited for 0.700 s"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_while_it_waits_for_another_attempt_has_waited() {
    let (layer, reports) = reporting();
    let mut call = task::spawn(layer.layer(at_the_second_attempt()).oneshot(get()));
    assert_pending!(call.poll());
    advance(ms(20)).await;
    assert_pending!(call.poll());
    advance(ms(70)).await;
    drop(call);
    let report = only(&reports);
    assert_eq!((report.outcome(), report.waited()), (Outcome::Abandoned, ms(70)));
}

#[tokio::test]
async fn a_protocol_of_one_s_own_is_seen_without_a_word_of_http() {
    #[derive(Debug)]
    struct Words;
    impl crate::Protocol<u32, u32, Error<Infallible>> for Words {
        type About = ();
        fn about(&self, _: &u32) {}
        fn may_repeat(&self, (): &()) -> bool {
            false
        }
        fn end(&self, (): &(), _: Result<&u32, &Error<Infallible>>) -> crate::Ending {
            crate::Ending::new(Outcome::Fatal)
        }
    }
    impl Describe<u32, u32> for Words {}

    let (listener, _guard) = listener::Listener::listens();
    let doubles = service_fn(|n: u32| async move { Ok::<_, Error<Infallible>>(2 * n) });
    let service = ObserveLayer::of(Arc::new(Words)).report(true).layer(doubles);
    assert_eq!(service.oneshot(3).await, Ok(6));
    let told = listener.told();
    assert_eq!(told.spans[0]["error.type"], "fatal");
    assert!(!told.spans[0].contains_key("http.request.method"), "{told:?}");
}
