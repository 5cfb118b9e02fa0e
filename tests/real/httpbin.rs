//! Python's httpbin, behind waitress.

use std::process::Command;
use std::time::Instant;

use mainstay::batch::Batch;
use mainstay::http::Cause;
use mainstay::pipeline::Pipeline;

use crate::calls::{bare, get, ms, ours, patient, secs};
use crate::process::{Process, free_port};
use crate::program;
use tower::{Layer, ServiceExt};

/// The variable that says which Python has it.
pub(crate) const PROGRAM: &str = "MAINSTAY_HTTPBIN";

struct Httpbin {
    _process: Process,
    port: u16,
}

impl Httpbin {
    async fn starts() -> Self {
        let port = free_port();
        let serve = format!(
            "import httpbin, waitress\n\
             waitress.serve(httpbin.app, listen='127.0.0.1:{port}', threads=16, send_bytes=1)"
        );
        let mut command = Command::new(program(PROGRAM).unwrap());
        command.arg("-c").arg(serve).stderr(std::process::Stdio::null());
        Self { _process: Process::starts(&mut command, port).await, port }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

fn pipeline() -> Pipeline {
    patient(16).build().unwrap()
}

pub(crate) async fn statuses_are_what_they_are_and_those_that_pass_are_tried_again() {
    let httpbin = Httpbin::starts().await;
    let client = ours(&pipeline());
    for status in [200, 204, 404, 418, 501] {
        let answer = client.get(httpbin.url(&format!("/status/{status}"))).report().send().await;
        assert_eq!(answer.unwrap().status(), status);
    }
    let once = client.post(httpbin.url("/status/503")).send().await.unwrap();
    assert_eq!(once.status(), 503);
}

/// Half of the answers say 503, by httpbin's own dice.
pub(crate) async fn a_batch_over_what_fails_every_other_time_is_well_in_the_end() {
    let httpbin = Httpbin::starts().await;
    let spec = patient(8).without_budget().per_host(|mut host| {
        host.circuit_breaker = None; // half of all is a failure for it
        host
    });
    let service = spec.retry(mainstay::retry::Retry::up_to(20)).build().unwrap().layer(bare());
    let inputs = (0..100).map(|_| get(&httpbin.url("/status/200,503")));
    let batch = Batch::through(service).concurrency(8).error_for_status();
    let done = batch.keep_everything(inputs).await;
    assert!(done.iter().all(|done| done.result.is_ok()));
}

pub(crate) async fn what_is_slow_ends_at_its_timeout() {
    let httpbin = Httpbin::starts().await;
    let client = ours(&pipeline());
    assert!(client.get(httpbin.url("/delay/0.2")).send().await.unwrap().status().is_success());
    let began = Instant::now();
    let error = client.get(httpbin.url("/delay/5")).timeout(ms(500)).send().await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert!((ms(500)..ms(700)).contains(&began.elapsed()), "{:?}", began.elapsed());
}

pub(crate) async fn bodies_that_drip_are_read_to_their_end_or_end_at_their_timeout() {
    let httpbin = Httpbin::starts().await;
    let client = ours(&pipeline());
    let drips = httpbin.url("/drip?numbytes=10&duration=1&delay=0");
    let answer = client.get(&drips).send().await.unwrap();
    assert_eq!(answer.bytes().await.unwrap().len(), 10);

    let silent = httpbin.url("/drip?numbytes=2&duration=6&delay=0");
    let answer = client.get(&silent).read_timeout(ms(300)).send().await.unwrap();
    let began = Instant::now();
    let error = format!("{:?}", answer.bytes().await.unwrap_err());
    assert!(error.contains("TimedOut"), "{error}");
    assert!(began.elapsed() < secs(2), "{:?}", began.elapsed());

    // The same through a pipeline over hyper's client.
    let answer = pipeline().layer(bare()).oneshot(get(&drips)).await.unwrap();
    let body = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap();
    assert_eq!(body.to_bytes().len(), 10);
}

pub(crate) async fn streams_come_line_by_line() {
    let httpbin = Httpbin::starts().await;
    let client = ours(&pipeline());
    let answer = client.get(httpbin.url("/stream/50")).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap().lines().count(), 50);
    let answer = client.get(httpbin.url("/stream-bytes/100000?seed=1")).send().await.unwrap();
    assert_eq!(answer.bytes().await.unwrap().len(), 100_000);
}

pub(crate) async fn redirects_are_followed_so_far_as_is_allowed() {
    let httpbin = Httpbin::starts().await;
    let client = ours(&pipeline());
    let answer = client.get(httpbin.url("/redirect/5")).redirects(5).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.url().path()), (200, "/get"));
    let error = client.get(httpbin.url("/redirect/6")).redirects(5).send().await.unwrap_err();
    assert_eq!(error.cause(), Cause::Redirects);
    // A GET where it leads, since it is a 302.
    let to = httpbin.url("/redirect-to?url=/anything&status_code=302");
    let answer = client.post(to).redirects(1).body("x").send().await.unwrap();
    let text = answer.text().await.unwrap();
    assert!(text.contains("\"method\": \"GET\""), "{text}");
}
