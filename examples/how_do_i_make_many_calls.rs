//! How do I make two hundred calls, and how long does that take?
//!
//! `cargo run --release --example how_do_i_make_many_calls`
#![expect(clippy::print_stdout, reason = "it is for reading")]

use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use mainstay::BoxError;
use mainstay::batch::{Batch, Completed};
use mainstay::cooldown::CoolDown;
use mainstay::pipeline::Pipeline;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};
use tower::Layer;

type Client1 = Client<HttpConnector, Full<Bytes>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let (url, client) = (serve().await?, Client::builder(TokioExecutor::new()).build_http());
    how_long(&url, &client).await?;
    which_ending(&url, &client).await?;
    over_three_hosts(&client).await
}

/// Two hundred calls of two hundred milliseconds each; the first time there are no connections yet.
async fn how_long(url: &str, client: &Client1) -> Result<(), BoxError> {
    for (concurrency, rounds) in [(200, 1), (200, 1), (50, 4)] {
        let client = client.clone();
        let measured = tower::service_fn(move |request| {
            let call = timed(client.request(request));
            async move {
                let (answer, took) = call.await;
                answer.map(|answer: Response<Incoming>| answer.map(|body| (body, took)))
            }
        });
        let batch = Batch::over(measured).concurrency(concurrency).map_async(read);
        let requests: Vec<_> = (0..200).map(|n| get(&format!("{url}/{n}?takes=200"))).collect();
        let (calls, took) = timed(batch.all_or_nothing(requests)).await;
        let calls = calls.map_err(|failed| failed.to_string())?;
        let slowest = calls.into_iter().max().unwrap_or_default();
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

/// Reads an answer to its end; says how long its call took.
async fn read(answer: Response<(Incoming, Duration)>) -> Result<Duration, BoxError> {
    let (body, took) = answer.into_body();
    body.collect().await?;
    Ok(took)
}

/// One batch, and what can be made of it.
async fn which_ending(url: &str, client: &Client1) -> Result<(), BoxError> {
    let batch = || Batch::http(client.clone()).with_ids().concurrency(3);
    let inputs = || [60, 20, 40].map(|time| (time, get(&format!("{url}/?takes={time}"))));

    let mut ids = Vec::new();
    let mut results = batch().as_completed(inputs());
    while let Some(Completed { id, .. }) = results.next().await {
        ids.push(id);
    }
    println!("as completed: {ids:?}");

    ids.clear();
    let mut results = batch().in_order(inputs());
    while let Some(Completed { id, .. }) = results.next().await {
        ids.push(id);
    }
    println!("in order: {ids:?}");

    println!("first success: {}", batch().first_success(inputs()).await?.id);

    let fails = [(404, get(&format!("{url}/?says=404")))];
    let found = batch().error_for_status();
    if let Err(failed) = found.all_or_nothing(inputs().into_iter().chain(fails)).await {
        println!("all or nothing: input {} failed, the rest was dropped", failed.index);
    }
    Ok(())
}

/// One of three servers asks to be left alone for a second, and one is slow.
async fn over_three_hosts(client: &Client1) -> Result<(), BoxError> {
    let (busy, slow, well) = (serve().await?, serve().await?, serve().await?);
    let mut last = [Duration::ZERO; 2];
    for (turn, ill) in [false, true].into_iter().enumerate() {
        let spec = Pipeline::named("hosts").per_host(|host| host.cool_down(CoolDown::new()));
        let service = spec.build()?.layer(client.clone());
        if ill {
            let asks = get(&format!("{busy}/?says=429"));
            let _ = Batch::http(service.clone()).keep_everything([asks]).await;
        }
        let time = if ill { 600 } else { 50 };
        let urls = [
            format!("{busy}/?takes=50"),
            format!("{slow}/?takes={time}"),
            format!("{well}/?takes=50"),
        ];
        let inputs = (0..240).map(|n| (n % 3, get(&urls[n % 3])));
        let began = Instant::now();
        let mut results = Batch::through(service).with_ids().concurrency(60).as_completed(inputs);
        let progress = results.progress();
        let mut of_third = 0;
        while let Some(done) = results.next().await {
            of_third += usize::from(done.id == 2);
            if done.id == 2 && of_third == 80 {
                last[turn] = began.elapsed();
                for host in progress.hosts().iter().filter(|_| ill) {
                    let (name, opens_in) = (host.host.as_ref(), host.opens_in);
                    println!(
                        "  {}: {} done, {} running, {} waiting{}",
                        name.map_or("all", |name| name.as_str()),
                        host.done,
                        host.running,
                        host.waiting,
                        opens_in
                            .map_or_else(String::new, |opens_in| format!(" for {opens_in:.1?}"))
                    );
                }
            }
        }
        let all = began.elapsed();
        println!(
            "three hosts, two of them ill: {ill}: the third is done after {:.0?}, all after {all:.0?}",
            last[turn]
        );
    }
    Ok(())
}

fn get(url: &str) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::default());
    *request.uri_mut() = url.parse().unwrap_or_default();
    request
}

async fn timed<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let began = Instant::now();
    let value = future.await;
    (value, began.elapsed())
}

/// A server that takes as long as it is told, and says what it is told.
async fn serve() -> Result<String, BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let connection =
                http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
            tokio::spawn(connection);
        }
    });
    Ok(url)
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let query = request.uri().query().unwrap_or_default();
    let told = |what| query.strip_prefix(what).and_then(|told| told.parse().ok());
    sleep(Duration::from_millis(told("takes=").unwrap_or(0))).await;
    let mut answer = Response::new(Full::from("hello"));
    if let Some(status) = told("says=") {
        let status = u16::try_from(status).unwrap_or_default();
        *answer.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
        answer.headers_mut().insert("retry-after", 1.into());
    }
    Ok(answer)
}
