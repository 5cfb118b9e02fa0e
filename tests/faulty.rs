//! The faulty server of the testkit, against real clients: each fault is what they see, and the log
//! says what was so.
//!
//! Real sockets on the loopback device, real time. Nothing here sleeps; what waits, waits for the
//! other end.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "faulty/answers.rs"]
mod answers;
#[path = "faulty/connections.rs"]
mod connections;
#[path = "faulty/http1.rs"]
mod http1;
#[path = "faulty/http2.rs"]
mod http2;
#[path = "faulty/load.rs"]
mod load;
#[path = "faulty/stops.rs"]
mod stops;
#[path = "faulty/uploads.rs"]
mod uploads;

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use mainstay_testkit::Finishes;
use mainstay_testkit::server::{End, Exchange, Faulty};

/// Long enough for everything, and nothing waits for its end.
const LONG: Duration = Duration::from_secs(30);

#[track_caller]
fn finishes<F: Future>(future: F) -> Finishes<F> {
    mainstay_testkit::finishes_within(LONG, future)
}

/// A client of each version.
fn both() -> [reqwest::Client; 2] {
    [http1_client(), http2_client()]
}

fn http1_client() -> reqwest::Client {
    let builder = reqwest::Client::builder().no_proxy().retry(reqwest::retry::never());
    builder.redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

fn http2_client() -> reqwest::Client {
    let builder = reqwest::Client::builder().no_proxy().retry(reqwest::retry::never());
    let builder = builder.redirect(reqwest::redirect::Policy::none());
    builder.http2_prior_knowledge().build().unwrap()
}

async fn get(client: &reqwest::Client, server: &Faulty) -> reqwest::Result<reqwest::Response> {
    finishes(client.get(server.url("/")).send()).await
}

/// All of a body, or what came before it broke off.
async fn reads(mut answer: reqwest::Response) -> (Vec<u8>, Result<(), reqwest::Error>) {
    let mut read = Vec::new();
    loop {
        match finishes(answer.chunk()).await {
            Ok(Some(chunk)) => read.extend_from_slice(&chunk),
            Ok(None) => return (read, Ok(())),
            Err(error) => return (read, Err(error)),
        }
    }
}

/// The only exchange there was, when it is over.
async fn only(server: &Faulty) -> Exchange {
    finishes(server.idles()).await;
    let [only] = &server.log()[..] else { panic!("one request was sent: {:?}", server.log()) };
    only.clone()
}

fn text(length: usize) -> Bytes {
    (b'a'..=b'z').cycle().take(length).collect()
}

fn said(exchange: &Exchange) -> (Option<u16>, u64, End) {
    (exchange.status, exchange.body_sent, exchange.end)
}
