//! The client before real servers, and over what is no server at all.
//!
//! What has sockets has real time and does not sleep; what has paused time has no sockets.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "client/attempts.rs"]
mod attempts;
#[path = "client/batch.rs"]
mod batch;
#[path = "client/blocking.rs"]
mod blocking;
#[path = "client/download.rs"]
mod download;
#[path = "client/errors.rs"]
mod errors;
#[path = "client/gather.rs"]
mod gather;
#[path = "client/hidden.rs"]
mod hidden;
#[path = "client/redirects.rs"]
mod redirects;
#[path = "client/requests.rs"]
mod requests;
#[path = "bodies/server.rs"]
mod server;
#[path = "transport/socket.rs"]
mod socket;
#[path = "client/times.rs"]
mod times;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use mainstay::client::{Client, ClientBuilder};
use mainstay::pipeline::PipelineSpec;
use mainstay::policy::backoff::Backoff;
use mainstay::retry::Retry;
use mainstay_testkit::{Finishes, finishes_within};
use server::{Server, Speaks};

const MS: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(60);

/// Ends a test that hangs.
#[track_caller]
fn finishes<F: Future>(future: F) -> Finishes<F> {
    finishes_within(LONG, future)
}

/// The standard one, whose attempts follow one another at once.
fn quick() -> PipelineSpec {
    let retry = Retry::up_to(3).backoff(Backoff::constant(MS)).longest_asked(LONG / 3);
    PipelineSpec::standard().rename("quick").retry(retry)
}

/// A client with a quick pipeline, and no proxy.
fn builder() -> ClientBuilder {
    Client::builder().reqwest(reqwest::ClientBuilder::no_proxy).pipeline(quick().build().unwrap())
}

fn client() -> Client {
    builder().build().unwrap()
}

/// How many requests a server got.
#[derive(Clone, Default)]
struct Counts(Arc<AtomicU32>);

impl Counts {
    fn one_more(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    /// Begins anew.
    fn take(&self) -> u32 {
        self.0.swap(0, Ordering::SeqCst)
    }
}

/// A server that gives these statuses in turn, and the last for ever after.
async fn statuses(statuses: &'static [u16]) -> (Server, Counts) {
    let counts = Counts::default();
    let counted = counts.clone();
    let server = Server::answers(Speaks::Http1, move |before, _| {
        counted.one_more();
        let status = statuses.get(before).or(statuses.last()).unwrap();
        let answer = Response::builder().status(*status).body(Full::<Bytes>::default());
        async { answer.unwrap() }
    })
    .await;
    (server, counts)
}

impl socket::Connection {
    /// Reads a request of HTTP/1.1 whose body is this; false if the client has closed.
    async fn reads_request_to(&mut self, body: &str) -> bool {
        let (mut read, end) = (Vec::new(), format!("\r\n\r\n{body}"));
        while !read.ends_with(end.as_bytes()) {
            match self.reads(1).await {
                Some(byte) => read.extend(byte),
                None => return false,
            }
        }
        true
    }
}
