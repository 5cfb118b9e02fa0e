//! How do I build a pipeline, put it before my client, and change it while it runs?
//!
//! `cargo run --example how_do_i_build_a_pipeline`
#![expect(clippy::print_stdout, reason = "it is for reading")]

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use mainstay::concurrency::Concurrency;
use mainstay::http::{CallOptions, Key, RetryRules};
use mainstay::pipeline::{FixedAnswer, Pipeline, PipelineSpec};
use mainstay::rate_limit::RateLimit;
use mainstay::retry::{Backoff, Retry};
use mainstay::{CallError, Refused};
use tower::{Layer, Service, ServiceExt, service_fn};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn Error>> {
    // From nothing: whatever is not said is not there.
    let github = Pipeline::named("github")
        .deadline(secs(20))
        .retry(Retry::up_to(4).backoff(Backoff::exponential(Duration::from_millis(200))))
        .per_host(|host| host.concurrency(16).rate_limit(RateLimit::per_second(50).burst(10)))
        .host("uploads.github.com", |host| host.rate_limit(RateLimit::per_second(2)))
        .attempt_timeout(secs(4));
    let pipeline = github.clone().build()?;

    // Or from what most calls want, changed where you want something else.
    let standard = PipelineSpec::standard().deadline(secs(10)).attempt_timeout(secs(3)).build()?;
    println!("{} and {} are built", pipeline.name(), standard.name());

    // What does not fit together is not built, and says how to mend it.
    if let Err(error) = github.clone().attempt_timeout(secs(30)).build() {
        println!("\n{error}\n");
    }

    // A layer like any other: before reqwest, hyper's client, or anything else that speaks HTTP.
    let mut service = pipeline.layer(service_fn(server));
    let answer = service.ready().await?.call(get("https://api.github.com/zen")).await?;
    println!("{}: {:?}", answer.status(), answer.into_body().collect().await?.to_bytes());

    // What one call wants otherwise travels with its request.
    let mut request = get("https://api.github.com/slow");
    let rules = RetryRules::standard().idempotent(Method::POST);
    request.extensions_mut().insert(CallOptions::new().within(secs(2)).rules(rules));
    match service.ready().await?.call(request).await {
        Ok(answer) => println!("slow: {}", answer.status()),
        Err(error) => println!("slow: {}", error.refused().map_or("?".into(), Refused::to_string)),
    }

    // It goes on by another spec while calls are on their way; one that is wrong changes nothing.
    let fallback = FixedAnswer::new(StatusCode::OK).body("\"Keep it logically awesome.\"");
    pipeline.reload(github.clone().fallback(fallback))?;
    let answer = service.ready().await?.call(get("https://api.github.com/down")).await?;
    println!("down: {}", answer.status());
    assert!(pipeline.reload(github.attempt_timeout(secs(30))).is_err());

    // Each host has a state of its own, which can be looked at, and worked by hand.
    for host in pipeline.hosts() {
        println!("{}: {:?}", host.key(), host.concurrency().map(|slots| slots.snapshot()));
    }

    // State for tenants in place of hosts.
    let tenants = Pipeline::named("tenants")
        .per_host(|tenant| tenant.concurrency(Concurrency::limit(2).max_waiting(8)))
        .build_by(|request| {
            let tenant = request.headers.get("x-tenant").and_then(|tenant| tenant.to_str().ok());
            Key::new(tenant.unwrap_or("nobody"))
        })?;
    tenants.layer(service_fn(server)).oneshot(get("https://api.example.com/")).await?;
    println!(
        "tenants: {:?}",
        tenants.hosts().iter().map(|tenant| tenant.key()).collect::<Vec<_>>()
    );

    // No calls are taken any more, and those on their way have ended.
    pipeline.close().await;
    let closed = service.ready().await?.call(get("https://api.github.com/zen")).await;
    println!("{}", closed.err().and_then(|error| error.refused().cloned()).ok_or("it is open")?);
    Ok(())
}

fn get(uri: &'static str) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::default());
    *request.uri_mut() = http::Uri::from_static(uri);
    request
}

async fn server(request: Request<Full<Bytes>>) -> std::io::Result<Response<Full<Bytes>>> {
    let mut answer = Response::new(Full::from("Approachable is better than simple."));
    match request.uri().path() {
        "/slow" => tokio::time::sleep(secs(60)).await,
        "/down" => *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE,
        _ => {}
    }
    Ok(answer)
}
