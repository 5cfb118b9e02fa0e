//! What comes out: the server's answer, or the one that was agreed on.

use std::cell::Cell;
use std::marker::PhantomPinned;
use std::task::Context;

use ::http::HeaderMap;
use http_body::Frame;
use http_body_util::BodyExt;
use mainstay_policy::fallback::FallbackOn;
use tokio::time::{Instant, advance};

use super::*;

#[tokio::test(start_paused = true)]
async fn what_is_fallen_back_on_is_the_status_the_fields_and_the_body_that_were_given() {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/json".parse().unwrap());
    let instead = FixedAnswer::new(StatusCode::NON_AUTHORITATIVE_INFORMATION);
    let instead = instead.headers(headers.clone()).body("[]");
    let stand = Stand::new(Pipeline::named("github").fallback(instead));
    let (mut call, at_server) = stand.sent(get("a"));
    at_server.ends(Ok(answer(503)));
    let answer = assert_ready!(call.poll()).unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()), (203, &headers));
    assert_eq!(finishes(answer.into_body().collect()).await.unwrap().to_bytes(), "[]");

    assert_eq!(stand.ends(get("a"), 404), Ok(404), "that is the truth");
    let (mut call, at_server) = stand.sent(get("a"));
    at_server.ends(Err(Error::Inner(Wrong)));
    assert_eq!(said(assert_ready!(call.poll())), Ok(203), "an error is a failure too");
}

#[tokio::test(start_paused = true)]
async fn it_is_given_after_the_ends_that_were_chosen() {
    let on = FallbackOn::new().transient(false).fatal(true);
    let instead = FixedAnswer::new(StatusCode::NON_AUTHORITATIVE_INFORMATION).on(on);
    let stand = Stand::new(Pipeline::named("github").fallback(instead));
    assert_eq!(stand.ends(get("a"), 503), Ok(503));
    assert_eq!(stand.ends(get("a"), 404), Ok(203));
}

/// How many slots are in use when there is an answer, and when its body has been read.
async fn slots_with_and_without_the_body(hold: Hold) -> [u32; 2] {
    let stand = Stand::guarded(|host| host.concurrency(1).hold(hold));
    let in_use = || stand.host("a").concurrency().unwrap().snapshot().in_use;
    let (mut call, at_server) = stand.sent(get("a"));
    at_server.ends(Ok(answer(200)));
    let body = assert_ready!(call.poll()).unwrap().into_body();
    let with = in_use();
    assert_eq!(finishes(body.collect()).await.unwrap().to_bytes(), "answer");
    [with, in_use()]
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_held_to_the_head_or_to_the_end_of_the_body() {
    assert_eq!(slots_with_and_without_the_body(Hold::Head).await, [0, 0]);
    assert_eq!(slots_with_and_without_the_body(Hold::Body { idle: secs(30) }).await, [1, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_slot_whose_body_nobody_reads_comes_back_all_the_same() {
    let stand = Stand::guarded(|host| host.concurrency(1).hold(Hold::Body { idle: secs(30) }));
    let (mut call, at_server) = stand.sent(get("a"));
    at_server.ends(Ok(answer(200)));
    let put_aside = assert_ready!(call.poll()).unwrap().into_body();
    let mut next = stand.call(get("a"));
    assert_pending!(next.poll());
    advance(secs(31)).await;
    assert_pending!(next.poll());
    stand.server.next().ends(Ok(answer(200)));
    assert_eq!(said(assert_ready!(next.poll())), Ok(200));
    assert_eq!(finishes(put_aside.collect()).await.unwrap().to_bytes(), "answer");
}

/// A body with as few traits as there can be, which gives one piece and falls silent.
#[derive(Default)]
struct Silent {
    said: Cell<bool>,
    _pinned: PhantomPinned,
}

impl http_body::Body for Silent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.said.replace(true) {
            false => Poll::Ready(Some(Ok(Frame::data(Bytes::from("piece"))))),
            true => Poll::Pending,
        }
    }
}

/// Both ways.
async fn answered_with_silence(spec: PipelineSpec) -> Response<PipelineBody<Silent>> {
    let service = service_fn(|request: Request<Silent>| async {
        drop(request);
        Ok::<_, Infallible>(Response::new(Silent::default()))
    });
    let service = spec.build().unwrap().layer(service);
    let request = Request::get("https://a/").body(Silent::default()).unwrap();
    finishes(tokio::spawn(service.oneshot(request))).await.unwrap().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_body_need_neither_be_cloned_nor_moved_nor_shared() {
    let pipeline = PipelineSpec::latency_critical_read();
    let mut body = Box::pin(answered_with_silence(pipeline).await.into_body());
    assert_eq!(finishes(body.frame()).await.unwrap().unwrap().into_data().unwrap(), "piece");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_falls_silent_fails() {
    let silent = Pipeline::named("github").body_idle(secs(7));
    let mut body = Box::pin(answered_with_silence(silent).await.into_body());
    assert!(finishes(body.frame()).await.unwrap().is_ok());
    let began = Instant::now();
    let error = finishes(body.frame()).await.unwrap().unwrap_err();
    let refused = error.refused().unwrap();
    assert_eq!((began.elapsed().as_secs(), refused.reason()), (7, Reason::TimedOut));
    assert_eq!(refused.to_string(), "body timeout \"github\": no answer in time");
    assert!(finishes(body.frame()).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_falls_silent_gives_its_slot_back() {
    let spec = Pipeline::named("github").body_idle(secs(7));
    let spec = spec.per_host(|host| host.concurrency(1).hold(Hold::Body { idle: secs(600) }));
    let pipeline = spec.build().unwrap();
    let service = pipeline.layer(service_fn(|_: Req| async {
        Ok::<_, Infallible>(Response::new(Silent::default()))
    }));
    let mut body = Box::pin(finishes(service.oneshot(get("a"))).await.unwrap().into_body());
    let in_use = || pipeline.host(&key("a")).unwrap().concurrency().unwrap().snapshot().in_use;
    assert!(finishes(body.frame()).await.unwrap().is_ok());
    assert_eq!(in_use(), 1);
    assert!(finishes(body.frame()).await.unwrap().is_err());
    assert_eq!(in_use(), 0);
}
