//! How long a slot is held, and what all services share.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use tower::{Service, ServiceExt, service_fn};

use super::*;
use crate::guard::{HeldBody, Holding};
use crate::{Error, LiftLayer};

type Body = Full<Bytes>;
type Answer = Result<Response<Body>, Error<Infallible>>;

/// A server that answers at once, with a body.
fn answers_at_once() -> impl Service<
    Req,
    Response = Response<Body>,
    Error = Error<Infallible>,
    Future = impl Future<Output = Answer> + Send,
> + Clone
+ Send
+ 'static {
    let well = |_: Req| async { Ok::<_, Infallible>(Response::new(Full::from("well"))) };
    LiftLayer::new().layer(service_fn(well))
}

fn request() -> Req {
    Request::new("x")
}

/// 65 calls and 64 slots: who gathers heads must not wait for a slot that a body holds.
#[tokio::test(start_paused = true)]
async fn a_slot_is_held_to_the_head_so_that_heads_can_be_gathered() {
    let layer = ConcurrencyLayer::new(Concurrency::limit(64)).unwrap();
    let mut service = layer.layer(answers_at_once());
    let mut heads = Vec::new();
    for _ in 0..65 {
        let mut call = task::spawn(service.ready().await.unwrap().call(request()));
        heads.push(assert_ready_ok!(call.poll()));
    }
    assert_eq!((heads.len(), held(&layer.handle())), (65, (0, 0)));
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_held_to_the_end_of_the_body_where_that_is_asked_for() {
    let layer = ConcurrencyLayer::new(Concurrency::limit(1)).unwrap();
    let handle = layer.handle();
    let mut service = layer.hold_bodies().layer(answers_at_once());
    let head = service.ready().await.unwrap().call(request()).await.unwrap();
    assert_eq!(held(&handle), (1, 0));
    let mut next = task::spawn(service.ready().await.unwrap().call(request()));
    assert_pending!(next.poll());

    head.into_body().collect().await.unwrap();
    assert_eq!(held(&handle), (1, 0), "it is the next one's");
    assert!(next.is_woken());
    drop(assert_ready_ok!(next.poll()));
    assert_eq!(held(&handle), (0, 0), "a body that is dropped gives it back as well");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_nobody_reads_for_half_a_minute_gives_its_slot_back_and_can_still_be_read() {
    let layer = ConcurrencyLayer::new(Concurrency::limit(1)).unwrap();
    let handle = layer.handle();
    let mut service: Holding<_, _, _> = layer.hold_bodies().layer(answers_at_once());
    let head: Response<HeldBody<Body>> =
        service.ready().await.unwrap().call(request()).await.unwrap();
    advance(Duration::from_millis(29_999)).await;
    assert_eq!(held(&handle), (1, 0));
    advance(Duration::from_millis(2)).await;
    assert_eq!(held(&handle), (0, 0));
    assert_eq!(head.into_body().collect().await.unwrap().to_bytes(), "well");
}

/// C10, axum#2634: one layer value, many services.
#[tokio::test(start_paused = true)]
async fn all_services_of_a_layer_and_its_clones_share_the_slots() {
    let layer = ConcurrencyLayer::new(Concurrency::limit(1).max_waiting(0)).unwrap();
    let (mut here, _server) = mock::spawn_with(|service: Mock| layer.layer(service));
    let clone = layer.clone();
    let (mut there, _other) = mock::spawn_with(|service: Mock| clone.layer(service));
    let _runs = waits(&mut here, "runs");
    let error = assert_ready_err!(call(&mut there, "refused").poll());
    assert_eq!(refused(&error), Reason::NoSlot);
}

#[tokio::test(start_paused = true)]
async fn ten_seconds_is_how_long_a_call_waits_unless_told_otherwise() {
    let (_handle, mut client, _server) = limit(Concurrency::limit(1));
    let _one = waits(&mut client, "one");
    let mut two = waits(&mut client, "two");
    advance(Duration::from_millis(9_999)).await;
    assert_pending!(two.poll());
    advance(Duration::from_millis(2)).await;
    assert_eq!(refused(&assert_ready_err!(two.poll())), Reason::NoSlot);
}

/// C3: a queue that is full and a wait that was too long are refused, and say by whom.
#[tokio::test(start_paused = true)]
async fn a_refusal_says_the_name_of_its_layer() {
    let guard = ConcurrencyGuard::new(Concurrency::limit(1).max_waiting(0)).unwrap();
    let layer = ConcurrencyLayer::of(guard.named("orders"), Http::new());
    let (mut client, _server) = mock::spawn_with(|service: Mock| layer.layer(service));
    let _one = waits(&mut client, "one");
    let error = assert_ready_err!(call(&mut client, "two").poll());
    let refused = error.refused().unwrap();
    assert_eq!((refused.layer(), refused.name()), ("concurrency limit", Some("orders")));
}
