//! A client for HTTP APIs: reqwest's verbs and answers, with a pipeline before every call.
//!
//! ```
//! use mainstay::client::Client;
//! use std::collections::HashMap;
//! use std::time::Duration;
//!
//! # async fn docs() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::builder()
//!     .base_url("https://api.example.com/v1")
//!     .default_header("accept", "application/json")
//!     .build()?;
//!
//! let user: HashMap<String, String> = client
//!     .get("/users/1")
//!     .query(&[("fields", "name")])
//!     .timeout(Duration::from_secs(10))
//!     .send()
//!     .await?
//!     .error_for_status()?
//!     .json()
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! Without another one, calls go through [`Pipeline::standard`]: retry with a budget, a breaker, a
//! cool-down and 64 slots for each host, a deadline.
//!
//! Many of them at a time are a [batch](Client::batch):
//!
//! ```
//! # async fn docs(client: mainstay::client::Client) -> Result<(), Box<dyn std::error::Error>> {
//! let paths = (1..=1_000).map(|id| format!("/users/{id}"));
//! let users = client.batch().concurrency(50).error_for_status().all_or_nothing(paths).await?;
//! # let _ = users;
//! # Ok(())
//! # }
//! ```
//!
//! # What it is made of
//!
//! [`reqwest`](https://docs.rs/reqwest) sends the requests and gives the answers; whatever its
//! builders can, these can, by the same names. The application picks its TLS: with
//! `reqwest = { version = "0.13", default-features = false, features = ["rustls"] }` beside this
//! crate, or any other of its features: without `charset` texts are UTF-8, without `cookies` and
//! `gzip` none are kept and nothing is unpacked. Or something else sends them: see
//! [`over`](ClientBuilder::over).
//!
//! # Nothing is repeated in secret
//!
//! reqwest repeats some requests by itself, and follows redirects inside of an attempt; both are
//! switched off here. What is sent again is what the pipeline sends again, and a redirect is a call
//! of its own, of which [`redirects`](ClientBuilder::redirects) says how many are followed: none,
//! unless it is set. One thing remains: where a connection that was kept was closed before a request
//! was written to it, hyper takes another one. Of that no server sees anything, and reqwest has no
//! switch for it.
//!
//! # Timeouts
//!
//! | of what | set by |
//! |---|---|
//! | the head of the answer, all attempts, waits and redirects together | [`deadline`](crate::pipeline::PipelineSpec::deadline) of the pipeline; 30 s in the standard one |
//! | the call with its body | [`timeout`](RequestBuilder::timeout), of a call or a client |
//! | the head of one attempt's answer | [`attempt_timeout`](crate::pipeline::PipelineSpec::attempt_timeout); 8 s |
//! | connect | [`connect_timeout`](ClientBuilder::connect_timeout); that of the attempt, unless set |
//! | read: each piece of a body | [`read_timeout`](ClientBuilder::read_timeout) |
//! | write: each piece of a streaming body | [`write_timeout`](ClientBuilder::write_timeout) |
//! | pool | nobody waits for a connection: reqwest makes one. What is waited for is a slot, as long as [`max_wait`](crate::concurrency::Concurrency::max_wait) says; 10 s |
//!
//! The head of an answer comes after the body of its request, so the deadline and the attempt's
//! timeout bound uploads too, however well they move on. Where they take longer than that, give them
//! a [pipeline](RequestBuilder::pipeline) with longer ones, and a write timeout to notice a server
//! that takes nothing any more.
//!
//! # What is shared
//!
//! Everything: clones of a client have the same connections, and know the same of each host. So one
//! is made and cloned. Clients that are given the same [`Pipeline`] share what is known of hosts.
//!
//! # What ends a call
//!
//! The head of its answer. The body is read from reqwest's own
//! [`Response`](https://docs.rs/reqwest/latest/reqwest/struct.Response.html); where it breaks off,
//! that is an error of the reader's, and nothing is sent again.
//!
//! # What it is not for
//!
//! Responses that an error must not be made of by `?` alone: an answer with status 500 is an answer,
//! unless [`error_for_status`](RequestBuilder::error_for_status) says otherwise.

