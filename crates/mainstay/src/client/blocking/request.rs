//! A request, as it is put together and sent.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderMap, HeaderName, HeaderValue, Version};
use serde::Serialize;

use super::Client;
use super::download::Download;
use super::reader::Reader;
use crate::client::ClientError;
use crate::client::request::{RequestBuilder as Inner, verbs};
use crate::http::{IdempotencyKeys, Key, RetryRules};
use crate::pipeline::Pipeline;

/// A request that is put together, and then sent; see [the other one](crate::client::RequestBuilder).
#[derive(Debug)]
#[must_use = "nothing is sent until `send` is called"]
pub struct RequestBuilder {
    client: Client,
    inner: Inner,
}

impl RequestBuilder {
    pub(super) const fn new(client: Client, inner: Inner) -> Self {
        Self { client, inner }
    }

    fn with(self, change: impl FnOnce(Inner) -> Inner) -> Self {
        Self { inner: change(self.inner), ..self }
    }

    fn field(self, field: Result<(HeaderName, HeaderValue), ::http::Error>) -> Self {
        self.with(|request| request.field(field))
    }

    fn writes(
        self,
        change: impl FnOnce(::reqwest::RequestBuilder) -> ::reqwest::RequestBuilder,
    ) -> Self {
        self.with(|request| request.writes(change))
    }

    verbs!();

    /// A body that is read as it is sent, on a thread for that. It is a stream, and sent once.
    pub fn body_from(self, reader: impl Read + Send + 'static) -> Self {
        self.body(::reqwest::Body::wrap(Reader::new(reader, None)))
    }

    /// The same of so many bytes; where there are fewer, it fails.
    pub fn body_from_sized(self, reader: impl Read + Send + 'static, bytes: u64) -> Self {
        self.body(::reqwest::Body::wrap(Reader::new(reader, Some(bytes))))
    }

    /// The call with its body must end in so long, all attempts and waits included.
    pub fn timeout(self, time: Duration) -> Self {
        self.with(|request| request.timeout(time))
    }

    /// The body fails when it says nothing for so long while it is read.
    pub fn read_timeout(self, silence: Duration) -> Self {
        self.with(|request| request.read_timeout(silence))
    }

    /// Follows so many redirects.
    pub fn redirects(self, most: u32) -> Self {
        self.with(|request| request.redirects(most))
    }

    /// Goes through this pipeline in place of the client's.
    pub fn pipeline(self, pipeline: &Pipeline) -> Self {
        self.with(|request| request.pipeline(pipeline))
    }

    /// Other rules for whether it may be sent again.
    pub fn rules(self, rules: impl Into<Arc<RetryRules>>) -> Self {
        self.with(|request| request.rules(rules))
    }

    /// What it costs where calls are counted.
    pub fn cost(self, cost: u32) -> Self {
        self.with(|request| request.cost(cost))
    }

    /// Whose state it shares in the pipeline, in place of its host's.
    pub fn key(self, key: Key) -> Self {
        self.with(|request| request.key(key))
    }

    /// By this the server knows it if it comes again, so that it may be sent again.
    pub fn idempotency_key(self, key: impl AsRef<str>) -> Self {
        self.with(|request| request.idempotency_key(key))
    }

    /// The same with a key that no other call has.
    pub fn unique_key(self, keys: &IdempotencyKeys) -> Self {
        self.with(|request| request.unique_key(keys))
    }

    /// An answer whose status is 400 or more is an error.
    pub fn error_for_status(self) -> Self {
        self.with(Inner::error_for_status)
    }

    /// A report of the call is made.
    pub fn report(self) -> Self {
        self.with(Inner::report)
    }

    /// Leaves something for layers and services of your own, among the request's extensions.
    pub fn extension<T: Clone + Send + Sync + 'static>(self, value: T) -> Self {
        self.with(|request| request.extension(value))
    }

    /// The request as reqwest has it, to look at.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn build(self) -> Result<::reqwest::Request, ClientError> {
        self.inner.build()
    }

    /// Sends it, and blocks until the head of the answer is there.
    ///
    /// # Errors
    ///
    /// Where there is no answer. An answer that says that it went wrong is an answer.
    pub fn send(self) -> Result<::reqwest::blocking::Response, ClientError> {
        self.client.waits(self.inner.send())
    }

    /// Writes the body to a file or a writer as it comes, and goes on where it is cut off.
    pub fn download(self) -> Download {
        Download::new(self.client, self.inner.download())
    }
}
