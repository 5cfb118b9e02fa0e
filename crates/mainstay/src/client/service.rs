//! Clients as services of tower's.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use ::http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::Client;
use super::error::ClientError;
use super::send::Sending;
use super::wishes::{Wishes, default_headers};
use crate::batch::{Readiness, Until};
use crate::guard::Now;
use crate::http::Key;

/// A [`Client`] as a service of tower's; made by [`Client::service`].
///
/// A path in the place of a URL stands beneath the client's base, and what it has by default holds
/// here too. What one call wants otherwise travels among the request's extensions, as
/// [`CallOptions`](crate::http::CallOptions) and [`WithReport`](crate::observe::WithReport). It knows
/// who would have to wait, so it can stand in [`Batch::through`](crate::batch::Batch::through);
/// [`Client::batch`] says the same of URLs.
///
/// ```
/// # use mainstay::client::{Client, ClientError};
/// use http::Request;
/// use tower::ServiceExt;
///
/// # async fn docs(client: Client) -> Result<(), Box<dyn std::error::Error>> {
/// let request = Request::get("https://api.example.com/users/1").body(reqwest::Body::default())?;
/// let answer = client.service().oneshot(request).await?;
/// assert!(answer.status().is_success());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ClientService {
    client: Client,
}

impl ClientService {
    pub(super) const fn new(client: Client) -> Self {
        Self { client }
    }

    /// The client.
    #[must_use]
    pub const fn get_ref(&self) -> &Client {
        &self.client
    }

    /// The client.
    #[must_use]
    pub fn into_inner(self) -> Client {
        self.client
    }
}

impl Service<Request<::reqwest::Body>> for ClientService {
    type Response = Response<::reqwest::Body>;
    type Error = ClientError;
    type Future = ClientFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ClientError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<::reqwest::Body>) -> ClientFuture {
        ClientFuture { sending: self.client.sends(request) }
    }
}

/// Its client's pipeline is asked.
impl<B: 'static> Readiness<Request<B>> for ClientService {
    fn key(&mut self, request: &Request<B>) -> Option<Key> {
        let pipeline = self.client.pipeline();
        self.client
            .with_host(request)
            .map_or_else(|| pipeline.key_of(request), |elsewhere| pipeline.key_of(&elsewhere))
    }

    fn waits_until(&mut self, request: &Request<B>, now: &Now) -> Option<Until> {
        let pipeline = self.client.pipeline();
        self.client.with_host(request).map_or_else(
            || pipeline.waits_until(request, now),
            |elsewhere| pipeline.waits_until(&elsewhere, now),
        )
    }
}

impl Client {
    /// The head of a request for a path beneath the base, whose host it does not say.
    fn with_host<B>(&self, request: &Request<B>) -> Option<Request<()>> {
        let base = self.shared.base.as_ref().filter(|_| request.uri().authority().is_none())?;
        let mut head = Request::new(());
        *head.method_mut() = request.method().clone();
        *head.uri_mut() = base.uri().clone();
        *head.headers_mut() = request.headers().clone();
        *head.extensions_mut() = request.extensions().clone();
        Some(head)
    }

    /// The call of a request that may name a path beneath the base.
    pub(super) fn sends(&self, request: Request<::reqwest::Body>) -> Sending {
        let (mut parts, body) = request.into_parts();
        let extensions = mem::take(&mut parts.extensions);
        // Its own builder takes user and password out of the URL, and says them in a field.
        let built = self.request(parts.method, parts.uri.to_string()).build().map(|mut request| {
            let authorization = mem::replace(request.headers_mut(), parts.headers);
            default_headers(request.headers_mut(), &authorization);
            *request.version_mut() = parts.version;
            *request.body_mut() = Some(body);
            request
        });
        let wishes = Wishes { extensions, ..Wishes::default() };
        Sending::new(self.clone(), built.map(|request| (request, wishes)))
    }
}

pin_project! {
    /// The response future of [`ClientService`].
    #[must_use = "futures do nothing unless polled"]
    pub struct ClientFuture {
        #[pin]
        sending: Sending,
    }
}

impl Future for ClientFuture {
    type Output = Result<Response<::reqwest::Body>, ClientError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().sending.poll(cx).map_ok(Into::into)
    }
}

impl fmt::Debug for ClientFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientFuture").finish_non_exhaustive()
    }
}

/// reqwest's client as a service of `http::Request`, for stacks of your own.
///
/// reqwest's own requests have no place for what is said to layers; these have: their extensions.
/// Its redirects and retries are as they were set; see
/// [`RetryRules::without_redirects`](crate::http::RetryRules::without_redirects).
///
/// ```
/// use http::Request;
/// use mainstay::client::ReqwestService;
/// use mainstay::http::CallOptions;
/// use mainstay::pipeline::Pipeline;
/// use std::time::Duration;
/// use tower::{Layer, ServiceExt};
///
/// # async fn docs(reqwest: reqwest::Client) -> Result<(), Box<dyn std::error::Error>> {
/// let service = Pipeline::standard().layer(ReqwestService::new(reqwest));
/// let mut request = Request::get("https://api.example.com/").body(reqwest::Body::default())?;
/// request.extensions_mut().insert(CallOptions::new().within(Duration::from_secs(2)));
/// let answer = service.oneshot(request).await?;
/// # let _ = answer;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ReqwestService {
    client: ::reqwest::Client,
}

impl ReqwestService {
    /// This client as a service.
    #[must_use]
    pub const fn new(client: ::reqwest::Client) -> Self {
        Self { client }
    }

    /// The client.
    #[must_use]
    pub fn into_inner(self) -> ::reqwest::Client {
        self.client
    }
}

impl Service<Request<::reqwest::Body>> for ReqwestService {
    type Response = ::reqwest::Response;
    type Error = ::reqwest::Error;
    type Future = ReqwestFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ::reqwest::Error>> {
        Service::poll_ready(&mut self.client, cx)
    }

    fn call(&mut self, request: Request<::reqwest::Body>) -> ReqwestFuture {
        ReqwestFuture(match ::reqwest::Request::try_from(request) {
            Ok(request) => Stage::Sent(self.client.call(request)),
            Err(error) => Stage::Invalid(Some(error)),
        })
    }
}

/// The response future of [`ReqwestService`].
#[must_use = "futures do nothing unless polled"]
pub struct ReqwestFuture(Stage);

enum Stage {
    Sent(<::reqwest::Client as Service<::reqwest::Request>>::Future),
    Invalid(Option<::reqwest::Error>),
}

#[expect(clippy::expect_used, reason = "a future that is polled after its end may panic")]
impl Future for ReqwestFuture {
    type Output = Result<::reqwest::Response, ::reqwest::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Stage::Sent(future) => Pin::new(future).poll(cx),
            Stage::Invalid(error) => {
                Poll::Ready(Err(error.take().expect("polled after it was ready")))
            }
        }
    }
}

impl fmt::Debug for ReqwestFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReqwestFuture").finish_non_exhaustive()
    }
}
