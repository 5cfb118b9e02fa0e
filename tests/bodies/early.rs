use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use mainstay::http::ReplayBody;
use mainstay::http::body::{copy, drain};
use tokio::sync::{Semaphore, mpsc};

use crate::finishes;
use crate::server::{HTTP2, Server, Speaks, status};

/// How many requests are answered before they have been read.
const EARLY: usize = 3;
const CHUNKS: u8 = 40;
const CHUNK: usize = 700;

/// How the upload and its transport are.
#[derive(Clone, Copy, Debug)]
struct Case {
    speaks: Speaks,
    by_reqwest: bool,
    sized: bool,
    trailers: bool,
    /// The server reads a frame before it answers.
    reads: bool,
}

#[tokio::test]
async fn a_body_whose_attempts_were_answered_early_arrives_whole() {
    for bits in 0_u8..32 {
        let bit = |n: u8| bits & (1 << n) != 0;
        let speaks = if bit(0) { HTTP2 } else { Speaks::Http1 };
        let (by_reqwest, sized, trailers, reads) = (bit(1), bit(2), bit(3), bit(4));
        let case = Case { speaks, by_reqwest, sized, trailers, reads };
        finishes(arrives_whole(case)).await;
    }
}

async fn arrives_whole(case: Case) {
    let (answered, read) = (Arc::new(Semaphore::new(0)), Read::default());
    let server = answers_early(case, &answered, &read).await;
    let (frames, fed) = mpsc::channel(1);
    tokio::spawn(feeds(case, frames, answered));
    let whole: Vec<u8> = (0..CHUNKS).flat_map(|n| [n; CHUNK]).collect();

    let client = AnyClient::new(case);
    let left = case.sized.then_some(whole.len() as u64);
    let mut body = ReplayBody::new(Fed { frames: fed, left });
    // The last attempt is then not the only body that there is.
    let _another = case.reads.then(|| copy(&body).unwrap());
    for _ in 0..EARLY {
        let next = copy(&body).unwrap();
        assert_ne!(client.send(&server.url, body).await, Some(200), "{case:?}");
        body = next;
    }
    assert_eq!(client.send(&server.url, body).await, Some(200), "{case:?}");

    let read = read.lock().unwrap();
    let [(headers, body, trailers)] = &read[..] else { panic!("{case:?}: read {}", read.len()) };
    assert_eq!(*body, whole, "{case:?}");
    let length = headers.get("content-length").map(|length| length.to_str().unwrap());
    assert_eq!(length, case.sized.then_some("28000"), "{case:?}");
    // With a length, HTTP/1.1 has no place for trailers.
    let expects = case.trailers && (case.speaks != Speaks::Http1 || !case.sized);
    assert_eq!(trailers.is_some(), expects, "{case:?}");
}

/// What the server read of the request that it read to its end.
type Read = Arc<Mutex<Vec<(HeaderMap, Bytes, Option<HeaderMap>)>>>;

async fn answers_early(case: Case, answered: &Arc<Semaphore>, read: &Read) -> Server {
    let (answered, read) = (Arc::clone(answered), Arc::clone(read));
    Server::answers(case.speaks, move |before, request| {
        let (answered, read) = (Arc::clone(&answered), Arc::clone(&read));
        async move {
            let (parts, mut body) = request.into_parts();
            if before < EARLY {
                if case.reads {
                    let _ = body.frame().await;
                }
                answered.add_permits(1);
                return status(503);
            }
            let Ok(whole) = body.collect().await else { return status(400) };
            let trailers = whole.trailers().cloned();
            read.lock().unwrap().push((parts.headers, whole.to_bytes(), trailers));
            status(200)
        }
    })
    .await
}

/// Five more chunks after each early answer, and none before; all the rest after the last.
async fn feeds(case: Case, frames: mpsc::Sender<Frame<Bytes>>, answered: Arc<Semaphore>) {
    for n in 0..CHUNKS {
        if n > 0 && n % 5 == 0 && usize::from(n / 5) <= EARLY {
            answered.acquire().await.unwrap().forget();
        }
        frames.send(Frame::data(Bytes::from(vec![n; CHUNK]))).await.unwrap();
    }
    if case.trailers {
        let sum = ("x-sum".parse().unwrap(), "7".parse().unwrap());
        // Whoever knows the length may not ask for more.
        let _ = frames.send(Frame::trailers(HeaderMap::from_iter([sum]))).await;
    }
}

/// A body that another task feeds.
struct Fed {
    frames: mpsc::Receiver<Frame<Bytes>>,
    left: Option<u64>,
}

impl Body for Fed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = ready!(self.frames.poll_recv(cx));
        let read = frame.as_ref().and_then(Frame::data_ref).map_or(0, Bytes::len);
        self.left = self.left.map(|left| left - read as u64);
        Poll::Ready(frame.map(Ok))
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

enum AnyClient {
    Hyper(Box<Client<HttpConnector, ReplayBody>>),
    Reqwest(reqwest::Client),
}

impl AnyClient {
    /// Over HTTP/1.1 with a connection for each request: one that the server is about to close
    /// after its early answer shall not be used again.
    fn new(case: Case) -> Self {
        let (http2, idle) = match case.speaks {
            Speaks::Http1 => (false, 0),
            Speaks::Http2 { .. } => (true, usize::MAX),
        };
        if case.by_reqwest {
            let builder = reqwest::Client::builder().no_proxy().retry(reqwest::retry::never());
            let builder = builder.pool_max_idle_per_host(idle);
            let builder = if http2 { builder.http2_prior_knowledge() } else { builder };
            return Self::Reqwest(builder.build().unwrap());
        }
        let mut builder = Client::builder(TokioExecutor::new());
        Self::Hyper(Box::new(builder.http2_only(http2).pool_max_idle_per_host(idle).build_http()))
    }

    /// The status; none if the server closed before its answer was read.
    async fn send(&self, url: &str, body: ReplayBody) -> Option<u16> {
        let request = Request::put(url).header("trailer", "x-sum");
        match self {
            Self::Hyper(client) => {
                let answer = client.request(request.body(body).unwrap()).await.ok()?;
                let status = answer.status();
                drain(answer).await;
                Some(status.as_u16())
            }
            Self::Reqwest(client) => {
                let request = request.body(reqwest::Body::wrap(body)).unwrap();
                let answer = client.execute(request.try_into().unwrap()).await.ok()?;
                let status = answer.status();
                drain(Response::<reqwest::Body>::from(answer)).await;
                Some(status.as_u16())
            }
        }
    }
}
