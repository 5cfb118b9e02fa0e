//! The same over HTTP requests with eight header fields.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, COOKIE,
    USER_AGENT,
};
use http::{HeaderValue, Method, Request, Response};
use http_body::{Body, Frame};
use http_body_util::Full;
use mainstay::pipeline::{Pipeline, PipelineService};
use tower::limit::ConcurrencyLimitLayer;
use tower::retry::{Policy, RetryLayer};
use tower::timeout::TimeoutLayer;
use tower::{BoxError, Layer, Service, ServiceBuilder};

/// A body that is read as it is sent, so that there is no second.
#[derive(Clone, Debug)]
pub(crate) struct Stream;

impl Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }
}

/// Answers at once.
#[derive(Clone, Debug)]
pub(crate) struct BareHttp;

impl<B> Service<Request<B>> for BareHttp {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Full<Bytes>>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        black_box(request.method());
        ready(Ok(Response::new(Full::default())))
    }
}

fn request<B>(method: Method, body: B) -> Request<B> {
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = http::Uri::from_static("https://api.example.com/v1/users?page=7");
    let headers = request.headers_mut();
    for (name, value) in [
        (ACCEPT, "application/json"),
        (ACCEPT_ENCODING, "gzip, br"),
        (ACCEPT_LANGUAGE, "en"),
        (AUTHORIZATION, "Bearer 0123456789abcdef"),
        (CACHE_CONTROL, "no-cache"),
        (CONTENT_TYPE, "application/json"),
        (COOKIE, "session=0123456789abcdef"),
        (USER_AGENT, "bench/1.0"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    request
}

/// One call of a service that answers at once.
pub(crate) fn called<S, Req>(service: &mut S, request: Req)
where
    S: Service<Req>,
{
    let mut cx = Context::from_waker(Waker::noop());
    let _ = service.poll_ready(&mut cx);
    let _ = black_box(pin!(service.call(request)).poll(&mut cx).is_ready());
}

/// So many calls, one after the other.
#[inline(never)]
fn calls<S, B, R>(mut service: S, n: u64, request: impl Fn() -> Request<B>) -> u64
where
    S: Service<Request<B>, Response = R>,
{
    let mut cx = Context::from_waker(Waker::noop());
    let mut sum = 0;
    for _ in 0..n {
        let _ = service.poll_ready(&mut cx);
        let call = pin!(service.call(request()));
        if let Poll::Ready(Ok(answer)) = call.poll(&mut cx) {
            black_box(&answer);
            sum += 1;
        }
    }
    sum
}

pub(crate) fn posts<S: Service<Request<Stream>>>(service: S, n: u64) -> u64 {
    calls(service, n, || request(Method::POST, Stream))
}

pub(crate) fn gets<S: Service<Request<Full<Bytes>>>>(service: S, n: u64) -> u64 {
    calls(service, n, || request(Method::GET, Full::default()))
}

pub(crate) fn standard() -> PipelineService<BareHttp> {
    Pipeline::standard().layer(BareHttp)
}

pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
pub(crate) const ATTEMPT: Duration = Duration::from_secs(8);

/// What tower itself has: the whole call's time, a retry, slots, an attempt's time.
pub(crate) fn tower4<B, const REPEATABLE: bool>()
-> impl Service<Request<B>, Response = Response<Full<Bytes>>> + Clone + Send
where
    B: Clone + Send + 'static,
{
    ServiceBuilder::new()
        .layer(TimeoutLayer::new(DEADLINE))
        .layer(RetryLayer::new(Again::<REPEATABLE>))
        .layer(ConcurrencyLimitLayer::new(64))
        .layer(TimeoutLayer::new(ATTEMPT))
        .service(BareHttp)
}

/// A policy for tower's retry that clones what may be sent again.
#[derive(Clone, Debug)]
pub(crate) struct Again<const REPEATABLE: bool>;

impl<B: Clone, R, const REPEATABLE: bool> Policy<Request<B>, R, BoxError> for Again<REPEATABLE> {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut Request<B>, end: &mut Result<R, BoxError>) -> Option<Ready<()>> {
        end.is_err().then(|| ready(()))
    }

    fn clone_request(&mut self, request: &Request<B>) -> Option<Request<B>> {
        REPEATABLE.then(|| request.clone())
    }
}
