//! How do I keep to the rate limit of an API?
//!
//! `cargo run --example how_do_i_keep_to_a_rate_limit`
#![expect(clippy::print_stdout, reason = "it is for reading")]

use std::error::Error;
use std::time::Duration;

use mainstay::client::Client;
use mainstay::http::Key;
use mainstay::pipeline::PipelineSpec;
use mainstay::rate_limit::RateLimit;
use mainstay_testkit::server::{Faulty, Limit, Reply};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// What the API takes in each second.
const TAKES: u32 = 20;
const PAGES: u32 = 50;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("{PAGES} pages of an API that takes {TAKES} requests a second:\n");
    asks("no limit of our own", PipelineSpec::standard()).await?;

    let api = PipelineSpec::third_party_api();
    let smooth = RateLimit::per_second(TAKES - 2);
    asks("a little less, evenly", api.clone().per_host(|host| host.rate_limit(smooth))).await?;

    // The server counts requests as they come: two can be closer together than they were sent.
    let strict = RateLimit::per(TAKES, Duration::from_millis(1_100)).strict();
    asks("as many, strictly", api.per_host(|host| host.rate_limit(strict))).await
}

/// Asks for all pages at once, and says what came of it.
async fn asks(name: &str, pipeline: PipelineSpec) -> Result<(), Box<dyn Error>> {
    let limit = Limit::per(TAKES, Duration::from_secs(1));
    let api = Faulty::start(move |request| {
        limit.refuses(request).unwrap_or_else(|| Reply::ok("a page"))
    })?;
    let client = Client::builder()
        .base_url(api.url("/"))
        .pipeline(pipeline.build()?)
        .reqwest(reqwest::ClientBuilder::no_proxy)
        .build()?;

    let begin = Instant::now();
    let mut calls = JoinSet::new();
    for page in 0..PAGES {
        calls.spawn(client.get(format!("/pages/{page}")).error_for_status().send());
    }
    let well = calls.join_all().await.into_iter().filter(Result::is_ok).count();
    let took = begin.elapsed().as_secs_f64();
    println!("{name}: {well} pages, {} requests, {took:.1} s", api.requests());

    if let Some(host) = client.pipeline().host(&Key::new(api.url(""))) {
        println!("  {:?}", host.turns().map(|turns| (turns.rate(), turns.gate())));
    }
    Ok(())
}
