use std::cell::Cell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::Duration;

use ::http::{Request, Response};
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::{ServiceExt, service_fn};

use super::*;
use crate::Error;

type Req = Request<()>;
type Told = Arc<Mutex<Vec<(During, Duration, Option<String>)>>>;

const LIMIT: Duration = Duration::from_millis(100);
const JUST_UNDER: Duration = Duration::from_micros(99_999);

thread_local! {
    static NOW: Cell<Moment> = const { Cell::new(Moment::ORIGIN) };
}

/// Holds the thread for so long, by the clock that the tests give.
fn block(time: Duration) {
    NOW.set(NOW.get() + time);
}

fn watched() -> (StallLayer, Told) {
    let told = Told::default();
    let tell = Arc::clone(&told);
    let layer = StallLayer::new(Stall::new()).unwrap().on_clock(|| NOW.get());
    let layer = layer.on_stall(move |stalled| {
        let request = stalled.request.map(str::to_owned);
        tell.lock().unwrap().push((stalled.during, stalled.took, request));
    });
    (layer, told)
}

/// A service whose call, and each poll of whose future, holds the thread for so long.
#[derive(Clone)]
struct Blocks {
    readiness: Duration,
    call: Duration,
    polls: [Duration; 2],
}

impl Service<Req> for Blocks {
    type Response = Response<()>;
    type Error = Error<Infallible>;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Response<()>, Self::Error>>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        block(self.readiness);
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Req) -> Self::Future {
        block(self.call);
        let mut polls = self.polls.into_iter();
        Box::pin(poll_fn(move |_| {
            block(polls.next().unwrap());
            match polls.len() {
                0 => Poll::Ready(Ok(Response::new(()))),
                _ => Poll::Pending,
            }
        }))
    }
}

#[tokio::test]
async fn a_service_fits_beneath_it_whose_error_can_carry_nothing() {
    let (layer, _) = watched();
    let never_fails = service_fn(|_: Req| async { Ok::<_, Infallible>(Response::new(())) });
    assert!(layer.layer(never_fails).oneshot(Request::new(())).await.is_ok());
}

/// What is told of a call with these.
fn told(
    readiness: Duration,
    call: Duration,
    polls: [Duration; 2],
) -> Vec<(During, Duration, Option<String>)> {
    let (layer, told) = watched();
    let mut service = layer.layer(Blocks { readiness, call, polls });
    assert_ready_ok!(task::spawn(poll_fn(|cx| service.poll_ready(cx))).poll());
    let mut call = task::spawn(service.call(Request::post("/").body(()).unwrap()));
    assert_pending!(call.poll());
    assert_ready_ok!(call.poll());
    let told = told.lock().unwrap();
    told.clone()
}

#[test]
fn one_poll_that_holds_the_thread_is_told_with_what_is_known_of_the_request() {
    let post = Some("POST".to_owned());
    let nothing = Duration::ZERO;
    assert_eq!(told(nothing, nothing, [JUST_UNDER, LIMIT]), [(During::Poll, LIMIT, post.clone())]);
    assert_eq!(told(nothing, 2 * LIMIT, [nothing; 2]), [(During::Call, 2 * LIMIT, post)]);
    assert_eq!(told(LIMIT, nothing, [nothing; 2]), [(During::Readiness, LIMIT, None)]);
}

#[test]
fn many_short_polls_and_the_time_between_them_are_no_stall() {
    let (layer, told) = watched();
    let mut service =
        layer.layer(Blocks { readiness: JUST_UNDER, call: JUST_UNDER, polls: [JUST_UNDER; 2] });
    assert_ready_ok!(task::spawn(poll_fn(|cx| service.poll_ready(cx))).poll());
    let mut call = task::spawn(service.call(Request::new(())));
    block(10 * LIMIT);
    assert_pending!(call.poll());
    block(10 * LIMIT);
    assert_ready_ok!(call.poll());
    assert_eq!(*told.lock().unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn time_that_a_test_moves_on_is_no_stall() {
    let told = Told::default();
    let tell = Arc::clone(&told);
    let layer = StallLayer::new(Stall::new().limit(Duration::from_secs(600))).unwrap();
    let layer = layer.on_stall(move |stalled| {
        tell.lock().unwrap().push((stalled.during, stalled.took, None));
    });
    let waits = service_fn(|_: Req| async {
        tokio::time::advance(Duration::from_secs(3600)).await;
        Ok::<_, Error<Infallible>>(Response::new(()))
    });
    layer.layer(waits).oneshot(Request::new(())).await.unwrap();
    assert_eq!(*told.lock().unwrap(), []);
}

#[test]
fn the_warning_names_the_place_where_the_layer_was_made_and_its_name() {
    let said = Arc::new(Mutex::new(String::new()));
    let says = Arc::clone(&said);
    let (line, layer) = (line!(), StallLayer::new(Stall::new()).unwrap());
    let layer = layer.named("billing").on_clock(|| NOW.get());
    let layer = layer.on_stall(move |stalled| *says.lock().unwrap() = stalled.to_string());
    let blocks = service_fn(|_: Req| {
        block(LIMIT);
        std::future::ready(Ok::<_, Error<Infallible>>(Response::new(())))
    });
    assert_ready_ok!(task::spawn(layer.layer(blocks).oneshot(Request::new(()))).poll());
    let (said, file) = (said.lock().unwrap(), file!());
    let start = format!(
        "a call of a GET held its thread for 100ms, beneath the layer \"billing\" made at {file}:{line}:"
    );
    assert!(said.starts_with(&start), "{said}");
}

// C5
#[test]
fn a_panic_beneath_passes_on_and_nothing_is_told() {
    let (layer, told) = watched();
    let panics = service_fn(|_: Req| async {
        block(LIMIT);
        panic!("a bug") as Result<Response<()>, Error<Infallible>>
    });
    let mut call = task::spawn(layer.layer(panics).oneshot(Request::new(())));
    let panicked = catch_unwind(AssertUnwindSafe(|| drop(call.poll()))).unwrap_err();
    assert_eq!(panicked.downcast_ref(), Some(&"a bug"));
    assert_eq!(*told.lock().unwrap(), []);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    assert!(StallLayer::new(Stall::new().limit(Duration::ZERO)).is_err());
}

#[test]
fn the_service_beneath_can_be_had() {
    let mut service = StallLayer::new(Stall::new()).unwrap().layer(7);
    *service.get_mut() += 1;
    assert_eq!((*service.get_ref(), service.into_inner()), (8, 8));
}
