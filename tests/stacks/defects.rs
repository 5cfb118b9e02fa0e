//! What others got wrong, where no test of a layer's own shows that ours does not; the whole list is
//! `docs/peers-defects.md`.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use mainstay::LiftLayer;
use mainstay::breaker::{BreakerState, CircuitBreaker, CircuitBreakerLayer, Span};
use mainstay::coalesce::{ByRequest, CoalesceLayer, CollectLayer};
use mainstay::concurrency::{Concurrency, ConcurrencyLayer};
use mainstay::rate_limit::{RateLimit, RateLimitLayer};
use mainstay::retry::Backoff;
use mainstay::timeout::TimeoutLayer;
use mainstay::{BoxError, CallError, Reason, Refused};
use mainstay_testkit::{Polled, Script, finishes};
use tokio::task::JoinSet;
use tokio::time::advance;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

type Req = Request<Full<Bytes>>;
type Res = Response<Full<Bytes>>;
type Server = Script<Req, Res, BoxError>;

const HOUR: Duration = Duration::from_secs(3_600);

fn get() -> Req {
    Request::get("http://server/").body(Full::default()).unwrap()
}

fn status(status: u16) -> Res {
    Response::builder().status(status).body(Full::default()).unwrap()
}

fn breaker(settings: CircuitBreaker) -> CircuitBreakerLayer {
    let open_time = Backoff::constant(Duration::from_secs(30));
    CircuitBreakerLayer::new(settings.open_time(open_time)).unwrap()
}

/// A breaker that two failures have opened, and the server.
async fn opened(
    settings: CircuitBreaker,
) -> (CircuitBreakerLayer, impl Service<Req, Response = Res, Error = BoxError> + Clone, Server) {
    let (layer, server) = (breaker(settings.consecutive_failures(Some(2))), Server::new());
    server.answers(|_| Ok(status(503)));
    let mut service = layer.layer(server.service());
    for _ in 0..2 {
        service.ready().await.unwrap().call(get()).await.unwrap();
    }
    assert_eq!(layer.handle().state(), BreakerState::Open);
    server.answers(|_| Ok(status(200)));
    (layer, service, server)
}

// A2: there, successes left a window while their probes had no places left.
#[tokio::test(start_paused = true)]
async fn probes_that_succeed_close_a_breaker_however_far_apart_they_are() {
    let window = Span::Time(Duration::from_secs(10));
    let (layer, mut service, _server) =
        opened(CircuitBreaker::new().probes(3).window(window)).await;
    for _ in 0..3 {
        advance(HOUR).await;
        service.ready().await.unwrap().call(get()).await.unwrap();
    }
    assert_eq!(layer.handle().state(), BreakerState::Closed);
}

// A4: there, a server that hangs is never counted where the timeout stands outside.
#[tokio::test(start_paused = true)]
async fn calls_that_a_timeout_further_out_ends_open_a_breaker() {
    let (layer, server) =
        (breaker(CircuitBreaker::new().consecutive_failures(Some(5))), Server::new());
    let mut service = ServiceBuilder::new()
        .layer(TimeoutLayer::new(Duration::from_secs(10)))
        .layer(layer.clone())
        .service(server.service());
    for _ in 0..5 {
        let error = service.ready().await.unwrap().call(get()).await.unwrap_err();
        assert_eq!(error.refused().map(Refused::reason), Some(Reason::TimedOut));
    }
    assert_eq!(layer.handle().state(), BreakerState::Open);
}

// A5: there, it was the clock of the standard library that counted.
#[tokio::test(start_paused = true)]
async fn paused_time_that_a_test_moves_on_is_time_to_a_breaker() {
    let (layer, mut service, _server) = opened(CircuitBreaker::new().probes(1)).await;
    advance(Duration::from_secs(15)).await;
    service.ready().await.unwrap().call(get()).await.unwrap_err();
    advance(Duration::from_secs(31)).await;
    service.ready().await.unwrap().call(get()).await.unwrap();
    assert_eq!(layer.handle().state(), BreakerState::Closed);
}

// A10: there, a floor below the size of the window had no effect.
#[tokio::test(start_paused = true)]
async fn a_floor_below_the_size_of_a_window_of_calls_is_the_floor() {
    let settings = CircuitBreaker::new().consecutive_failures(None).failure_ratio(Some(0.5));
    let layer = breaker(settings.window(Span::Calls(64)).min_calls(5));
    let server = Server::new();
    server.answers(|_| Ok(status(503)));
    let mut service = layer.layer(server.service());
    for calls in 1..=5 {
        assert_eq!(layer.handle().state(), BreakerState::Closed, "after {calls}");
        service.ready().await.unwrap().call(get()).await.unwrap();
    }
    assert_eq!(layer.handle().state(), BreakerState::Open);
}

