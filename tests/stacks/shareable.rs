//! What can be sent, shared and moved, where what lies beneath can; and what threads share.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use mainstay::adaptive::{AdaptiveLimit, AdaptiveLimitLayer, Aimd};
use mainstay::chaos::{Chaos, ChaosLayer};
use mainstay::coalesce::{ByRequest, CoalesceLayer, CollectLayer};
use mainstay::concurrency::{Concurrency, ConcurrencyLayer};
use mainstay::deadline::DeadlineHeaderLayer;
use mainstay::fallback::{FallbackLayer, function};
use mainstay::http::{AnswerRefusalsLayer, ReplayLayer};
use mainstay::observe::ObserveLayer;
use mainstay::stall::{Stall, StallLayer};
use mainstay::throttle::{Throttle, ThrottleLayer};
use mainstay::timeout::BodyIdleLayer;
use mainstay::{Error, LiftLayer};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::layers::{LONG, Layers, retry};

type Req = Request<Full<Bytes>>;
type Res = Response<Full<Bytes>>;

/// The fewest bounds that a service can have; its future can do everything.
#[derive(Clone, Copy, Debug)]
struct Plain;

impl<B> Service<Request<B>> for Plain {
    type Response = Res;
    type Error = Error<Infallible>;
    type Future = Ready<Result<Res, Error<Infallible>>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        ready(Ok(Response::new(Full::default())))
    }
}

/// A service can be sent, shared and moved; its future can be sent and moved. (It cannot be shared:
/// what waits is a future of a guard's or of an answer's, of which no more is asked than `Send`.)
fn can_do_all<S>(_: S)
where
    S: Service<Req, Future: Send + Unpin> + Send + Sync + Unpin,
{
}

#[test]
fn every_service_can_be_sent_shared_and_moved_and_every_future_sent_and_moved() {
    let layers = Layers::new();
    can_do_all(layers.stack().service(Plain));
    can_do_all(layers.slots.clone().layer(Plain));
    can_do_all(retry().layer(Plain));
    can_do_all(mainstay::timeout::TimeoutLayer::new(LONG).layer(Plain));
    can_do_all(mainstay::deadline::DeadlineLayer::new(LONG).layer(Plain));
    can_do_all(
        mainstay::hedge::HedgeLayer::new(mainstay::hedge::Hedge::new()).unwrap().layer(Plain),
    );
    can_do_all(layers.slots.clone().hold_bodies().layer(Plain));
    can_do_all(AnswerRefusalsLayer::new().layer(Plain));
    can_do_all(AdaptiveLimitLayer::new(AdaptiveLimit::aimd(Aimd::new())).unwrap().layer(Plain));
    can_do_all(BodyIdleLayer::new(Duration::from_secs(30)).layer(Plain));
    can_do_all(ChaosLayer::new(Chaos::seeded(1)).unwrap().layer(Plain));
    can_do_all(CoalesceLayer::new(ByRequest::new()).layer(CollectLayer::up_to(1).layer(Plain)));
    can_do_all(DeadlineHeaderLayer::grpc().layer(Plain));
    can_do_all(FallbackLayer::new(function(|_| Ok(Response::default()))).layer(Plain));
    can_do_all(LiftLayer::new().layer(Plain));
    can_do_all(ObserveLayer::new().on_report(|_| {}).layer(Plain));
    can_do_all(ReplayLayer::new().layer(Plain));
    can_do_all(StallLayer::new(Stall::new()).unwrap().layer(Plain));
    can_do_all(ThrottleLayer::new(Throttle::new()).unwrap().layer(Plain));
}

/// Four threads with a runtime each and one stack: the limit holds, and each call ends.
#[test]
fn threads_that_share_a_stack_keep_its_limit_and_leave_nothing_behind() {
    const CALLS: usize = 500;

    let (layers, inside, most) = (Layers::new(), Arc::default(), Arc::new(AtomicUsize::new(0)));
    let slots = ConcurrencyLayer::new(Concurrency::limit(2)).unwrap();
    let server = {
        let (inside, most): (Arc<AtomicUsize>, _) = (Arc::clone(&inside), Arc::clone(&most));
        service_fn(move |_: Req| {
            let (inside, most) = (Arc::clone(&inside), Arc::clone(&most));
            async move {
                most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                inside.fetch_sub(1, Ordering::SeqCst);
                Ok::<_, Error<Infallible>>(Res::default())
            }
        })
    };
    let service = slots.layer(layers.breaker.layer(server));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let service = service.clone();
            scope.spawn(move || {
                let mut runtime = tokio::runtime::Builder::new_current_thread();
                runtime.enable_time().build().unwrap().block_on(async {
                    let mut calls = tokio::task::JoinSet::new();
                    for _ in 0..CALLS {
                        calls.spawn(service.clone().oneshot(Req::default()));
                    }
                    let ended = crate::finishes(calls.join_all()).await;
                    assert!(ended.len() == CALLS && ended.iter().all(Result::is_ok));
                });
            });
        }
    });
    assert!((1..=2).contains(&most.load(Ordering::SeqCst)), "{most:?}");
    assert_eq!(slots.handle().snapshot().in_use, 0);
    layers.assert_at_rest();
}
