use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::poll_fn;
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use mainstay::http::ReplayBody;
use mainstay::http::body::{copy, drain};
use tokio::sync::{Semaphore, mpsc};

use crate::finishes;
use crate::server::{Server, Speaks, status};

const CHUNK: usize = 1000;
/// How many chunks there are before the last attempt needs one more.
const KEPT: usize = 10;
/// Too small for what is kept, so that an attempt lags behind whose server does not read.
const SMALL: Speaks = Speaks::Http2 { window: 2000 };

#[tokio::test]
async fn an_old_attempt_that_lags_behind_does_not_supersede_the_one_that_runs() {
    let (may_go_on, has_ended) = (signal(), signal());
    let server = lets_the_second_lag(&may_go_on, &has_ended).await;
    let client: Client<_, ReplayBody> =
        Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    let send = |body| client.request(Request::put(&server.url).body(body).unwrap());

    let (chunks, mut fed) = mpsc::unbounded_channel();
    (0..KEPT).for_each(|_| chunks.send(Bytes::from_static(&[b'a'; CHUNK])).unwrap());
    let frame = |chunk| Ok::<_, Infallible>(Frame::data(chunk));
    let upload = poll_fn(move |cx| fed.poll_recv(cx).map(|chunk| chunk.map(frame)));
    let first = ReplayBody::new(StreamBody::new(upload));
    let (second, third) = (copy(&first).unwrap(), copy(&first).unwrap());
    for body in [first, second] {
        let answer = finishes(send(body)).await.unwrap();
        assert_eq!(answer.status(), 503);
        drain(answer).await;
    }

    let feeds = async {
        has_ended.acquire().await.unwrap().forget(); // the second was turned away
        chunks.send(Bytes::from_static(&[b'b'; CHUNK])).unwrap();
        drop(chunks);
        pending().await
    };
    let sends = async {
        tokio::select! {
            answer = send(third) => answer,
            never = feeds => never,
        }
    };
    assert_eq!(finishes(sends).await.expect("it is superseded").status(), 200);
}

fn signal() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(0))
}

/// The first request is answered when what there is has been read, the second at once, and then
/// read while the third waits for more.
async fn lets_the_second_lag(may_go_on: &Arc<Semaphore>, has_ended: &Arc<Semaphore>) -> Server {
    let (may_go_on, has_ended) = (Arc::clone(may_go_on), Arc::clone(has_ended));
    Server::answers(SMALL, move |before, request| {
        let (may_go_on, has_ended) = (Arc::clone(&may_go_on), Arc::clone(&has_ended));
        async move {
            let mut body = request.into_body();
            match before {
                0 => {
                    reads(&mut body, KEPT * CHUNK).await;
                    status(503)
                }
                1 => {
                    // It has begun.
                    reads(&mut body, CHUNK).await;
                    tokio::spawn(async move {
                        may_go_on.acquire().await.unwrap().forget();
                        while body.frame().await.is_some_and(|frame| frame.is_ok()) {}
                        has_ended.add_permits(1);
                    });
                    status(503)
                }
                _ => {
                    reads(&mut body, KEPT * CHUNK).await;
                    may_go_on.add_permits(1);
                    let rest = body.collect().await;
                    let is_one = rest.is_ok_and(|rest| rest.to_bytes().len() == CHUNK);
                    status(if is_one { 200 } else { 400 })
                }
            }
        }
    })
    .await
}

async fn reads(body: &mut Incoming, bytes: usize) {
    let mut read = 0;
    while read < bytes {
        let frame = body.frame().await.unwrap().unwrap();
        read += frame.data_ref().unwrap().len();
    }
}
