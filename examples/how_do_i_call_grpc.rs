//! How do I call gRPC?
//!
//! `cargo run --example how_do_i_call_grpc`
#![expect(clippy::print_stdout, reason = "it is for reading")]

use std::convert::Infallible;
use std::error::Error as StdError;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use mainstay::deadline::DeadlineHeaderLayer;
use mainstay::http::grpc::Code;
use mainstay::http::{Key, ReplayBody, ReplayLayer, RetryRules, When};
use mainstay::pipeline::PipelineSpec;
use mainstay::{CallError, Error};
use tokio::net::TcpListener;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;
use tonic::{Status, transport};
use tower::ServiceBuilder;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn StdError>> {
    let url = serve().await?;

    // As gRPC's own retries do: UNAVAILABLE is worth another attempt, whatever the method.
    let rules = RetryRules::standard().grpc_code(Code::UNAVAILABLE, When::Always);
    let pipeline = PipelineSpec::standard()
        .rename("greeter")
        .deadline(Duration::from_secs(5))
        .attempt_timeout(Duration::from_secs(1))
        .rules(rules)
        .build_by(|_| Key::new("greeter"))?; // requests to a channel name no host

    let channel = Channel::from_shared(url)?.connect_lazy();
    let service = ServiceBuilder::new()
        .layer(ReplayLayer::new()) // keeps what is sent, so that it can be sent again
        .layer(pipeline.clone())
        .layer(DeadlineHeaderLayer::grpc()) // tells the server what is left
        .map_request(|request: Request<ReplayBody>| request.map(tonic::body::Body::new))
        .service(channel);
    let mut client = Grpc::new(service); // or one that was generated: `GreeterClient::new(service)`

    for path in ["/greeter.Greeter/Hello", "/greeter.Greeter/Nobody"] {
        client.ready().await?;
        let call = client.unary(tonic::Request::new(Bytes::from("Ana")), path.parse()?, Plain);
        match call.await {
            Ok(answer) => println!("{path}: {:?}", answer.into_inner()),
            Err(status) => println!("{path}: {:?}", status.code()),
        }
    }

    // A refusal is the source of the status that the client makes of it.
    for host in pipeline.hosts() {
        host.circuit_breaker().map(|breaker| breaker.isolate());
    }
    client.ready().await?;
    let path = "/greeter.Greeter/Hello".parse()?;
    let refused = client.unary(tonic::Request::new(Bytes::from("Ana")), path, Plain).await;
    let status: Status = refused.err().ok_or("the breaker is isolated")?;
    let error = status.source().and_then(|it| it.downcast_ref::<Error<transport::Error>>());
    println!("{}", error.and_then(|error| error.refused()).ok_or("no refusal")?);
    Ok(())
}

/// Greets by every second call; the others it cannot serve now. There is nobody at `Nobody`.
async fn serve() -> std::io::Result<String> {
    let calls = Arc::new(AtomicU32::new(0));
    let answer = move |request: Request<Incoming>| {
        let calls = Arc::clone(&calls);
        async move {
            let code = match request.uri().path() {
                "/greeter.Greeter/Nobody" => Code::NOT_FOUND,
                _ if calls.fetch_add(1, Ordering::Relaxed) % 2 == 0 => Code::UNAVAILABLE,
                _ => Code::OK,
            };
            println!("  asked, with {:?}: {code}", request.headers().get("grpc-timeout"));
            let ended = HeaderValue::from(u16::from(code.number()));
            let answer = Response::builder().header("content-type", "application/grpc");
            let (answer, message) = match code {
                Code::OK => (answer, request.into_body().collect().await?.to_bytes()),
                _ => (answer.header("grpc-status", ended.clone()), Bytes::new()),
            };
            let trailers = (code == Code::OK).then(|| {
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", ended);
                Ok::<_, Infallible>(trailers)
            });
            let body = Full::new(message).with_trailers(async { trailers });
            Ok::<_, Box<dyn StdError + Send + Sync>>(answer.body(body)?)
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let server = http2::Builder::new(TokioExecutor::new());
            tokio::spawn(server.serve_connection(TokioIo::new(stream), service_fn(answer.clone())));
        }
    });
    Ok(url)
}

/// Messages of plain bytes, so that nothing need be generated.
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

    fn encode(&mut self, message: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(message);
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
