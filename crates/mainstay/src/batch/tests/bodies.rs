use ::http::{Request, Response};
use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::*;
use crate::concurrency::Concurrency;
use crate::error::CallError;
use crate::pipeline::{Hold, Pipeline, PipelineSpec};
use tower::Layer;

fn get(path: &str) -> Request<Full<Bytes>> {
    Request::get(format!("https://api.example.com/{path}")).body(Full::default()).unwrap()
}

fn says(
    text: &'static str,
) -> impl Service<
    Request<Full<Bytes>>,
    Response = Response<Full<Bytes>>,
    Error = Infallible,
    Future: Send,
> + Clone {
    service_fn(move |_| std::future::ready(Ok(Response::new(Full::from(text)))))
}

#[tokio::test(start_paused = true)]
async fn bodies_are_collected_up_to_a_limit() {
    let batch = Batch::http(says("well"));
    let answers = batch.all_or_nothing([get("a"), get("b")]).await.unwrap();
    assert_eq!(answers.iter().map(|answer| answer.body().clone()).collect::<Vec<_>>(), ["well"; 2]);
    let failed = Batch::http(says("well")).collect_bodies(3).all_or_nothing([get("a")]).await;
    let error = failed.unwrap_err().error;
    assert!(matches!(error, ItemError::Body(_)), "{error:?}");
    let plain = Batch::over(says("well")).collect_bodies(4).all_or_nothing([get("a")]).await;
    assert_eq!(plain.unwrap()[0].body(), "well");
}

#[tokio::test(start_paused = true)]
async fn an_answer_holds_its_place_until_its_body_is_there() {
    let server = Server::default();
    let inner = server.clone();
    let service = service_fn(move |_: Request<Full<Bytes>>| {
        let body = Slow { live: Some(inner.enters()), timer: Box::pin(sleep(ms(10))) };
        std::future::ready(Ok::<_, Infallible>(Response::new(body)))
    });
    let batch = Batch::http(service).concurrency(5);
    let requests = (0..20).map(|_| get("a"));
    let (all, took) = timed(batch.all_or_nothing(requests)).await;
    assert!(all.unwrap().iter().all(|answer| answer.body() == "slow"));
    assert_eq!((server.most(), took), (5, ms(40)));
}

struct Slow {
    live: Option<Live>,
    timer: Pin<Box<tokio::time::Sleep>>,
}

impl Body for Slow {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.live.is_none() {
            return Poll::Ready(None);
        }
        std::task::ready!(self.timer.as_mut().poll(cx));
        self.live = None;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from("slow")))))
    }
}

/// Five hundred answers of which nobody reads the bodies, with sixty-four slots.
async fn unread(spec: PipelineSpec) -> (usize, Vec<crate::Refused>, Duration) {
    let service = spec.build().unwrap().layer(says("well"));
    let batch = Batch::http(service).stream_bodies().concurrency(500);
    let mut results = batch.as_completed((0..500).map(|_| get("a")));
    let ((heads, refused), took) = timed(async {
        let (mut unread, mut refused) = (Vec::new(), Vec::new());
        while let Some(done) = results.next().await {
            match done.result {
                Ok(answer) => unread.push(answer),
                Err(ItemError::Call(error)) => refused.push(error.refused().unwrap().clone()),
                Err(other) => panic!("{other}"),
            }
        }
        (unread.len(), refused)
    })
    .await;
    (heads, refused, took)
}

#[tokio::test(start_paused = true)]
async fn five_hundred_heads_that_nobody_reads_do_not_hang() {
    let spec = Pipeline::named("api").per_host(|host| host.concurrency(64));
    let (heads, refused, took) = unread(spec).await;
    assert_eq!((heads, refused.len(), took), (500, 0, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn where_slots_are_held_to_the_end_of_bodies_who_reads_none_is_refused_in_time() {
    let spec = |wait| {
        Pipeline::named("api").per_host(|host| {
            host.concurrency(Concurrency::limit(64).max_wait(ms(wait)))
                .hold(Hold::Body { idle: ms(1_000) })
        })
    };
    let (heads, refused, took) = unread(spec(900)).await;
    assert_eq!((heads, refused.len(), took), (64, 436, ms(900)));
    let why = "concurrency limit \"api\" of https://api.example.com: no free slot in time";
    assert_eq!(refused[0].to_string(), why);
    // What is held for a body that nobody reads is let go after a while, and the next ones come.
    let (heads, refused, _) = unread(spec(2_500)).await;
    assert_eq!((heads, refused.len()), (192, 308));
}

#[tokio::test(start_paused = true)]
async fn bodies_that_are_read_later_are_whole() {
    let mut results = Batch::http(says("well")).stream_bodies().as_completed([get("a"), get("b")]);
    let mut read = Vec::new();
    while let Some(done) = results.next().await {
        read.push(done.result.unwrap().into_body().collect().await.unwrap().to_bytes());
    }
    assert_eq!(read, ["well"; 2]);
    let mut in_place = Batch::http(says("well"))
        .stream_bodies()
        .map_async(|answer: Response<Full<Bytes>>| answer.into_body().collect())
        .in_order([get("a")]);
    let read = in_place.next().await.unwrap().result.unwrap();
    assert_eq!(read.to_bytes(), "well");
}
