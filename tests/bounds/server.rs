//! A server that does what it is told, and counts for whom.

use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::Full;
use tokio::time::sleep;
use tower::Service;

pub(crate) type Req = Request<Full<Bytes>>;

/// What the server does with an attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reply {
    pub(crate) after: Duration,
    pub(crate) end: End,
    /// The body of the answer, if there is one, never comes.
    pub(crate) body_hangs: bool,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum End {
    Status(u16),
    /// With a `Retry-After` of so many milliseconds.
    Asks(u16, u64),
    Fails(io::ErrorKind),
    Hangs,
}

impl Reply {
    pub(crate) const fn at_once(end: End) -> Self {
        Self { after: Duration::ZERO, end, body_hangs: false }
    }

    pub(crate) const fn after(self, after: Duration) -> Self {
        Self { after, ..self }
    }

    pub(crate) const fn body_hangs(self) -> Self {
        Self { body_hangs: true, ..self }
    }
}

/// A server whose replies go by how many attempts came before.
#[derive(Clone)]
pub(crate) struct Server {
    reply: Arc<dyn Fn(usize) -> Reply + Send + Sync>,
    /// An attempt is in flight to the end of its body.
    counts_bodies: bool,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    attempts: usize,
    of_calls: BTreeMap<String, u64>,
    hosts: BTreeMap<String, AtHost>,
}

/// What one host has seen.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct AtHost {
    pub(crate) attempts: u64,
    in_flight: u64,
    pub(crate) most_in_flight: u64,
}

impl Server {
    pub(crate) fn new(reply: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        Self { reply: Arc::new(reply), counts_bodies: false, seen: Arc::default() }
    }

    pub(crate) fn always(reply: Reply) -> Self {
        Self::new(move |_| reply)
    }

    pub(crate) fn counting_bodies(self) -> Self {
        Self { counts_bodies: true, ..self }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    /// How many attempts there were of the call with this path.
    pub(crate) fn attempts_of(&self, path: &str) -> u64 {
        self.seen().of_calls.get(path).copied().unwrap_or_default()
    }

    pub(crate) fn at(&self, host: &str) -> AtHost {
        self.seen().hosts.get(host).copied().unwrap_or_default()
    }
}

impl Service<Req> for Server {
    type Response = Response<ServerBody>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Response<ServerBody>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let host = request.uri().host().unwrap().to_owned();
        let mut seen = self.seen();
        let Reply { after, end, body_hangs } = (self.reply)(seen.attempts);
        seen.attempts += 1;
        *seen.of_calls.entry(request.uri().path().to_owned()).or_default() += 1;
        let here = seen.hosts.entry(host.clone()).or_default();
        here.attempts += 1;
        here.in_flight += 1;
        here.most_in_flight = here.most_in_flight.max(here.in_flight);
        drop(seen);
        let in_flight = InFlight { host, seen: Arc::clone(&self.seen) };
        let counts_bodies = self.counts_bodies;
        Box::pin(async move {
            sleep(after).await;
            let answer = match end {
                End::Status(status) => Response::builder().status(status),
                End::Asks(status, asked) => {
                    Response::builder().status(status).header("retry-after-ms", asked)
                }
                End::Fails(kind) => return Err(kind.into()),
                End::Hangs => return pending().await,
            };
            let in_flight = (counts_bodies && body_hangs).then_some(in_flight);
            Ok(answer.body(ServerBody { hangs: body_hangs, _in_flight: in_flight }).unwrap())
        })
    }
}

/// An attempt that is on its way.
struct InFlight {
    host: String,
    seen: Arc<Mutex<Seen>>,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut seen = self.seen.lock().unwrap();
        seen.hosts.get_mut(&self.host).unwrap().in_flight -= 1;
    }
}

/// Nothing, at once or never.
pub(crate) struct ServerBody {
    hangs: bool,
    _in_flight: Option<InFlight>,
}

impl Body for ServerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.hangs { Poll::Pending } else { Poll::Ready(None) }
    }

    fn is_end_stream(&self) -> bool {
        !self.hangs
    }
}
