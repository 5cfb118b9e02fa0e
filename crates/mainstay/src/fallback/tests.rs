use std::convert::Infallible;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use ::http::{Request, Response, StatusCode};
use bytes::Bytes;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use mainstay_policy::Outcome;
use tower::{ServiceBuilder, ServiceExt, service_fn};

use super::*;
use crate::error::{Error, Reason, Refused};
use crate::http::body::ReplayBody;
use crate::observe::testing::heard;
use crate::protocol::Ending;
use crate::{BoxError, CallError};

type Req = Request<String>;
type Res = Response<&'static str>;
type NoError = Error<io::Error>;
type Answer = Result<Res, NoError>;

fn status(status: u16) -> Answer {
    Ok(Response::builder().status(status).body("from the server").unwrap())
}

fn refusal(reason: Reason) -> Answer {
    Err(Refused::new("guard", reason).into())
}

fn broken(kind: io::ErrorKind) -> Answer {
    Err(Error::Inner(kind.into()))
}

fn request() -> Req {
    Request::new("the body".to_owned())
}

/// What a call comes to that ends like this.
async fn falls_back<I>(instead: I, on: FallbackOn, end: Answer) -> Answer
where
    I: Instead<Req, Res, NoError>,
{
    answered(request(), instead, on, end).await
}

async fn answered<I>(request: Req, instead: I, on: FallbackOn, end: Answer) -> Answer
where
    I: Instead<Req, Res, NoError>,
{
    let end = std::sync::Mutex::new(Some(end));
    let ends = service_fn(|_: Req| std::future::ready(end.lock().unwrap().take().unwrap()));
    FallbackLayer::new(instead).on(on).layer(ends).oneshot(request).await
}

async fn is_replaced(on: FallbackOn, end: Answer) -> bool {
    let end = falls_back(value(Response::new("instead")), on, end).await;
    matches!(end, Ok(answer) if *answer.body() == "instead")
}

#[tokio::test]
async fn failures_that_may_pass_throttling_and_refusals_are_replaced_and_nothing_else() {
    let on = FallbackOn::new();
    for end in [
        status(503),
        status(429),
        refusal(Reason::Open),
        refusal(Reason::Deadline),
        refusal(Reason::TimedOut),
        broken(io::ErrorKind::ConnectionReset),
    ] {
        let said = format!("{end:?}");
        assert!(is_replaced(on, end).await, "{said}");
    }
    for end in [status(200), status(304), status(404), status(401)] {
        let said = format!("{end:?}");
        assert!(!is_replaced(on, end).await, "{said}");
    }
}

#[tokio::test]
async fn its_user_chooses_after_what() {
    let on = FallbackOn::new().throttled(false).fatal(true);
    assert!(is_replaced(on, status(404)).await);
    assert!(!is_replaced(on, status(429)).await);
    assert!(!is_replaced(on.fatal(false).refused(false), refusal(Reason::Open)).await);
}

#[tokio::test]
async fn a_function_is_told_how_the_call_ended() {
    let tells = function(|failed: Failed<Res, NoError>| match failed.end {
        Ok(answer) if answer.status() == StatusCode::BAD_GATEWAY => Ok(Response::new("a proxy")),
        Err(error) if error.refused().is_some() => Ok(Response::new("a guard")),
        end => {
            assert_eq!(failed.ending.outcome(), Outcome::Transient);
            end
        }
    });
    let on = FallbackOn::new();
    assert_eq!(*falls_back(tells.clone(), on, status(502)).await.unwrap().body(), "a proxy");
    let refused = falls_back(tells.clone(), on, refusal(Reason::Open)).await;
    assert_eq!(*refused.unwrap().body(), "a guard");
    let as_it_was = falls_back(tells, on, status(503)).await.unwrap();
    assert_eq!((as_it_was.status().as_u16(), *as_it_was.body()), (503, "from the server"));
}

#[tokio::test]
async fn a_function_gets_what_was_kept_of_the_request() {
    let kept = with(
        |request: &Req| request.body().len(),
        |length: usize, failed: Failed<Res, NoError>| match length {
            8 => Ok(Response::new("eight")),
            _ => failed.end,
        },
    );
    let answer = falls_back(kept, FallbackOn::new(), status(503)).await.unwrap();
    assert_eq!(*answer.body(), "eight");
}

#[tokio::test]
async fn another_service_is_sent_a_copy_and_its_end_is_the_call_s() {
    let asked = AtomicU32::new(0);
    let other = service_fn(|request: Req| {
        asked.fetch_add(1, Ordering::Relaxed);
        async move {
            assert_eq!(request.body(), "the body");
            status(500)
        }
    });
    let answer = falls_back(service(other), FallbackOn::new(), status(503)).await.unwrap();
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(falls_back(service(other), FallbackOn::new(), status(200)).await.is_ok());
    assert_eq!(asked.into_inner(), 1);
}

#[tokio::test]
async fn what_may_have_been_done_and_not_twice_is_not_asked_of_another_service() {
    let other = || service(Answers);
    let fatal = FallbackOn::new().fatal(true);
    let says = |method, instead, end| async move {
        let request = Request::builder().method(method).body(String::new()).unwrap();
        match answered(request, instead, fatal, end).await {
            Ok(answer) => *answer.body(),
            Err(_) => "an error",
        }
    };
    for end in [|| refusal(Reason::Open), || broken(io::ErrorKind::ConnectionRefused)] {
        assert_eq!(says("POST", other(), end()).await, "other", "it was never sent");
    }
    assert_eq!(says("POST", other(), status(429)).await, "other", "nothing was done with it");
    for end in [|| refusal(Reason::TimedOut), || broken(io::ErrorKind::ConnectionReset)] {
        assert_eq!(says("POST", other(), end()).await, "an error");
        assert_eq!(says("POST", other().also_twice(), end()).await, "other");
        assert_eq!(says("PUT", other(), end()).await, "other");
    }
    for (method, said) in [("POST", "from the server"), ("GET", "other")] {
        assert_eq!(says(method, other(), status(404)).await, said, "{method}");
        assert_eq!(says(method, other(), status(503)).await, said, "{method}");
    }
}

