//! When the attempts are sent.

use std::collections::BTreeSet;

use tokio_test::{assert_pending, assert_ready_err, task};

use super::*;
use crate::scope::Scope;
use crate::{Reason, Refused, chance, clock};

/// A timer is up to a millisecond late.
const LATE: Duration = ms(1);

#[tokio::test(start_paused = true)]
async fn attempts_wait_as_the_backoff_says() {
    let server = Server::always(Reply::Status(503));
    called(&layer(plain(4)), &server, get()).await.unwrap();
    assert_eq!(server.waits(), [ms(100), ms(200), ms(400)]);
}

/// C2; backon and backoff add their jitter to the cap.
#[tokio::test(start_paused = true)]
async fn waits_never_pass_the_cap_nor_bunch_at_it() {
    let backoff = Backoff::exponential(ms(500)).cap(secs(1));
    let layer = layer(Retry::up_to(6).backoff(backoff)).without_budget();
    let mut waits = Vec::new();
    for _ in 0..500 {
        let server = Server::always(Reply::Status(503));
        called(&layer, &server, get()).await.unwrap();
        waits.extend(server.waits());
    }
    let longest = waits.iter().max().unwrap();
    assert!(*longest <= secs(1) + LATE, "{longest:?}");
    assert!(*longest > ms(990), "the cap is reached: {longest:?}");
    let at_the_cap = waits.iter().filter(|wait| **wait >= ms(990)).count();
    assert!(at_the_cap < waits.len() / 50, "{at_the_cap} of {}", waits.len());
}

/// C2, and tower's `ExponentialBackoffMaker`: there, every call waits the same.
#[tokio::test(start_paused = true)]
async fn calls_of_one_layer_do_not_wait_in_lockstep() {
    let layer = layer(Retry::default());
    let mut waits = BTreeSet::new();
    for _ in 0..50 {
        let server = Server::always(Reply::Status(503));
        called(&layer.clone(), &server, get()).await.unwrap();
        waits.insert(server.waits());
    }
    assert!(waits.len() > 45, "{} different ones of 50", waits.len());
}

