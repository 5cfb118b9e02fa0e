//! Setting a client up.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ::http::header::USER_AGENT;
use ::http::{HeaderMap, HeaderName, HeaderValue, Request};
use ::reqwest::{redirect, retry};
use tower_layer::Layer;
use tower_service::Service;

use super::base::Base;
use super::error::{BuildError, without_secrets};
use super::leads::SECRETS;
use super::redirect::Follow;
use super::service::ReqwestService;
use super::transport::{Transport, TransportAnswer};
use super::wishes::Defaults;
use super::{Client, Shared};
use crate::BoxError;
use crate::observe::{CallReport, ObserveLayer};
use crate::pipeline::Pipeline;

/// Sets a [`Client`] up; complete at every step.
///
/// | setting | unless set | why |
/// |---|---|---|
/// | base URL | none | |
/// | pipeline | [`Pipeline::standard`] | what most calls of most services want |
/// | redirects followed | none | one that is followed unseen may take a `POST` for a `GET`, and a secret elsewhere |
/// | timeout with the body | none | the pipeline's deadline bounds the head, and nobody knows how large a body is |
/// | read timeout | none | costs a timer for each body that is waited for |
/// | write timeout | none | likewise |
/// | everything else | as reqwest has it | |
#[must_use]
pub struct ClientBuilder {
    reqwest: ::reqwest::ClientBuilder,
    transport: Option<Transport>,
    base: Option<String>,
    headers: Result<HeaderMap, ::http::Error>,
    pipeline: Option<Pipeline>,
    observe: ObserveLayer,
    defaults: Defaults,
}

impl ClientBuilder {
    /// The same as [`Client::builder`].
    pub fn new() -> Self {
        Self {
            reqwest: ::reqwest::Client::builder(),
            transport: None,
            base: None,
            headers: Ok(HeaderMap::new()),
            pipeline: None,
            observe: ObserveLayer::new(),
            defaults: Defaults::default(),
        }
    }

    /// The URL beneath which the paths of requests stand: with `https://api.example.com/v1`,
    /// `/users` and `users` are both `https://api.example.com/v1/users`, and `../v2` is an error of
    /// the call. A whole URL goes where it says.
    pub fn base_url(mut self, url: impl AsRef<str>) -> Self {
        self.base = Some(url.as_ref().to_owned());
        self
    }

    /// A field of every request that does not have it itself, also of those to another host than
    /// the base's: a client with a secret is for one API.
    pub fn default_header<K, V>(mut self, name: K, value: V) -> Self
    where
        HeaderName: TryFrom<K, Error: Into<::http::Error>>,
        HeaderValue: TryFrom<V, Error: Into<::http::Error>>,
    {
        self.headers = self.headers.and_then(|mut headers| {
            let name = HeaderName::try_from(name).map_err(Into::into)?;
            let mut value = HeaderValue::try_from(value).map_err(Into::into)?;
            if SECRETS.contains(&name) {
                value.set_sensitive(true);
            }
            headers.insert(name, value);
            Ok(headers)
        });
        self
    }

    /// Fields of every request that does not have them itself.
    pub fn default_headers(mut self, mut fields: HeaderMap) -> Self {
        for (name, value) in &mut fields {
            if SECRETS.contains(name) {
                value.set_sensitive(true);
            }
        }
        if let Ok(headers) = &mut self.headers {
            headers.extend(fields);
        }
        self
    }

    /// What every request calls its sender, unless it says so itself.
    pub fn user_agent<V>(self, value: V) -> Self
    where
        HeaderValue: TryFrom<V, Error: Into<::http::Error>>,
    {
        self.default_header(USER_AGENT, value)
    }

    /// Before every call stands this pipeline.
    ///
    /// Its rules need not say [`without_redirects`](crate::http::RetryRules::without_redirects):
    /// that is known.
    pub fn pipeline(mut self, pipeline: Pipeline) -> Self {
        self.pipeline = Some(pipeline);
        self
    }

