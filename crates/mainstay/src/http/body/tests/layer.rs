//! The layer hands on bodies that can be copied.

use std::convert::Infallible;

use ::http::Request;
use http_body_util::{Empty, Full};
use tower::{Layer, Service, ServiceExt, service_fn};

use super::super::{Replay, ReplayLayer};
use super::*;

/// Answers with the body that came and a copy of it.
async fn keeps(request: Request<ReplayBody>) -> Result<(ReplayBody, ReplayBody), Infallible> {
    let template = copied(request.body());
    Ok((request.into_body(), template))
}

#[tokio::test]
async fn a_request_keeps_all_but_the_type_of_its_body() {
    let service = ReplayLayer::new().layer(service_fn(async |request: Request<ReplayBody>| {
        let (parts, mut body) = request.into_parts();
        assert_eq!(parts.uri, "/upload");
        Ok::<_, Infallible>(to_the_end(&mut body))
    }));
    let request = Request::put("/upload").body(Script::of(ten_chunks())).unwrap();
    assert_eq!(service.oneshot(request).await.unwrap(), seen(&ten_chunks()));
}

#[tokio::test]
async fn all_services_of_one_layer_share_its_total() {
    let layer = ReplayLayer::new().total(100);
    let services = [layer.layer(service_fn(keeps)), layer.clone().layer(service_fn(keeps))];
    let mut held = Vec::new();
    for service in services {
        let request = Request::new(Script::of([data(vec![0; 60])]));
        let (mut body, template) = service.oneshot(request).await.unwrap();
        next(&mut body);
        held.push((body, template));
    }
    assert_eq!(layer.kept(), 60);
    assert_eq!(copies(&held[0].1), Copies::Afterwards);
    assert_eq!(copies(&held[1].1), Copies::Never);
    drop(held);
    assert_eq!(layer.kept(), 0);
}

#[tokio::test]
async fn the_limits_are_those_of_the_layer() {
    for (layer, limit) in [(ReplayLayer::default(), 65_536), (ReplayLayer::new().limit(1000), 1000)]
    {
        for (size, expected) in [(limit, Copies::Afterwards), (limit + 1, Copies::Never)] {
            let request = Request::new(Script::of([data(vec![0; size])]));
            let (mut body, template) =
                layer.layer(service_fn(keeps)).oneshot(request).await.unwrap();
            next(&mut body);
            assert_eq!(copies(&template), expected, "{size} of {limit}");
        }
    }
    assert!(format!("{:?}", ReplayLayer::new()).contains("total: 67108864"));
}

#[tokio::test]
async fn a_body_in_memory_stays_one_that_is_copied_alongside_and_counts_for_nothing() {
    let layer = ReplayLayer::new().limit(10).total(10);
    let stays = |body: ReplayBody, size: usize| {
        assert_eq!(body.size_hint().exact(), Some(size as u64));
        assert_eq!(copies(&body), Copies::Alongside);
        let mut hedge = copied(&body);
        let mut body = body;
        assert_eq!(next(&mut body), next(&mut hedge));
        assert_eq!(
            to_the_end(&mut copied(&hedge)),
            [Seen::Data(vec![b'x'; size].into()), Seen::End]
        );
        assert_eq!(layer.kept(), 0);
    };
    for size in [1, 10, 11, 100 * 1024] {
        let text = "x".repeat(size);
        let full = Full::new(Bytes::from(text.clone()));
        stays(layer.layer(service_fn(keeps)).oneshot(Request::new(full)).await.unwrap().0, size);
        stays(layer.layer(service_fn(keeps)).oneshot(Request::new(text)).await.unwrap().0, size);
    }
    let empty = Request::new(Empty::<Bytes>::new());
    let (empty, _) = layer.layer(service_fn(keeps)).oneshot(empty).await.unwrap();
    assert!(empty.is_end_stream());
}

#[test]
fn bytes_in_memory_are_shared_not_copied() {
    static TEXT: &[u8] = b"static";
    let shares = |mut body: ReplayBody, bytes: &[u8]| {
        let Seen::Data(data) = next(&mut body) else { panic!("no data") };
        assert_eq!(data.as_ptr(), bytes.as_ptr());
    };
    shares(ReplayBody::new(Full::new(TEXT)), TEXT);
    let bytes = Bytes::from(vec![7; 100]);
    shares(ReplayBody::new(Full::new(bytes.clone())), &bytes);
}

#[tokio::test]
async fn a_layer_further_in_hands_on_what_is_wrapped_already() {
    let (outer, inner) = (ReplayLayer::new(), ReplayLayer::new().limit(10));
    let service = outer.layer(inner.layer(service_fn(keeps)));
    let request = Request::new(Script::of(ten_chunks()).sized());
    let (mut body, mut template) = service.oneshot(request).await.unwrap();
    assert_eq!(to_the_end(&mut body), seen(&ten_chunks()));
    assert_eq!((outer.kept(), inner.kept()), (55, 0));
    assert_eq!(to_the_end(&mut template), seen(&ten_chunks()));
}

#[test]
fn readiness_is_the_inner_services() {
    struct Busy;
    impl Service<Request<ReplayBody>> for Busy {
        type Response = ();
        type Error = &'static str;
        type Future = std::future::Ready<Result<(), &'static str>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
            Poll::Ready(Err("busy"))
        }

        fn call(&mut self, _: Request<ReplayBody>) -> Self::Future {
            std::future::ready(Ok(()))
        }
    }

    let mut service = ReplayLayer::new().layer(Busy);
    let ready = Service::<Request<Script>>::poll_ready(
        &mut service,
        &mut Context::from_waker(Waker::noop()),
    );
    assert_eq!(ready, Poll::Ready(Err("busy")));
}

#[test]
fn the_service_inside_can_be_reached() {
    let mut service: Replay<u32> = ReplayLayer::new().layer(1);
    *service.get_mut() += 1;
    assert_eq!(*service.get_ref(), 2);
    assert_eq!(service.into_inner(), 2);
}
