//! The errors that real clients give when a socket misbehaves: each lands in its class.
//!
//! Real sockets on the loopback device, real time. Nothing here sleeps; what waits, waits for the
//! other end.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "transport/http1.rs"]
mod http1;
#[path = "transport/http2.rs"]
mod http2;
#[path = "transport/requests.rs"]
mod requests;
#[path = "transport/socket.rs"]
mod socket;

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use mainstay::http::{Cause, Failure};

/// hyper-util's client, which by itself sends nothing twice.
type Hyper = hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>;

fn hyper() -> Hyper {
    hyper_util::client::legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .retry_canceled_requests(false)
        .build_http()
}

fn hyper_h2() -> Hyper {
    hyper_util::client::legacy::Client::builder(TokioExecutor::new()).http2_only(true).build_http()
}

fn reqwest() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().retry(reqwest::retry::never()).build().unwrap()
}

fn reqwest_h2() -> reqwest::Client {
    let builder = reqwest::Client::builder().no_proxy().retry(reqwest::retry::never());
    builder.http2_prior_knowledge().build().unwrap()
}

fn post(url: &str) -> http::Request<Full<Bytes>> {
    http::Request::post(url).body(Full::from("ping")).unwrap()
}

/// Why this client's POST failed.
async fn by_hyper(client: &Hyper, url: &str) -> Cause {
    let error = client.request(post(url)).await.expect_err("the server misbehaves");
    let failure = Failure::of(&error);
    assert!(!failure.may_follow_redirects());
    failure.cause()
}

async fn by_reqwest(client: &reqwest::Client, url: &str) -> Cause {
    let error = client.post(url).body("ping").send().await.expect_err("the server misbehaves");
    let failure = Failure::of(&error);
    assert!(failure.may_follow_redirects());
    failure.cause()
}