    /// Follows so many redirects of a call; one more is an error. Unless set, the answer that leads
    /// elsewhere is the answer.
    ///
    /// Each is a call of its own through the pipeline, to the host that it leads to; they have one
    /// deadline together. As everywhere,
    /// a `POST` becomes a `GET` after 301 and 302, and whatever is no `HEAD` after 303; after 307
    /// and 308 the body is sent again, if it is in memory, else the answer is the answer.
    /// `Authorization`, `Cookie` and `Proxy-Authorization` stay with the host that they were meant
    /// for; what a service that requests are sent [over](Self::over) adds itself, it adds to each.
    pub const fn redirects(mut self, most: u32) -> Self {
        self.defaults.redirects = most;
        self
    }

    /// Each call with its body ends in so long, unless it says otherwise itself.
    pub const fn timeout(mut self, time: Duration) -> Self {
        self.defaults.timeout = Some(time);
        self
    }

    /// A body fails when it says nothing for so long while it is read.
    pub const fn read_timeout(mut self, silence: Duration) -> Self {
        self.defaults.read_timeout = Some(silence);
        self
    }

    /// An attempt fails when the server does not take a piece of its body for so long, at the latest
    /// after twice as long. Only for bodies that are streams: one in memory is handed to the
    /// connection at once, and from there on it is the attempt's timeout that counts, or on Linux
    /// reqwest's `tcp_user_timeout`.
    pub const fn write_timeout(mut self, silence: Duration) -> Self {
        self.defaults.write_timeout = Some(silence);
        self
    }

    /// A connection must be made in so long.
    pub fn connect_timeout(self, time: Duration) -> Self {
        self.reqwest(|reqwest| reqwest.connect_timeout(time))
    }

    /// A connection that nobody uses is closed after so long; reqwest says 90 s.
    pub fn pool_idle_timeout(self, time: impl Into<Option<Duration>>) -> Self {
        self.reqwest(|reqwest| reqwest.pool_idle_timeout(time))
    }

    /// So many connections to a host are kept that nobody uses. How many there are at a time is
    /// said by the pipeline's [`concurrency`](crate::pipeline::HostSpec::concurrency).
    pub fn pool_max_idle_per_host(self, connections: usize) -> Self {
        self.reqwest(|reqwest| reqwest.pool_max_idle_per_host(connections))
    }

    /// HTTP/2 from the first byte, also without TLS. With TLS it is agreed on anyway.
    pub fn http2_prior_knowledge(self) -> Self {
        self.reqwest(::reqwest::ClientBuilder::http2_prior_knowledge)
    }

    /// An answer whose status is 400 or more is an error of every call.
    pub const fn error_for_status(mut self, is_error: bool) -> Self {
        self.defaults.is_status_an_error = is_error;
        self
    }