// D2: there, one probe that hung was the last.
#[tokio::test(start_paused = true)]
async fn a_probe_that_hangs_is_given_up_and_the_next_one_closes_the_breaker() {
    let (layer, mut service, server) = opened(CircuitBreaker::new().probes(1)).await;
    advance(HOUR).await;
    server.holds();
    let mut hangs = Polled::new(service.ready().await.unwrap().call(get()));
    assert!(hangs.poll().is_pending());
    service.ready().await.unwrap().call(get()).await.unwrap_err();
    advance(HOUR).await;
    server.answers(|_| Ok(status(200)));
    service.ready().await.unwrap().call(get()).await.unwrap();
    assert_eq!(layer.handle().state(), BreakerState::Closed);
}

/// Asks a breaker whenever it is told something.
struct Asks(Arc<mainstay::breaker::BreakerGuard>);

impl Subscriber for Asks {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "mainstay"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        let _ = (self.0.snapshot(), self.0.reset());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

// B5: there, who was told under the lock and asked was locked for ever.
#[tokio::test(start_paused = true)]
async fn who_is_told_of_a_change_may_ask_and_change_what_it_is_told_of() {
    let (layer, server) =
        (breaker(CircuitBreaker::new().consecutive_failures(Some(1))), Server::new());
    server.answers(|_| Ok(status(503)));
    let _listens = tracing::subscriber::set_default(Asks(layer.handle()));
    let service = layer.layer(server.service());
    service.oneshot(get()).await.unwrap();
    assert_eq!(layer.handle().state(), BreakerState::Closed, "it was reset when it opened");
}

// B6: there, of ten who waited for one thing only the last was woken.
#[tokio::test(start_paused = true)]
async fn all_who_wait_are_served() {
    let (server, mut calls) = (Script::<Req, Res, Infallible>::new(), JoinSet::new());
    let service = ServiceBuilder::new()
        .layer(CoalesceLayer::new(ByRequest::new()))
        .layer(CollectLayer::up_to(1024))
        .layer(ConcurrencyLayer::new(Concurrency::limit(1)).unwrap())
        .layer(RateLimitLayer::new(RateLimit::per_second(1)).unwrap())
        .layer(LiftLayer::new())
        .service(server.service());
    for n in 0..30 {
        let request = Request::get(format!("http://server/{}", n % 3)).body(Full::default());
        calls.spawn(service.clone().oneshot(request.unwrap()));
    }
    for _ in 0..3 {
        finishes(server.arrives()).await.answer(status(200));
    }
    let ended = finishes(calls.join_all()).await;
    assert!(ended.len() == 30 && ended.iter().all(Result::is_ok), "{ended:?}");
}

// B10: there, a handle said for ever what was so at the last call.
#[tokio::test(start_paused = true)]
async fn a_handle_says_what_is_so_when_it_is_asked() {
    let layer = RateLimitLayer::new(RateLimit::per_second(10).burst(10)).unwrap();
    let server = Server::new();
    server.answers(|_| Ok(status(200)));
    let mut service = layer.layer(server.service());
    for _ in 0..10 {
        service.ready().await.unwrap().call(get()).await.unwrap();
    }
    assert_eq!(layer.handle().snapshot().available, 0);
    advance(HOUR).await;
    assert_eq!(layer.handle().snapshot().available, 10);
}

// Tower's own: its limit and its timeout know nothing of bodies.
#[tokio::test(start_paused = true)]
async fn a_slot_ends_with_the_head_or_where_bodies_are_held_with_the_body() {
    let slots = || ConcurrencyLayer::new(Concurrency::limit(1)).unwrap();
    let server = Server::new();
    server.answers(|_| Ok(Response::new(Full::from("an answer"))));

    let to_the_head = slots();
    let _answer = to_the_head.layer(server.service()).oneshot(get()).await.unwrap();
    assert_eq!(to_the_head.handle().snapshot().in_use, 0);

    let (handle, to_the_end) = {
        let slots = slots();
        (slots.handle(), slots.hold_bodies())
    };
    let answer = to_the_end.layer(server.service()).oneshot(get()).await.unwrap();
    assert_eq!(handle.snapshot().in_use, 1);
    answer.into_body().collect().await.unwrap();
    assert_eq!(handle.snapshot().in_use, 0);
}
