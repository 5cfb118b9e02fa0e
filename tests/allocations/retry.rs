//! A call that may be repeated costs the clone of its request and one allocation more.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use allocation_counter::measure;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use mainstay::breaker::{BreakerGuard, CircuitBreaker};
use mainstay::budget::{Budget, RetryBudget};
use mainstay::concurrency::{Concurrency, ConcurrencyGuard};
use mainstay::cooldown::{CoolDown, PacedGuard};
use mainstay::deadline::DeadlineLayer;
use mainstay::guard::GuardLayer;
use mainstay::http::{Http, RequestView, RetryRules};
use mainstay::rate_limit::RateLimit;
use mainstay::retry::{Retry, RetryLayer};
use mainstay::timeout::TimeoutLayer;
use mainstay::{Lift, LiftLayer};
use tower::{Layer, Service, ServiceBuilder};

/// Answers at once.
#[derive(Clone)]
struct Well;

impl<B> Service<Request<B>> for Well {
    type Response = Response<Empty<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        std::future::ready(Ok(Response::new(Empty::new())))
    }
}

fn layer(attempts: u32) -> RetryLayer<Http, Arc<Budget>> {
    let budget = Arc::new(Budget::new(RetryBudget::new()).unwrap());
    RetryLayer::new(Retry::up_to(attempts)).unwrap().budget(budget)
}

/// How many allocations a call takes that succeeds at once.
fn called<L, B>(layer: &L, request: Request<B>) -> u64
where
    L: Layer<Lift<Well>>,
    L::Service: Service<Request<B>>,
{
    let mut service = layer.layer(LiftLayer::new().layer(Well));
    let mut cx = Context::from_waker(Waker::noop());
    let mut request = Some(request);
    let counted = measure(|| {
        assert!(matches!(service.poll_ready(&mut cx), Poll::Ready(Ok(()))));
        let future = pin!(service.call(request.take().unwrap()));
        assert!(matches!(future.poll(&mut cx), Poll::Ready(Ok(_))));
    });
    counted.count_total
}

fn request<B>(method: Method, body: B) -> Request<B> {
    let mut request = Request::new(body);
    *request.method_mut() = method;
    for name in ["accept", "accept-language", "authorization", "user-agent"] {
        request.headers_mut().insert(name, "value".parse().unwrap());
    }
    request
}

fn in_memory(method: Method) -> Request<Full<Bytes>> {
    request(method, Full::from("in memory"))
}

#[test]
fn a_call_that_may_be_repeated_costs_the_clone_and_one_allocation() {
    // The clone: of the map of headers its index and its fields, and of each value, which has one
    // owner until then, the count of its owners. The one: the box in which clone, service, account
    // and course are kept for another attempt.
    for method in [Method::GET, Method::POST] {
        let original = in_memory(method.clone());
        let clone = measure(|| drop(RequestView::copy(&original))).count_total;
        assert_eq!(clone, 2 + 4);
        assert_eq!(called(&layer(3), in_memory(method)), clone + 1);
    }
}

/// A deadline, retry, a set of three guards and an attempt timeout, over one another.
#[test]
fn a_whole_stack_costs_no_more_than_its_retry() {
    let guards = (
        ConcurrencyGuard::new(Concurrency::limit(2)).unwrap(),
        PacedGuard::new(RateLimit::per_second(1_000).burst(1_000), CoolDown::new()).unwrap(),
        BreakerGuard::new(CircuitBreaker::new()).unwrap(),
    );
    let stack = ServiceBuilder::new()
        .layer(DeadlineLayer::new(Duration::from_secs(30)))
        .layer(layer(3))
        .layer(GuardLayer::new(guards))
        .layer(TimeoutLayer::new(Duration::from_secs(8)));
    let original = in_memory(Method::GET);
    let clone = measure(|| drop(RequestView::copy(&original))).count_total;
    called(&stack, in_memory(Method::GET)); // reads the clock's origin
    assert_eq!(called(&stack, in_memory(Method::GET)), clone + 1);
    assert_eq!(called(&stack, request(Method::PUT, stream())), 0);
}

fn stream() -> UnsyncBoxBody<Bytes, Infallible> {
    Full::from("stream").boxed_unsync()
}

#[test]
fn a_call_that_is_sent_once_costs_nothing() {
    assert_eq!(called(&layer(3), request(Method::PUT, stream())), 0);
    assert_eq!(called(&layer(1), in_memory(Method::GET)), 0);
    let never = layer(3).protocol(Http::new().rules(RetryRules::standard().never(Method::POST)));
    assert_eq!(called(&never, in_memory(Method::POST)), 0);
}
