use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::{Future, pending};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;

use ::http::{Request, Response};
use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use mainstay_policy::Moment;
use tokio::time::{Instant, advance};
use tokio_test::{assert_pending, assert_ready, assert_ready_ok, task};
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_test::mock;

use super::*;
use crate::deadline::DeadlineLayer;
use crate::error::{Error, Reason, Refused};
use crate::http::{Failure, Http, Reached};
use crate::scope::{Scope, watching};
use crate::{BoxError, LiftLayer};

type Req = Request<()>;
type NoError = Error<io::Error>;

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

fn over(layer: &TimeoutLayer) -> (Client, mock::Handle<&'static str, &'static str>) {
    mock::spawn_with(|service| layer.layer(service))
}

type Client = mock::Spawn<Timeout<mock::Mock<&'static str, &'static str>>>;

/// Never answers.
#[derive(Clone)]
struct Hangs;

impl Service<Req> for Hangs {
    type Response = Response<()>;
    type Error = NoError;
    type Future = std::future::Pending<Result<Response<()>, NoError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NoError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Req) -> Self::Future {
        pending()
    }
}

fn hangs() -> Timeout<Hangs> {
    TimeoutLayer::new(SECOND).layer(Hangs)
}

/// Polled by somebody who ends it then.
fn watched_until<F: Future>(until: Moment, attempt: &mut task::Spawn<F>) {
    attempt.enter(|cx, attempt| watching(until, cx, |cx| assert!(attempt.poll(cx).is_pending())));
}

