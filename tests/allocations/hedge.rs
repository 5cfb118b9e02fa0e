//! A call that may be hedged costs the clone of its request and one box; any other costs nothing.

use std::convert::Infallible;
use std::future::{Future, Ready, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use allocation_counter::measure;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use mainstay::budget::{Budget, RetryBudget};
use mainstay::coalesce::CoalesceLayer;
use mainstay::hedge::{Hedge, HedgeLayer, Hedger};
use mainstay::http::{Http, Key, RequestView};
use mainstay::{Error, LiftLayer};
use tower::{Layer, Service};

/// Answers at the second poll if it is slow, and at once if it is not.
#[derive(Clone)]
struct Answers {
    is_slow: bool,
}

/// Its future is no box.
struct Answer {
    pending: bool,
    end: Ready<Result<Response<()>, Infallible>>,
}

impl<B> Service<Request<B>> for Answers {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Answer {
        Answer { pending: self.is_slow, end: std::future::ready(Ok(Response::new(()))) }
    }
}

impl Future for Answer {
    type Output = Result<Response<()>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if std::mem::take(&mut self.pending) {
            return Poll::Pending;
        }
        Pin::new(&mut self.end).poll(cx)
    }
}

/// How many allocations a call takes that succeeds, and is polled until it does.
fn called<S, Req>(service: &mut S, request: Req) -> u64
where
    S: Service<Req>,
{
    let mut cx = Context::from_waker(Waker::noop());
    let mut request = Some(request);
    let counted = measure(|| {
        assert!(pin!(poll_fn(|cx| service.poll_ready(cx))).poll(&mut cx).is_ready());
        let mut future = pin!(service.call(request.take().unwrap()));
        while future.as_mut().poll(&mut cx).is_pending() {}
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

fn layer() -> HedgeLayer<Http, Arc<Hedger>, Arc<Budget>> {
    let hedger = Hedger::new(Hedge::after(Duration::from_secs(1))).unwrap();
    let budget = Budget::new(RetryBudget::new()).unwrap();
    HedgeLayer::of(Arc::new(hedger), Arc::new(budget), Http::new())
}

#[tokio::test(start_paused = true)]
async fn a_call_that_may_be_hedged_costs_the_clone_and_one_box_also_with_its_timer() {
    let get = || request(Method::GET, Full::new(Bytes::from("in memory")));
    let original = get();
    let clone = measure(|| drop(RequestView::copy(&original))).count_total;
    assert!(clone > 0, "a map of headers is no small thing");
    for is_slow in [false, true] {
        let mut service = layer().layer(LiftLayer::new().layer(Answers { is_slow }));
        called(&mut service, get()); // reads the clock's origin
        assert_eq!(called(&mut service, get()), clone + 1, "slow: {is_slow}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_may_not_be_hedged_costs_nothing() {
    let mut service = layer().layer(LiftLayer::new().layer(Answers { is_slow: true }));
    let post = request(Method::POST, Full::new(Bytes::from("in memory")));
    assert_eq!(called(&mut service, post), 0);
    let stream = request(Method::GET, Full::new(Bytes::from("stream")).boxed_unsync());
    assert_eq!(called(&mut service, stream), 0);
}

#[test]
fn a_call_that_is_not_coalesced_costs_nothing() {
    let by = |_: &Request<()>| -> Option<Key> { None };
    let inner = tower::service_fn(|_: Request<()>| {
        std::future::ready(Ok::<_, Error<Infallible>>(Response::new(())))
    });
    let mut service = CoalesceLayer::new(by).layer(inner);
    assert_eq!(called(&mut service, request(Method::GET, ())), 0);
}
