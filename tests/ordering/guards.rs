//! Rows whose outer one is a guard.

use futures_util::future::join_all;
use mainstay::Reason::{Open, TimedOut};
use mainstay::adaptive::{AdaptiveLimit, AdaptiveLimitLayer, Aimd};
use mainstay::breaker::{BreakerState, CircuitBreaker, CircuitBreakerLayer};
use mainstay::concurrency::{Concurrency, ConcurrencyLayer};
use mainstay::cooldown::{CoolDown, CoolDownLayer, PacedGuard};
use mainstay::guard::GuardLayer;
use mainstay::http::Key;
use mainstay::pipeline::{HostSpec, Pipeline};
use mainstay::policy::backoff::{Backoff, Jitter};
use mainstay::rate_limit::{RateLimit, RateLimitLayer};
use mainstay::throttle::{Throttle, ThrottleLayer};
use mainstay::timeout::TimeoutLayer;
use tokio::time::sleep;
use tower::ServiceBuilder;

use crate::secs;
use crate::server::{Client, Reply, Server, two};

fn slots(limit: u32) -> ConcurrencyLayer {
    ConcurrencyLayer::new(Concurrency::limit(limit).max_wait(secs(60))).unwrap()
}

/// It cannot move.
fn four_adaptive() -> AdaptiveLimit {
    AdaptiveLimit::aimd(Aimd::new()).min(4).max(4).max_wait(secs(60))
}

fn four_slots() -> AdaptiveLimitLayer {
    AdaptiveLimitLayer::new(four_adaptive()).unwrap()
}

/// One start in so many seconds.
fn one_per(seconds: u64) -> RateLimit {
    RateLimit::per(1, secs(seconds))
}

fn rate(seconds: u64) -> RateLimitLayer {
    RateLimitLayer::new(one_per(seconds)).unwrap()
}

fn cool_down() -> CoolDownLayer {
    CoolDownLayer::new(CoolDown::new()).unwrap()
}

fn opens_after(failures: u32) -> CircuitBreaker {
    let open_time = Backoff::constant(secs(30)).jitter(Jitter::None);
    CircuitBreaker::new().consecutive_failures(Some(failures)).open_time(open_time)
}

fn breaker(failures: u32) -> CircuitBreakerLayer {
    CircuitBreakerLayer::new(opens_after(failures)).unwrap()
}

/// Refuses as much as the server does, soon and almost all.
fn strict() -> Throttle {
    Throttle::new().min_requests(5).per_accepted(1.0).max_rejection(1.0)
}

fn throttle() -> ThrottleLayer {
    ThrottleLayer::new(strict()).unwrap()
}

fn pipeline(host: impl FnOnce(HostSpec) -> HostSpec) -> Pipeline {
    Pipeline::named("ordered").per_host(host).build().unwrap()
}

fn in_pipeline(server: &Server, host: impl FnOnce(HostSpec) -> HostSpec) -> Client {
    server.behind_pipeline(&pipeline(host))
}

/// In which second each of eight calls is sent; the first four of them hang for a while.
async fn eight_calls(stand: fn(&Server) -> Client) -> Vec<u64> {
    let hang = |before: usize| match before {
        0..4 => Reply::status(200).after(20 - before as u64),
        _ => Reply::status(200),
    };
    let server = Server::new(hang);
    let client = stand(&server);
    let calls = (0..8).map(|_| client.get());
    for (end, _) in join_all(calls).await {
        assert_eq!(end, Ok(200));
    }
    server.starts()
}

/// One a second, also when four slots come free at once.
const SPACED: [u64; 8] = [0, 1, 2, 3, 20, 21, 22, 23];
const BUNCHED: [u64; 8] = [0, 1, 2, 3, 20, 20, 20, 20];

#[tokio::test(start_paused = true)]
async fn a_turn_is_used_when_it_is_given_and_not_after_a_wait_for_a_slot() {
    let right = |server: &Server| server.behind(two(slots(4), rate(1)));
    let swapped = |server: &Server| server.behind(two(rate(1), slots(4)));
    let pipeline = |server: &Server| {
        let four = Concurrency::limit(4).max_wait(secs(60));
        in_pipeline(server, |host| host.concurrency(four).rate_limit(one_per(1)))
    };
    assert_eq!(eight_calls(right).await, SPACED);
    assert_eq!(eight_calls(swapped).await, BUNCHED);
    assert_eq!(eight_calls(pipeline).await, SPACED);
}