mod answer;
mod base;
mod batch;
#[cfg(feature = "blocking")]
#[cfg_attr(docsrs, doc(cfg(feature = "blocking")))]
pub mod blocking;
mod body;
mod builder;
pub mod download;
mod error;
mod leads;
mod outgoing;
mod redirect;
mod report;
mod request;
mod send;
mod sent;
mod service;
mod transport;
mod upload;
mod wishes;

use std::fmt;
use std::sync::{Arc, OnceLock};

use ::http::{HeaderMap, Method};

use crate::BoxError;
use crate::observe::{Observe, ObserveLayer};
use crate::pipeline::{Pipeline, PipelineService};
use base::{Base, target};
use redirect::Follow;
use transport::Transport;
use wishes::{Defaults, Wishes};

pub use batch::{Asks, ClientBatch, IntoCall, OfClient, OfClientFuture};
pub use builder::ClientBuilder;
pub use download::{Download, DownloadError, Downloaded};
#[doc(hidden)]
pub use error::RedirectError;
pub use error::{BuildError, ClientError};
pub(crate) use error::{follows_none, is_of_redirects};
#[doc(hidden)]
pub use leads::Leads;
pub use report::Reported;
pub use request::RequestBuilder;
pub use send::Sending;
pub use service::{ClientFuture, ClientService, ReqwestFuture, ReqwestService};
pub use transport::TransportAnswer;

/// A client: connections, a pipeline, and what all requests have in common.
///
/// The [module](self) has an example, and says what clones share.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    /// What requests are put together with, and sent by unless there is another transport.
    reqwest: ::reqwest::Client,
    stack: Stack,
    /// The same, once a call has been made.
    warm: OnceLock<Stack>,
    observe: ObserveLayer,
    pipeline: Pipeline,
    base: Option<Base>,
    headers: HeaderMap,
    defaults: Defaults,
}

/// What a call passes.
type Stack = Observe<Follow<PipelineService<Transport>>>;

impl Client {
    /// A client without a base and with the standard pipeline.
    ///
    /// # Errors
    ///
    /// Where reqwest cannot be set up, as without the certificates that its TLS asks for.
    pub fn new() -> Result<Self, BuildError> {
        Self::builder().build()
    }

    /// To set one up.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    /// A `GET` of a URL, or of a path beneath the base.
    pub fn get(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::GET, url)
    }

    /// A `POST` to a URL, or to a path beneath the base.
    ///
    /// Unless it has a [key](RequestBuilder::idempotency_key), it is sent again only where it is
    /// known that nothing was done: there was no connection, or the server said so.
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
    ///
    /// Whatever is wrong with the URL is told when it is sent.
    pub fn request(&self, method: Method, url: impl AsRef<str>) -> RequestBuilder {
        let target = self.target(url.as_ref()).map_err(ClientError::invalid);
        let request = target.map(|url| self.shared.reqwest.request(method, url));
        RequestBuilder::new(self.clone(), request)
    }

    /// Sends a request that was built elsewhere. Its timeout is that of the call with its body, as
    /// it is where reqwest sends it, and not that of each attempt.
    pub fn execute(&self, mut request: ::reqwest::Request) -> Sending {
        let wishes = Wishes { timeout: request.timeout_mut().take(), ..Wishes::default() };
        Sending::new(self.clone(), Ok((request, wishes)))
    }

    /// The client as a service of tower's, over `http::Request`: for layers of your own, and for
    /// whatever takes services.
    #[must_use]
    pub fn service(&self) -> ClientService {
        ClientService::new(self.clone())
    }

    /// The pipeline before every call: to look at its hosts, to reload it, to close it.
    #[must_use]
    pub fn pipeline(&self) -> &Pipeline {
        &self.shared.pipeline
    }

    fn target(&self, given: &str) -> Result<::reqwest::Url, BoxError> {
        target(self.shared.base.as_ref(), given)
    }
}

/// Its header fields may be secret.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { stack, pipeline, base, headers, defaults, .. } = &*self.shared;
        f.debug_struct("Client")
            .field("base", base)
            .field("headers", &headers.keys().collect::<Vec<_>>())
            .field("defaults", defaults)
            .field("pipeline", &pipeline.name())
            .field("transport", stack.get_ref().get_ref().get_ref())
            .finish_non_exhaustive()
    }
}