fn refused(error: &impl CallError) -> (&'static str, Reason) {
    let refused = error.refused().unwrap();
    (refused.layer(), refused.reason())
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_takes_longer_is_ended() {
    let (mut client, mut server) = over(&TimeoutLayer::new(SECOND).named("slow"));
    assert_ready_ok!(client.poll_ready::<&str>());
    let mut call = task::spawn(client.call("x"));
    assert_pending!(call.poll());
    let (_, _send) = server.next_request().await.unwrap();
    advance(SECOND - MILLI).await;
    assert_pending!(call.poll());
    advance(MILLI).await;
    assert!(call.is_woken());
    let error = assert_ready!(call.poll()).unwrap_err();
    assert_eq!(refused(&error), ("attempt timeout", Reason::TimedOut));
    assert_eq!(error.refused().and_then(Refused::name), Some("slow"));
}

#[tokio::test(start_paused = true)]
async fn what_still_ran_is_gone_before_anybody_is_told() {
    let held = Arc::new(());
    let weak = Arc::downgrade(&held);
    let holds = service_fn(move |_: Req| {
        let held = Arc::clone(&held);
        async move {
            pending::<()>().await;
            drop(held);
            Ok::<_, BoxError>(Response::new(()))
        }
    });
    let mut service = TimeoutLayer::new(SECOND).layer(holds);
    let mut call = task::spawn(service.call(Request::new(())));
    assert_pending!(call.poll());
    assert_eq!(weak.strong_count(), 2);
    advance(SECOND).await;
    assert!(assert_ready!(call.poll()).is_err());
    assert_eq!(weak.strong_count(), 1, "the future is still there, and what it ran is not");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_there_at_the_end_is_handed_on() {
    let (mut client, mut server) = over(&TimeoutLayer::new(SECOND));
    assert_ready_ok!(client.poll_ready::<&str>());
    let mut call = task::spawn(client.call("x"));
    assert_pending!(call.poll());
    let (_, send) = server.next_request().await.unwrap();
    advance(5 * SECOND).await;
    send.send_response("just in time");
    assert_eq!(assert_ready_ok!(call.poll()), "just in time");
}

#[test]
fn an_answer_at_once_needs_no_timer() {
    let answers = service_fn(|()| async { Ok::<_, BoxError>(()) });
    // Outside of a runtime a timer would panic.
    assert_ready_ok!(task::spawn(TimeoutLayer::new(SECOND).layer(answers).oneshot(())).poll());
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_timed_out_may_have_been_processed() {
    let error = hangs().oneshot(Request::new(())).await.unwrap_err();
    assert_eq!(Failure::of(&error).reached(), Reached::MaybeProcessed);
    for (method, may_be_repeated) in [("GET", true), ("POST", false)] {
        let request = Request::builder().method(method).body(()).unwrap();
        let http = Http::new();
        let ending = http.end(&http.about(&request), Err::<&Response<()>, _>(&error));
        assert_eq!(ending.outcome(), crate::policy::Outcome::Transient);
        assert_eq!(ending.may_be_repeated(), may_be_repeated, "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn beneath_a_nearer_deadline_no_second_timer_is_made() {
    let mut attempt = task::spawn(hangs().call(Request::new(())));
    let now = clock::now();
    watched_until(now + SECOND - MILLI, &mut attempt);
    assert!(!attempt.has_a_timer());
    watched_until(now + SECOND, &mut attempt);
    assert!(attempt.has_a_timer());
}

#[tokio::test(start_paused = true)]
async fn of_a_deadline_and_a_timeout_the_nearer_one_refuses() {
    for (within, says, after) in
        [(SECOND / 2, "deadline", SECOND / 2), (3 * SECOND, "attempt timeout", SECOND)]
    {
        let (begun, service) = (Instant::now(), DeadlineLayer::new(within).layer(hangs()));
        let error = service.oneshot(Request::new(())).await.unwrap_err();
        assert_eq!(refused(&error), (says, Reason::TimedOut));
        assert_eq!(begun.elapsed(), after);
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_polled_elsewhere_times_out_by_itself() {
    let mut attempt = task::spawn(hangs().call(Request::new(())));
    watched_until(clock::now(), &mut attempt);
    assert_pending!(attempt.poll());
    advance(SECOND).await;
    assert!(attempt.is_woken());
    assert!(assert_ready!(attempt.poll()).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_scope_that_only_tells_the_end_is_not_relied_upon() {
    let mut attempt = task::spawn(hangs().call(Request::new(())));
    let scope = Scope::current().until(clock::now());
    scope.around(|| assert_pending!(attempt.poll()));
    assert!(attempt.has_a_timer());
}

#[tokio::test(start_paused = true)]
async fn an_attempt_or_a_body_that_uses_its_budget_up_at_every_poll_is_ended_in_time() {
    type Piece = Option<Result<Frame<Bytes>, io::Error>>;
    struct Busy(Pin<Box<dyn Future<Output = ()> + Send>>);
    impl Body for Busy {
        type Data = Bytes;
        type Error = io::Error;
        fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Piece> {
            self.0.as_mut().poll(cx).map(|()| None)
        }
    }
    fn busy() -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async {
            loop {
                tokio::task::consume_budget().await;
            }
        })
    }
    let attempt = TimeoutLayer::new(SECOND).layer(service_fn(|()| async {
        busy().await;
        Ok::<_, NoError>(())
    }));
    let attempt = tokio::spawn(attempt.oneshot(()));
    let body = tokio::spawn(TimeoutBody::new(Busy(busy()), SECOND).collect());
    for _ in 0..20 {
        advance(SECOND / 10).await;
        tokio::task::yield_now().await;
    }
    assert!(attempt.is_finished() && body.is_finished());
    let (attempt, body) = (attempt.await.unwrap().unwrap_err(), body.await.unwrap().err());
    assert_eq!(refused(&attempt), ("attempt timeout", Reason::TimedOut));
    assert_eq!(refused(&body.unwrap()), ("body timeout", Reason::TimedOut));
}

// C5
#[tokio::test(start_paused = true)]
async fn a_panic_beneath_passes_on_and_is_no_timeout() {
    let panics = service_fn(|()| async { panic!("a bug") as Result<(), BoxError> });
    let mut call = task::spawn(TimeoutLayer::new(SECOND).layer(panics).oneshot(()));
    let panicked = catch_unwind(AssertUnwindSafe(|| drop(call.poll()))).unwrap_err();
    assert_eq!(panicked.downcast_ref(), Some(&"a bug"));
}

// C12
#[tokio::test(start_paused = true)]
async fn an_error_beneath_comes_back_as_it_was_with_its_sources() {
    use std::error::Error as _;
    let fails =
        service_fn(|()| async { Err::<(), _>(io::Error::from(io::ErrorKind::ConnectionReset)) });
    let layers = ServiceBuilder::new().layer(TimeoutLayer::new(SECOND)).layer(LiftLayer::new());
    let error = layers.service(fails).oneshot(()).await.unwrap_err();
    assert!(error.source().is_some_and(|source| source.is::<io::Error>()));
}

/// A body whose pieces each come so long after the one before was taken.
struct Slow {
    pieces: VecDeque<(Duration, Result<&'static str, io::ErrorKind>)>,
    next: RefCell<Option<Pin<Box<tokio::time::Sleep>>>>,
    alive: Arc<()>,
}

impl Slow {
    fn new<const N: usize>(pieces: [(Duration, Result<&'static str, io::ErrorKind>); N]) -> Self {
        Self { pieces: pieces.into(), next: RefCell::default(), alive: Arc::default() }
    }
}

impl Body for Slow {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let Some((after, piece)) = self.pieces.front().copied() else { return Poll::Ready(None) };
        let next = self.next.get_mut();
        let timer = next.get_or_insert_with(|| Box::pin(clock::sleep(after)));
        std::task::ready!(timer.as_mut().poll(cx));
        *next = None;
        self.pieces.pop_front();
        Poll::Ready(Some(match piece {
            Ok(piece) => Ok(Frame::data(Bytes::from_static(piece.as_bytes()))),
            Err(kind) => Err(kind.into()),
        }))
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_falls_silent_fails_and_is_dropped() {
    let body = Slow::new([(SECOND / 2, Ok("a")), (5 * SECOND, Ok("b"))]);
    let alive = Arc::downgrade(&body.alive);
    let mut body = TimeoutBody::new(body, SECOND);
    assert!(body.frame().await.unwrap().is_ok());
    let begun = Instant::now();
    let error = body.frame().await.unwrap().unwrap_err();
    assert_eq!((begun.elapsed(), refused(&error)), (SECOND, ("body timeout", Reason::TimedOut)));
    assert_eq!(alive.strong_count(), 0);
    assert!(body.frame().await.is_none() && body.is_end_stream());
    assert_eq!(Failure::of(&error).cause(), crate::http::Cause::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_trickles_may_take_for_ever() {
    let body = Slow::new([(SECOND - MILLI, Ok("x")); 60]);
    assert_eq!(TimeoutBody::new(body, SECOND).collect().await.unwrap().to_bytes().len(), 60);
}

#[tokio::test(start_paused = true)]
async fn a_reader_who_is_slow_is_not_blamed_on_the_server() {
    let body = Slow::new([(MILLI, Ok("a")), (SECOND / 2, Ok("b"))]);
    let mut body = task::spawn(TimeoutBody::new(body, SECOND));
    let mut read = || body.enter(|cx, body| body.poll_frame(cx));
    assert_pending!(read());
    advance(100 * SECOND).await;
    assert!(assert_ready!(read()).unwrap().is_ok());
    advance(100 * SECOND).await;
    assert_pending!(read());
    advance(SECOND / 2).await;
    assert!(assert_ready!(read()).unwrap().is_ok());
}

// C12
#[tokio::test(start_paused = true)]
async fn a_body_s_own_error_is_the_source_of_what_comes_out() {
    use std::error::Error as _;
    let body = Slow::new([(MILLI, Err(io::ErrorKind::ConnectionReset))]);
    let error = TimeoutBody::new(body, SECOND).frame().await.unwrap().unwrap_err();
    assert!(error.source().is_some_and(|source| source.is::<io::Error>()));
}

#[tokio::test(start_paused = true)]
async fn an_error_that_can_carry_a_refusal_keeps_its_type_on_demand() {
    let answers = |end| {
        service_fn(move |_: Req| async move {
            let body = Slow::new([(SECOND / 2, Err(io::ErrorKind::ConnectionReset))]);
            let body = if end { body } else { Slow::new([(SECOND * 2, Ok("late"))]) };
            Ok::<_, NoError>(Response::new(body.map_err(BoxError::from)))
        })
    };
    let layer = BodyIdleLayer::new(SECOND).keep_error();
    let body = layer.layer(answers(true)).oneshot(Request::new(())).await.unwrap().into_body();
    let error: BoxError = body.collect().await.unwrap_err();
    assert!(error.is::<io::Error>());
    let body = layer.layer(answers(false)).oneshot(Request::new(())).await.unwrap().into_body();
    let error: BoxError = body.collect().await.unwrap_err();
    assert_eq!(refused(&error), ("body timeout", Reason::TimedOut));
}

#[test]
fn a_body_keeps_its_size() {
    let body = TimeoutBody::new(Full::new(Bytes::from_static(b"seven b")), SECOND);
    assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(7), false));
}

// tower's own timeout ends at the head too.
#[tokio::test(start_paused = true)]
async fn an_attempt_s_time_ends_at_the_head_and_its_body_is_watched_apart() {
    let answers = |pause| {
        service_fn(move |_: Req| async move {
            Ok::<_, NoError>(Response::new(Slow::new([(pause, Ok("a"))])))
        })
    };
    let plain = TimeoutLayer::new(SECOND).layer(answers(60 * SECOND));
    let answer = plain.oneshot(Request::new(())).await.unwrap();
    assert!(answer.into_body().collect().await.is_ok());

    let watched = TimeoutLayer::new(SECOND).named("api").body_idle(30 * SECOND);
    let slow = watched.layer(answers(29 * SECOND)).oneshot(Request::new(())).await.unwrap();
    assert!(slow.into_body().collect().await.is_ok());
    let silent = watched.layer(answers(60 * SECOND)).oneshot(Request::new(())).await.unwrap();
    let error = silent.into_body().collect().await.unwrap_err();
    assert_eq!(error.refused().and_then(Refused::name), Some("api"));
}

#[test]
fn the_service_beneath_can_be_had() {
    let mut service = TimeoutLayer::new(SECOND).layer(7);
    *service.get_mut() += 1;
    assert_eq!((*service.get_ref(), service.into_inner()), (8, 8));
    let mut service = BodyIdleLayer::new(SECOND).layer(7);
    *service.get_mut() += 1;
    assert_eq!((*service.get_ref(), service.into_inner()), (8, 8));
}
