use std::collections::BTreeSet;
use std::time::Duration;

use http_body_util::BodyExt;
use mainstay::LiftLayer;
use mainstay::http::Http;
use mainstay::policy::Outcome;
use mainstay::retry::{Backoff, Retry, RetryLayer};
use mainstay_testkit::server::{Faulty, Reply};
use tokio::sync::{mpsc, watch};
use tower::{ServiceBuilder, ServiceExt};

use super::*;
use crate::requests::broken_body;
use crate::socket::{Connection, serve};

const PREFACE: usize = 24;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GO_AWAY: u8 = 7;

const NO_ERROR: u32 = 0;
const INTERNAL_ERROR: u32 = 2;
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;

/// Answers the first request with these frames, and closes.
async fn answers(mut connection: Connection, frames: Vec<Vec<u8>>) {
    connection.reads(PREFACE).await;
    connection.writes(&frame(SETTINGS, 0, &[])).await;
    answers_first(connection, frames).await;
}

async fn answers_first(mut connection: Connection, frames: Vec<Vec<u8>>) {
    while reads_frame(&mut connection).await.is_some_and(|kind| kind != HEADERS) {}
    for frame in frames {
        connection.writes(&frame).await;
    }
    connection.closes().await;
}

/// Says of what kind it is.
async fn reads_frame(connection: &mut Connection) -> Option<u8> {
    let head = connection.reads(9).await?;
    let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
    connection.reads(length).await?;
    Some(head[3])
}

fn frame(kind: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, 0];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

fn reset(reason: u32) -> Vec<u8> {
    frame(RST_STREAM, 1, &reason.to_be_bytes())
}

fn go_away(last_stream: u32, reason: u32) -> Vec<u8> {
    frame(GO_AWAY, 0, &[last_stream.to_be_bytes(), reason.to_be_bytes()].concat())
}

/// Both clients, against a server that answers with these frames.
async fn both(frames: Vec<Vec<u8>>) -> [Cause; 2] {
    let url = serve(move |connection| answers(connection, frames.clone())).await;
    [by_hyper(&hyper_h2(), &url).await, by_reqwest(&reqwest_h2(), &url).await]
}

#[tokio::test]
async fn a_refused_stream_was_not_processed() {
    assert_eq!(both(vec![reset(REFUSED_STREAM)]).await, [Cause::PutBack; 2]);
}

#[tokio::test]
async fn a_stream_beyond_the_last_of_a_goaway_was_not_processed() {
    for reason in [NO_ERROR, INTERNAL_ERROR] {
        assert_eq!(both(vec![go_away(0, reason)]).await, [Cause::PutBack; 2], "{reason}");
    }
}

#[tokio::test]
async fn a_stream_that_a_goaway_leaves_in_may_have_been_processed() {
    for reason in [NO_ERROR, INTERNAL_ERROR] {
        assert_eq!(both(vec![go_away(1, reason)]).await, [Cause::Broken; 2], "{reason}");
    }
}

#[tokio::test]
async fn a_stream_reset_for_another_reason_may_have_been_processed() {
    for reason in [CANCEL, INTERNAL_ERROR] {
        assert_eq!(both(vec![reset(reason)]).await, [Cause::Broken; 2], "{reason}");
    }
}

#[tokio::test]
async fn a_connection_that_ends_leaves_its_streams_open() {
    assert_eq!(both(vec![]).await, [Cause::Broken; 2]);
}

#[tokio::test]
async fn a_frame_that_may_not_be_is_malformed() {
    let nonsense = frame(RST_STREAM, 0, &NO_ERROR.to_be_bytes());
    assert_eq!(both(vec![nonsense]).await, [Cause::Malformed; 2]);
}

#[tokio::test]
async fn half_a_body_is_a_body_that_broke() {
    const STATUS_200: u8 = 0x88; // of HPACK's table
    const END_HEADERS: u8 = 4;

    let mut head = frame(HEADERS, 1, &[STATUS_200]);
    head[4] = END_HEADERS;
    let frames = vec![head, frame(DATA, 1, b"half"), reset(INTERNAL_ERROR)];
    let url = serve(move |connection| answers(connection, frames.clone())).await;

    let answer = hyper_h2().request(post(&url)).await.unwrap();
    let error = answer.into_body().collect().await.unwrap_err();
    assert_eq!(Failure::of(&error).cause(), Cause::Broken);
    let error = reqwest_h2().post(&url).body("ping").send().await.unwrap().bytes().await;
    assert_eq!(Failure::of(&error.unwrap_err()).cause(), Cause::Broken);
}

