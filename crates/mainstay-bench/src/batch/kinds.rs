//! Batches that are measured, each beside what `buffer_unordered` does with the same service.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use http::Request;
use http_body_util::{BodyExt, Full};
use mainstay::batch::{Batch, Completed};
use reqwest::{Client, Method, Url};
use tower::{Service, service_fn};

use crate::clock::Watch;
use crate::overhead::cases::OURS;
use crate::overhead::http::BareHttp;
use crate::report::{Report, Row};

/// Who goes through the inputs, and what they are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Calls that are pending once, and no HTTP.
    Unordered,
    Batch,
    /// Requests whose answers are there at once, with a body to be read.
    UnorderedHttp,
    BatchHttp,
    /// Requests to a server, of which the body alone is kept.
    UnorderedReqwest,
    BatchReqwest,
    /// The same, shared fairly between hosts, and the whole answer is kept.
    BatchReqwestHttp,
}

/// So many at a time.
const CONCURRENCY: u32 = 100;

impl Kind {
    pub(crate) const PAIRS: &[[Self; 2]] = &[
        [Self::Unordered, Self::Batch],
        [Self::UnorderedHttp, Self::BatchHttp],
        [Self::UnorderedReqwest, Self::BatchReqwest],
        [Self::UnorderedReqwest, Self::BatchReqwestHttp],
    ];

    pub(crate) const ALL: &[Self] = &[
        Self::Unordered,
        Self::Batch,
        Self::UnorderedHttp,
        Self::BatchHttp,
        Self::UnorderedReqwest,
        Self::BatchReqwest,
        Self::BatchReqwestHttp,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Unordered => "buffer_unordered",
            Self::Batch => "batch",
            Self::UnorderedHttp => "buffer_unordered-http",
            Self::BatchHttp => "batch-http",
            Self::UnorderedReqwest => "buffer_unordered-loopback",
            Self::BatchReqwest => "batch-loopback",
            Self::BatchReqwestHttp => "batch-http-loopback",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// Whether instructions can be counted: under callgrind a server would time out.
    pub(crate) const fn needs_no_server(self) -> bool {
        !matches!(self, Self::UnorderedReqwest | Self::BatchReqwest | Self::BatchReqwestHttp)
    }
}

/// So many inputs; says how many ended well.
pub(crate) fn run(kind: Kind, inputs: u64, url: &str) -> u64 {
    crate::block_on(async {
        match kind {
            Kind::Unordered => unordered(inputs, once_pending).await,
            Kind::Batch => {
                let batch = Batch::over(service_fn(once_pending)).concurrency(CONCURRENCY);
                ended(batch.as_completed(0..inputs)).await
            }
            Kind::UnorderedHttp => {
                unordered(inputs, |_| async {
                    let answer = BareHttp.call(get()).await?;
                    answer.into_body().collect().await.map(|body| body.to_bytes())
                })
                .await
            }
            Kind::BatchHttp => {
                let batch = Batch::http(BareHttp).concurrency(CONCURRENCY);
                ended(batch.as_completed((0..inputs).map(|_| get()))).await
            }
            Kind::UnorderedReqwest => {
                let (client, url) = (Client::new(), parsed(url));
                unordered(inputs, |_| {
                    let answer = client.execute(request(&url));
                    async move { answer.await?.bytes().await }
                })
                .await
            }
            Kind::BatchReqwest => {
                let url = parsed(url);
                let batch = Batch::over(Client::new()).concurrency(CONCURRENCY);
                let batch = batch.map_async(reqwest::Response::bytes);
                ended(batch.as_completed((0..inputs).map(|_| request(&url)))).await
            }
            Kind::BatchReqwestHttp => {
                let url = parsed(url);
                let batch = Batch::http(Client::new()).concurrency(CONCURRENCY);
                ended(batch.as_completed((0..inputs).map(|_| request(&url)))).await
            }
        }
    })
}

/// How many ended well.
async fn ended<T, E>(results: impl Stream<Item = Completed<T, E>>) -> u64 {
    let (mut results, mut ended) = (pin!(results), 0);
    while let Some(done) = results.next().await {
        ended += u64::from(done.result.is_ok());
    }
    ended
}

async fn unordered<F, T, E>(inputs: u64, call: impl Fn(u64) -> F) -> u64
where
    F: Future<Output = Result<T, E>>,
{
    let mut results =
        pin!(stream::iter(0..inputs).map(call).buffer_unordered(CONCURRENCY as usize));
    let mut ended = 0;
    while let Some(result) = results.next().await {
        ended += u64::from(result.is_ok());
    }
    ended
}

/// Two hundred calls of two hundred milliseconds each, over a server, beside what they should take.
pub(crate) fn how_long(report: Report, url: &str) {
    let slow = parsed(&format!("{url}/200"));
    for (case, concurrency, rounds) in
        [("200 of 200 ms, 200 at once", 200, 1), ("200 of 200 ms, 50 at once", 50, 4)]
    {
        let (ended, took, slowest) = crate::block_on(timed(&slow, concurrency));
        let least = if rounds == 1 { slowest } else { rounds * Duration::from_millis(200) };
        report.row(&Row {
            ratio: Some(took.as_secs_f64() / least.as_secs_f64()),
            more: vec![("ended well", ended as f64), ("ms", took.as_secs_f64() * 1e3)],
            ..Row::new("batch", case, OURS)
        });
    }
}

/// How many ended well, how long all took, and the slowest of them.
async fn timed(url: &Url, concurrency: u32) -> (usize, Duration, Duration) {
    let (client, slowest) = (Client::new(), Cell::new(Duration::ZERO));
    let longest = &slowest;
    let service = service_fn(move |request| {
        let (call, watch) = (client.execute(request), Watch::starts());
        async move {
            let answer = call.await;
            longest.set(longest.get().max(watch.took()));
            answer
        }
    });
    let watch = Watch::starts();
    let batch = Batch::http(service).concurrency(concurrency);
    let all = batch.keep_everything((0..200).map(|_| request(url))).await;
    let took = watch.took();
    (all.iter().filter(|done| done.result.is_ok()).count(), took, slowest.get())
}

async fn once_pending(input: u64) -> Result<u64, Infallible> {
    let mut is_first = true;
    poll_fn(|cx| {
        if std::mem::take(&mut is_first) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Ok(input))
    })
    .await
}

fn get() -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::default());
    *request.uri_mut() = http::Uri::from_static("https://api.example.com/v1/users?page=7");
    request
}

fn request(url: &Url) -> reqwest::Request {
    reqwest::Request::new(Method::GET, url.clone())
}

#[expect(clippy::expect_used, reason = "it is an address that this process made")]
fn parsed(url: &str) -> Url {
    url.parse().expect("an address")
}
