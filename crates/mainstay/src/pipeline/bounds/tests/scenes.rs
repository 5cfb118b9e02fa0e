//! Layers that are stacked as a pipeline stacks them come close to its bounds, and stay within.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use ::http::{Request, Response};
use bytes::Bytes;
use http_body_util::Full;
use mainstay_policy::breaker::CircuitBreaker;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

use super::*;
use crate::breaker::BreakerGuard;
use crate::budget::Budget;
use crate::concurrency::ConcurrencyGuard;
use crate::guard::GuardLayer;
use crate::hedge::HedgeLayer;
use crate::retry::RetryLayer;
use crate::timeout::TimeoutLayer;
use crate::{Error, LiftLayer, clock};

type Res = Response<Full<Bytes>>;
type Req = Request<Full<Bytes>>;

fn get() -> Req {
    Request::get("https://api.example.com/").body(Full::default()).expect("it is a request")
}

/// A server that does this, and counts what it was sent.
fn server<F>(
    reply: impl Fn() -> F + Clone + Send + 'static,
) -> (
    Arc<AtomicU64>,
    impl Service<Req, Response = Res, Error = std::io::Error, Future = impl Send> + Clone + Send,
)
where
    F: Future<Output = Res> + Send + 'static,
{
    let sent = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&sent);
    let service = service_fn(move |_: Req| {
        count.fetch_add(1, Relaxed);
        let reply = reply();
        async move { Ok(reply.await) }
    });
    (sent, service)
}

fn answer(status: u16) -> Res {
    Response::builder().status(status).body(Full::default()).expect("it is an answer")
}

/// It begins just before the first attempt has run out of time, and has all of its own.
#[tokio::test(start_paused = true)]
async fn a_hedge_that_goes_out_at_the_last_moment_takes_as_long_again() {
    let limit = Concurrency::limit(2).max_waiting(0);
    let hedge = Hedge::after(ms(990));
    let retry = Retry::up_to(2).backoff(Backoff::constant(ms(200))).longest_asked(ms(200));
    let spec = named().attempt_timeout(secs(1)).retry(retry).hedge(hedge);
    let spec = spec.per_host(|host| host.concurrency(limit));
    let budget = Arc::new(Budget::new(RetryBudget::new()).expect("it is a budget"));
    let (sent, hangs) = server(std::future::pending);
    let guard = ConcurrencyGuard::new(limit).expect("it is a limit");
    let service = ServiceBuilder::new()
        .layer(RetryLayer::new(retry).expect("it is a retry").budget(Arc::clone(&budget)))
        .layer(HedgeLayer::new(hedge).expect("it is a hedge").budget(budget))
        .layer(GuardLayer::new(guard))
        .layer(TimeoutLayer::new(secs(1)))
        .layer(LiftLayer::new())
        .service(hangs);
    let began = clock::now();
    service.oneshot(get()).await.expect_err("it hangs");
    let took = clock::now().since(began);
    let bounds = spec.bounds();
    assert!(bounds.time.allows(&took), "{took:?} of {:?}", bounds.time);
    assert!(took >= ms(4_180), "{took:?}: two attempts, each with a hedge behind it");
    assert_eq!(Bound::AtMost(sent.load(Relaxed)), bounds.attempts);
}

/// Begun just before a millisecond is over, it rounds that up as well as its end.
#[tokio::test(start_paused = true)]
async fn a_timer_is_nearly_two_milliseconds_late() {
    tokio::time::advance(Duration::from_micros(999)).await;
    let spec = named().attempt_timeout(Duration::from_micros(1_002));
    let (_, hangs) = server(std::future::pending);
    let service = ServiceBuilder::new()
        .layer(TimeoutLayer::new(Duration::from_micros(1_002)))
        .layer(LiftLayer::new())
        .service(hangs);
    let began = clock::now();
    service.oneshot(get()).await.expect_err("it hangs");
    let took = clock::now().since(began);
    assert_eq!(took, ms(3));
    assert!(spec.bounds().time.allows(&took), "{took:?} of {:?}", spec.bounds().time);
}

#[tokio::test(start_paused = true)]
async fn jitter_is_added_to_what_a_server_asks_for() {
    let backoff = Backoff::exponential(secs(8)).cap(secs(8));
    let retry = Retry::up_to(5).backoff(backoff).longest_asked(secs(10));
    let spec = named().attempt_timeout(secs(1)).retry(retry);
    let (sent, busy) = server(|| async {
        tokio::time::sleep(ms(999)).await;
        let mut answer = answer(503);
        answer.headers_mut().insert("retry-after", "10".parse().expect("it is a value"));
        answer
    });
    let service = ServiceBuilder::new()
        .layer(RetryLayer::new(retry).expect("it is a retry"))
        .layer(TimeoutLayer::new(secs(1)))
        .layer(LiftLayer::new())
        .service(busy);
    let mut longest = Duration::ZERO;
    for _ in 0..50 {
        let began = clock::now();
        service.clone().oneshot(get()).await.expect("it is an answer");
        longest = longest.max(clock::now().since(began));
    }
    let bounds = spec.bounds();
    assert!(bounds.time.allows(&longest), "{longest:?} of {:?}", bounds.time);
    assert!(longest > secs(5 + 4 * 10 + 16), "{longest:?}: it is near the bound");
    assert!(sent.load(Relaxed) <= 50 * 5);
}

/// What a breaker refuses between two attempts must not make the second one free.
#[tokio::test(start_paused = true)]
async fn a_breaker_between_the_attempts_adds_no_load() {
    let budget = RetryBudget::new().ratio(0.1).reserve(5);
    let retry = Retry::up_to(6).backoff(Backoff::constant(ms(1))).longest_asked(secs(1));
    let breaker =
        CircuitBreaker::new().consecutive_failures(Some(1)).open_time(Backoff::constant(ms(10)));
    let spec = named().retry(retry).budget(budget).per_host(|host| host.circuit_breaker(breaker));
    let (sent, down) = server(|| async { answer(503) });
    let account = Arc::new(Budget::new(budget).expect("it is a budget"));
    let service = ServiceBuilder::new()
        .layer(RetryLayer::new(retry).expect("it is a retry").budget(account))
        .layer(GuardLayer::new(BreakerGuard::new(breaker).expect("it is a breaker")))
        .layer(LiftLayer::new())
        .service(down);
    let calls = 400;
    for _ in 0..calls {
        let _: Result<_, Error<_>> = service.clone().oneshot(get()).await;
    }
    let bounds = spec.bounds();
    let load = bounds.load.at_most().expect("it is bounded");
    let reserve = bounds.reserve.at_most().expect("it is bounded");
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    let extra = (sent.load(Relaxed) - calls) as f64;
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    let most = (load - 1.0) * calls as f64 + reserve as f64;
    assert!(extra <= most + 1e-6, "{extra} of {most}");
    assert!(extra > 0.8 * most, "{extra} of {most}");
}