/// Whatever reason the body's error carries: it was we who reset the stream.
#[tokio::test]
async fn a_body_that_breaks_off_is_the_sender_s_fault() {
    let url = serve(answers_never).await;
    let refused = || h2::Error::from(h2::Reason::REFUSED_STREAM);
    let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http();
    let request = http::Request::post(&url).body(broken_body(refused())).unwrap();
    let error = client.request(request).await.unwrap_err();
    assert_eq!(Failure::of(&error).outcome(), Outcome::Invalid);

    let body = reqwest::Body::wrap(broken_body(refused()));
    let error = reqwest_h2().post(&url).body(body).send().await.unwrap_err();
    assert_eq!(Failure::of(&error).outcome(), Outcome::Invalid);
}

async fn answers_never(mut connection: Connection) {
    connection.reads(PREFACE).await;
    connection.writes(&frame(SETTINGS, 0, &[])).await;
    connection.says_nothing().await;
}

/// By itself reqwest sends what a server refused twice more, each time, and nobody is told.
#[tokio::test]
async fn where_reqwest_retries_nothing_a_call_is_sent_as_often_as_ours_says() {
    let backoff = Backoff::constant(Duration::from_millis(1));
    let retry = RetryLayer::new(Retry::up_to(3).backoff(backoff)).unwrap();
    let by_itself = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    for (client, sent) in [(reqwest_h2(), 3), (by_itself, 9)] {
        let server = Faulty::start(|_| Reply::refuses()).unwrap();
        let request = client.get(server.url("/")).build().unwrap();
        let service = ServiceBuilder::new().layer(retry.clone()).layer(LiftLayer::new());
        service.service(client).oneshot(request).await.unwrap_err();
        assert_eq!(server.requests(), sent);
    }
}

/// One request that runs, three that wait for its stream, and a server that restarts: those that
/// never got a stream are worth another attempt, all of them.
#[tokio::test]
async fn who_waits_for_a_stream_when_the_server_goes_away_is_sent_again() {
    for last in [1, u32::MAX >> 1] {
        let (says_it_runs, runs) = mpsc::channel(1);
        let (all_wait, go) = watch::channel(());
        let url = serve(move |connection| {
            answers_one_at_a_time_and_goes(connection, last, says_it_runs.clone(), go.clone())
        });
        let url = url.await;
        let (mut runs, client, http) = (runs, hyper_h2(), Http::new());
        let get = || http::Request::get(&url).body(Full::default()).unwrap();
        let first = tokio::spawn(client.request(get()));
        runs.recv().await.unwrap();
        let others: Vec<_> = (0..3).map(|_| tokio::spawn(client.request(get()))).collect();
        for _ in 0..100 {
            tokio::task::yield_now().await; // until each stands where it waits
        }
        all_wait.send(()).unwrap();

        assert_eq!(first.await.unwrap().unwrap().status(), 200);
        let (about, mut causes) = (http.about(&get()), BTreeSet::new());
        for other in others {
            // One may have found a connection that the client made anew.
            let Err(error) = other.await.unwrap() else { continue };
            let failure = Failure::of(&error);
            causes.insert(format!("{:?}", failure.cause()));
            let ending = http.failure(&about, failure);
            assert!(ending.may_be_repeated(), "{:?}", failure.cause());
            assert_eq!(ending.outcome(), Outcome::Transient, "{:?}", failure.cause());
        }
        assert!(causes.contains("GivenUp"), "hyper tells it otherwise now: {causes:?}");
    }
}

async fn answers_one_at_a_time_and_goes(
    mut connection: Connection,
    last: u32,
    says_it_runs: mpsc::Sender<()>,
    mut go: watch::Receiver<()>,
) {
    const MAX_CONCURRENT_STREAMS: [u8; 2] = [0, 3];
    const PING: u8 = 6;
    const STATUS_200_AND_NO_MORE: (u8, u8) = (0x88, 5);

    // The client has taken in the settings when it answers the ping behind them.
    let one = [&MAX_CONCURRENT_STREAMS[..], &1_u32.to_be_bytes()[..]].concat();
    connection.reads(PREFACE).await;
    connection.writes(&frame(SETTINGS, 0, &one)).await;
    connection.writes(&frame(PING, 0, &[0; 8])).await;
    let mut seen = [false; 2];
    while seen != [true; 2] {
        let Some(kind) = reads_frame(&mut connection).await else { return };
        seen = [seen[0] || kind == HEADERS, seen[1] || kind == PING];
    }
    says_it_runs.send(()).await.unwrap();
    go.changed().await.unwrap();
    let mut answer = frame(HEADERS, 1, &[STATUS_200_AND_NO_MORE.0]);
    answer[4] = STATUS_200_AND_NO_MORE.1;
    connection.writes(&[go_away(last, NO_ERROR), answer].concat()).await;
    connection.closes().await;
}
