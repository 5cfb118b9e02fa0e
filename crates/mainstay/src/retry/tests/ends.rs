//! Readiness, and what lies beneath.

use std::pin::Pin;
use std::task::Poll;

use tokio_test::{assert_pending, task};
use tower::limit::ConcurrencyLimit;

use super::*;
use crate::breaker::{CircuitBreaker, CircuitBreakerLayer};

#[tokio::test(start_paused = true)]
async fn it_is_ready_when_the_service_beneath_is() {
    let server = Server::always(Reply::Status(200));
    let mut service = task::spawn(layer(plain(3)).layer(server.clone()));
    server.is_pending(1);
    let ready = |service: &mut task::Spawn<Retried<Server>>| {
        service.enter(|cx, service| Pin::into_inner(service).poll_ready(cx))
    };
    assert!(ready(&mut service).is_pending());
    assert!(matches!(ready(&mut service), Poll::Ready(Ok(()))));

    let dead = Server::always(Reply::Status(200)).dies_after(0);
    let mut service = task::spawn(layer(plain(3)).layer(dead));
    assert!(matches!(ready(&mut service), Poll::Ready(Err(_))));
}

#[tokio::test(start_paused = true)]
async fn a_further_attempt_waits_until_the_service_is_ready_again() {
    let server = Server::replies([Reply::Status(503), Reply::Status(200)]);
    let call = start(&mut layer(plain(3)).layer(server.clone()), get());
    server.is_pending(5);
    assert_eq!(said(call.await), Ok(200));
    assert_eq!(server.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_dies_before_a_further_attempt_ends_the_call_with_its_error() {
    let shared = budget(0.0, 1);
    let server = Server::always(Reply::Status(503)).dies_after(1);
    let layer = layer(plain(3)).budget(Arc::clone(&shared));
    let error = called(&layer, &server, get()).await.unwrap_err().into_inner().unwrap();
    assert_eq!(error.to_string(), "dead");
    assert_eq!(server.count(), 1);
    assert_eq!((shared.snapshot().available, shared.snapshot().waiting), (1, 0), "refunded");
}

#[tokio::test(start_paused = true)]
async fn over_a_limit_of_one_call_nothing_is_stranded() {
    let server = Server::always(Reply::After(ms(1), Box::new(Reply::Status(503))));
    let limited = ConcurrencyLimit::new(server.clone(), 1);
    let layer = layer(plain(3));
    let calls = (0..5).map(|_| {
        let mut service = layer.layer(limited.clone());
        async move {
            std::future::poll_fn(|cx| service.poll_ready(cx)).await.unwrap();
            service.call(get()).await.unwrap().status()
        }
    });
    let mut all = tokio::task::JoinSet::new();
    calls.for_each(|call| _ = all.spawn(call));
    let done = tokio::time::timeout(secs(60), all.join_all()).await.unwrap();
    assert_eq!(done, [503; 5]);
    assert_eq!(server.count(), 15);
}

/// C9
#[tokio::test(start_paused = true)]
async fn over_a_breaker_that_opens_a_call_waits_for_the_probe() {
    let open_time = Backoff::constant(secs(1));
    let settings = CircuitBreaker::new().consecutive_failures(Some(2)).open_time(open_time);
    let breaker = CircuitBreakerLayer::new(settings).unwrap();
    let server = Server::replies([Reply::Status(503), Reply::Status(503), Reply::Status(200)]);
    let mut service = layer(plain(4)).layer(breaker.layer(server.clone()));
    assert_eq!(said(start(&mut service, get()).await), Ok(200));
    let waits = server.waits();
    assert_eq!(waits[0], ms(100));
    assert!(waits[1] >= secs(1), "{waits:?}");
    assert_eq!(server.count(), 3, "the breaker let nothing else through");
}

#[tokio::test(start_paused = true)]
async fn a_call_is_polled_only_when_it_is_woken() {
    let server = Server::replies([
        Reply::After(ms(10), Box::new(Reply::Status(503))),
        Reply::After(ms(10), Box::new(Reply::Status(200))),
    ]);
    let mut call = task::spawn(start(&mut layer(plain(3)).layer(server.clone()), get()));
    let mut polls = 0;
    for _ in 0..200 {
        if polls == 0 || call.is_woken() {
            polls += 1;
            if call.poll().is_ready() {
                break;
            }
        }
        tokio::time::advance(ms(1)).await;
    }
    assert_eq!((server.count(), polls), (2, 4), "two attempts and one wait");
}

#[tokio::test(start_paused = true)]
async fn the_last_waker_is_the_one_that_is_woken() {
    let server = Server::replies([Reply::Status(503), Reply::Status(200)]);
    let mut service = layer(plain(3)).layer(server.clone());
    let mut call = Box::pin(start(&mut service, get()));
    let mut first = task::spawn(std::future::poll_fn(|cx| call.as_mut().poll(cx)));
    assert_pending!(first.poll());
    drop(first);
    let mut second = task::spawn(std::future::poll_fn(|cx| call.as_mut().poll(cx)));
    assert_pending!(second.poll());
    tokio::time::advance(ms(101)).await;
    assert!(second.is_woken());
    assert!(second.poll().is_ready());
}

#[test]
fn everything_can_be_sent_and_shown() {
    fn is_send<T: Send + std::fmt::Debug>(_: &T) {}
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _inside = runtime.enter();
    let layer = layer(plain(3)).named("github");
    let mut service = layer.layer(Server::always(Reply::Status(200)));
    is_send(&layer);
    is_send(&service);
    let call = start(&mut service, get());
    is_send(&call);
    assert_eq!(format!("{call:?}"), "RetriedFuture(first attempt)");
}
