//! nginx before a server of ours whose log is the witness: it is stopped, reloaded, and slow.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use http::Method;
use mainstay::batch::Batch;
use mainstay::pipeline::Pipeline;
use mainstay_testkit::server::{Faulty, Reply};
use tower::Layer;

use crate::calls::{counted, ms, ours, patient, request, secs};
use crate::nginx::Nginx;

const CALLS: usize = 2_000;
const MANY: u32 = 32;
const DOWN: Duration = secs(10);
/// What the budget of a host has for beginnings.
const RESERVE: usize = 100;

/// A server that takes so long, and nginx before it.
async fn behind_nginx(takes: Duration, more: &str) -> (Faulty, Nginx) {
    let upstream = Faulty::start(move |_| Reply::ok("well").after(takes)).unwrap();
    let http = format!("upstream ours {{ server {}; keepalive 64; }}", upstream.address());
    let server = format!(
        "location / {{ proxy_pass http://ours; proxy_http_version 1.1;\n\
         proxy_set_header connection ''; {more} }}"
    );
    (upstream, Nginx::starts(&http, &server).await)
}

/// One call in ten is a POST.
fn method(n: usize) -> Method {
    if n % 10 == 0 { Method::POST } else { Method::GET }
}

fn urls(nginx: &Nginx) -> Vec<(usize, String)> {
    (0..CALLS).map(|n| (n, nginx.url(&format!("/{n}")))).collect()
}

/// What became of each call, and when.
#[derive(Default)]
struct Ends {
    all: Vec<(usize, bool, Instant)>,
    back: Option<Instant>,
}

impl Ends {
    /// How many GETs and POSTs had no good end.
    fn lost(&self) -> (usize, usize) {
        let lost = self.all.iter().filter(|(_, is_well, _)| !is_well);
        let posts = lost.clone().filter(|(n, ..)| method(*n) == Method::POST).count();
        (lost.count() - posts, posts)
    }

    fn shows(&self, what: &str, sent: usize) {
        let (gets, posts) = self.lost();
        let back = self.back.unwrap();
        let again = self.all.iter().filter(|(_, is_well, at)| *is_well && *at > back);
        let again = again.map(|(_, _, at)| at.duration_since(back)).min().unwrap();
        println!(
            "    {what}: {gets} GETs and {posts} POSTs lost; {sent} requests for {CALLS} calls; \
             well {:.1} s after the server",
            again.as_secs_f64()
        );
        assert_eq!((self.all.len(), gets), (CALLS, 0));
        assert!(sent <= CALLS + CALLS / 5 + RESERVE, "{sent}");
        assert!(again < secs(3), "{again:?}");
    }
}

/// No POST came to the server more than once.
fn none_twice(upstream: &Faulty) {
    let mut times = BTreeMap::<String, usize>::new();
    for exchange in
        upstream.log().iter().filter(|exchange| exchange.request.method() == Method::POST)
    {
        *times.entry(exchange.request.path().to_owned()).or_default() += 1;
    }
    assert!(times.len() > CALLS / 20, "there were some: {}", times.len());
    assert!(times.values().all(|times| *times == 1), "{times:?}");
}

/// Stops nginx when a third of the calls have ended, and starts it again.
macro_rules! with_an_outage {
    ($results:expr, $nginx:expr) => {{
        let (mut ends, mut up_at) = (Ends::default(), None);
        loop {
            let wakes = up_at.unwrap_or_else(|| Instant::now() + crate::LONG);
            tokio::select! {
                done = $results.next() => match done {
                    Some(done) => ends.all.push((done.id, done.result.is_ok(), Instant::now())),
                    None => break,
                },
                () = tokio::time::sleep_until(wakes.into()) => {
                    up_at = None;
                    $nginx.comes_back().await;
                    ends.back = Some(Instant::now());
                }
            }
            if ends.all.len() == CALLS / 3 && ends.back.is_none() && up_at.is_none() {
                $nginx.goes_down();
                up_at = Some(Instant::now() + DOWN);
            }
        }
        ends
    }};
}

pub(crate) async fn ten_seconds_without_a_server_lose_no_get_and_repeat_no_post() {
    let (upstream, mut nginx) = behind_nginx(ms(50), "").await;
    let pipeline: Pipeline = patient(MANY).build().unwrap();
    let (client, sent) = counted();
    let batch = Batch::through(pipeline.layer(client)).concurrency(MANY).with_ids();
    let inputs = urls(&nginx).into_iter().map(|(n, url)| (n, request(method(n), &url)));
    let mut results = batch.error_for_status().as_completed(inputs);
    let ends = with_an_outage!(results, nginx);
    ends.shows("over hyper", sent.load(Ordering::SeqCst));
    none_twice(&upstream);
}

pub(crate) async fn our_client_gets_through_the_same() {
    let (upstream, mut nginx) = behind_nginx(ms(50), "").await;
    let client = ours(&patient(MANY).build().unwrap());
    let batch = Batch::http(client.service()).concurrency(MANY).with_ids();
    let progress = batch.progress();
    let inputs = urls(&nginx).into_iter().map(|(n, url)| (n, request(method(n), &url)));
    let mut results = batch.error_for_status().as_completed(inputs);
    let ends = with_an_outage!(results, nginx);
    let retried = usize::try_from(progress.counts().retried).unwrap();
    ends.shows("our client", CALLS + retried);
    none_twice(&upstream);
}

/// `nginx -s reload`, again and again, while calls run. An idle connection is closed then, and of a
/// POST that crosses this nobody knows whether it was taken.
pub(crate) async fn a_reload_loses_no_get_and_repeats_no_post() {
    let (upstream, nginx) = behind_nginx(ms(20), "").await;
    let (client, sent) = counted();
    let pipeline = patient(MANY).build().unwrap();
    let batch = Batch::through(pipeline.layer(client)).concurrency(MANY).with_ids();
    let inputs = urls(&nginx).into_iter().map(|(n, url)| (n, request(method(n), &url)));
    let mut results = batch.error_for_status().as_completed(inputs);
    let mut ends = Ends::default();
    while let Some(done) = results.next().await {
        ends.all.push((done.id, done.result.is_ok(), Instant::now()));
        if ends.all.len() % 250 == 0 {
            nginx.reloads();
        }
    }
    let (sent, (gets, posts)) = (sent.load(Ordering::SeqCst), ends.lost());
    println!("    {gets} GETs and {posts} POSTs lost; {sent} requests for {CALLS} calls");
    assert_eq!((ends.all.len(), gets), (CALLS, 0));
    assert!(posts < CALLS / 100, "{posts}");
    none_twice(&upstream);
}

/// nginx says 504 for a server behind it that is slow, and the next attempt is quick.
pub(crate) async fn a_504_for_a_slow_upstream_is_tried_again_and_not_for_a_post() {
    let upstream = Faulty::start(|request| match request.nth_of_path() {
        0 => Reply::ok("too late").after(secs(10)),
        _ => Reply::ok("well"),
    })
    .unwrap();
    let server = format!(
        "location / {{ proxy_pass http://{}; proxy_read_timeout 1s; }}",
        upstream.address()
    );
    let nginx = Nginx::starts("", &server).await;
    let client = ours(&patient(MANY).build().unwrap());
    let answer = client.get(nginx.url("/get")).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap()), (200, "well".to_owned()));
    let answer = client.post(nginx.url("/post")).send().await.unwrap();
    assert_eq!(answer.status(), 504);
    let log = nginx.log_of(3).await;
    assert_eq!(log, ["504 GET /get", "200 GET /get", "504 POST /post"]);
}
