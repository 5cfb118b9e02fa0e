//! What lies beneath the pipelines: reqwest, with bodies read in the attempt, so that one that breaks
//! off is a failed attempt like any other.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Response;
use http_body_util::{BodyExt, Full};
use tower_service::Service;

use super::ask::Ask;
use super::failure::said;

/// A client of reqwest as a service whose requests can have options.
#[derive(Clone)]
pub(crate) struct Transport {
    client: reqwest::Client,
    longest: usize,
}

/// An answer whose body has more bytes than are read. It is no error: another attempt would be told
/// the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TooLarge;

type Sending = Pin<Box<dyn Future<Output = Result<Response<Full<Bytes>>, reqwest::Error>> + Send>>;

impl Transport {
    /// Bodies of more bytes than this are cut off.
    pub(crate) const fn new(client: reqwest::Client, longest: usize) -> Self {
        Self { client, longest }
    }
}

/// A client of reqwest that repeats nothing and follows nothing: what is sent is sent through the
/// pipelines, which count it.
pub(crate) fn client(
    change: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
) -> Result<reqwest::Client, String> {
    let builder = reqwest::Client::builder()
        .retry(reqwest::retry::never())
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(10))
        .user_agent(concat!("mainstay/", env!("CARGO_PKG_VERSION")));
    change(builder).build().map_err(|error| said(&error))
}

impl Service<Ask> for Transport {
    type Response = Response<Full<Bytes>>;
    type Error = reqwest::Error;
    type Future = Sending;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), reqwest::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, ask: Ask) -> Sending {
        let Self { client, longest } = self.clone();
        Box::pin(async move {
            let answer: Response<reqwest::Body> = client.execute(ask.request).await?.into();
            let (mut head, mut body) = answer.into_parts();
            let mut read = BytesMut::new();
            while let Some(frame) = body.frame().await {
                let Ok(data) = frame?.into_data() else { continue };
                if read.len() + data.len() > longest {
                    head.extensions.insert(TooLarge);
                    break;
                }
                read.extend_from_slice(&data);
            }
            Ok(Response::from_parts(head, Full::new(read.freeze())))
        })
    }
}
