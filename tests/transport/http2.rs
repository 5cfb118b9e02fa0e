use super::*;
use crate::socket::{Connection, serve};

const PREFACE: usize = 24;
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
    while let Some(head) = connection.reads(9).await {
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        connection.reads(length).await;
        if head[3] == HEADERS {
            break;
        }
    }
    for frame in frames {
        connection.writes(&frame).await;
    }
    connection.closes().await;
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
