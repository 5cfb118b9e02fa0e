//! What is on its way is nobody's own.

use bytes::Bytes;
use http_body_util::Empty;
use tower::{ServiceExt, service_fn};

use super::*;
use crate::deadline::{Deadline, DeadlineLayer};
use crate::http::{Cause, Failure, Reached};
use crate::observe::{CallReport, ObserveLayer};
use crate::retry::{Backoff, Retry, RetryLayer};
use crate::timeout::TimeoutLayer;

type Req = ::http::Request<Empty<Bytes>>;
type Res = ::http::Response<Empty<Bytes>>;

const SECOND: Duration = Duration::from_secs(1);

fn get() -> Req {
    ::http::Request::get("https://a.example/").body(Empty::new()).unwrap()
}

fn says(status: u16) -> Result<Res, Error<Wrong>> {
    Ok(::http::Response::builder().status(status).body(Empty::new()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_timeout_beneath_ends_it_also_when_a_caller_with_a_nearer_deadline_has_left() {
    let timeout = TimeoutLayer::new(SECOND * 5);
    let hangs = service_fn(|_: Req| std::future::pending::<Result<Res, Error<Wrong>>>());
    let shared = CoalesceLayer::new(ByRequest::new()).layer(timeout.layer(hangs));
    let hasty = DeadlineLayer::new(SECOND).layer(shared.clone());
    let (mut hasty, mut patient) =
        (task::spawn(hasty.oneshot(get())), task::spawn(shared.oneshot(get())));
    assert_pending!(hasty.poll());
    assert_pending!(patient.poll());
    tokio::time::advance(SECOND + Duration::from_millis(1)).await;
    assert_ready_err!(hasty.poll());
    drop(hasty);
    assert_pending!(patient.poll());
    tokio::time::advance(SECOND * 5).await;
    assert!(patient.is_woken());
    assert_eq!(
        assert_ready_err!(patient.poll()).refused().map(crate::Refused::reason),
        Some(Reason::TimedOut)
    );
}

#[tokio::test(start_paused = true)]
async fn the_deadline_in_the_request_of_one_caller_holds_for_no_other() {
    for comes_first in [true, false] {
        let slow = service_fn(|_: Req| async {
            clock::sleep(SECOND * 5).await;
            says(200)
        });
        let service =
            CoalesceLayer::new(ByRequest::new()).layer(DeadlineLayer::new(SECOND * 30).layer(slow));
        let mut hasty = get();
        hasty.extensions_mut().insert(Deadline::within(SECOND));
        let calls = if comes_first { [hasty, get()] } else { [get(), hasty] };
        let [one, two] = calls.map(|request| service.clone().oneshot(request));
        let (one, two) = tokio::join!(one, two);
        assert_eq!((one.unwrap().status().as_u16(), two.unwrap().status().as_u16()), (200, 200));
    }
    let mut request = get();
    request.extensions_mut().insert(Deadline::within(SECOND));
    ByRequest::new().make_common(&mut request);
    assert!(request.extensions().get::<Deadline>().is_none());
}

#[tokio::test(start_paused = true)]
async fn it_is_in_nobody_s_report_and_each_has_waited() {
    let failed = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let server = service_fn(move |_: Req| {
        let is_first = !failed.swap(true, std::sync::atomic::Ordering::Relaxed);
        async move { says(if is_first { 503 } else { 200 }) }
    });
    let retry = Retry::up_to(3).backoff(Backoff::constant(SECOND));
    let service = CoalesceLayer::new(ByRequest::new())
        .named("prices")
        .layer(RetryLayer::new(retry).unwrap().layer(server));
    let observe = ObserveLayer::new().report(true);
    let calls = [(); 2].map(|()| observe.layer(service.clone()).oneshot(get()));
    let [one, two] = calls;
    let (one, two) = tokio::join!(one, two);
    for answer in [one.unwrap(), two.unwrap()] {
        let report = answer.extensions().get::<CallReport>().unwrap();
        let lines: Vec<_> = report.entries().iter().map(ToString::to_string).collect();
        assert_eq!(lines.len(), 2, "{report}");
        assert_eq!(lines[0], "coalesce \"prices\": waits");
        assert!(lines[1].starts_with("coalesce \"prices\": has waited for 1.0"), "{report}");
        assert_eq!(report.attempts(), 1);
    }
}

#[test]
fn one_layer_twice_in_a_stack_does_not_wait_for_itself() {
    let layer = CoalesceLayer::new(word as By);
    let (server, service) = script();
    let mut outer = layer.layer(layer.layer(service));
    assert_ready_ok!(task::spawn(poll_fn(|cx| outer.poll_ready(cx))).poll());
    let mut call = task::spawn(outer.call("a"));
    assert_pending!(call.poll());
    server.next().ends(Ok("well"));
    assert_eq!(assert_ready_ok!(call.poll()), "well");
    assert_eq!(layer.in_flight(), 0);
}

#[test]
fn after_a_panic_it_is_open_how_far_the_request_came() {
    let refused = crate::Refused::new(LAYER, Reason::Panicked);
    let failure = Failure::of(&refused);
    assert_eq!((failure.cause(), failure.reached()), (Cause::Broken, Reached::MaybeProcessed));
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_again_for_many_is_paid_from_the_budget_of_no_batch() {
    use crate::budget::{Budget, RetryBudget, beside};

    let wrong = service_fn(|_: Req| std::future::ready(says(503)));
    let retry = RetryLayer::new(Retry::up_to(3).backoff(Backoff::constant(SECOND))).unwrap();
    let shared = CoalesceLayer::new(ByRequest::new()).layer(retry.layer(wrong));
    let budget = Arc::new(Budget::new(RetryBudget::new().reserve(5)).unwrap());
    let mut call = task::spawn(shared.oneshot(get()));
    for _ in 0..3 {
        beside(&budget, || drop(call.poll()));
        assert_eq!(budget.snapshot().waiting, 0);
        tokio::time::advance(SECOND * 2).await;
    }
    assert_eq!(budget.snapshot().available, 5);
}
