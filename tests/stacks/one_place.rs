//! Over a limit of tower's that has one place, which is taken by whoever is ready and let go by
//! whoever is dropped.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use mainstay::concurrency::{Concurrency, ConcurrencyLayer};
use mainstay::cooldown::{CoolDown, CoolDownLayer};
use mainstay::hedge::{Hedge, HedgeLayer};
use mainstay::rate_limit::{RateLimit, RateLimitLayer};
use mainstay::{BoxError, CallError, Reason, Refused};
use mainstay_testkit::{Polled, Script, Scripted, finishes_within};
use tokio::task::JoinSet;
use tower::limit::ConcurrencyLimit;
use tower::{Layer, Service, ServiceExt};

use crate::layers::{LONG, Layers, retry};

type Req = Request<Full<Bytes>>;
type Res = Response<Full<Bytes>>;
type Server = Script<Req, Res, BoxError>;
type One = ConcurrencyLimit<Scripted<Req, Res, BoxError>>;

/// A server that answers with this status, and the only place before it.
fn always(status: u16) -> (Server, One) {
    let server = Server::new();
    server.answers(move |_| {
        let answer = Response::builder().status(status).header("retry-after", "1");
        Ok(answer.body(Full::default()).unwrap())
    });
    let one = ConcurrencyLimit::new(server.service(), 1);
    (server, one)
}

fn get() -> Req {
    Request::get("http://server/").body(Full::default()).unwrap()
}

/// Twenty calls at the same time through clones; every third is dropped after its first poll. Then
/// one more, which finds the place free.
async fn nothing_is_stranded<S>(service: S) -> Vec<u16>
where
    S: Service<Req, Response = Res, Error = BoxError, Future: Send> + Clone + Send + 'static,
{
    let mut calls = JoinSet::new();
    for n in 0..20 {
        let mut clone = service.clone();
        calls.spawn(async move {
            let call = async {
                // A dead service would say so here.
                let ready = clone.ready().await?;
                ready.call(get()).await
            };
            if n % 3 == 2 {
                tokio::select! {
                    biased;
                    answer = call => answer.map(|answer| answer.status().as_u16()),
                    () = tokio::task::yield_now() => Ok(0),
                }
            } else {
                call.await.map(|answer| answer.status().as_u16())
            }
        });
    }
    let all = finishes_within(LONG, calls.join_all()).await;
    let last = finishes_within(LONG, service.oneshot(get())).await.unwrap().status().as_u16();
    let ended = all.into_iter().map(|end| end.unwrap_or(1)).filter(|end| *end > 0);
    ended.chain([last]).collect()
}

/// One call that takes its time to look at the body, or leaves after its first poll.
async fn reads_late<S, B>(mut service: S, leaves: bool)
where
    S: Service<Req, Response = Response<B>, Error = BoxError>,
    B: Body<Error: std::fmt::Debug>,
{
    let call = service.ready().await.unwrap().call(get());
    if leaves {
        let _ = Polled::new(call).poll();
        return;
    }
    let answer = call.await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    answer.into_body().collect().await.unwrap();
}

