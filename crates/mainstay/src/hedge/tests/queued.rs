//! Over a limit of ours, whose queue holds attempts back.

use std::future::{pending, poll_fn};

use tokio::time::timeout;
use tower::{ServiceBuilder, ServiceExt, service_fn};

use super::*;
use crate::concurrency::{Concurrency, ConcurrencyGuard, ConcurrencyLayer};
use crate::guard::Guarded;
use crate::observe::{CallReport, ObserveLayer, What};
use crate::retry::{Backoff, Retry, RetryLayer};

type Limited = Guarded<Inner, Arc<ConcurrencyGuard>>;
type Crowded = Hedged<Limited, Http, Arc<Hedger>, Arc<Budget>>;
type Waits = task::Spawn<<Crowded as Service<Req>>::Future>;

struct Crowd {
    client: Crowded,
    server: Script<Req, Res>,
    budget: Arc<Budget>,
    hedger: Arc<Hedger>,
}

/// Only one attempt at a time is let through.
fn crowd(settings: Hedge) -> Crowd {
    let budget = Arc::new(Budget::new(RetryBudget::new().ratio(0.0).reserve(9)).unwrap());
    let hedger = Arc::new(Hedger::new(settings).unwrap());
    let layer = HedgeLayer::of(Arc::clone(&hedger), Arc::clone(&budget), Http::new());
    let (server, service) = script();
    let limited = ConcurrencyLayer::new(Concurrency::limit(1)).unwrap().layer(service);
    Crowd { client: layer.layer(limited), server, budget, hedger }
}

impl Crowd {
    fn waits(&mut self) -> Waits {
        assert_ready_ok!(task::spawn(poll_fn(|cx| self.client.poll_ready(cx))).poll());
        let mut call = task::spawn(self.client.call(Request::new("body")));
        assert_pending!(call.poll());
        call
    }

    fn account(&self) -> (u32, u32) {
        let snapshot = self.budget.snapshot();
        (snapshot.available, snapshot.waiting)
    }
}

#[tokio::test(start_paused = true)]
async fn no_hedge_goes_out_beside_an_attempt_that_stands_in_a_queue_of_ours() {
    let mut crowd = crowd(Hedge::after(DELAY));
    let mut calls: Vec<_> = (0..5).map(|_| crowd.waits()).collect();
    pass(DELAY * 10).await;
    for call in &mut calls {
        assert_pending!(call.poll());
    }
    assert_eq!((crowd.server.calls(), crowd.account()), (1, (8, 1)), "of the first alone");

    crowd.server.next().ends(well("first"));
    assert_ready_ok!(calls.remove(0).poll());
    let second = &mut calls[0];
    assert!(second.is_woken());
    assert_pending!(second.poll());
    assert_eq!((crowd.server.calls(), crowd.account()), (1, (9, 0)));
    pass(DELAY / 2).await;
    assert_pending!(second.poll());
    assert_eq!(crowd.account(), (9, 0), "its delay began when it left the queue");
    pass(DELAY / 2).await;
    assert_pending!(second.poll());
    assert_eq!(crowd.account(), (8, 1));
}

