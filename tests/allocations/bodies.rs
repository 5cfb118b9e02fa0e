//! What it costs to hold a slot to the end of a body.

use std::convert::Infallible;
use std::future::{Future, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use allocation_counter::measure;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{Empty, Full};
use mainstay::LiftLayer;
use mainstay::concurrency::{Concurrency, ConcurrencyLayer};
use tower::{Layer, Service, service_fn};

/// How many allocations a call takes whose slot is held until this body has been read.
fn read<B>(layer: &ConcurrencyLayer, body: B) -> u64
where
    B: Body + Clone + Send + 'static,
{
    let answers =
        service_fn(move |_: Request<()>| ready(Ok::<_, Infallible>(Response::new(body.clone()))));
    let mut service = layer.clone().hold_bodies().layer(LiftLayer::new().layer(answers));
    let mut cx = Context::from_waker(Waker::noop());
    let mut request = Some(Request::new(()));
    let counted = measure(|| {
        assert!(matches!(service.poll_ready(&mut cx), Poll::Ready(Ok(()))));
        let call = pin!(service.call(request.take().unwrap()));
        let answered = match call.poll(&mut cx) {
            Poll::Ready(end) => end.ok(),
            Poll::Pending => None,
        };
        let mut body = pin!(answered.unwrap().into_body());
        assert_eq!(layer.handle().snapshot().in_use, u32::from(!body.is_end_stream()));
        while let Poll::Ready(Some(_)) = body.as_mut().poll_frame(&mut cx) {}
    });
    assert_eq!(layer.handle().snapshot().in_use, 0);
    counted.count_total
}

#[test]
fn a_body_that_a_slot_is_held_for_costs_three_and_one_that_is_over_with_the_head_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _inside = runtime.enter();
    let layer = ConcurrencyLayer::new(Concurrency::limit(1)).unwrap();
    read(&layer, Empty::<Bytes>::new()); // reads the clock's origin
    assert_eq!(read(&layer, Empty::<Bytes>::new()), 0);
    // What the body and its timer share: the slot. The timer itself. What knows that somebody reads,
    // and is what the body wakes.
    assert_eq!(read(&layer, Full::new(Bytes::from_static(b"a body"))), 3);
}
