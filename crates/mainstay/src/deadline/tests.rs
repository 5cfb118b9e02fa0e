use std::convert::Infallible;
use std::error::Error as _;
use std::future::{Future, pending, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use ::http::{HeaderName, Request, Response};
use tokio::time::{Instant, advance};
use tokio_test::{assert_pending, assert_ready, assert_ready_err, assert_ready_ok, task};
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_test::mock;

use super::*;
use crate::concurrency::{Concurrency, ConcurrencyLayer};
use crate::guard::Guard;
use crate::http::grpc;
use crate::protocol::Ending;
use crate::{BoxError, Error, LiftLayer};

mod watched;

type Req = Request<&'static str>;
type Client = mock::Spawn<DeadlineService<mock::Mock<Req, Response<()>>>>;
type Server = mock::Handle<Req, Response<()>>;

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

fn over(layer: &DeadlineLayer) -> (Client, Server) {
    mock::spawn_with(|service| layer.layer(service))
}

fn call(client: &mut Client, request: Req) -> task::Spawn<impl Future<Output = Answer> + use<>> {
    assert_ready_ok!(client.poll_ready::<Req>());
    task::spawn(client.call(request))
}

type Answer = Result<Response<()>, BoxError>;

fn with(deadline: Duration) -> Req {
    let mut request = Request::new("x");
    request.extensions_mut().insert(Deadline::within(deadline));
    request
}

fn reason(error: &impl CallError) -> Option<(&'static str, Reason)> {
    error.refused().map(|refused| (refused.layer(), refused.reason()))
}

/// After how long, to the millisecond, the call is ended.
async fn ends_after<T>(call: &mut task::Spawn<T>) -> (Duration, T::Output)
where
    T: Future,
{
    let begun = Instant::now();
    loop {
        if let Poll::Ready(end) = call.poll() {
            return (begun.elapsed(), end);
        }
        advance(MILLI).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_takes_longer_is_ended_and_may_have_been_sent() {
    let (mut client, mut server) = over(&DeadlineLayer::new(2 * SECOND).named("github"));
    let mut call = call(&mut client, Request::new("slow"));
    assert_pending!(call.poll());
    let (_, _send) = server.next_request().await.unwrap();
    let (took, end) = ends_after(&mut call).await;
    assert_eq!(took, 2 * SECOND);
    let error = end.unwrap_err();
    assert_eq!(reason(&error), Some((LAYER, Reason::TimedOut)));
    assert_eq!(error.refused().and_then(Refused::name), Some("github"));
    assert_pending!(task::spawn(server.next_request()).poll());
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
    let mut service = DeadlineLayer::new(SECOND).layer(holds);
    let mut call = task::spawn(service.call(Request::new("x")));
    assert_pending!(call.poll());
    assert_eq!(weak.strong_count(), 2);
    advance(SECOND).await;
    assert!(assert_ready!(call.poll()).is_err());
    assert_eq!(weak.strong_count(), 1, "the future is still there, and what it ran is not");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_there_at_the_end_is_handed_on() {
    let (mut client, mut server) = over(&DeadlineLayer::new(SECOND));
    let mut call = call(&mut client, Request::new("just in time"));
    assert_pending!(call.poll());
    let (_, send) = server.next_request().await.unwrap();
    advance(5 * SECOND).await;
    send.send_response(Response::new(()));
    assert_ready_ok!(call.poll());
}

#[test]
fn an_answer_at_once_needs_no_timer() {
    let answers = service_fn(|_: Req| async { Ok::<_, Infallible>(Response::new(())) });
    let layers = ServiceBuilder::new().layer(DeadlineLayer::new(SECOND)).layer(LiftLayer::new());
    // Outside of a runtime a timer would panic.
    assert_ready_ok!(task::spawn(layers.service(answers).oneshot(Request::new("x"))).poll());
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_time_is_over_is_refused_and_nothing_is_sent() {
    let (mut client, mut server) = over(&DeadlineLayer::new(20 * SECOND));
    let late = with(SECOND);
    advance(SECOND).await;
    let error = assert_ready_err!(call(&mut client, late).poll());
    assert_eq!(reason(&error), Some((LAYER, Reason::Deadline)));
    assert_pending!(task::spawn(server.next_request()).poll());

    let (mut client, _server) = over(&DeadlineLayer::new(Duration::ZERO));
    let error = assert_ready_err!(call(&mut client, Request::new("never")).poll());
    assert_eq!(reason(&error), Some((LAYER, Reason::Deadline)));
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_gives_the_readiness_beneath_back() {
    let answers = service_fn(|_: Req| async { Ok::<_, Infallible>(Response::new(())) });
    let limited = ServiceBuilder::new().concurrency_limit(1).layer(LiftLayer::new());
    let mut first = DeadlineLayer::new(Duration::ZERO).layer(limited.service(answers));
    let mut other = first.get_ref().clone();
    let ready = first.ready().await.unwrap();
    assert!(ready.call(Request::new("late")).await.is_err());
    assert_ready_ok!(task::spawn(other.ready()).poll());
}

#[tokio::test(start_paused = true)]
async fn of_the_layer_s_time_and_the_caller_s_the_nearer_end_counts() {
    let layer = DeadlineLayer::new(5 * SECOND);
    for (asked, ended) in [(2 * SECOND, 2 * SECOND), (9 * SECOND, 5 * SECOND)] {
        let (mut client, _server) = over(&layer);
        let mut call = call(&mut client, with(asked));
        assert_eq!(ends_after(&mut call).await.0, ended);
    }
    let (mut client, _server) = over(&DeadlineLayer::per_call());
    assert_eq!(ends_after(&mut call(&mut client, with(3 * SECOND))).await.0, 3 * SECOND);
    let mut endless = call(&mut client, Request::new("x"));
    assert_pending!(endless.poll());
    advance(1_000_000 * SECOND).await;
    assert_pending!(endless.poll());
}

#[tokio::test(start_paused = true)]
async fn of_two_deadlines_the_nearer_counts_and_says_so() {
    for (outer, inner, says) in [(2, 5, "outer"), (5, 2, "inner")] {
        let hangs = service_fn(|_: Req| pending::<Result<Response<()>, Infallible>>());
        let service = ServiceBuilder::new()
            .layer(DeadlineLayer::new(outer * SECOND).named("outer"))
            .layer(DeadlineLayer::new(inner * SECOND).named("inner"))
            .layer(LiftLayer::new())
            .service(hangs);
        let mut call = task::spawn(service.oneshot(Request::new("x")));
        let (took, end) = ends_after(&mut call).await;
        let error = end.unwrap_err();
        assert_eq!((took, error.refused().and_then(Refused::name)), (2 * SECOND, Some(says)));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_further_in_knows_the_end_whenever_it_is_called_or_polled() {
    let seen = Mutex::new(Vec::new());
    let see = || seen.lock().unwrap().push(Scope::current().until);
    let looks = service_fn(|_: Req| {
        see();
        let mut is_first = true;
        poll_fn(move |_| {
            see();
            match mem::take(&mut is_first) {
                true => Poll::Pending,
                false => Poll::Ready(Ok::<_, Error<Infallible>>(Response::new(()))),
            }
        })
    });
    let mut service = DeadlineLayer::new(SECOND).layer(looks);
    let end = clock::now() + SECOND;
    let mut call = task::spawn(service.ready().await.unwrap().call(Request::new("x")));
    assert_pending!(call.poll());
    assert_ready_ok!(call.poll());
    see();
    assert_eq!(*seen.lock().unwrap(), [end, end, end, Moment::MAX]);
}

#[tokio::test(start_paused = true)]
async fn a_guard_further_in_refuses_the_wait_and_says_that_nothing_was_sent() {
    let limit = ConcurrencyLayer::new(Concurrency::limit(1)).unwrap();
    let slots = limit.handle();
    let _slot = Guard::<Req>::try_admit(
        &*slots,
        &(),
        crate::guard::Ask::default(),
        &crate::guard::Now::default(),
    );
    let answers = service_fn(|_: Req| async { Ok::<_, Infallible>(Response::new(())) });
    let service = ServiceBuilder::new()
        .layer(DeadlineLayer::new(SECOND))
        .layer(limit)
        .layer(LiftLayer::new())
        .service(answers);
    let mut call = task::spawn(service.oneshot(Request::new("x")));
    let (took, end) = ends_after(&mut call).await;
    assert_eq!(
        (took, reason(&end.unwrap_err())),
        (SECOND, Some(("concurrency limit", Reason::Deadline)))
    );
    assert_eq!(slots.snapshot().waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn in_another_task_the_request_tells_if_it_was_asked_to() {
    let looks = service_fn(|_: Req| async move {
        Ok::<_, Error<Infallible>>(Response::new(Scope::current().until))
    });
    let spawns = service_fn(move |request: Req| async move {
        let further_in = DeadlineLayer::per_call().layer(looks);
        tokio::spawn(further_in.oneshot(request)).await.unwrap()
    });
    let end = clock::now() + SECOND;
    let layer = DeadlineLayer::new(SECOND);
    let told = layer.clone().in_request().layer(spawns).oneshot(Request::new("x")).await.unwrap();
    assert_eq!(told.into_body(), end);
    let silent = layer.layer(spawns).oneshot(Request::new("x")).await.unwrap();
    assert_eq!(silent.into_body(), Moment::MAX);
}

// C5
#[tokio::test(start_paused = true)]
async fn a_panic_beneath_passes_on_and_is_no_timeout() {
    let panics = service_fn(|_: Req| async { panic!("a bug") as Result<Response<()>, BoxError> });
    let service = DeadlineLayer::new(SECOND).layer(panics);
    let mut call = task::spawn(service.oneshot(Request::new("x")));
    let panicked = catch_unwind(AssertUnwindSafe(|| drop(call.poll()))).unwrap_err();
    assert_eq!(panicked.downcast_ref(), Some(&"a bug"));
    assert_eq!(Scope::current().until, Moment::MAX);
}

// C12
#[tokio::test(start_paused = true)]
async fn an_error_beneath_comes_back_as_it_was_with_its_sources() {
    let fails = service_fn(|_: Req| async {
        Err::<Response<()>, _>(io::Error::from(io::ErrorKind::ConnectionReset))
    });
    let layers = ServiceBuilder::new().layer(DeadlineLayer::new(SECOND)).layer(LiftLayer::new());
    let error = layers.service(fails).oneshot(Request::new("x")).await.unwrap_err();
    let beneath = error.source().and_then(|source| source.downcast_ref::<io::Error>()).unwrap();
    assert_eq!(beneath.kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test(start_paused = true)]
async fn a_protocol_of_one_s_own_says_how_long_its_requests_may_take() {
    struct Millis;
    impl<E> Protocol<u64, (), E> for Millis {
        type About = ();
        fn deadline(&self, request: &u64) -> Option<Deadline> {
            Some(Deadline::within(Duration::from_millis(*request)))
        }
        fn about(&self, _: &u64) {}
        fn may_repeat(&self, (): &()) -> bool {
            false
        }
        fn end(&self, (): &(), _: Result<&(), &E>) -> Ending {
            Ending::new(crate::policy::Outcome::Success)
        }
    }
    let hangs = service_fn(|_: u64| pending::<Result<(), BoxError>>());
    let service = DeadlineLayer::of(None, Millis).layer(hangs);
    assert_eq!(ends_after(&mut task::spawn(service.oneshot(250))).await.0, 250 * MILLI);
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_a_deadline_can_be_asked() {
    let deadline = Deadline::within(SECOND);
    advance(400 * MILLI).await;
    assert_eq!(deadline.left(), 600 * MILLI);
    assert_eq!(Deadline::from(Instant::now() + 600 * MILLI), deadline);
    advance(SECOND).await;
    assert_eq!(deadline.left(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_the_call_that_runs_can_be_asked_beneath_its_deadline() {
    let asks = |name: u32| async move {
        advance(400 * MILLI).await;
        Ok::<_, BoxError>((name, left()))
    };
    let service = DeadlineLayer::plain(SECOND).layer(service_fn(asks));
    assert_eq!(service.oneshot(7).await.unwrap(), (7, Some(600 * MILLI)));
    assert_eq!(left(), None);
    let hangs = service_fn(|_: u32| pending::<Result<(), BoxError>>());
    let mut call = task::spawn(DeadlineLayer::plain(SECOND).layer(hangs).oneshot(7));
    let (after, end) = ends_after(&mut call).await;
    assert_eq!((after, reason(&end.unwrap_err())), (SECOND, Some((LAYER, Reason::TimedOut))));
}

/// What a server is told by a call whose attempts are sent at these times.
async fn told(layer: DeadlineHeaderLayer, within: Duration, request: Req) -> Option<String> {
    let name = layer.name().clone();
    let echoes = service_fn(move |request: Req| {
        let told = request.headers().get(&name).map(|value| value.to_str().unwrap().to_owned());
        std::future::ready(Ok::<_, Error<Infallible>>(Response::new(told)))
    });
    let later = service_fn(move |request: Req| {
        let bottom = layer.clone().layer(echoes.clone());
        async move {
            advance(250 * MILLI).await;
            bottom.oneshot(request).await
        }
    });
    let service = DeadlineLayer::new(within).layer(later);
    service.oneshot(request).await.unwrap().into_body()
}

const NAME: HeaderName = HeaderName::from_static("x-time-left");

#[tokio::test(start_paused = true)]
async fn a_server_is_told_what_is_left_when_the_attempt_is_sent() {
    let request = || Request::new("x");
    let millis = DeadlineHeaderLayer::millis(NAME);
    assert_eq!(told(millis, SECOND, request()).await.as_deref(), Some("750"));
    let seconds = DeadlineHeaderLayer::seconds(NAME);
    assert_eq!(told(seconds.clone(), 9 * SECOND, request()).await.as_deref(), Some("8"));
    assert_eq!(told(seconds, SECOND, request()).await.as_deref(), Some("1"), "never zero");
    let grpc = DeadlineHeaderLayer::grpc();
    assert_eq!(told(grpc, SECOND, request()).await.as_deref(), Some("750000u"));
}

#[tokio::test(start_paused = true)]
async fn what_a_server_is_told_already_stays_if_it_is_shorter() {
    let says = |name: &HeaderName, value: &'static str| {
        let mut request = Request::new("x");
        request.headers_mut().insert(name, value.parse().unwrap());
        request
    };
    for (before, after) in [("500", "500"), ("900", "750"), ("soon", "soon"), ("0.5", "0.5")] {
        let request = says(&NAME, before);
        let told = told(DeadlineHeaderLayer::millis(NAME), SECOND, request).await;
        assert_eq!(told.as_deref(), Some(after));
    }
    for (before, after) in [("500m", "500m"), ("1S", "750000u")] {
        let request = says(&grpc::TIMEOUT, before);
        let told = told(DeadlineHeaderLayer::grpc(), SECOND, request).await;
        assert_eq!(told.as_deref(), Some(after));
    }
}

#[tokio::test(start_paused = true)]
async fn of_several_values_the_shortest_counts_and_one_that_cannot_be_read_leaves_all() {
    for (before, after) in [(["900", "500"], "900"), (["900", "800"], "750"), (["900", "?"], "900")]
    {
        let mut request = Request::new("x");
        for value in before {
            request.headers_mut().append(&NAME, value.parse().unwrap());
        }
        let told = told(DeadlineHeaderLayer::millis(NAME), SECOND, request).await;
        assert_eq!(told.as_deref(), Some(after), "{before:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_is_told_nothing_where_there_is_no_deadline() {
    let (mut client, mut server) =
        mock::spawn_with(|service| DeadlineHeaderLayer::grpc().layer(service));
    assert_ready_ok!(client.poll_ready::<Req>());
    let _call = task::spawn(client.call(Request::new("x")));
    let (request, send) = server.next_request().await.unwrap();
    assert!(request.headers().is_empty());
    send.send_response(Response::new(()));
}

#[test]
fn the_service_beneath_can_be_had() {
    let mut service = DeadlineLayer::new(SECOND).layer(7);
    *service.get_mut() += 1;
    assert_eq!((*service.get_ref(), service.into_inner()), (8, 8));
    let mut service = DeadlineHeaderLayer::grpc().layer(7);
    *service.get_mut() += 1;
    assert_eq!((*service.get_ref(), service.into_inner()), (8, 8));
}
