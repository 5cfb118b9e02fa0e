//! Hostile answers over real sockets, through a pipeline over hyper's client and through our own.

use std::time::{Duration, Instant};

use allocation_counter::measure;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::client::legacy::Client as Bare;
use hyper_util::rt::TokioExecutor;
use mainstay::client::Client;
use mainstay::cooldown::CoolDown;
use mainstay::http::Key;
use mainstay::pipeline::{Pipeline, PipelineSpec};
use mainstay::retry::{Backoff, Retry};
use mainstay_testkit::finishes_within;
use mainstay_testkit::server::{Exchange, Faulty, Reply};
use tower::{Layer, ServiceExt};

/// The longest that a wait may be that a server asks for.
const CAP: Duration = Duration::from_secs(60);
/// A gate knows its end to a millisecond.
const ROUNDED: Duration = Duration::from_millis(1);
/// No wait at all, on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(5);
/// What a call may have in memory at one time.
const MEMORY: u64 = 4 << 20;

fn pipeline() -> Pipeline {
    let backoff = Backoff::constant(Duration::from_millis(1));
    let retry = Retry::up_to(3).backoff(backoff).longest_asked(Duration::from_millis(100));
    let cool_down = CoolDown::new().unasked(Duration::from_millis(1));
    let spec = PipelineSpec::standard().rename("hostile").retry(retry);
    spec.per_host(|host| host.cool_down(cool_down)).build().unwrap()
}

/// Calls by both clients, over both versions; what each of them had in memory at most is bounded,
/// and so is what its host is left alone for.
#[track_caller]
fn ends(what: &str, reply: Reply) -> Vec<Exchange> {
    let server = Faulty::start(move |_| reply.clone()).unwrap();
    for is_http2 in [false, true] {
        for is_ours in [false, true] {
            // One for each, since the last one's is closed perhaps.
            let pipeline = pipeline();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let (runtime, began) = (runtime.unwrap(), Instant::now());
            let used = measure(|| {
                let url = server.url("/");
                let call = async {
                    match is_ours {
                        true => calls_ours(&pipeline, is_http2, &url).await,
                        false => calls_bare(&pipeline, is_http2, &url).await,
                    }
                };
                runtime.block_on(finishes_within(CAP, call));
            });
            let case = format!("{what}, HTTP/2 {is_http2}, ours {is_ours}");
            assert!(began.elapsed() < AT_ONCE, "{case}: {:?}", began.elapsed());
            assert!(used.bytes_max < MEMORY, "{case}: {} bytes", used.bytes_max);
            let key = Key::new(server.url("").trim_end_matches('/'));
            let host = pipeline.host(&key).unwrap();
            let gate = host.turns().unwrap().gate().unwrap();
            assert!(gate.opens_in.is_none_or(|wait| wait <= CAP + ROUNDED), "{case}: {gate:?}");
        }
    }
    server.log()
}

async fn calls_bare(pipeline: &Pipeline, is_http2: bool, url: &str) {
    let client: Bare<_, Full<Bytes>> =
        Bare::builder(TokioExecutor::new()).http2_only(is_http2).build_http();
    let request = Request::get(url).body(Full::default()).unwrap();
    let _ = pipeline.layer(client).oneshot(request).await;
}

async fn calls_ours(pipeline: &Pipeline, is_http2: bool, url: &str) {
    let client = Client::builder().reqwest(reqwest::ClientBuilder::no_proxy);
    let client = if is_http2 { client.http2_prior_knowledge() } else { client };
    let client = client.pipeline(pipeline.clone()).build().unwrap();
    let _ = client.get(url).send().await;
}

#[test]
fn heads_that_are_too_large_are_no_answer() {
    ends("one field of 1 MiB", Reply::ok("well").header("x-large", vec![b'a'; 1 << 20]));
    let many = (0..1_024)
        .fold(Reply::ok("well"), |reply, n| reply.header(format!("x-{n}"), vec![b'a'; 1 << 10]));
    ends("a thousand fields of 1 KiB", many);
    let fields =
        (0..10_000).fold(Reply::status(503), |reply, n| reply.header("retry-after", n.to_string()));
    ends("ten thousand times Retry-After", fields);
}

#[test]
fn whatever_is_asked_for_nobody_waits_longer_than_the_cap() {
    let vast = format!("1{}", "0".repeat(30));
    let asked: [&[u8]; 12] = [
        vast.as_bytes(),
        b"-1",
        b"-9223372036854775809",
        b"18446744073709551616",
        b"1e400",
        b"NaN",
        b"Fri, 31 Dec 9999 23:59:59 GMT",
        b"Fri, 31 Dec 99999999999999 23:59:59 GMT",
        b"Mon, 01 Jan 0000 00:00:00 GMT",
        b"Mon, 32 Jan -2026 25:61:61 GMT",
        b"\xff\xfe\x80 seconds",
        b"",
    ];
    for value in asked {
        for status in [429, 503] {
            for field in ["retry-after", "x-ratelimit-reset"] {
                let reply = Reply::status(status).header("x-ratelimit-remaining", "0");
                let what = format!("{status} {field}: {}", value.escape_ascii());
                ends(&what, reply.header(field, value));
            }
        }
    }
}

#[test]
fn ten_thousand_members_of_ratelimit_are_read_or_not_and_cost_no_more_than_they_are() {
    let members: Vec<_> = (0..10_000).map(|n| format!("\"p{n}\";r=0;t={n}")).collect();
    let policies: Vec<_> = (0..10_000).map(|n| format!("\"p{n}\";q=1;w={n}")).collect();
    let reply = |status| {
        let reply = Reply::status(status).header("ratelimit", members.join(","));
        reply.header("ratelimit-policy", policies.join(","))
    };
    for status in [200, 429] {
        ends("ten thousand members", reply(status));
        ends("the members alone", Reply::status(status).header("ratelimit", members.join(",")));
    }
}

/// Of a failed answer so much is read that its connection can be used again, and then it is closed.
#[test]
fn a_failed_answer_without_an_end_is_not_read_for_long() {
    let exchanges = ends("an endless 503", Reply::status(503).endless(vec![b'a'; 10_000]));
    assert_eq!(exchanges.len(), 3 * 4, "each of the calls has three attempts");
    for exchange in exchanges {
        // What the systems of both sides buffer is among it.
        assert!(exchange.body_sent < 16 << 20, "{exchange:?}");
    }
}

#[test]
fn who_is_asked_to_wait_ten_to_the_thirtieth_seconds_gives_up_at_once() {
    let vast = format!("1{}", "0".repeat(30));
    let exchanges = ends("as an answer", Reply::status(429).header("retry-after", &vast));
    assert_eq!(exchanges.len(), 4, "a call that cannot wait that long is not repeated");
}
