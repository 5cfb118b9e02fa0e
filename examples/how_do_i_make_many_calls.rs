//! How do I make two hundred calls, and how long does that take?
//!
//! `cargo run --release --example how_do_i_make_many_calls`
#![expect(clippy::print_stdout, reason = "it is for reading")]

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use mainstay::client::{Client, ClientError, Reported};
use mainstay::pipeline::PipelineSpec;
use mainstay_testkit::server::{Faulty, Reply};
use tokio::time::Instant;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // The standard pipeline, but for the calls that a host gets at once: it says 64.
    let pipeline = PipelineSpec::standard().per_host(|host| host.concurrency(200)).build()?;
    let client = Client::builder().pipeline(pipeline).reqwest(reqwest::ClientBuilder::no_proxy);
    let client = client.build()?;
    which_ending(&client).await?;
    how_long(&client).await?;
    over_three_hosts(&client).await
}

/// One batch, and what can be made of it.
async fn which_ending(client: &Client) -> Result<(), Box<dyn Error>> {
    let server = serve()?;
    let inputs = || [60, 20, 40].map(|time| (time, server.url(&format!("/?takes={time}"))));
    let batch = || client.batch().with_ids().concurrency(3);

    let mut ids = Vec::new();
    let mut results = batch().as_completed(inputs());
    while let Some(done) = results.next().await {
        ids.push(done.id);
    }
    println!("as completed: {ids:?}");

    ids.clear();
    let mut results = batch().in_order(inputs());
    while let Some(done) = results.next().await {
        ids.push(done.id);
    }
    println!("in order: {ids:?}");

    println!("first success: {}", batch().first_success(inputs()).await?.id);

    let fails = [(404, server.url("/?says=404"))];
    let found = batch().error_for_status();
    if let Err(failed) = found.all_or_nothing(inputs().into_iter().chain(fails)).await {
        println!("all or nothing: the rest is dropped, because {}", failed.error);
    }
    for done in batch().error_for_status().keep_everything(inputs()).await {
        println!("everything: {} gave {:?}", done.id, done.result?.body());
    }
    Ok(())
}

/// Two hundred calls of two hundred milliseconds each; the first time there are no connections yet.
async fn how_long(client: &Client) -> Result<(), Box<dyn Error>> {
    let server = serve()?;
    for (concurrency, rounds) in [(200, 1), (200, 1), (50, 4)] {
        let calls = (0..200).map(|n| client.get(server.url(&format!("/{n}?takes=200"))).report());
        let batch = client.batch().concurrency(concurrency).map(|answer: Response<Bytes>| {
            let report = answer.report().map(|report| report.total());
            Ok::<_, ClientError>(report.unwrap_or_default())
        });
        let (times, took) = timed(batch.all_or_nothing(calls)).await;
        let slowest = times?.into_iter().max().unwrap_or_default();
        let ideal = Duration::from_millis(200) * rounds;
        println!(
            "200 calls of 200 ms, {concurrency} at a time: {took:.0?}, {:.3} × the ideal, \
             {:.3} × {rounds} of the slowest ({slowest:.0?})",
            took.as_secs_f64() / ideal.as_secs_f64(),
            took.as_secs_f64() / (slowest * rounds).as_secs_f64(),
        );
    }
    Ok(())
}

/// One of three servers asks to be left alone for five seconds, and one is slow.
async fn over_three_hosts(client: &Client) -> Result<(), Box<dyn Error>> {
    let mut of_third = Vec::new();
    for ill in [false, true] {
        let (busy, slow, well) = (serve()?, serve()?, serve()?);
        if ill {
            // Its host cools down from here on, for all calls; this one has no time to wait for that.
            let asks = client.get(busy.url("/?says=429")).timeout(Duration::from_secs(1));
            assert_eq!(asks.send().await?.status(), 429);
        }
        let time = if ill { 600 } else { 50 };
        let urls =
            [busy.url("/?takes=50"), slow.url(&format!("/?takes={time}")), well.url("/?takes=50")];
        let inputs = (0..900).map(|n| (n % 3, &urls[n % 3]));
        let began = Instant::now();
        let mut results = client.batch().with_ids().concurrency(60).as_completed(inputs);
        let progress = results.progress();
        let mut left = 300;
        while let Some(done) = results.next().await {
            done.result?;
            left -= usize::from(done.id == 2);
            if done.id == 2 && left == 0 {
                of_third.push(began.elapsed());
                for host in progress.hosts().iter().filter(|host| ill && host.waiting > 0) {
                    let opens = host.opens_in.map(|opens| format!(" for {opens:.1?}"));
                    let name = host.host.as_ref().map_or("all", |name| name.as_str());
                    let (done, opens) = (host.done, opens.unwrap_or_default());
                    println!("  {name}: {done} done, {} waiting{opens}", host.waiting);
                }
            }
        }
        println!("three hosts, two of them ill: {ill}: all after {:.0?}", began.elapsed());
    }
    let [alone, beside] = of_third[..] else { return Err("two times were measured".into()) };
    println!(
        "the third is done after {alone:.0?} beside two that are well, {:.3} × that beside those",
        beside.as_secs_f64() / alone.as_secs_f64(),
    );
    Ok(())
}

async fn timed<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let began = Instant::now();
    let value = future.await;
    (value, began.elapsed())
}

/// A server that takes as long as it is told, and says what it is told.
fn serve() -> std::io::Result<Faulty> {
    Faulty::start(|request| {
        let query = request.query().unwrap_or_default();
        let told = |what| query.strip_prefix(what).and_then(|told| told.parse().ok());
        match (told("says="), told("takes=")) {
            (Some(429), _) => Reply::status(429).header("retry-after", "5"),
            (Some(status), _) => Reply::status(u16::try_from(status).unwrap_or(500)),
            (None, time) => Reply::ok("hello").after(Duration::from_millis(time.unwrap_or(0))),
        }
    })
}
