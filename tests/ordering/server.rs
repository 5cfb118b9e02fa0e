//! A server in paused time that knows what came when, and who calls it.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use mainstay::pipeline::Pipeline;
use mainstay::{CallError, Error, Lift, LiftLayer, Reason, Refused};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tower::layer::util::Stack;
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};

pub(crate) type Req = Request<Full<Bytes>>;
pub(crate) type Res = Response<Full<Bytes>>;

/// What the server does with a request.
#[derive(Clone, Copy)]
pub(crate) struct Reply {
    status: u16,
    after: Duration,
    asks: Option<u64>,
}

impl Reply {
    pub(crate) const fn status(status: u16) -> Self {
        Self { status, after: Duration::ZERO, asks: None }
    }

    /// None in the time of any test.
    pub(crate) const fn never() -> Self {
        Self::status(200).after(100_000)
    }

    pub(crate) const fn after(self, secs: u64) -> Self {
        Self { after: Duration::from_secs(secs), ..self }
    }

    /// With a `Retry-After` of so many seconds.
    pub(crate) const fn asks(self, secs: u64) -> Self {
        Self { asks: Some(secs), ..self }
    }
}

/// A server whose replies go by how many requests came before.
#[derive(Clone)]
pub(crate) struct Server {
    reply: Arc<dyn Fn(usize) -> Reply + Send + Sync>,
    began: Instant,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    starts: Vec<Duration>,
    in_flight: Arc<()>,
    most: usize,
}

impl Server {
    pub(crate) fn new(reply: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        Self { reply: Arc::new(reply), began: Instant::now(), seen: Arc::default() }
    }

    pub(crate) fn always(reply: Reply) -> Self {
        Self::new(move |_| reply)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    /// In which second since the beginning each request came.
    pub(crate) fn starts(&self) -> Vec<u64> {
        self.seen().starts.iter().map(second).collect()
    }

    /// How many requests came.
    pub(crate) fn count(&self) -> usize {
        self.seen().starts.len()
    }

    /// How many were in flight at the same time.
    pub(crate) fn most(&self) -> usize {
        self.seen().most
    }

    /// Behind these layers, the outermost first.
    pub(crate) fn behind<L, B>(&self, layers: ServiceBuilder<L>) -> Client
    where
        L: Layer<Lift<Self>>,
        L::Service: Serves<B>,
        <L::Service as Service<Req>>::Future: Send,
    {
        self.called(layers.layer(LiftLayer::new()).service(self.clone()))
    }

    /// Behind a pipeline.
    pub(crate) fn behind_pipeline(&self, pipeline: &Pipeline) -> Client {
        self.called(pipeline.layer(self.clone()))
    }

    fn called<S, B>(&self, service: S) -> Client
    where
        S: Serves<B>,
        S::Future: Send,
    {
        let service = service.map_response(|answer| answer.status().as_u16());
        let why = |error: Error<Infallible>| error.refused().map(Refused::reason).unwrap();
        Client { service: BoxCloneSyncService::new(service.map_err(why)), began: self.began }
    }
}

/// To the nearest: a timer is up to a millisecond late, and who comes after it may make up for that.
const fn second(time: &Duration) -> u64 {
    (time.as_secs() * 1_000 + time.subsec_millis() as u64 + 500) / 1_000
}

/// What the services of these tests have in common.
pub(crate) trait Serves<B>:
    Service<Req, Response = Response<B>, Error = Error<Infallible>> + Clone + Send + Sync + 'static
{
}

impl<S, B> Serves<B> for S where
    S: Service<Req, Response = Response<B>, Error = Error<Infallible>>
        + Clone
        + Send
        + Sync
        + 'static
{
}

impl Service<Req> for Server {
    type Response = Res;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Res, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Req) -> Self::Future {
        let mut seen = self.seen();
        let reply = (self.reply)(seen.starts.len());
        seen.starts.push(self.began.elapsed());
        let in_flight = Arc::clone(&seen.in_flight);
        seen.most = seen.most.max(Arc::strong_count(&in_flight) - 1);
        Box::pin(async move {
            let _in_flight = in_flight;
            sleep(reply.after).await;
            let answer = Response::builder().status(reply.status);
            let answer = match reply.asks {
                Some(secs) => answer.header("retry-after", secs),
                None => answer,
            };
            Ok(answer.body(Full::default()).unwrap())
        })
    }
}

/// How a call ended: with this status, or refused for this reason.
pub(crate) type End = Result<u16, Reason>;

/// Whoever calls the server, through what stands before it.
#[derive(Clone)]
pub(crate) struct Client {
    service: BoxCloneSyncService<Req, u16, Reason>,
    began: Instant,
}

impl Client {
    /// How a call ended, and in which second.
    pub(crate) async fn get(&self) -> (End, u64) {
        let request = Request::get("http://server/").body(Full::default()).unwrap();
        let end = self.service.clone().oneshot(request).await;
        (end, second(&self.began.elapsed()))
    }

    /// How so many calls one after the other ended.
    pub(crate) async fn gets(&self, calls: usize) -> Vec<End> {
        let mut ends = Vec::with_capacity(calls);
        for _ in 0..calls {
            ends.push(self.get().await.0);
        }
        ends
    }

    /// A call in a task of its own, which has come as far as it can when this returns.
    pub(crate) async fn begins(&self) -> JoinHandle<(End, u64)> {
        let client = self.clone();
        let call = tokio::spawn(async move { client.get().await });
        sleep(Duration::from_millis(1)).await;
        call
    }
}

/// A layer before another, the outer one first.
pub(crate) fn two<A, B>(outer: A, inner: B) -> ServiceBuilder<Stack<B, Stack<A, Identity>>> {
    ServiceBuilder::new().layer(outer).layer(inner)
}

type Identity = tower::layer::util::Identity;
