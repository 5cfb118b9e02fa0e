//! What pays for attempts beyond the first.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio_test::{assert_pending, task};

use super::*;
use crate::budget::BudgetSnapshot;
use crate::http::Key;
use crate::keyed::Keyed;
use crate::{Reason, Refused};

fn holds(budget: &Budget) -> (u32, u32) {
    let BudgetSnapshot { available, waiting, .. } = budget.snapshot();
    (available, waiting)
}

/// A budget of which all has been spent.
fn emptied(ratio: f64) -> Arc<Budget> {
    let budget = budget(ratio, 10);
    while let Some(extra) = budget.withdraw() {
        extra.spend();
    }
    budget
}

/// A layer that repeats at once, from this budget.
fn eager<B>(attempts: u32, budgets: B) -> RetryLayer<crate::http::Http, B> {
    layer(Retry::up_to(attempts).backoff(Backoff::constant(Duration::ZERO))).budget(budgets)
}

#[tokio::test(start_paused = true)]
async fn in_an_outage_a_fifth_of_the_calls_and_the_reserve_are_repeated() {
    let layer = layer(Retry::up_to(4).backoff(Backoff::constant(ms(1))));
    let server = Server::always(Reply::Status(503));
    for _ in 0..1_000 {
        called(&layer, &server, get()).await.unwrap();
    }
    let extra = server.count() - 1_000;
    assert!(extra <= 300, "{extra}");
    assert!(extra >= 299, "{extra}: the first deposit found the account full");
}

/// C8: a bucket that every success fills by one lets all failures be repeated.
#[tokio::test(start_paused = true)]
async fn successes_earn_no_more_than_the_ratio() {
    let shared = emptied(0.2);
    let layer = eager(2, shared);
    let well = Server::always(Reply::Status(200));
    let ill = Server::always(Reply::Status(503));
    for _ in 0..1_000 {
        called(&layer, &well, get()).await.unwrap();
        called(&layer, &ill, get()).await.unwrap();
    }
    assert_eq!(ill.count(), 1_400, "a fifth of 2 000 calls is repeated");
}

/// tower#857: there, 0.6 is as good as 1.
#[tokio::test(start_paused = true)]
async fn a_ratio_of_six_tenths_is_six_tenths() {
    let layer = eager(2, emptied(0.6));
    let server = Server::always(Reply::Status(503));
    for _ in 0..1_000 {
        called(&layer, &server, get()).await.unwrap();
    }
    assert_eq!(server.count(), 1_600);
}

/// tower's `TpsBudget` looks and then subtracts.
#[test]
fn threads_that_withdraw_together_do_not_overdraw() {
    let shared = budget(0.0, 1_000);
    let spends = || {
        let mut spent = 0;
        while let Some(extra) = shared.withdraw() {
            extra.spend();
            spent += 1;
        }
        spent
    };
    let both = std::thread::scope(|scope| {
        [scope.spawn(spends), scope.spawn(spends)].map(|thread| thread.join().unwrap())
    });
    assert_eq!(both[0] + both[1], 1_000);
}