/// The slot outlives the place, so that there are calls that have the place and wait for the slot.
#[tokio::test(start_paused = true)]
async fn calls_that_wait_for_a_slot_do_not_keep_the_place_from_those_that_have_one() {
    let server = Server::new();
    server.answers(|_| Ok(Response::new(Full::from("read me"))));
    let slots = ConcurrencyLayer::new(Concurrency::limit(1)).unwrap();
    let one = ConcurrencyLimit::new(server.service(), 1);
    let service = slots.clone().hold_bodies().layer(one);
    let mut calls = JoinSet::new();
    for n in 0..20 {
        calls.spawn(reads_late(service.clone(), n % 3 == 2));
    }
    finishes_within(LONG, calls.join_all()).await;
    assert_eq!(slots.handle().snapshot().in_use, 0);
    finishes_within(LONG, service.oneshot(get())).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn calls_that_wait_for_their_turn_do_not_keep_the_place_from_those_that_have_theirs() {
    let (_server, one) = always(200);
    let rate = RateLimitLayer::new(RateLimit::per_second(10)).unwrap();
    let ended = nothing_is_stranded(rate.layer(one)).await;
    assert!(ended.len() > 14 && ended.iter().all(|status| *status == 200), "{ended:?}");
    assert_eq!(rate.handle().waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn calls_that_wait_for_a_cool_down_do_not_keep_the_place() {
    let (_server, one) = always(429);
    let gate = CoolDownLayer::new(CoolDown::new()).unwrap();
    let ended = nothing_is_stranded(gate.layer(one)).await;
    assert!(ended.len() > 14 && ended.iter().all(|status| *status == 429), "{ended:?}");
    assert_eq!(gate.handle().waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn retries_take_the_place_again_and_let_it_go_while_they_wait() {
    let (server, one) = always(503);
    let ended = nothing_is_stranded(retry().without_budget().layer(one)).await;
    assert!(ended.len() > 14 && ended.iter().all(|status| *status == 503), "{ended:?}");
    assert!(server.seen().calls >= 3 * 14, "{}", server.seen().calls);
}

/// The second attempt cannot start while the first has the place, and does not keep it from ending.
#[tokio::test(start_paused = true)]
async fn a_second_attempt_that_finds_no_place_does_not_hold_up_the_first() {
    let server = Server::new();
    let one = ConcurrencyLimit::new(server.service(), 1);
    let hedge = HedgeLayer::new(Hedge::after(Duration::from_secs(1))).unwrap();
    let service = hedge.layer(one);
    let call = tokio::spawn(service.clone().oneshot(get()));
    let first = finishes_within(LONG, server.arrives()).await;
    tokio::time::advance(Duration::from_secs(5)).await;
    tokio::task::yield_now().await;
    assert_eq!(server.seen().calls, 1);
    first.answer(Response::new(Full::default()));
    assert_eq!(finishes_within(LONG, call).await.unwrap().unwrap().status(), 200);

    let next = tokio::spawn(service.oneshot(get()));
    finishes_within(LONG, server.arrives()).await.answer(Response::new(Full::default()));
    assert_eq!(finishes_within(LONG, next).await.unwrap().unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn all_layers_together_strand_nothing() {
    let (_server, one) = always(200);
    let layers = Layers::new();
    let ended = nothing_is_stranded(layers.stack().service(one)).await;
    assert!(ended.len() > 14 && ended.iter().all(|status| *status == 200), "{ended:?}");
    layers.assert_at_rest();
}

/// tower's `LoadShed<ConcurrencyLimit>` sheds everything while a clone that was made ready lies
/// idle. A clone of ours that is ready holds nothing of ours.
#[tokio::test(start_paused = true)]
async fn a_clone_that_is_ready_and_idle_holds_no_slot() {
    let server = Server::new();
    server.answers(|_| Ok(Response::new(Full::default())));
    let slots = ConcurrencyLayer::new(Concurrency::limit(1).max_waiting(0)).unwrap();
    let service = slots.layer(server.service());
    let mut idle = service.clone();
    idle.ready().await.unwrap();
    assert_eq!(service.oneshot(get()).await.unwrap().status(), 200);

    // And one that was refused has let go of what readiness took beneath.
    let (_server, one) = always(200);
    let layers = Layers::new();
    let service = layers.breaker.layer(one);
    layers.breaker.handle().isolate();
    let mut refused = service.clone();
    let error = refused.ready().await.unwrap().call(get()).await.unwrap_err();
    assert_eq!(error.refused().map(Refused::reason), Some(Reason::Open));
    layers.breaker.handle().release();
    assert_eq!(finishes_within(LONG, service.oneshot(get())).await.unwrap().status(), 200);
    drop(refused);
}