#[tokio::test]
async fn a_copy_that_became_useless_while_it_was_read_is_not_sent() {
    let read = |status: u16| {
        service_fn(move |request: Request<ReplayBody>| async move {
            let is_whole = request.into_body().collect().await.is_ok();
            let body = if is_whole { "all of it" } else { "a part of it" };
            Ok::<_, NoError>(Response::builder().status(status).body(body).unwrap())
        })
    };
    for (limit, said) in [(5, (503, "all of it")), (50, (200, "all of it"))] {
        let frames = (0..4).map(|_| Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"abcd"))));
        let body = StreamBody::new(futures_util::stream::iter(frames));
        let service = FallbackLayer::new(service(read(200))).layer(read(503));
        let request = Request::put("/").body(ReplayBody::with_limit(body, limit)).unwrap();
        let answer = service.oneshot(request).await.unwrap();
        assert_eq!((answer.status().as_u16(), *answer.body()), said, "{limit}");
    }
}

#[tokio::test]
async fn a_failure_that_is_handed_back_is_not_told_as_a_fallback() {
    let fell_back = || heard().iter().any(|event| event.starts_with("FellBack"));
    for (instead, expected) in [(service(Answers), false), (service(Answers).also_twice(), true)] {
        let post = Request::post("/").body(String::new()).unwrap();
        let _ = answered(post, instead, FallbackOn::new(), status(503)).await;
        assert_eq!(fell_back(), expected);
    }
}

#[derive(Clone)]
struct Answers;

impl Service<Req> for Answers {
    type Response = Res;
    type Error = NoError;
    type Future = std::future::Ready<Answer>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NoError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Req) -> Self::Future {
        std::future::ready(Ok(Response::new("other")))
    }
}

#[tokio::test]
async fn another_service_is_made_ready_before_it_is_called() {
    let fails = || service_fn(|_: Req| async { status(503) });
    let other = || service_fn(|_: Req| async { Ok::<_, NoError>(Response::new("other")) });
    // It panics if it is called without.
    let strict = ServiceBuilder::new().concurrency_limit(1).service(other());
    let service = FallbackLayer::new(service(strict)).layer(fails());
    for _ in 0..3 {
        let answer = service.clone().oneshot(request()).await.unwrap();
        assert_eq!(*answer.body(), "other");
    }
}

#[tokio::test]
async fn a_request_that_cannot_be_copied_ends_as_it_did() {
    struct Once;
    impl Protocol<u32, u32, BoxError> for Once {
        type About = ();
        fn about(&self, _: &u32) {}
        fn may_repeat(&self, (): &()) -> bool {
            false
        }
        fn end(&self, (): &(), end: Result<&u32, &BoxError>) -> Ending {
            Ending::new(end.map_or(Outcome::Transient, |_| Outcome::Success))
        }
    }
    let fails = service_fn(|_: u32| async { Err::<u32, _>(BoxError::from("the first one")) });
    let other = service_fn(|n: u32| async move { Ok::<_, BoxError>(n) });
    let layer = FallbackLayer::of(service(other), Once);
    let error = layer.layer(fails).oneshot(1).await.unwrap_err();
    assert_eq!(error.to_string(), "the first one");
    assert!(layer.layer(other).oneshot(1).await.is_ok());
    let answer = FallbackLayer::of(value(7), Once).layer(fails).oneshot(1).await;
    assert_eq!(answer.unwrap(), 7, "a value needs no copy");
}

#[tokio::test]
async fn on_the_way_of_a_success_nothing_is_copied_or_asked() {
    #[derive(Debug)]
    struct Counts(Arc<AtomicU32>);
    impl Clone for Counts {
        fn clone(&self) -> Self {
            self.0.fetch_add(1, Ordering::Relaxed);
            Self(Arc::clone(&self.0))
        }
    }
    let copies = Arc::new(AtomicU32::new(0));
    let counts = Counts(Arc::clone(&copies));
    let layer = FallbackLayer::new(value(Response::new(Some(counts))));
    let answers = |status: u16| {
        service_fn(move |_: Req| async move {
            Ok::<_, NoError>(Response::builder().status(status).body(None).unwrap())
        })
    };
    assert!(layer.layer(answers(200)).oneshot(request()).await.unwrap().body().is_none());
    assert_eq!(copies.load(Ordering::Relaxed), 0);
    assert!(layer.layer(answers(503)).oneshot(request()).await.unwrap().body().is_some());
    assert_eq!(copies.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn readiness_is_the_inner_one_s() {
    struct Dead;
    impl Service<Req> for Dead {
        type Response = Res;
        type Error = Error<Infallible>;
        type Future = std::future::Pending<Result<Res, Self::Error>>;
        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            Poll::Ready(Err(Refused::new("guard", Reason::Closed).into()))
        }
        fn call(&mut self, _: Req) -> Self::Future {
            std::future::pending()
        }
    }
    let mut service = FallbackLayer::new(value(Response::new("instead"))).layer(Dead);
    assert!(service.ready().await.is_err());
}

#[test]
fn the_service_beneath_can_be_had() {
    let mut service = FallbackLayer::new(value(0)).layer(7);
    *service.get_mut() += 1;
    assert_eq!((*service.get_ref(), service.into_inner()), (8, 8));
}
