//! What reqwest and hyper would repeat by themselves.

use mainstay::client::Reported;
use mainstay::http::Cause;
use mainstay::pipeline::Pipeline;

use super::*;
use crate::socket::{Connection, serve};

const PREFACE: usize = 24;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;

fn frame(kind: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, 0];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Refuses each stream, and counts them.
async fn refuses(mut connection: Connection, counts: Counts) {
    const RST_STREAM: u8 = 3;
    const REFUSED_STREAM: u32 = 7;

    let Some(_) = connection.reads(PREFACE).await else { return };
    connection.writes(&frame(SETTINGS, 0, &[])).await;
    while let Some(head) = connection.reads(9).await {
        let length = usize::from(head[1]) << 8 | usize::from(head[2]);
        let stream = u32::from_be_bytes(head[5..].try_into().unwrap());
        connection.reads(length).await;
        if head[3] == HEADERS {
            counts.one_more();
            let reset = frame(RST_STREAM, stream, &REFUSED_STREAM.to_be_bytes());
            connection.writes(&reset).await;
        }
    }
}

/// reqwest would send each of them three times, unasked.
#[tokio::test]
async fn a_stream_that_the_server_refuses_is_sent_as_often_as_the_report_says() {
    let counts = Counts::default();
    let counted = counts.clone();
    let url = serve(move |connection| refuses(connection, counted.clone())).await;
    let client = builder().http2_prior_knowledge().build().unwrap();
    let error = finishes(client.get(&url).report().send()).await.unwrap_err();
    assert_eq!(error.cause(), Cause::PutBack);
    assert_eq!((counts.take(), error.attempts(), error.report().unwrap().attempts()), (3, 3, 3));

    let once = Pipeline::named("once").build().unwrap();
    let error = finishes(client.get(&url).pipeline(&once).send()).await.unwrap_err();
    assert_eq!((counts.take(), error.attempts()), (1, 1));

    // Whatever reqwest itself is told.
    let every = reqwest::retry::for_host("127.0.0.1").classify_fn(|end| end.retryable());
    let client = builder().http2_prior_knowledge().reqwest(|reqwest| reqwest.retry(every));
    let client = client.build().unwrap();
    let error = finishes(client.get(&url).pipeline(&once).send()).await.unwrap_err();
    assert_eq!((counts.take(), error.attempts()), (1, 1));
}

/// A connection that is kept is closed as soon as the next request may be on its way.
#[tokio::test]
async fn a_server_that_closes_after_each_answer_gets_each_call_as_often_as_its_report_says() {
    const CALLS: u32 = 200;

    let counts = Counts::default();
    let counted = counts.clone();
    let url = serve(move |mut connection| {
        let counts = counted.clone();
        async move {
            if connection.reads_request_to("").await {
                counts.one_more();
                connection.writes(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
                connection.closes().await;
            }
        }
    })
    .await;
    let client = client();
    let mut reported = 0;
    for _ in 0..CALLS {
        match finishes(client.get(&url).report().send()).await {
            Ok(answer) => reported += answer.report().unwrap().attempts(),
            Err(error) => reported += error.attempts(),
        }
    }
    // What was cut off before the server had read it was sent, and not counted there.
    assert!((CALLS..=reported).contains(&counts.take()), "{reported}");
}
