//! With what users have: their bodies, their errors, their boxes, tower's and tower-http's layers.

use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use mainstay::breaker::CircuitBreakerLayer;
use mainstay::deadline::{Deadline, DeadlineLayer};
use mainstay::http::ReplayLayer;
use mainstay::retry::RetryLayer;
use mainstay::timeout::{BodyIdleLayer, TimeoutLayer};
use mainstay::{BoxError, CallError, Error, LiftLayer, Over, Reason, Refused};
use mainstay_testkit::{Script, finishes};
use tower::buffer::BufferLayer;
use tower::util::{BoxCloneSyncService, option_layer};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_http::timeout::TimeoutLayer as TowerHttpTimeout;
use tower_http::trace::TraceLayer;

use crate::layers::{LONG, Layers, retry};

/// Neither `Clone` nor `Sync`, of one chunk.
#[derive(Debug, Default)]
struct Own(Option<Bytes>, Cell<()>);

impl Own {
    fn body(text: &'static str) -> Self {
        Self(Some(Bytes::from(text)), Cell::default())
    }
}

impl Body for Own {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|chunk| Ok(Frame::data(chunk))))
    }
}

/// Fails once, and then echoes what it is sent; as most servers in this file do.
fn falters<B>()
-> impl Service<Request<B>, Response = Response<Own>, Error = io::Error, Future: Send>
+ Clone
+ Send
+ Sync
where
    B: Body<Data: Send, Error: std::fmt::Debug> + Send + 'static,
{
    let asked = Arc::new(std::sync::atomic::AtomicU32::new(0));
    service_fn(move |request: Request<B>| {
        let code =
            if asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 { 503 } else { 200 };
        async move {
            let sent = request.into_body().collect().await.unwrap().to_bytes();
            let body = Own(Some(sent), Cell::default());
            Ok(Response::builder().status(code).body(body).unwrap())
        }
    })
}

async fn said<B: Body<Data: Send, Error: std::fmt::Debug>>(answer: Response<B>) -> (u16, Bytes) {
    let status = answer.status().as_u16();
    (status, answer.into_body().collect().await.unwrap().to_bytes())
}

