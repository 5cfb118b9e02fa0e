//! How do I call an API, and what does the client do for me?
//!
//! `cargo run --example how_do_i_call_an_api`
#![expect(clippy::print_stdout, reason = "it is for reading")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use mainstay::client::{Client, Reported};
use mainstay::pipeline::PipelineSpec;
use mainstay::retry::{Backoff, Retry};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = serve().await?;

    // One for each API, made once and cloned; the pipeline is the standard one unless you say so.
    let quick = Retry::up_to(3).backoff(Backoff::constant(Duration::from_millis(10)));
    let client = Client::builder()
        .base_url(&url)
        .default_header("accept", "application/json")
        .pipeline(
            PipelineSpec::standard().retry(quick.longest_asked(Duration::from_secs(9))).build()?,
        )
        .reqwest(reqwest::ClientBuilder::no_proxy)
        .build()?;

    // reqwest's verbs, and its own response. The server fails at first; nobody has to know.
    let user = client.get("/users/1").query(&[("fields", "name")]).report().send().await?;
    println!("{}", user.report().ok_or("no report")?);
    let user: BTreeMap<String, String> = user.error_for_status()?.json().await?;
    println!("user: {user:?}\n");

    // A POST that may have been done is sent once, unless it has a key that the server honours.
    let order = BTreeMap::from([("apples", "2")]);
    let once = client.post("/orders").json(&order).error_for_status().send().await;
    println!("{}", once.err().ok_or("it should have failed")?);
    let keyed = client.post("/orders").json(&order).idempotency_key("order-1").send().await?;
    println!("with a key: {}\n", keyed.status());

    // What one call wants otherwise, and an error that says what to do.
    let slow = client.get("/slow").timeout(Duration::from_millis(50)).send().await;
    println!("{}", slow.err().ok_or("it should have been too slow")?);

    // What is known of the host by now.
    for host in client.pipeline().hosts() {
        println!("breaker: {:?}", host.circuit_breaker().map(|breaker| breaker.state()));
    }
    Ok(())
}

/// A server that fails every other time it is asked for something, and at `/slow` never answers.
async fn serve() -> std::io::Result<String> {
    let asked = Arc::new(AtomicU32::new(0));
    let answer = move |request: Request<Incoming>| {
        let falters = asked.fetch_add(1, Ordering::Relaxed) % 2 == 0;
        async move {
            if request.uri().path() == "/slow" {
                std::future::pending::<()>().await;
            }
            let mut answer = Response::new(Full::<Bytes>::from("{\"name\":\"Ana\"}"));
            if falters {
                *answer.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
            }
            Ok::<_, Infallible>(answer)
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(
                http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)),
            );
        }
    });
    Ok(url)
}