/// reqwest-retry ignores it.
#[tokio::test(start_paused = true)]
async fn no_wait_is_shorter_than_the_server_asked_by_even_a_nanosecond() {
    let layer = layer(Retry::up_to(2)).without_budget();
    for _ in 0..10_000 {
        let asked = chance::draw().between(Duration::from_nanos(1), secs(3));
        let says = format!("{}.{:09}", asked.as_secs(), asked.subsec_nanos());
        let server = Server::replies([Reply::Says(503, "retry-after", says), Reply::Status(200)]);
        called(&layer, &server, get()).await.unwrap();
        let waited = server.waits()[0];
        assert!(waited >= asked, "asked {asked:?}, waited {waited:?}");
        assert!(waited <= asked + ms(100) + LATE, "asked {asked:?}, waited {waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_asked_to_wait_too_long_gives_the_answer_back_at_once() {
    let server = Server::always(Reply::Says(429, "retry-after", "61".to_owned()));
    let began = clock::now();
    assert_eq!(said(called(&layer(plain(3)), &server, get()).await), Ok(429));
    assert_eq!((clock::now(), server.count()), (began, 1));
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_could_not_end_before_the_deadline_is_not_begun() {
    let server = Server::always(Reply::Status(503));
    let mut service = layer(plain(9)).layer(server.clone());
    let began = clock::now();
    let call = Scope::current().until(began + ms(300)).around(|| start(&mut service, get()));
    assert_eq!(said(call.await), Ok(503));
    // After 100 ms a second one; a third would be due at 300 ms.
    assert_eq!((clock::now(), server.count()), (began + ms(100), 2));
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_ends_just_before_the_deadline_is_begun() {
    let server = Server::always(Reply::Status(503));
    let mut service = layer(plain(9)).layer(server.clone());
    let until = clock::now() + ms(300) + Duration::from_nanos(1);
    let call = Scope::current().until(until).around(|| start(&mut service, get()));
    assert_eq!(said(call.await), Ok(503));
    assert_eq!(server.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_failed_answer_is_read_to_its_end_within_the_wait() {
    let server = Server::replies([Reply::Endless(503), Reply::Status(200)]);
    assert_eq!(said(called(&layer(plain(3)), &server, get()).await), Ok(200));
    assert_eq!(server.waits(), [ms(100)], "the wait counts from the decision");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_end_costs_a_tenth_of_a_second_at_most() {
    let at_once = Retry::up_to(2).backoff(Backoff::constant(Duration::ZERO));
    let server = Server::replies([Reply::Endless(503), Reply::Status(200)]);
    assert_eq!(said(called(&layer(at_once), &server, get()).await), Ok(200));
    assert_eq!(server.waits(), [ms(100)]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_end_is_not_read_beyond_the_deadline() {
    let at_once = Retry::up_to(2).backoff(Backoff::constant(Duration::ZERO));
    let server = Server::replies([Reply::Endless(503), Reply::Status(200)]);
    let mut service = layer(at_once).layer(server.clone());
    let until = clock::now() + ms(30);
    let call = Scope::current().until(until).around(|| start(&mut service, get()));
    assert!(call.await.is_err(), "then it is too late for another attempt");
    assert!(clock::now() <= until + LATE);
    assert_eq!((server.count(), server.answers_held()), (1, 0));
}

/// Whoever polls it is late, and whoever ends it comes after.
#[tokio::test(start_paused = true)]
async fn no_attempt_begins_when_the_time_of_the_call_is_over() {
    use crate::deadline::DeadlineLayer;

    for waits_for in ["its turn", "the service"] {
        let shared = budget(0.0, 9);
        let server = Server::always(Reply::Status(503));
        let retry = layer(plain(3)).budget(Arc::clone(&shared)).layer(server.clone());
        let mut call = task::spawn(start(&mut DeadlineLayer::new(secs(1)).layer(retry), get()));
        server.is_pending(u32::from(waits_for == "the service"));
        assert_pending!(call.poll());
        if waits_for == "the service" {
            tokio::time::advance(ms(101)).await;
            assert_pending!(call.poll());
        }
        tokio::time::advance(secs(2)).await;
        let end = assert_ready_err!(call.poll());
        let refused = crate::CallError::refused(&end).unwrap();
        assert_eq!((refused.layer(), refused.reason()), ("retry", Reason::TimedOut));
        let left = (shared.snapshot().available, shared.snapshot().waiting);
        assert_eq!((server.count(), left), (1, (9, 0)), "{waits_for}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_in_time_beside_work_that_uses_the_budget_of_the_task_up() {
    let server = Server::replies([Reply::Status(503), Reply::Status(200)]);
    let call = start(&mut layer(plain(2)).layer(server.clone()), get());
    assert_eq!(beside_greedy_work(call).await, Ok(200));
    assert!((ms(100)..ms(120)).contains(&server.waits()[0]), "{:?}", server.waits());
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_not_read_beyond_the_deadline_beside_such_work_either() {
    let at_once = Retry::up_to(2).backoff(Backoff::constant(Duration::ZERO));
    let server = Server::replies([Reply::Endless(503), Reply::Status(200)]);
    let mut service = layer(at_once).layer(server.clone());
    let until = clock::now() + ms(30);
    let call = Scope::current().until(until).around(|| start(&mut service, get()));
    assert!(beside_greedy_work(call).await.is_err(), "then it is too late for another attempt");
    assert_eq!((server.count(), server.answers_held()), (1, 0));
}

/// C1
#[tokio::test(start_paused = true)]
async fn the_failed_answer_is_gone_before_the_wait() {
    let server = Server::replies([Reply::Status(503), Reply::Status(503), Reply::Status(200)]);
    let mut service = layer(plain(3)).layer(server.clone());
    let mut call = task::spawn(start(&mut service, get()));
    for attempts in 1..=2 {
        assert_pending!(call.poll());
        assert_eq!((server.count(), server.answers_held()), (attempts, 0));
        assert_eq!(server.running(), 0, "so is its future");
        tokio::time::advance(ms(300)).await;
    }
    assert_eq!(said(call.await), Ok(200));
}

fn open(retry_in: Duration) -> Reply {
    Reply::Refuses(Refused::new("circuit breaker", Reason::Open).with_retry_in(retry_in))
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_is_waited_out_where_it_says_when_it_closes() {
    for method in [Method::GET, Method::POST] {
        let server = Server::replies([open(ms(700)), Reply::Status(200)]);
        assert_eq!(said(called(&layer(plain(2)), &server, request(method)).await), Ok(200));
        assert_eq!(server.waits(), [ms(700)]);
    }
}

/// C9
#[tokio::test(start_paused = true)]
async fn a_breaker_that_closes_after_the_deadline_is_not_waited_for() {
    let server = Server::always(open(secs(10)));
    let mut service = layer(plain(3)).layer(server.clone());
    let began = clock::now();
    let call = Scope::current().until(began + secs(10)).around(|| start(&mut service, get()));
    assert_eq!(said(call.await), Err("the call was refused".to_owned()));
    assert_eq!((clock::now(), server.count()), (began, 1));
}

/// C9
#[tokio::test(start_paused = true)]
async fn other_refusals_of_ours_are_returned_at_once() {
    let full = Refused::new("concurrency limit", Reason::NoSlot).with_retry_in(ms(5));
    let isolated = Refused::new("circuit breaker", Reason::Open);
    let late = Refused::new("deadline", Reason::Deadline);
    for refused in [full, isolated, late] {
        let server = Server::always(Reply::Refuses(refused));
        let began = clock::now();
        called(&layer(plain(3)), &server, get()).await.unwrap_err();
        assert_eq!((clock::now(), server.count()), (began, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn an_iterator_serves_as_a_schedule_and_its_end_ends_the_call() {
    let waits = || [ms(7), ms(70)].into_iter();
    let layer = layer(Retry::up_to(9)).schedule(waits);
    for _ in 0..2 {
        let server = Server::always(Reply::Status(503));
        assert_eq!(said(called(&layer, &server, get()).await), Ok(503));
        assert_eq!(server.waits(), [ms(7), ms(70)], "each call begins at the beginning");
    }
    let server = Server::always(Reply::Status(200));
    called(&layer, &server, get()).await.unwrap();
    assert_eq!(server.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_the_server_asks_for_wins_over_a_schedule() {
    let layer = layer(Retry::up_to(9)).schedule(|| std::iter::repeat(ms(7)));
    let asks = Reply::Says(429, "retry-after", "2".to_owned());
    let server = Server::replies([asks, Reply::Status(503), Reply::Status(200)]);
    called(&layer, &server, get()).await.unwrap();
    let waits = server.waits();
    assert!(waits[0] >= secs(2) && waits[0] <= secs(2) + ms(7) + LATE, "{waits:?}");
    assert_eq!(waits[1], ms(7));
}

#[cfg(feature = "backoff")]
#[tokio::test(start_paused = true)]
async fn a_schedule_of_the_crate_backoff_serves_as_it_is() {
    let theirs = backoff::ExponentialBackoff {
        current_interval: secs(5), // of a call before
        initial_interval: ms(10),
        multiplier: 3.0,
        randomization_factor: 0.0,
        ..backoff::ExponentialBackoff::default()
    };
    let layer = layer(Retry::up_to(4)).schedule(by_backoff(move || theirs.clone()));
    for _ in 0..2 {
        let server = Server::always(Reply::Status(503));
        called(&layer, &server, get()).await.unwrap();
        assert_eq!(server.waits(), [ms(10), ms(30), ms(90)]);
    }
}

#[cfg(feature = "backoff")]
#[tokio::test(start_paused = true)]
async fn a_schedule_of_the_crate_backoff_that_stops_ends_the_call() {
    let layer = layer(Retry::up_to(4)).schedule(by_backoff(|| backoff::backoff::Stop {}));
    let server = Server::always(Reply::Status(503));
    assert_eq!(said(called(&layer, &server, get()).await), Ok(503));
    assert_eq!(server.count(), 1);
}