#[tokio::test(start_paused = true)]
async fn nor_after_a_wait_for_a_slot_of_an_adaptive_limit() {
    let right = |server: &Server| server.behind(two(four_slots(), rate(1)));
    let swapped = |server: &Server| server.behind(two(rate(1), four_slots()));
    let pipeline = |server: &Server| {
        in_pipeline(server, |host| host.adaptive(four_adaptive()).rate_limit(one_per(1)))
    };
    assert_eq!(eight_calls(right).await, SPACED);
    assert_eq!(eight_calls(swapped).await, BUNCHED);
    assert_eq!(eight_calls(pipeline).await, SPACED);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_slot_does_not_start_into_a_cool_down_that_began_meanwhile() {
    let story = async |stand: fn(&Server) -> Client| {
        let server = Server::new(|before| match before {
            0 => Reply::status(429).asks(10).after(1),
            _ => Reply::status(200),
        });
        let client = stand(&server);
        join_all([client.get(), client.get()]).await;
        server.starts()
    };
    let right = |server: &Server| server.behind(two(slots(1), cool_down()));
    let swapped = |server: &Server| server.behind(two(cool_down(), slots(1)));
    let pipeline = |server: &Server| {
        in_pipeline(server, |host| host.concurrency(1).cool_down(CoolDown::new()))
    };
    assert_eq!(story(right).await, [0, 11]);
    assert_eq!(story(swapped).await, [0, 1]);
    assert_eq!(story(pipeline).await, [0, 11]);
}

/// Neither can stand outside of the other.
#[tokio::test(start_paused = true)]
async fn rate_limit_and_cool_down_are_waited_for_in_one_line() {
    let story = async |stand: fn(&Server) -> Client| {
        let server = Server::new(|before| match before {
            0 => Reply::status(429).asks(50).after(1),
            _ => Reply::status(200),
        });
        let client = stand(&server);
        let late = async {
            sleep(secs(2)).await;
            client.get().await
        };
        let _ends = tokio::join!(client.get(), client.get(), late);
        server.starts()
    };
    let right = |server: &Server| {
        let both = PacedGuard::new(one_per(10), CoolDown::new()).unwrap();
        server.behind(ServiceBuilder::new().layer(GuardLayer::new(both)))
    };
    let rate_outside = |server: &Server| server.behind(two(rate(10), cool_down()));
    let cool_down_outside = |server: &Server| server.behind(two(cool_down(), rate(10)));
    let pipeline = |server: &Server| {
        in_pipeline(server, |host| host.rate_limit(one_per(10)).cool_down(CoolDown::new()))
    };
    assert_eq!(story(right).await, [0, 51, 61]);
    assert_eq!(story(rate_outside).await, [0, 51, 51]);
    assert_eq!(story(cool_down_outside).await, [0, 10, 51]);
    assert_eq!(story(pipeline).await, [0, 51, 61]);
}

#[tokio::test(start_paused = true)]
async fn the_throttle_is_asked_when_the_turn_has_come() {
    // Who was asked before, when nothing was known yet, is sent however badly the server does.
    let story = async |stand: fn(&Server) -> Client| {
        let server = Server::always(Reply::status(503));
        let client = stand(&server);
        join_all((0..40).map(|_| client.get())).await;
        server.count()
    };
    let right = |server: &Server| server.behind(two(rate(1), throttle()));
    let swapped = |server: &Server| server.behind(two(throttle(), rate(1)));
    let pipeline = |server: &Server| {
        in_pipeline(server, |host| host.rate_limit(one_per(1)).throttle(strict()))
    };
    assert!(story(right).await < 20);
    assert_eq!(story(swapped).await, 40);
    assert!(story(pipeline).await < 20);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_slot_is_not_sent_through_a_breaker_that_opened_meanwhile() {
    let story = async |stand: fn(&Server) -> Client| {
        let server = Server::always(Reply::status(503).after(5));
        let client = stand(&server);
        let ends = join_all([client.get(), client.get()]).await;
        (ends[1], server.count())
    };
    let right = |server: &Server| server.behind(two(slots(1), breaker(1)));
    let swapped = |server: &Server| server.behind(two(breaker(1), slots(1)));
    let pipeline = |server: &Server| {
        in_pipeline(server, |host| host.concurrency(1).circuit_breaker(opens_after(1)))
    };
    assert_eq!(story(right).await, ((Err(Open), 5), 1));
    assert_eq!(story(swapped).await, ((Ok(503), 10), 2));
    assert_eq!(story(pipeline).await, ((Err(Open), 5), 1));
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_turn_is_not_sent_through_a_breaker_that_opened_meanwhile() {
    let story = async |stand: fn(&Server) -> Client| {
        let server = Server::always(Reply::status(503).after(5));
        let client = stand(&server);
        let ends = join_all([client.get(), client.get()]).await;
        (ends[1], server.count())
    };
    let right = |server: &Server| server.behind(two(rate(10), breaker(1)));
    let swapped = |server: &Server| server.behind(two(breaker(1), rate(10)));
    let pipeline = |server: &Server| {
        in_pipeline(server, |host| host.rate_limit(one_per(10)).circuit_breaker(opens_after(1)))
    };
    assert_eq!(story(right).await, ((Err(Open), 10), 1));
    assert_eq!(story(swapped).await, ((Ok(503), 15), 2));
    assert_eq!(story(pipeline).await, ((Err(Open), 10), 1));
}

#[tokio::test(start_paused = true)]
async fn a_probe_is_given_only_to_what_the_throttle_lets_go() {
    type State = Box<dyn Fn() -> BreakerState>;
    // The throttle refuses by chance, so it is not always the last call that it refuses.
    let stayed_open = async |stand: fn(&Server) -> (Client, State)| {
        let mut stayed = 0;
        for _ in 0..10 {
            let server = Server::always(Reply::status(503));
            let (client, state) = stand(&server);
            client.gets(200).await;
            sleep(secs(31)).await;
            let _end = client.get().await;
            stayed += u32::from(state() == BreakerState::Open);
        }
        stayed
    };
    let right = |server: &Server| {
        let breaker = breaker(5);
        let state = breaker.handle();
        let client = server.behind(two(throttle(), breaker));
        (client, Box::new(move || state.state()) as State)
    };
    let swapped = |server: &Server| {
        let breaker = breaker(5);
        let state = breaker.handle();
        let client = server.behind(two(breaker, throttle()));
        (client, Box::new(move || state.state()) as State)
    };
    let ours = |server: &Server| {
        let pipeline = pipeline(|host| host.throttle(strict()).circuit_breaker(opens_after(5)));
        let client = server.behind_pipeline(&pipeline);
        let state = move || {
            let host = pipeline.host(&Key::new("http://server")).unwrap();
            host.circuit_breaker().unwrap().state()
        };
        (client, Box::new(state) as State)
    };
    assert!(stayed_open(right).await > 5);
    assert!(stayed_open(swapped).await < 5);
    assert!(stayed_open(ours).await > 5);
}

#[tokio::test(start_paused = true)]
async fn the_breaker_hears_of_what_timed_out_wherever_the_timeout_stands() {
    let story = async |stand: fn(&Server) -> Client| {
        let server = Server::always(Reply::never());
        stand(&server).gets(4).await
    };
    let right = |server: &Server| server.behind(two(breaker(3), TimeoutLayer::new(secs(2))));
    let swapped = |server: &Server| server.behind(two(TimeoutLayer::new(secs(2)), breaker(3)));
    let pipeline = |server: &Server| {
        let spec = Pipeline::named("ordered").attempt_timeout(secs(2));
        let spec = spec.per_host(|host| host.circuit_breaker(opens_after(3)));
        server.behind_pipeline(&spec.build().unwrap())
    };
    let hung = Err(TimedOut);
    assert_eq!(story(right).await, [hung, hung, hung, Err(Open)]);
    assert_eq!(story(swapped).await, [hung, hung, hung, Err(Open)]);
    assert_eq!(story(pipeline).await, [hung, hung, hung, Err(Open)]);
}

#[tokio::test(start_paused = true)]
async fn the_time_of_an_attempt_does_not_begin_in_the_line_for_a_slot() {
    let story = async |stand: fn(&Server) -> Client| {
        let server = Server::always(Reply::status(200).after(3));
        let client = stand(&server);
        join_all([client.get(), client.get()]).await
    };
    let right = |server: &Server| server.behind(two(slots(1), TimeoutLayer::new(secs(4))));
    let swapped = |server: &Server| server.behind(two(TimeoutLayer::new(secs(4)), slots(1)));
    let pipeline = |server: &Server| {
        let spec = Pipeline::named("ordered").attempt_timeout(secs(4));
        server.behind_pipeline(&spec.per_host(|host| host.concurrency(1)).build().unwrap())
    };
    assert_eq!(story(right).await, [(Ok(200), 3), (Ok(200), 6)]);
    assert_eq!(story(swapped).await, [(Ok(200), 3), (Err(TimedOut), 4)]);
    assert_eq!(story(pipeline).await, [(Ok(200), 3), (Ok(200), 6)]);
}

#[tokio::test(start_paused = true)]
async fn nor_in_the_line_for_a_turn() {
    let story = async |stand: fn(&Server) -> Client| {
        let server = Server::always(Reply::status(200));
        let client = stand(&server);
        join_all([client.get(), client.get()]).await
    };
    let right = |server: &Server| server.behind(two(rate(10), TimeoutLayer::new(secs(4))));
    let swapped = |server: &Server| server.behind(two(TimeoutLayer::new(secs(4)), rate(10)));
    let pipeline = |server: &Server| {
        let spec = Pipeline::named("ordered").attempt_timeout(secs(4));
        let spec = spec.per_host(|host| host.rate_limit(one_per(10)));
        server.behind_pipeline(&spec.build().unwrap())
    };
    assert_eq!(story(right).await, [(Ok(200), 0), (Ok(200), 10)]);
    assert_eq!(story(swapped).await, [(Ok(200), 0), (Err(TimedOut), 4)]);
    assert_eq!(story(pipeline).await, [(Ok(200), 0), (Ok(200), 10)]);
}
