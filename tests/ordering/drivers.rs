//! Rows whose outer one is a driver.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use mainstay::Reason::{NoSlot, Open, TimedOut};
use mainstay::breaker::{CircuitBreaker, CircuitBreakerLayer};
use mainstay::concurrency::{Concurrency, ConcurrencyLayer};
use mainstay::deadline::DeadlineLayer;
use mainstay::fallback::{FallbackLayer, Value, value};
use mainstay::hedge::{Hedge, HedgeLayer};
use mainstay::pipeline::{FixedAnswer, Pipeline, PipelineSpec};
use mainstay::policy::backoff::{Backoff, Jitter};
use mainstay::rate_limit::{RateLimit, RateLimitLayer};
use mainstay::retry::{Retry, RetryLayer};
use mainstay::timeout::TimeoutLayer;

use crate::secs;
use crate::server::{Client, Reply, Res, Server, two};

/// What is fallen back on.
const INSTEAD: StatusCode = StatusCode::NON_AUTHORITATIVE_INFORMATION;

fn fallback() -> FallbackLayer<Value<Res>> {
    let answer = Response::builder().status(INSTEAD).body(Full::<Bytes>::default());
    FallbackLayer::new(value(answer.unwrap()))
}

/// Three attempts, a second apart.
fn thrice() -> Retry {
    Retry::up_to(3).backoff(Backoff::constant(secs(1)).jitter(Jitter::None))
}

fn retry() -> RetryLayer {
    RetryLayer::new(thrice()).unwrap()
}

/// Opens for a long time.
fn opens_after(failures: u32) -> CircuitBreaker {
    let open_time = Backoff::constant(secs(600)).jitter(Jitter::None);
    CircuitBreaker::new().consecutive_failures(Some(failures)).open_time(open_time)
}

fn breaker(failures: u32) -> CircuitBreakerLayer {
    CircuitBreakerLayer::new(opens_after(failures)).unwrap()
}

fn one_slot() -> ConcurrencyLayer {
    ConcurrencyLayer::new(Concurrency::limit(1)).unwrap()
}

fn one_per_ten_seconds() -> RateLimit {
    RateLimit::per(1, secs(10))
}

fn rate() -> RateLimitLayer {
    RateLimitLayer::new(one_per_ten_seconds()).unwrap()
}

/// A second attempt after so many seconds.
fn hedge(seconds: u64) -> HedgeLayer {
    HedgeLayer::new(Hedge::after(secs(seconds))).unwrap()
}

fn in_pipeline(server: &Server, spec: impl FnOnce(PipelineSpec) -> PipelineSpec) -> Client {
    server.behind_pipeline(&spec(Pipeline::named("ordered")).build().unwrap())
}

#[tokio::test(start_paused = true)]
async fn the_fallback_answers_also_when_the_deadline_ends_the_call() {
    let story = async |stand: fn(&Server) -> Client| {
        let server = Server::always(Reply::never());
        stand(&server).get().await
    };
    let right = |server: &Server| server.behind(two(fallback(), DeadlineLayer::new(secs(5))));
    let swapped = |server: &Server| server.behind(two(DeadlineLayer::new(secs(5)), fallback()));
    let pipeline = |server: &Server| {
        in_pipeline(server, |spec| spec.fallback(FixedAnswer::new(INSTEAD)).deadline(secs(5)))
    };
    assert_eq!(story(right).await, (Ok(203), 5));
    assert_eq!(story(swapped).await, (Err(TimedOut), 5));
    assert_eq!(story(pipeline).await, (Ok(203), 5));
}

#[tokio::test(start_paused = true)]
async fn the_fallback_does_not_hide_failures_from_the_retry() {
    let story = async |stand: fn(&Server) -> Client| {
        let server = Server::new(|before| Reply::status(if before == 0 { 503 } else { 200 }));
        (stand(&server).get().await.0, server.count())
    };
    let right = |server: &Server| server.behind(two(fallback(), retry()));
    let swapped = |server: &Server| server.behind(two(retry(), fallback()));
    let pipeline = |server: &Server| {
        in_pipeline(server, |spec| spec.fallback(FixedAnswer::new(INSTEAD)).retry(thrice()))
    };
    assert_eq!(story(right).await, (Ok(200), 2));
    assert_eq!(story(swapped).await, (Ok(203), 1));
    assert_eq!(story(pipeline).await, (Ok(200), 2));
}