#[tokio::test(start_paused = true)]
async fn a_hedge_that_never_left_a_queue_is_refunded() {
    for is_dropped in [false, true] {
        let mut crowd = crowd(Hedge::after(DELAY));
        let mut call = crowd.waits();
        pass(DELAY).await;
        assert_pending!(call.poll());
        assert_eq!((crowd.server.calls(), crowd.account()), (1, (8, 1)));
        if is_dropped {
            drop(call);
        } else {
            crowd.server.next().ends(well("first"));
            assert_ready_ok!(call.poll());
        }
        assert_eq!((crowd.server.calls(), crowd.account()), (0, (9, 0)));
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_in_a_queue_is_not_observed() {
    let settings = Hedge::at_percentile(50.0).min_observations(2).max_delay(DELAY * 100);
    let mut crowd = crowd(settings);
    let (mut one, mut two) = (crowd.waits(), crowd.waits());
    advance(DELAY * 20).await;
    crowd.server.next().ends(well("one"));
    assert_ready_ok!(one.poll());
    assert_pending!(two.poll());
    advance(DELAY).await;
    crowd.server.next().ends(well("two"));
    assert_ready_ok!(two.poll());
    assert_eq!(crowd.hedger.snapshot().observations, 2);
    // One took 2 s, and the other 100 ms and not 2.1 s.
    advance(Hedger::REFRESH * 2).await;
    let delay = crowd.hedger.next_at(1, clock::now()).unwrap().since(clock::now());
    assert!(delay < DELAY * 2, "{delay:?}");
}

/// The body of the first attempt's answer holds the slot that the second one waits for.
#[tokio::test(start_paused = true)]
async fn a_failure_beside_which_nothing_but_a_queue_is_left_is_the_end() {
    let slow = service_fn(|_: Request<Full<Bytes>>| async {
        clock::sleep(DELAY * 3).await;
        let answer = Response::builder().status(StatusCode::SERVICE_UNAVAILABLE);
        Ok::<_, Error<Wrong>>(answer.body(Full::new(Bytes::from("down"))).unwrap())
    });
    let patient = Concurrency::limit(1).max_wait(DELAY * 1_000);
    let limited = ConcurrencyLayer::new(patient).unwrap().hold_bodies().layer(slow);
    let budget = Arc::new(Budget::new(RetryBudget::new().ratio(0.0).reserve(9)).unwrap());
    let hedge = HedgeLayer::new(Hedge::after(DELAY)).unwrap().budget(Arc::clone(&budget));
    let call = hedge.layer(limited).oneshot(Request::new(Full::default()));
    let answer = timeout(DELAY * 4, call).await.expect("it waits for itself").unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "down");
    assert_eq!(budget.snapshot().available, 9, "the second was never sent");
}

#[tokio::test(start_paused = true)]
async fn what_is_decided_goes_out_when_its_service_is_ready_also_beside_one_that_came_to_a_queue() {
    let slots = ConcurrencyLayer::new(Concurrency::limit(1)).unwrap();
    let limited = slots.layer(service_fn(|_: Req| pending::<Result<Res, Error<Wrong>>>()));
    let mut taken = task::spawn(limited.clone().oneshot(Request::new("body")));
    assert_pending!(taken.poll());
    let (server, service) = script::<Req, Res>();
    // The first attempt comes to a queue late, after something else.
    let service = ServiceBuilder::new().service(service).map_future(move |sent| {
        let (limited, is_first) = (limited.clone(), Scope::current().attempt == 1);
        async move {
            if is_first {
                clock::sleep(DELAY * 2).await;
                return limited.oneshot(Request::new("body")).await;
            }
            sent.await
        }
    });
    let mut client = HedgeLayer::new(Hedge::after(DELAY)).unwrap().layer(service);
    assert_ready_ok!(task::spawn(poll_fn(|cx| client.poll_ready(cx))).poll());
    let mut call = task::spawn(client.call(Request::new("body")));
    assert_pending!(call.poll());
    let _first = server.next();
    server.is_busy();
    pass(DELAY).await;
    assert_pending!(call.poll());
    pass(DELAY).await;
    assert_pending!(call.poll());

    server.is_ready();
    assert!(call.is_woken());
    assert_pending!(call.poll());
    server.next().ends(well("second"));
    assert_eq!(assert_ready_ok!(call.poll()).into_body(), "second");
}

/// All that happened to one call through a retry over a hedge, each of whose attempts fails.
async fn told(attempts: u32) -> CallReport {
    let slow = service_fn(|_: Req| async {
        clock::sleep(DELAY + DELAY / 2).await;
        unavailable("slow")
    });
    let hedge = HedgeLayer::new(Hedge::after(DELAY)).unwrap();
    let backoff = Backoff::constant(DELAY);
    let retry = RetryLayer::new(Retry::up_to(attempts).backoff(backoff)).unwrap().named("outside");
    struct Empty;
    impl crate::Protocol<Req, Res, Error<Wrong>> for Empty {
        type About = <Http as crate::Protocol<Req, Res, Error<Wrong>>>::About;
        fn about(&self, request: &Req) -> Self::About {
            crate::Protocol::<Req, Res, Error<Wrong>>::about(&Http::new(), request)
        }
        fn copies(&self, _: &Req) -> crate::http::Copies {
            crate::http::Copies::Alongside
        }
        fn copy(&self, request: &Req) -> Option<Req> {
            crate::Protocol::<Req, Res, Error<Wrong>>::copy(&Http::new(), request)
        }
        fn may_repeat(&self, _: &Self::About) -> bool {
            true
        }
        fn end(&self, about: &Self::About, end: Result<&Res, &Error<Wrong>>) -> crate::Ending {
            crate::Protocol::<Req, Res, Error<Wrong>>::end(&Http::new(), about, end)
        }
    }
    impl crate::Discard<Res> for Empty {}
    let service = retry.protocol(Empty).layer(hedge.layer(slow));
    let mut observed = ObserveLayer::new().report(true).layer(service);
    let request = Request::get("https://a.example").body("").unwrap();
    let answer = observed.call(request).await.unwrap();
    answer.extensions().get::<CallReport>().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn beneath_a_retry_each_attempt_is_counted_and_its_end_told_once() {
    for calls in [1, 2] {
        let report = told(calls).await;
        assert_eq!(report.attempts(), calls * 2, "{report}");
        let ends = report.entries().iter().filter_map(|entry| match entry.what() {
            What::Ended { attempt, .. } => Some(*attempt),
            _ => None,
        });
        assert_eq!(ends.collect::<Vec<_>>(), (1..=calls * 2).collect::<Vec<_>>(), "{report}");
        let last = report.entries().last().unwrap();
        assert_eq!(last.name(), Some("outside"));
        let why = mainstay_policy::retry::Stop::AttemptsSpent;
        assert_eq!(*last.what(), What::NotRetried { attempts: calls * 2, why });
    }
}