    /// A name for the calls, in spans, reports and metrics.
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.observe = self.observe.named(name);
        self
    }

    /// Whether a report is made of every call; see [`Reported`](super::Reported).
    pub fn report(mut self, is_wanted: bool) -> Self {
        self.observe = self.observe.report(is_wanted);
        self
    }

    /// Makes a report of every call and gives it to this, however the call ends. It must be quick,
    /// and must not panic.
    pub fn on_report(mut self, run: impl Fn(&CallReport) + Send + Sync + 'static) -> Self {
        self.observe = self.observe.on_report(run);
        self
    }

    /// Everything else that reqwest can be told: proxies, TLS, cookies, DNS, HTTP/2. Its redirects
    /// and retries stay off, whatever is said here, and its timeout and default header fields stand
    /// beneath the pipeline, for each attempt. `Authorization`, `Cookie` and `Proxy-Authorization`
    /// are refused among those: they would go wherever a redirect leads, and
    /// [`default_header`](Self::default_header) keeps them to their host.
    pub fn reqwest(
        mut self,
        change: impl FnOnce(::reqwest::ClientBuilder) -> ::reqwest::ClientBuilder,
    ) -> Self {
        self.reqwest = change(self.reqwest);
        self
    }

    /// Sends the requests by this service instead: hyper-util's client, a stack of layers, a mock.
    ///
    /// What is set up here of connections and of reqwest is then of no use. A client of
    /// hyper-util's repeats by itself what it could not write; `retry_canceled_requests(false)`
    /// leaves that to the pipeline.
    ///
    /// ```
    /// use http::{Request, Response};
    /// use mainstay::client::Client;
    /// use std::convert::Infallible;
    /// use tower::service_fn;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
    /// let server = service_fn(|request: Request<reqwest::Body>| async move {
    ///     Ok::<_, Infallible>(Response::new(format!("you asked for {}", request.uri().path())))
    /// });
    /// let client = Client::builder().base_url("http://mock").over(server).build()?;
    /// assert_eq!(client.get("/users/1").send().await?.text().await?, "you asked for /users/1");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn over<S>(mut self, service: S) -> Self
    where
        S: Service<Request<::reqwest::Body>> + Clone + Send + Sync + 'static,
        S::Response: TransportAnswer,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
    {
        self.transport = Some(Transport::other(service));
        self
    }

    /// Sends the requests by this client of reqwest's, which was set up elsewhere. Its redirects and
    /// retries are as they were set up, so what may be sent again is read with more care: see
    /// [`RetryRules::without_redirects`](crate::http::RetryRules::without_redirects).
    pub fn over_reqwest(self, client: ::reqwest::Client) -> Self {
        self.over(ReqwestService::new(client))
    }

    /// The client.
    ///
    /// # Errors
    ///
    /// Where the base URL, a default header field or what was said to reqwest cannot be used, a
    /// secret among reqwest's own default fields included.
    pub fn build(self) -> Result<Client, BuildError> {
        let base = self.base.as_deref().map(Base::new).transpose()?;
        let headers = self.headers.map_err(BuildError::Header)?;
        // Zero, and it does not even keep a copy of each request.
        let never = retry::never().max_retries_per_request(0);
        let reqwest = self.reqwest.redirect(redirect::Policy::none()).retry(never);
        if let Some(secret) = secret_within(&reqwest) {
            return Err(BuildError::Secret(secret));
        }
        let reqwest = reqwest.build().map_err(BuildError::Reqwest)?;
        let transport = self.transport.unwrap_or_else(|| Transport::Reqwest(reqwest.clone()));
        let pipeline = self.pipeline.unwrap_or_else(Pipeline::standard);
        let stack = self.observe.layer(Follow::new(pipeline.layer(transport)));
        let (observe, defaults) = (self.observe, self.defaults);
        let warm = OnceLock::new();
        let shared = Shared { reqwest, stack, warm, observe, pipeline, base, headers, defaults };
        Ok(Client { shared: Arc::new(shared) })
    }

    /// The client whose calls block.
    ///
    /// # Errors
    ///
    /// Those of [`build`](Self::build), or that no thread can be had.
    #[cfg(feature = "blocking")]
    #[cfg_attr(docsrs, doc(cfg(feature = "blocking")))]
    pub fn build_blocking(self) -> Result<super::blocking::Client, BuildError> {
        super::blocking::Client::of(self.build()?)
    }
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self::new()
    }
}

/// The first secret among reqwest's default fields. It tells what they are in no other way, and
/// there each name stands in quotes, which no value can imitate.
fn secret_within(reqwest: &::reqwest::ClientBuilder) -> Option<HeaderName> {
    let shown = format!("{reqwest:?}");
    let (_, fields) = shown.split_once("default_headers: ")?;
    SECRETS.into_iter().find(|secret| fields.contains(&format!("{:?}: ", secret.as_str())))
}

/// Its header fields may be secret.
impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("base", &self.base.as_deref().map(without_secrets))
            .field("defaults", &self.defaults)
            .finish_non_exhaustive()
    }
}