#[tokio::test(start_paused = true)]
async fn the_fallback_does_not_hide_failures_from_the_breaker() {
    let story = async |stand: fn(&Server) -> Client| {
        let server = Server::always(Reply::status(503));
        (stand(&server).gets(5).await, server.count())
    };
    let right = |server: &Server| server.behind(two(fallback(), breaker(3)));
    let swapped = |server: &Server| server.behind(two(breaker(3), fallback()));
    let pipeline = |server: &Server| {
        in_pipeline(server, |spec| {
            let spec = spec.fallback(FixedAnswer::new(INSTEAD));
            spec.per_host(|host| host.circuit_breaker(opens_after(3)))
        })
    };
    assert_eq!(story(right).await, (vec![Ok(203); 5], 3));
    assert_eq!(story(swapped).await, (vec![Ok(203); 5], 5));
    assert_eq!(story(pipeline).await, (vec![Ok(203); 5], 3));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_is_for_all_attempts_together() {
    let story = async |stand: fn(&Server) -> Client| {
        let server = Server::always(Reply::never());
        (stand(&server).get().await, server.starts())
    };
    let right = |server: &Server| server.behind(two(DeadlineLayer::new(secs(5)), retry()));
    let swapped = |server: &Server| server.behind(two(retry(), DeadlineLayer::new(secs(5))));
    let pipeline =
        |server: &Server| in_pipeline(server, |spec| spec.deadline(secs(5)).retry(thrice()));
    assert_eq!(story(right).await, ((Err(TimedOut), 5), vec![0]));
    assert_eq!(story(swapped).await, ((Err(TimedOut), 17), vec![0, 6, 12]));
    assert_eq!(story(pipeline).await, ((Err(TimedOut), 5), vec![0]));
}

#[tokio::test(start_paused = true)]
async fn a_second_attempt_beside_the_first_gets_no_time_of_its_own() {
    let story = async |stand: fn(&Server) -> Client| {
        let server = Server::always(Reply::never());
        (stand(&server).get().await, server.starts())
    };
    let right = |server: &Server| server.behind(two(DeadlineLayer::new(secs(5)), hedge(3)));
    let swapped = |server: &Server| server.behind(two(hedge(3), DeadlineLayer::new(secs(5))));
    let pipeline = |server: &Server| {
        in_pipeline(server, |spec| spec.deadline(secs(5)).hedge(Hedge::after(secs(3))))
    };
    assert_eq!(story(right).await, ((Err(TimedOut), 5), vec![0, 3]));
    assert_eq!(story(swapped).await, ((Err(TimedOut), 8), vec![0, 3]));
    assert_eq!(story(pipeline).await, ((Err(TimedOut), 5), vec![0, 3]));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_counts_the_time_in_a_queue() {
    let story = async |stand: fn(&Server) -> Client| {
        let server = Server::always(Reply::never());
        let client = stand(&server);
        let ends = tokio::join!(client.get(), client.get());
        <[_; 2]>::from(ends).map(|(_, second)| second)
    };
    let right = |server: &Server| server.behind(two(DeadlineLayer::new(secs(5)), one_slot()));
    let swapped = |server: &Server| server.behind(two(one_slot(), DeadlineLayer::new(secs(5))));
    let pipeline = |server: &Server| {
        in_pipeline(server, |spec| spec.deadline(secs(5)).per_host(|host| host.concurrency(1)))
    };
    assert_eq!(story(right).await, [5, 5]);
    assert_eq!(story(swapped).await, [5, 10]);
    assert_eq!(story(pipeline).await, [5, 5]);
}

#[tokio::test(start_paused = true)]
async fn the_pause_between_attempts_is_not_taken_for_slowness() {
    let story = async |stand: fn(&Server) -> Client| {
        let asks =
            |before| if before == 0 { Reply::status(503).asks(5) } else { Reply::status(200) };
        let server = Server::new(asks);
        (stand(&server).get().await.0, server.starts())
    };
    let right = |server: &Server| server.behind(two(retry(), hedge(2)));
    let swapped = |server: &Server| server.behind(two(hedge(2), retry()));
    let pipeline = |server: &Server| {
        in_pipeline(server, |spec| spec.retry(thrice()).hedge(Hedge::after(secs(2))))
    };
    let (right, pipeline) = (story(right).await, story(pipeline).await);
    assert!(right.0 == Ok(200) && matches!(right.1[..], [0, 5..=6]), "{right:?}");
    assert_eq!(story(swapped).await, (Ok(200), vec![0, 2]));
    assert!(pipeline.0 == Ok(200) && matches!(pipeline.1[..], [0, 5..=6]), "{pipeline:?}");
}

#[tokio::test(start_paused = true)]
async fn no_slot_is_held_in_the_pause_between_attempts() {
    let story = async |stand: fn(&Server) -> Client| {
        let asks =
            |before| if before == 0 { Reply::status(503).asks(20) } else { Reply::status(200) };
        let server = Server::new(asks);
        let client = stand(&server);
        let first = client.begins().await;
        let next = client.get().await;
        assert_eq!(first.await.unwrap().0, Ok(200));
        next
    };
    let right = |server: &Server| server.behind(two(retry(), one_slot()));
    let swapped = |server: &Server| server.behind(two(one_slot(), retry()));
    let pipeline = |server: &Server| {
        in_pipeline(server, |spec| spec.retry(thrice()).per_host(|host| host.concurrency(1)))
    };
    assert_eq!(story(right).await, (Ok(200), 0));
    assert_eq!(story(swapped).await, (Err(NoSlot), 10));
    assert_eq!(story(pipeline).await, (Ok(200), 0));
}

#[tokio::test(start_paused = true)]
async fn every_attempt_takes_a_turn() {
    let story = async |stand: fn(&Server) -> Client| {
        let server = Server::always(Reply::status(503));
        (stand(&server).get().await.0, server.starts())
    };
    let right = |server: &Server| server.behind(two(retry(), rate()));
    let swapped = |server: &Server| server.behind(two(rate(), retry()));
    let pipeline = |server: &Server| {
        in_pipeline(server, |spec| {
            spec.retry(thrice()).per_host(|host| host.rate_limit(one_per_ten_seconds()))
        })
    };
    assert_eq!(story(right).await, (Ok(503), vec![0, 10, 20]));
    assert_eq!(story(swapped).await, (Ok(503), vec![0, 1, 2]));
    assert_eq!(story(pipeline).await, (Ok(503), vec![0, 10, 20]));
}

#[tokio::test(start_paused = true)]
async fn the_breaker_hears_of_every_attempt() {
    let story = async |stand: fn(&Server) -> Client| {
        let server = Server::always(Reply::status(503));
        (stand(&server).gets(2).await, server.count())
    };
    let right = |server: &Server| server.behind(two(retry(), breaker(3)));
    let swapped = |server: &Server| server.behind(two(breaker(3), retry()));
    let pipeline = |server: &Server| {
        in_pipeline(server, |spec| {
            spec.retry(thrice()).per_host(|host| host.circuit_breaker(opens_after(3)))
        })
    };
    assert_eq!(story(right).await, (vec![Ok(503), Err(Open)], 3));
    assert_eq!(story(swapped).await, (vec![Ok(503), Ok(503)], 6));
    assert_eq!(story(pipeline).await, (vec![Ok(503), Err(Open)], 3));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_hangs_leaves_time_for_another() {
    let story = async |stand: fn(&Server) -> Client| {
        let hangs = |before| if before == 0 { Reply::never() } else { Reply::status(200) };
        let server = Server::new(hangs);
        (stand(&server).get().await, server.starts())
    };
    let right = |server: &Server| server.behind(two(retry(), TimeoutLayer::new(secs(4))));
    let swapped = |server: &Server| server.behind(two(TimeoutLayer::new(secs(4)), retry()));
    let pipeline =
        |server: &Server| in_pipeline(server, |spec| spec.retry(thrice()).attempt_timeout(secs(4)));
    assert_eq!(story(right).await, ((Ok(200), 5), vec![0, 5]));
    assert_eq!(story(swapped).await, ((Err(TimedOut), 4), vec![0]));
    assert_eq!(story(pipeline).await, ((Ok(200), 5), vec![0, 5]));
}

#[tokio::test(start_paused = true)]
async fn a_second_attempt_beside_the_first_takes_a_slot_of_its_own() {
    let story = async |stand: fn(&Server) -> Client| {
        let server = Server::always(Reply::status(200).after(5));
        (stand(&server).get().await, server.most())
    };
    let right = |server: &Server| server.behind(two(hedge(1), one_slot()));
    let swapped = |server: &Server| server.behind(two(one_slot(), hedge(1)));
    let pipeline = |server: &Server| {
        let one_slot = |spec: PipelineSpec| spec.per_host(|host| host.concurrency(1));
        in_pipeline(server, |spec| one_slot(spec.hedge(Hedge::after(secs(1)))))
    };
    assert_eq!(story(right).await, ((Ok(200), 5), 1));
    assert_eq!(story(swapped).await, ((Ok(200), 5), 2));
    assert_eq!(story(pipeline).await, ((Ok(200), 5), 1));
}
