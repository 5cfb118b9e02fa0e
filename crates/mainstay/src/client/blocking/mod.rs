//! The same client for code that is not asynchronous: each call blocks its thread.
//!
//! ```no_run
//! use mainstay::client::blocking::Client;
//! use std::collections::HashMap;
//!
//! let client = Client::builder().base_url("https://api.example.com/v1").build_blocking()?;
//! let user: HashMap<String, String> = client.get("/users/1").send()?.error_for_status()?.json()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Everything is as in [`client`](super), settings, verbs, errors and pipeline among it; the
//! response is that of `reqwest::blocking`.
//!
//! # What is shared
//!
//! Clones share what clones of the other share, and one thread more: it serves the connections and
//! the timers, and ends with the last clone and the last body.
//!
//! # What it is not for
//!
//! Asynchronous code: a call inside of a runtime's task panics, as it would hold up all others of
//! its thread. Inside of tokio's `spawn_blocking` it may stand.

mod download;
mod reader;
mod request;
mod thread;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ::http::{Method, Response};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::send::Sending;
use super::{BuildError, ClientBatch, ClientBuilder, ClientError};
use crate::http::reqwest::leave_url;
use crate::pipeline::Pipeline;
pub use download::Download;
pub use request::RequestBuilder;
use thread::Thread;

/// A client whose calls block their thread; the [module](self) has an example.
#[derive(Clone)]
pub struct Client {
    inner: super::Client,
    thread: Arc<Thread>,
}

impl Client {
    /// A client without a base and with the standard pipeline.
    ///
    /// # Errors
    ///
    /// Where reqwest cannot be set up, or no thread can be had.
    pub fn new() -> Result<Self, BuildError> {
        Self::builder().build_blocking()
    }

    /// To set one up; [`build_blocking`](ClientBuilder::build_blocking) makes it.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    pub(super) fn of(inner: super::Client) -> Result<Self, BuildError> {
        let thread = Thread::begin().map_err(BuildError::Thread)?;
        Ok(Self { inner, thread: Arc::new(thread) })
    }

    /// A `GET` of a URL, or of a path beneath the base.
    pub fn get(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::GET, url)
    }

    /// A `POST` to a URL, or to a path beneath the base; see [`super::Client::post`] for when it is
    /// sent again.
    pub fn post(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::POST, url)
    }

    /// A `PUT` to a URL, or to a path beneath the base.
    pub fn put(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::PUT, url)
    }

    /// A `PATCH` of a URL, or of a path beneath the base; it is sent again as a `POST` is.
    pub fn patch(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::PATCH, url)
    }

    /// A `DELETE` of a URL, or of a path beneath the base.
    pub fn delete(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::DELETE, url)
    }

    /// A `HEAD` of a URL, or of a path beneath the base.
    pub fn head(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::HEAD, url)
    }

    /// A request with another method.
    pub fn request(&self, method: Method, url: impl AsRef<str>) -> RequestBuilder {
        RequestBuilder::new(self.clone(), self.inner.request(method, url))
    }

    /// Sends a request that was built elsewhere.
    ///
    /// # Errors
    ///
    /// Where there is no answer.
    pub fn execute(
        &self,
        request: ::reqwest::Request,
    ) -> Result<::reqwest::blocking::Response, ClientError> {
        self.waits(self.inner.execute(request))
    }

    /// The pipeline before every call.
    #[must_use]
    pub fn pipeline(&self) -> &Pipeline {
        self.inner.pipeline()
    }

    /// Many calls, so many at a time; see [the other one](super::Client::batch). It runs while
    /// somebody [blocks on](Self::block_on) it.
    ///
    /// ```no_run
    /// # use mainstay::client::blocking::Client;
    /// let client = Client::new()?;
    /// let urls = ["https://a.example.com", "https://b.example.com"];
    /// let pages = client.block_on(client.batch().concurrency(50).all_or_nothing(urls))?;
    ///
    /// let mut results = client.batch().keep_inputs().as_completed(urls);
    /// while let Some(done) = client.block_on(results.next()) {
    ///     println!("{}: {:?}", done.id, done.result);
    /// }
    /// # let _ = pages;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn batch(&self) -> ClientBatch {
        self.inner.batch()
    }

    /// Blocks until this has ended, which runs here meanwhile, beside the connections of this client
    /// and with its timers: a batch, or whatever else is asynchronous.
    ///
    /// # Panics
    ///
    /// Inside of a runtime's task.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.thread.waits(future)
    }

    /// The client that this one blocks for, whose calls are awaited.
    #[must_use]
    pub const fn get_ref(&self) -> &super::Client {
        &self.inner
    }

    fn waits(&self, call: Sending) -> Result<::reqwest::blocking::Response, ClientError> {
        let response = self.thread.waits(call)?;
        let url = response.url().clone();
        let (mut parts, body) = Response::from(response).into_parts();
        leave_url(&mut parts.extensions, url);
        let body = Entered { body, thread: Arc::clone(&self.thread) };
        Ok(Response::from_parts(parts, ::reqwest::Body::wrap(body)).into())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// A body that is read on any thread, and goes by the timers of ours.
struct Entered {
    body: ::reqwest::Body,
    thread: Arc<Thread>,
}

impl Body for Entered {
    type Data = Bytes;
    type Error = ::reqwest::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ::reqwest::Error>>> {
        let Self { body, thread } = &mut *self;
        let _entered = thread.enters();
        Pin::new(body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