#[tokio::test(start_paused = true)]
async fn every_host_has_a_budget_of_its_own() {
    let keyed = Keyed::new(crate::http::ByHost, |_: &Key| {
        Budget::new(RetryBudget::new().ratio(0.0).reserve(1)).unwrap()
    });
    let layer = eager(3, Arc::new(keyed));
    let server = Server::always(Reply::Status(503));
    called(&layer, &server, get()).await.unwrap();
    assert_eq!(server.count(), 2, "one was in reserve");
    called(&layer, &server, get()).await.unwrap();
    assert_eq!(server.count(), 3, "nothing is left for this host");

    let mut elsewhere = get();
    *elsewhere.uri_mut() = "https://other.example.com/".parse().unwrap();
    called(&layer, &server, elsewhere).await.unwrap();
    assert_eq!(server.count(), 5, "and one for that");
    assert_eq!(holds(&layer.budgets().of(&get())), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn all_services_of_a_layer_and_its_clones_draw_on_one_budget() {
    let layer = eager(2, budget(0.0, 2));
    let server = Server::always(Reply::Status(503));
    for layer in [&layer, &layer.clone(), &layer] {
        called(layer, &server, get()).await.unwrap();
    }
    assert_eq!(server.count(), 5);
}

#[tokio::test(start_paused = true)]
async fn without_a_budget_every_call_has_all_its_attempts() {
    let layer = layer(Retry::up_to(3).backoff(Backoff::constant(ms(1)))).without_budget();
    let server = Server::always(Reply::Status(503));
    for _ in 0..200 {
        called(&layer, &server, get()).await.unwrap();
    }
    assert_eq!(server.count(), 600);
}

#[tokio::test(start_paused = true)]
async fn it_is_drawn_on_at_the_decision_and_spent_when_the_attempt_has_ended() {
    let shared = budget(0.0, 2);
    let server = Server::replies([Reply::Status(503), Reply::Hangs]);
    let mut service = layer(plain(3)).budget(Arc::clone(&shared)).layer(server.clone());
    let mut call = task::spawn(start(&mut service, get()));
    assert_pending!(call.poll());
    assert_eq!((server.count(), holds(&shared)), (1, (1, 1)));
    tokio::time::advance(ms(101)).await;
    assert_pending!(call.poll());
    assert_eq!((server.count(), holds(&shared)), (2, (1, 1)));
    drop(call);
    assert_eq!(holds(&shared), (1, 0), "it had been sent");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_refused_or_never_leaves_a_queue_is_refunded() {
    use crate::breaker::{CircuitBreaker, CircuitBreakerLayer};
    use crate::concurrency::{Concurrency, ConcurrencyLayer};

    let shared = budget(0.0, 9);
    let retry = layer(plain(3)).budget(Arc::clone(&shared));
    let breaker = CircuitBreaker::new().consecutive_failures(Some(1));
    let breaker = breaker.open_time(Backoff::constant(secs(600)));
    let breaker = CircuitBreakerLayer::new(breaker).unwrap();
    let server = Server::always(Reply::Status(503));
    let mut service = retry.layer(breaker.layer(server.clone()));
    assert!(start(&mut service, get()).await.is_err());
    assert_eq!((server.count(), holds(&shared)), (1, (9, 0)));

    let slots = ConcurrencyLayer::new(Concurrency::limit(1)).unwrap();
    let server = Server::replies([Reply::Status(503), Reply::Hangs]);
    let limited = slots.layer(server.clone());
    let mut service = retry.layer(limited.clone());
    let mut call = task::spawn(start(&mut service, get()));
    assert_pending!(call.poll());
    let mut other = task::spawn(start(&mut limited.clone(), get()));
    assert_pending!(other.poll());
    tokio::time::advance(ms(101)).await;
    assert_pending!(call.poll());
    assert_eq!((server.count(), holds(&shared)), (2, (8, 1)));
    drop(call);
    assert_eq!(holds(&shared), (9, 0), "it stood in the queue");
}

/// The end of the retry further in is a refusal, and says nothing of what it sent before.
#[tokio::test(start_paused = true)]
async fn what_a_retry_further_in_has_sent_is_paid_for_although_its_last_attempt_was_refused() {
    use crate::breaker::{CircuitBreaker, CircuitBreakerLayer};

    let shared = budget(0.0, 1);
    let server = Server::always(Reply::Status(503));
    let breaker = CircuitBreaker::new().consecutive_failures(Some(1));
    let breaker = CircuitBreakerLayer::new(breaker).unwrap();
    let (outer, inner) = (eager(5, Arc::clone(&shared)), eager(2, Arc::clone(&shared)));
    let mut service = outer.layer(inner.layer(breaker.layer(server.clone())));
    assert_eq!(said(start(&mut service, get()).await), Ok(503));
    assert_eq!((server.count(), holds(&shared)), (2, (0, 0)), "one call, and one in reserve");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_in_its_wait_is_refunded() {
    let shared = budget(0.0, 2);
    let server = Server::always(Reply::Status(503));
    let mut service = layer(plain(3)).budget(Arc::clone(&shared)).layer(server.clone());
    let mut call = task::spawn(start(&mut service, get()));
    assert_pending!(call.poll());
    assert_eq!(holds(&shared), (1, 1));
    drop(call);
    assert_eq!(holds(&shared), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_is_waited_out_costs_nothing() {
    let shared = budget(0.0, 1);
    let open = Refused::new("circuit breaker", Reason::Open).with_retry_in(ms(50));
    let server = Server::replies([Reply::Refuses(open), Reply::Status(200)]);
    let layer = layer(plain(3)).budget(Arc::clone(&shared));
    assert_eq!(said(called(&layer, &server, get()).await), Ok(200));
    assert_eq!(holds(&shared), (1, 0));
}

/// What was refunded for the attempt that was refused is paid again for the one that is sent.
#[tokio::test(start_paused = true)]
async fn an_attempt_after_a_refusal_is_paid_for_if_another_was_sent_before() {
    let open = || Refused::new("circuit breaker", Reason::Open).with_retry_in(ms(50));
    let replies = || [Reply::Status(503), Reply::Refuses(open()), Reply::Status(503)];
    let shared = budget(0.0, 1);
    let layer = layer(plain(5)).budget(Arc::clone(&shared));
    let server = Server::replies(replies());
    assert_eq!(said(called(&layer, &server, get()).await), Ok(503));
    // The third paid with the only one there is, so there is no fourth.
    assert_eq!((server.count(), holds(&shared)), (3, (0, 0)));

    let server = Server::replies(replies());
    assert_eq!(said(called(&layer, &server, get()).await), Ok(503));
    assert_eq!(server.count(), 1, "nothing is left");
}

#[tokio::test(start_paused = true)]
async fn a_call_pays_in_once_however_many_attempts_it_has() {
    let shared = emptied(1.0);
    let server = Server::replies([Reply::Status(503), Reply::Status(503), Reply::Status(200)]);
    let twice = eager(2, Arc::clone(&shared));
    let thrice = eager(3, Arc::clone(&shared));
    let mut service = thrice.layer(twice.layer(server.clone()));
    start(&mut service, get()).await.unwrap();
    // It pays in one, for its second attempt, which is all.
    assert_eq!((server.count(), holds(&shared)), (2, (0, 0)));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_at_any_await_leaves_nothing_behind() {
    let shared = budget(0.0, 100);
    let slow = |status| Reply::After(ms(10), Box::new(Reply::Endless(status)));
    let layer = layer(plain(3)).budget(Arc::clone(&shared));
    for polls in 0..60 {
        let server = Server::replies([slow(503), slow(503), slow(200)]);
        let mut call = task::spawn(start(&mut layer.layer(server.clone()), get()));
        server.is_pending(2);
        let mut is_over = false;
        for _ in 0..polls {
            is_over = call.poll().is_ready();
            if is_over {
                break;
            }
            tokio::time::advance(ms(7)).await;
        }
        drop(call);
        assert_eq!(shared.snapshot().waiting, 0, "after {polls} polls");
        assert_eq!((server.running(), server.answers_held()), (0, 0), "after {polls} polls");
        assert!(is_over || polls < 59, "it ends at last");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_passes_on_and_leaves_nothing_behind() {
    for panics in [Reply::PanicsInCall, Reply::PanicsInPoll] {
        for before in [0, 1] {
            let shared = budget(0.0, 9);
            let replies = (0..before).map(|_| Reply::Status(503)).chain([panics.clone()]);
            let server = Server::replies(replies.chain([Reply::Hangs]));
            let mut service = eager(3, Arc::clone(&shared)).layer(server.clone());
            let caught = catch_unwind(AssertUnwindSafe(|| {
                let _ = task::spawn(start(&mut service, get())).poll();
            }));
            assert!(caught.is_err(), "{panics:?} after {before}");
            assert_eq!(shared.snapshot().waiting, 0, "{panics:?} after {before}");
        }
    }
}

/// The server takes 200 ms to fail; there is enough for two extra attempts of whichever kind.
#[tokio::test(start_paused = true)]
async fn retries_and_hedges_draw_on_one_budget() {
    use crate::hedge::{Hedge, HedgeLayer};

    let shared = budget(0.0, 2);
    let sent = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let fails = tower::service_fn(move |_: Req| {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        async {
            tokio::time::sleep(ms(200)).await;
            let answer = ::http::Response::builder().status(503);
            Ok::<_, TestError>(answer.body(Full::<Bytes>::default()).unwrap())
        }
    });
    let hedge = HedgeLayer::new(Hedge::after(ms(100))).unwrap().budget(Arc::clone(&shared));
    let mut service = eager(9, Arc::clone(&shared)).layer(hedge.layer(fails));
    let answer = start(&mut service, get()).await.unwrap();
    assert_eq!(answer.status(), 503);
    // A hedge beside the first attempt, then a retry, for which there is no hedge any more.
    assert_eq!(sent.load(std::sync::atomic::Ordering::Relaxed), 3);
    assert_eq!(holds(&shared), (0, 0));
}
