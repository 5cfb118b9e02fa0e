//! Batches that nobody wants any more, at whatever point that is.
//!
//! Paused time, and no socket.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http_body::{Body, Frame};
use mainstay_testkit::Polled;
use tokio::time::{Instant, Sleep, advance, sleep};
use tower::service_fn;

use super::*;

/// What a server has at work, and how many requests it got.
#[derive(Clone, Default)]
struct AtWork {
    requests: Counts,
    live: Arc<()>,
}

/// A body that takes its time, and belongs to its attempt.
struct Slow {
    attempt: Option<Arc<()>>,
    timer: Pin<Box<Sleep>>,
}

impl Body for Slow {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.attempt.is_none() {
            return Poll::Ready(None);
        }
        ready!(self.timer.as_mut().poll(cx));
        self.attempt = None;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from("slow")))))
    }
}

const STEP: Duration = Duration::from_millis(10);

/// A client of a server that fails at first, then leads elsewhere, and is slow there.
fn client_of(at_work: &AtWork) -> Client {
    let at_work = at_work.clone();
    let server = service_fn(move |request: Request<reqwest::Body>| {
        at_work.requests.one_more();
        let attempt = Arc::clone(&at_work.live);
        async move {
            sleep(STEP).await;
            let answer = match request.uri().path() {
                "/fails" => Response::builder().status(503),
                "/leads" => Response::builder().status(307).header("location", "/slow"),
                _ => Response::builder(),
            };
            let body = Slow { attempt: Some(attempt), timer: Box::pin(sleep(3 * STEP)) };
            Ok::<_, BoxError>(answer.body(body)?)
        }
    });
    let retry = Retry::up_to(3).backoff(Backoff::constant(2 * STEP));
    let pipeline = PipelineSpec::standard().retry(retry).per_host(|host| host.concurrency(2));
    let client = Client::builder().base_url("http://host").redirects(2).over(server);
    client.pipeline(pipeline.build().unwrap()).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_dropped_at_any_point_stops_every_attempt_and_begins_no_other() {
    for error_for_status in [false, true] {
        let mut polls = 0;
        loop {
            let at_work = AtWork::default();
            let batch = client_of(&at_work).batch().concurrency(3);
            let batch = if error_for_status { batch.error_for_status() } else { batch };
            let mut all = Polled::new(
                batch.keep_everything(["/slow", "/fails", "/leads", "/slow", "/fails"]),
            );
            let mut is_over = false;
            for _ in 0..polls {
                is_over = all.poll().is_ready();
                if is_over {
                    break;
                }
                advance(STEP).await;
            }
            drop(all);
            // The server's own, and no attempt's.
            assert_eq!(Arc::strong_count(&at_work.live), 1, "after {polls} polls");
            let requests = at_work.requests.take();
            let later = Instant::now() + LONG;
            while Instant::now() < later {
                advance(LONG / 10).await;
            }
            assert_eq!(at_work.requests.take(), 0, "after {polls} polls");
            if is_over {
                assert_eq!((requests, polls > 20), (10, true), "after {polls} polls");
                break;
            }
            polls += 1;
        }
    }
}
