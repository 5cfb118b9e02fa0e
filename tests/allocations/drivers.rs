//! What the drivers allocate that bound a call, replace its end or look at it.

use std::future::{Future, Pending, Ready, pending, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use allocation_counter::measure;
use http::{HeaderName, HeaderValue, Request, Response};
use mainstay::chaos::{Chaos, ChaosLayer};
use mainstay::deadline::{Deadline, DeadlineLayer};
use mainstay::fallback::{FallbackLayer, service, value};
use mainstay::http::RequestView;
use mainstay::stall::{Stall, StallLayer};
use mainstay::timeout::TimeoutLayer;
use tower::{Layer, Service, ServiceBuilder};

use super::{NoError, ORDINARY};

const SECOND: Duration = Duration::from_secs(1);

type Answer = Result<Response<()>, NoError>;

/// Answers at once.
#[derive(Clone)]
struct Answers;

/// Never answers.
#[derive(Clone)]
struct Hangs;

impl Service<Request<()>> for Answers {
    type Response = Response<()>;
    type Error = NoError;
    type Future = Ready<Answer>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NoError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(Response::new(())))
    }
}

impl Service<Request<()>> for Hangs {
    type Response = Response<()>;
    type Error = NoError;
    type Future = Pending<Answer>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NoError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        pending()
    }
}

fn request() -> Request<()> {
    let mut request = Request::new(());
    for (name, value) in &ORDINARY[..8] {
        let name = HeaderName::from_static(name);
        request.headers_mut().append(name, HeaderValue::from_static(value));
    }
    request
}

/// How many allocations a call takes up to its first poll, and whether it has ended well by then.
fn called<S, B>(mut service: S, request: Request<()>) -> (u64, Option<bool>)
where
    S: Service<Request<()>, Response = Response<B>>,
{
    let mut cx = Context::from_waker(Waker::noop());
    let (mut ended, mut request) = (None, Some(request));
    let counted = measure(|| {
        assert!(matches!(service.poll_ready(&mut cx), Poll::Ready(Ok(()))));
        let future = pin!(service.call(request.take().unwrap()));
        ended = match future.poll(&mut cx) {
            Poll::Ready(end) => Some(end.is_ok()),
            Poll::Pending => None,
        };
    });
    (counted.count_total, ended)
}

#[test]
fn a_call_that_is_answered_at_once_allocates_nothing() {
    let well = (0, Some(true));
    let deadline = DeadlineLayer::new(SECOND).named("some");
    called(deadline.layer(Answers), request()); // reads the clock's origin
    assert_eq!(called(deadline.layer(Answers), request()), well);
    let mut own = request();
    own.extensions_mut().insert(Deadline::within(SECOND));
    assert_eq!(called(deadline.layer(Answers), own), well);
    assert_eq!(called(TimeoutLayer::new(SECOND).named("some").layer(Answers), request()), well);
    let body = TimeoutLayer::new(SECOND).body_idle(SECOND);
    assert_eq!(called(body.layer(Answers), request()), well);
    let fallback = FallbackLayer::new(value(Response::new(()))).named("some");
    assert_eq!(called(fallback.layer(Answers), request()), well);
    let stall = StallLayer::new(Stall::new()).unwrap().named("some");
    assert_eq!(called(stall.layer(Answers), request()), well);
    let chaos = ChaosLayer::new(Chaos::seeded(1).errors(100.0)).unwrap();
    assert_eq!(called(chaos.layer(Answers), request()), well);
}

#[test]
fn a_service_to_fall_back_on_costs_the_copy_of_the_request() {
    let original = request();
    let copy = measure(|| drop(original.copy())).count_total;
    assert!(copy > 0, "else the counter does not count");
    let fallback = FallbackLayer::new(service(Answers));
    assert_eq!(called(fallback.layer(Answers), original), (copy, Some(true)));
}

#[test]
fn a_refusal_by_a_deadline_that_is_over_allocates_nothing() {
    let over = DeadlineLayer::new(Duration::ZERO);
    called(over.layer(Answers), request());
    assert_eq!(called(over.layer(Answers), request()), (0, Some(false)));
}

#[test]
fn a_deadline_that_is_left_in_the_request_costs_three() {
    let told = DeadlineLayer::new(SECOND).in_request();
    called(told.layer(Answers), request());
    assert_eq!(called(told.layer(Answers), request()), (3, Some(true)));
}

#[test]
fn two_deadlines_and_a_timeout_that_wait_share_one_timer() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _inside = runtime.enter();
    let one = TimeoutLayer::new(SECOND).layer(Hangs);
    called(one.clone(), request());
    assert_eq!(called(one, request()), (1, None));
    let three = ServiceBuilder::new()
        .layer(DeadlineLayer::new(SECOND))
        .layer(DeadlineLayer::new(2 * SECOND))
        .layer(TimeoutLayer::new(3 * SECOND));
    assert_eq!(called(three.service(Hangs), request()), (1, None));
}