#[tokio::test(start_paused = true)]
async fn bodies_that_are_neither_clone_nor_sync_pass_and_are_sent_once() {
    let layers = Layers::new();
    let service = layers.stack().layer(LiftLayer::new()).service(falters());
    let request = Request::put("http://server/").body(Own::body("well")).unwrap();
    assert_eq!(said(service.oneshot(request).await.unwrap()).await, (503, "well".into()));
    layers.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_streaming_body_is_repeated_beneath_a_replay_layer() {
    let layers = Layers::new();
    let service = ServiceBuilder::new()
        .layer(ReplayLayer::new())
        .service(layers.stack().layer(LiftLayer::new()).service(falters()));
    let chunks = ["we", "ll"].map(|chunk| Ok::<_, io::Error>(Frame::data(Bytes::from(chunk))));
    let request = Request::put("http://server/").body(StreamBody::new(stream::iter(chunks)));
    assert_eq!(said(service.oneshot(request.unwrap()).await.unwrap()).await, (200, "well".into()));
    layers.assert_at_rest();
}

/// What a user writes: two lines for refusals.
#[derive(Debug, thiserror::Error)]
enum ApiError {
    #[error("not asked")]
    Refused(#[from] Refused),
    #[error("no answer")]
    Transport(#[from] io::Error),
}

impl CallError for ApiError {
    fn refused(&self) -> Option<&Refused> {
        if let Self::Refused(refused) = self { Some(refused) } else { None }
    }

    fn as_error(&self) -> &(dyn std::error::Error + 'static) {
        self
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_user_s_needs_no_lifting_and_stays_what_it_is() {
    let layers = Layers::new();
    let script = Script::<Request<Empty<Bytes>>, Response<Own>, ApiError>::new();
    script.answers(|_| Err(io::Error::from(io::ErrorKind::ConnectionRefused).into()));
    let mut service = layers.stack().over(script.service());
    let get = || Request::get("http://server/").body(Empty::new()).unwrap();

    let error = service.ready().await.unwrap().call(get()).await.unwrap_err();
    assert!(matches!(error, ApiError::Transport(_)));
    assert_eq!(script.seen().calls, 3, "it was never sent, so it is sent again");
    layers.breaker.handle().isolate();
    let error = service.ready().await.unwrap().call(get()).await.unwrap_err();
    assert!(matches!(error, ApiError::Refused(refused) if refused.reason() == Reason::Open));
}

#[tokio::test(start_paused = true)]
async fn tower_s_box_error_needs_no_lifting() {
    let layers = Layers::new();
    let server = ServiceBuilder::new().map_err(BoxError::from).service(falters());
    let mut service = layers.stack().service(server);
    let get = || Request::get("http://server/").body(Empty::<Bytes>::new()).unwrap();
    assert_eq!(service.ready().await.unwrap().call(get()).await.unwrap().status(), 200);
    layers.breaker.handle().isolate();
    let error = service.ready().await.unwrap().call(get()).await.unwrap_err();
    assert_eq!(error.refused().map(Refused::reason), Some(Reason::Open));
    assert!(error.downcast_ref::<Refused>().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_stack_goes_into_a_box_that_can_be_cloned_and_shared() {
    type Boxed = BoxCloneSyncService<Request<Full<Bytes>>, Response<Own>, Error<io::Error>>;

    let layers = Layers::new();
    let stack = layers.stack().layer(LiftLayer::new()).service(falters());
    let boxed: Boxed = BoxCloneSyncService::new(stack);
    mainstay_testkit::assert_sync(&boxed);
    for _ in 0..2 {
        let request = Request::put("http://server/").body(Full::from("well")).unwrap();
        assert_eq!(said(boxed.clone().oneshot(request).await.unwrap()).await, (200, "well".into()));
    }
    layers.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_layer_may_be_there_or_not() {
    for (retries, status) in [(Some(retry()), 200), (None, 503)] {
        let service = ServiceBuilder::new()
            .layer(option_layer(retries))
            .layer(option_layer(None::<CircuitBreakerLayer>))
            .map_err(|error: Error<io::Error>| error)
            .layer(LiftLayer::new())
            .service(falters());
        let request = Request::get("http://server/").body(Empty::<Bytes>::new()).unwrap();
        assert_eq!(service.oneshot(request).await.unwrap().status(), status);
    }
}

/// The buffer's worker is another task, where nobody knows of a deadline unless the request says so.
#[tokio::test(start_paused = true)]
async fn beyond_a_buffer_a_deadline_is_known_where_the_request_carries_it() {
    let script = Script::<Request<Empty<Bytes>>, Response<Own>, BoxError>::new();
    let beneath = ServiceBuilder::new()
        .layer(DeadlineLayer::per_call())
        .layer(Layers::new().slots)
        .service(script.service());
    let service = ServiceBuilder::new()
        .layer(DeadlineLayer::new(Duration::from_secs(2)).in_request())
        .layer(BufferLayer::new(8))
        .service(beneath);
    let mut request = Request::get("http://server/").body(Empty::new()).unwrap();
    request.extensions_mut().insert(Deadline::within(Duration::from_secs(1)));
    let call = tokio::spawn(service.oneshot(request));
    let arrival = finishes(script.arrives()).await;
    let left = arrival.request().extensions().get::<Deadline>().unwrap().left();
    assert!(left <= Duration::from_secs(1), "{left:?}");
    let error = finishes(call).await.unwrap().unwrap_err();
    assert_eq!(error.refused().map(Refused::reason), Some(Reason::TimedOut));
}

#[tokio::test(start_paused = true)]
async fn all_layers_work_over_a_buffer_of_tower_s() {
    let layers = Layers::new();
    let server = ServiceBuilder::new().layer(BufferLayer::new(2)).service(falters::<Full<Bytes>>());
    let service = layers.stack().service(server);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let request = Request::put("http://server/").body(Full::from("well")).unwrap();
        calls.spawn(service.clone().oneshot(request));
    }
    for answer in finishes(calls.join_all()).await {
        assert_eq!(said(answer.unwrap()).await, (200, "well".into()));
    }
    layers.assert_at_rest();
}

/// Theirs outside answers with a status, theirs inside changes the body: both are HTTP to ours.
#[tokio::test(start_paused = true)]
async fn ours_stand_between_layers_of_tower_http() {
    let layers = Layers::new();
    let timeout =
        |after| TowerHttpTimeout::with_status_code(http::StatusCode::GATEWAY_TIMEOUT, after);
    let service = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http())
        .layer(timeout(LONG))
        .service(layers.stack().layer(LiftLayer::new()).layer(timeout(LONG)).service(falters()));
    let request = Request::put("http://server/").body(Full::<Bytes>::from("well")).unwrap();
    assert_eq!(said(service.oneshot(request).await.unwrap()).await, (200, "well".into()));
    layers.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn tower_s_timeout_beneath_is_an_attempt_that_timed_out() {
    let script = Script::<Request<Empty<Bytes>>, Response<Own>, BoxError>::new();
    let server = tower::timeout::TimeoutLayer::new(Duration::from_secs(1)).layer(script.service());
    let service = ServiceBuilder::new().layer(retry()).service(server);
    let get = Request::get("http://server/").body(Empty::new()).unwrap();
    let error = finishes(service.oneshot(get)).await.unwrap_err();
    assert!(error.is::<tower::timeout::error::Elapsed>(), "{error}");
    assert_eq!(script.seen().calls, 3);
}

/// A body that falls silent, beneath everything else.
#[tokio::test(start_paused = true)]
async fn a_body_that_falls_silent_breaks_off_with_a_refusal() {
    let server = service_fn(|_: Request<Empty<Bytes>>| async {
        let silent = stream::pending::<Result<Frame<Bytes>, Infallible>>();
        Ok::<_, io::Error>(Response::new(StreamBody::new(silent)))
    });
    let service = ServiceBuilder::new()
        .layer(TimeoutLayer::new(LONG))
        .layer(BodyIdleLayer::new(Duration::from_secs(30)))
        .layer(LiftLayer::new())
        .service(server);
    let get = Request::get("http://server/").body(Empty::new()).unwrap();
    let error = service.oneshot(get).await.unwrap().into_body().collect().await.unwrap_err();
    assert_eq!(error.refused().map(Refused::reason), Some(Reason::TimedOut));
}

/// One type of error, whatever the order, and no type of a layer's in it.
#[test]
fn layers_change_places_and_the_type_of_the_error_stays() {
    fn fails_so<S: Service<Request<Empty<Bytes>>, Error = Error<io::Error>>>(_: &S) {}
    let (layers, lifted) = (Layers::new(), || LiftLayer::new().layer(falters()));
    let (slots, breaker): (_, RetryLayer) = (layers.slots.clone(), retry());
    fails_so(&lifted());
    fails_so(&slots.over(breaker.over(lifted())));
    fails_so(&breaker.over(slots.over(lifted())));
    fails_so(&layers.stack().over(lifted()));
}
