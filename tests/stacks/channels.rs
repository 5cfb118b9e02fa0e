//! Around a channel of tonic's.

use std::convert::Infallible;

use bytes::{Buf, BufMut, Bytes};
use futures_util::stream;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use mainstay::breaker::{BreakerGuard, BreakerState, CircuitBreaker};
use mainstay::deadline::DeadlineHeaderLayer;
use mainstay::guard::GuardLayer;
use mainstay::http::{Http, ReplayBody, ReplayLayer, RetryRules};
use mainstay::{CallError, Error, LiftLayer, Reason, Refused};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;
use tonic::{Code, Status};
use tower::ServiceBuilder;

use crate::finishes;
use crate::layers::{Layers, retry};
use crate::server::{HTTP2, Server};

/// Messages of bytes, so that nothing need be generated.
#[derive(Clone, Copy, Debug)]
struct Plain;

impl Codec for Plain {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let left = from.remaining();
        Ok(Some(from.copy_to_bytes(left)))
    }
}

/// Says with these codes, one after the other and the last for ever, how its calls end; in the head
/// or behind an answer that echoes the request.
async fn answers(codes: &'static [u16], in_head: bool) -> (Server, Channel) {
    let server = Server::answers(HTTP2, move |before, request| async move {
        let code = codes[before.min(codes.len() - 1)];
        let sent = request.into_body().collect().await.unwrap().to_bytes();
        let ends_in_head = in_head && code != 0;
        let answer = Response::builder().header("content-type", "application/grpc");
        let answer = if ends_in_head { answer.header("grpc-status", code) } else { answer };
        let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), code.into())]);
        let frames = [Frame::data(sent), Frame::trailers(trailers)].map(Ok::<_, Infallible>);
        let some = if ends_in_head { 0 } else { frames.len() };
        answer.body(StreamBody::new(stream::iter(frames.into_iter().take(some)))).unwrap()
    })
    .await;
    let channel = Channel::from_shared(server.url.clone()).unwrap().connect_lazy();
    (server, channel)
}

/// One call of a method.
async fn asks<S, B>(service: S) -> Result<Bytes, Status>
where
    S: tower::Service<Request<tonic::body::Body>, Response = Response<B>>,
    S::Error: Into<mainstay::BoxError>,
    B: http_body::Body<Error: Into<mainstay::BoxError>> + Send + 'static,
{
    let (mut client, path) = (Grpc::new(service), "/echo.Echo/Say".parse().unwrap());
    finishes(client.ready()).await.map_err(|error| Status::from_error(error.into()))?;
    let call = client.unary(tonic::Request::new(Bytes::from("well")), path, Plain);
    finishes(call).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn all_layers_in_their_order_work_around_a_channel() {
    let ((_server, channel), layers) = (answers(&[0], true).await, Layers::new());
    let service =
        layers.stack().layer(DeadlineHeaderLayer::grpc()).layer(LiftLayer::new()).service(channel);
    for _ in 0..2 {
        assert_eq!(asks(service.clone()).await.unwrap(), "well");
    }
    layers.assert_at_rest();
}

/// gRPC's calls are POSTs whose bodies are streams: a rule says that this method may be repeated,
/// and a layer keeps what was sent.
#[tokio::test]
async fn a_call_that_is_unavailable_is_sent_again() {
    let (_server, channel) = answers(&[14, 0], true).await;
    let rules = RetryRules::standard().idempotent(http::Method::POST);
    let service = ServiceBuilder::new()
        .layer(ReplayLayer::new())
        .layer(retry().protocol(Http::new().rules(rules)))
        .map_request(|request: Request<ReplayBody>| request.map(tonic::body::Body::new))
        .layer(LiftLayer::new())
        .service(channel);
    assert_eq!(asks(service).await.unwrap(), "well");
}

#[tokio::test]
async fn a_breaker_that_holds_bodies_learns_of_the_status_behind_them() {
    let (_server, channel) = answers(&[14], false).await;
    let settings = CircuitBreaker::new().consecutive_failures(Some(2));
    let guards = GuardLayer::new(BreakerGuard::new(settings).unwrap()).hold_bodies();
    let service =
        ServiceBuilder::new().layer(guards.clone()).layer(LiftLayer::new()).service(channel);
    for _ in 0..2 {
        assert_eq!(asks(service.clone()).await.unwrap_err().code(), Code::Unavailable);
    }
    assert_eq!(guards.guard().state(), BreakerState::Open);
}

/// The type of the error is lost in the status, and the refusal can still be found beneath it.
#[tokio::test]
async fn a_refusal_is_the_source_of_the_status() {
    let ((_server, channel), layers) = (answers(&[0], true).await, Layers::new());
    layers.breaker.handle().isolate();
    let service = layers.stack().layer(LiftLayer::new()).service(channel);
    let status = asks(service).await.unwrap_err();
    let beneath = std::error::Error::source(&status).unwrap();
    let error: &Error<tonic::transport::Error> = beneath.downcast_ref().unwrap();
    assert_eq!(error.refused().map(Refused::reason), Some(Reason::Open));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_of_the_channel_s() {
    let taken = tokio::net::TcpSocket::new_v4().unwrap();
    taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}/", taken.local_addr().unwrap());
    let channel = Channel::from_shared(url).unwrap().connect_lazy();
    let service = Layers::new().stack().layer(LiftLayer::new()).service(channel);
    assert_eq!(asks(service).await.unwrap_err().code(), Code::Unavailable);
}
