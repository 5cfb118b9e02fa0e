//! Pipelines as their users see them.

mod answers;
mod closing;
mod ends;
mod first;
mod options;
mod pipelines;
mod queued;
mod refusals;
mod reload;
mod sharing;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use ::http::{Request, Response, StatusCode};
use bytes::Bytes;
use http_body_util::Full;
use mainstay_policy::backoff::{Backoff, Jitter};
use mainstay_policy::breaker::{BreakerState, CircuitBreaker};
use mainstay_policy::retry::Retry;
use tokio::time::advance;
use tokio_test::{assert_pending, assert_ready, task};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

use super::*;
use crate::error::{CallError, Error, Reason, Refused};
use crate::scripted::{Call, Script, Scripted, Wrong, script};

type Body = Full<Bytes>;
type Req = Request<Body>;
type Res = Response<Body>;
type Fails = Error<Wrong>;
type Answer = Result<Response<PipelineBody<Body>>, Fails>;
type Calling = task::Spawn<Pin<Box<dyn Future<Output = Answer> + Send>>>;

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn get(host: &str) -> Req {
    Request::get(format!("https://{host}/")).body(Body::default()).unwrap()
}

fn post(host: &str) -> Req {
    let mut request = get(host);
    *request.method_mut() = ::http::Method::POST;
    request
}

fn key(host: &str) -> Key {
    Key::new(format!("https://{host}"))
}

fn answer(status: u16) -> Res {
    Response::builder().status(status).body(Body::from("answer")).unwrap()
}

/// So many attempts, a second apart.
fn attempts(n: u32) -> Retry {
    Retry::up_to(n).backoff(Backoff::constant(secs(1)).jitter(Jitter::None))
}

/// A breaker that opens for ten seconds, and that one probe closes.
fn opens_after(failures: u32) -> CircuitBreaker {
    let open_time = Backoff::constant(secs(10)).jitter(Jitter::None);
    CircuitBreaker::new().consecutive_failures(Some(failures)).open_time(open_time).probes(1)
}

/// A pipeline before a server that answers by hand.
struct Stand {
    server: Script<Req, Res>,
    pipeline: Pipeline,
    service: PipelineService<Scripted<Req, Res>, Unchanged>,
}

impl Stand {
    fn of(pipeline: Pipeline) -> Self {
        let (server, service) = script();
        let service = pipeline.keep_error().layer(service);
        Self { server, pipeline, service }
    }

    fn new(spec: PipelineSpec) -> Self {
        Self::of(spec.build().unwrap())
    }

    /// Only guards.
    fn guarded(host: impl FnOnce(HostSpec) -> HostSpec) -> Self {
        Self::new(Pipeline::named("github").per_host(host))
    }

    /// Begins a call, which has not been polled.
    fn call(&self, request: Req) -> Calling {
        begin(&self.service, request)
    }

    /// A call that is sent at once.
    #[track_caller]
    fn sent(&self, request: Req) -> (Calling, Call<Req, Res>) {
        let mut call = self.call(request);
        assert_pending!(call.poll());
        (call, self.server.next())
    }

    /// A call that fails at first in a way that passes, and is sent again within a second.
    async fn ends_at_the_second(&self, request: Req) {
        let (mut call, first) = self.sent(request);
        first.ends(Ok(answer(503)));
        assert_pending!(call.poll());
        advance(secs(1)).await;
        assert_pending!(call.poll());
        self.server.next().ends(Ok(answer(200)));
        assert_eq!(said(assert_ready!(call.poll())), Ok(200));
    }

    /// A call that ends at once: refused, or with this answer of the server.
    #[track_caller]
    fn ends(&self, request: Req, status: u16) -> Result<u16, Refused> {
        let mut call = self.call(request);
        if let Poll::Ready(end) = call.poll() {
            return said(end);
        }
        self.server.next().ends(Ok(answer(status)));
        said(assert_ready!(call.poll()))
    }

    fn host(&self, host: &str) -> HostHandle {
        self.pipeline.host(&key(host)).unwrap()
    }
}

/// Makes a service ready and calls it.
fn begin<S>(service: &S, request: Req) -> Calling
where
    S: Service<Req, Response = Response<PipelineBody<Body>>, Error = Fails> + Clone,
    S::Future: Send + 'static,
{
    let mut service = service.clone();
    assert!(assert_ready!(task::spawn(()).enter(|cx, _| service.poll_ready(cx))).is_ok());
    task::spawn(Box::pin(service.call(request)))
}

/// Ends a test that hangs.
async fn finishes<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(secs(3_600), future).await.expect("it hangs")
}

/// The status of an answer, or why there is none.
fn said(end: Answer) -> Result<u16, Refused> {
    match end {
        Ok(answer) => Ok(answer.status().as_u16()),
        Err(error) => Err(error.refused().unwrap().clone()),
    }
}

/// Why a call was refused.
#[track_caller]
fn why(end: Result<u16, Refused>) -> Reason {
    end.unwrap_err().reason()
}

/// A breaker's state, of a host that has been asked.
fn state(host: &HostHandle) -> BreakerState {
    host.circuit_breaker().unwrap().state()
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_stands_before_any_service() {
    let service = ServiceBuilder::new().layer(Pipeline::standard()).service(service_fn(
        |_: Request<Body>| async { Ok::<_, Infallible>(Response::new(Body::from("well"))) },
    ));
    let request = Request::get("https://api.example.com/").body(Body::default()).unwrap();
    let answer = service.oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_service_with_a_box_error_keeps_it_and_can_be_called_in_a_task() {
    let service = Pipeline::standard().keep_error().layer(service_fn(|_: Request<Body>| async {
        Err::<Response<Body>, _>(crate::BoxError::from("broken"))
    }));
    let call = tokio::spawn(async move {
        let mut service = service;
        let request = Request::post("https://api.example.com/").body(Body::default()).unwrap();
        service.ready().await?.call(request).await
    });
    assert_eq!(call.await.unwrap().unwrap_err().to_string(), "broken");
}
