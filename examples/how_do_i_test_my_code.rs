//! How do I test what my code does when the other end falters?
//!
//! `cargo run --example how_do_i_test_my_code`
#![expect(clippy::print_stdout, reason = "it is for reading")]

use std::error::Error;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use mainstay::pipeline::{Pipeline, PipelineSpec};
use mainstay::retry::{Backoff, Retry};
use mainstay_testkit::recorder::Recorder;
use mainstay_testkit::server::{Exchange, Faulty, Limit, Received, Reply};
use mainstay_testkit::{Script, Step, instantly};
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt};

type Answer = Result<(), Box<dyn Error>>;

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn main() -> Answer {
    println!("# Scripted: every call meets what the test says, and no wait takes any time\n");
    scripted()?;
    println!("\n# A real server that misbehaves, and a real client\n");
    real()
}

/// As a `#[test]`: no port, no waiting, the settings of production.
fn scripted() -> Answer {
    let recorder = Recorder::of("mainstay");
    let _listening = recorder.listens();
    let busy = Response::builder().status(503).header("retry-after", "5").body(Full::default())?;
    let script = Script::<Request<Full<Bytes>>, Response<Full<Bytes>>, io::Error>::strict([
        Step::answers(busy),
        Step::fails(io::ErrorKind::ConnectionReset.into()),
        Step::answers(Response::new(Full::from("well"))).after(millis(300)),
    ]);
    let service = Pipeline::standard().layer(script.service());

    let (body, took) = instantly(async {
        let begin = Instant::now();
        let request = Request::get("https://api.example.com/users/1").body(Full::default())?;
        let answer = service.oneshot(request).await?;
        Ok::<_, Box<dyn Error>>((answer.into_body().collect().await?.to_bytes(), begin.elapsed()))
    })?;
    assert_eq!(body, "well");
    assert!(took >= millis(5_300), "it waits as long as the server asked for");
    recorder.told("sent again").times(2);
    recorder.told("refused").never();
    for event in recorder.events() {
        println!("{event}");
    }
    Ok(())
}

/// What the server does: a limit, and by a seed some answers that fail and some that break.
fn answers(request: &Received, limit: &Limit) -> Reply {
    if let Some(too_much) = limit.refuses(request) {
        return too_much;
    }
    let mut chance = request.chance();
    if chance.percent(3.0) {
        Reply::resets()
    } else if chance.percent(5.0) {
        Reply::status(503)
    } else {
        Reply::ok("{\"well\": true}").after(chance.between(millis(1), millis(10)))
    }
}

/// Real sockets and real time, so its waits are short.
#[tokio::main(flavor = "current_thread")]
async fn real() -> Answer {
    let limit = Limit::per(60, Duration::from_secs(1));
    let server = Faulty::builder().seed(7).start(move |request| answers(request, &limit))?;
    let retry = Retry::up_to(4).backoff(Backoff::exponential(millis(5)));
    let pipeline = PipelineSpec::standard().rename("example").retry(retry).build()?;
    let client = reqwest::Client::builder().no_proxy().retry(reqwest::retry::never()).build()?;

    let mut service = pipeline.layer(client.clone());
    for n in 0..80 {
        let request = client.get(server.url(&format!("/users/{n}"))).build()?;
        let answer = service.ready().await?.call(request).await?;
        assert_eq!(answer.text().await?, "{\"well\": true}");
    }
    server.idles().await;
    let log = server.log();
    let count =
        |is_so: fn(&Exchange) -> bool| log.iter().filter(|exchange| is_so(exchange)).count();
    println!("80 calls, all of them well, took {} requests:", log.len());
    println!("{:4} were answered with a 503", count(|exchange| exchange.status == Some(503)));
    println!("{:4} were too many for the second", count(|exchange| exchange.status == Some(429)));
    println!("{:4} were broken off", count(|exchange| exchange.status.is_none()));
    println!("{:4} connections were made", server.connections().len());
    assert_eq!(count(|exchange| exchange.status == Some(200)), 80);
    Ok(())
}
