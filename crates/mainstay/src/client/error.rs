//! Why a call came to nothing, or a client could not be built.

mod transport;
mod words;

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use ::http::{HeaderName, Method, StatusCode};
use ::reqwest::Url;

use crate::error::{BoxError, CallError, Error, Refused, beneath};
use crate::http::{Cause, Failure, Hints};
use crate::observe::CallReport;
pub use transport::RedirectError;
pub(super) use transport::TransportError;
pub(crate) use transport::{follows_none, is_of_redirects};
pub(super) use words::without_secrets;

/// A call of a [`Client`](super::Client) that came to nothing.
///
/// What it prints says what was asked, what went wrong, after how many attempts, and, where there
/// is something, what can be done. What lies beneath are its sources; neither they nor it say a
/// password, or what stands in a query. What a service says that requests are sent
/// [over](super::ClientBuilder::over) is its own, unless it is reqwest's.
///
/// ```
/// # use mainstay::client::{Client, ClientError};
/// # use mainstay::http::Cause;
/// async fn user(client: &Client, id: u32) -> Result<Option<String>, ClientError> {
///     match client.get(format!("/users/{id}")).error_for_status().send().await {
///         Ok(response) => Ok(Some(response.text().await?)),
///         Err(error) if error.status().is_some_and(|status| status == 404) => Ok(None),
///         Err(error) => {
///             if let Some(wait) = error.refused().and_then(|refused| refused.retry_in()) {
///                 eprintln!("not before {wait:?} from now");
///             }
///             assert_ne!(error.cause(), Cause::Invalid, "it can be sent, at any rate");
///             Err(error)
///         }
///     }
/// }
/// ```
pub struct ClientError {
    inner: Box<Inner>,
}

struct Inner {
    cause: Cause,
    method: Option<Method>,
    url: Option<Url>,
    /// To ask twice is not as good as to ask once.
    is_once: bool,
    /// Whether the time was over that the call itself, or its client, gave it.
    is_over: bool,
    sent: u32,
    source: Option<BoxError>,
    response: Option<::reqwest::Response>,
    report: Option<CallReport>,
}

/// What was asked.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) is_once: bool,
}

impl ClientError {
    fn of(cause: Cause, source: Option<BoxError>) -> Self {
        let inner = Inner {
            cause,
            method: None,
            url: None,
            is_once: false,
            is_over: false,
            sent: 0,
            source,
            response: None,
            report: None,
        };
        Self { inner: Box::new(inner) }
    }

    /// A request that cannot be sent.
    pub(super) fn invalid(why: BoxError) -> Self {
        Self::of(Cause::Invalid, Some(why))
    }

    /// The end of a call that has no answer, and whether its own time was over.
    pub(super) fn failed(error: Error<TransportError>, is_over: bool) -> Self {
        let cause = Failure::of(&error).cause();
        let mut failed = Self::of(cause, Some(error.shown()));
        failed.inner.is_over = is_over;
        failed
    }

    /// An answer that says it went wrong.
    pub(super) fn answered(response: ::reqwest::Response) -> Self {
        let mut error = Self::of(Cause::Status(response.status()), None);
        error.inner.response = Some(response);
        error
    }

    /// A body that was cut off, by an error of its own or by a time that was over.
    pub(super) fn of_body(error: Error<::reqwest::Error>, url: &Url) -> Self {
        let cause = Failure::of(&error).cause();
        let source: BoxError = match error {
            Error::Refused(refused) => refused.into(),
            Error::Inner(error) => error.without_url().into(),
        };
        let mut of = Self::of(cause, Some(source));
        of.inner.url = Some(url.clone());
        of
    }

    /// A body that was cut off in good order.
    pub(super) fn cut_off(why: BoxError, url: &Url) -> Self {
        let mut of = Self::of(Cause::Broken, Some(why));
        of.inner.url = Some(url.clone());
        of
    }

    /// The same, once more is known of the call.
    pub(super) fn of_call(mut self, asked: Asked, sent: u32, report: Option<CallReport>) -> Self {
        self.inner.method = Some(asked.method);
        self.inner.url = Some(asked.url);
        self.inner.is_once = asked.is_once;
        self.inner.sent = sent;
        self.inner.report = report;
        self
    }

    /// What went wrong.
    #[must_use]
    pub fn cause(&self) -> Cause {
        self.inner.cause
    }

    /// The method of the request, if there was one.
    #[must_use]
    pub fn method(&self) -> Option<&Method> {
        self.inner.method.as_ref()
    }

    /// Where it went first, if that is known; with the query, and whatever is secret in it.
    #[must_use]
    pub fn url(&self) -> Option<&Url> {
        self.inner.url.as_ref()
    }

    /// How many requests were sent, redirects among them.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.inner.sent
    }

    /// The status of an answer that says it went wrong, where that was asked to be
    /// [an error](super::RequestBuilder::error_for_status).
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match self.inner.cause {
            Cause::Status(status) => Some(status),
            _ => None,
        }
    }

    /// That answer, to read what it says.
    #[must_use]
    pub fn into_response(self) -> Option<::reqwest::Response> {
        self.inner.response
    }

    /// The same, to be read.
    pub(super) const fn take_response(&mut self) -> Option<::reqwest::Response> {
        self.inner.response.take()
    }

    /// What was read of it.
    pub(super) fn keep_response(&mut self, response: ::reqwest::Response) {
        self.inner.response = Some(response);
    }

    /// The refusal, if a layer of ours refused it or gave it up.
    #[must_use]
    pub fn refused(&self) -> Option<&Refused> {
        let source: &(dyn StdError + 'static) = self.inner.source.as_deref()?;
        beneath::chain(source).find_map(|error| error.downcast_ref())
    }

    /// For how long it is not to be asked for again, by a refusal of ours or by the answer.
    pub(super) fn asked(&self) -> Option<Duration> {
        let refusal = self.refused().and_then(Refused::retry_in);
        let response = self.inner.response.as_ref();
        refusal.or_else(|| Hints::read(response?.headers()).wait())
    }

    /// What happened to the call, if [a report](super::RequestBuilder::report) was asked for.
    #[must_use]
    pub fn report(&self) -> Option<&CallReport> {
        self.inner.report.as_ref()
    }

    /// Whether its time was over: that of the call or of its last attempt.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.cause() == Cause::TimedOut
    }

    /// Whether there was no connection.
    #[must_use]
    pub fn is_connect(&self) -> bool {
        self.cause() == Cause::Connect
    }
}

impl CallError for ClientError {
    fn refused(&self) -> Option<&Refused> {
        self.refused()
    }

    fn as_error(&self) -> &(dyn StdError + 'static) {
        self
    }
}

impl From<Refused> for ClientError {
    fn from(refused: Refused) -> Self {
        Self::of(Failure::of(&refused).cause(), Some(refused.into()))
    }
}

/// What comes out of the body of a response.
impl From<::reqwest::Error> for ClientError {
    fn from(error: ::reqwest::Error) -> Self {
        let cause = Failure::of(&error).cause();
        let url = error.url().cloned();
        let mut of = Self::of(cause, Some(error.without_url().into()));
        of.inner.url = url;
        of
    }
}

impl StdError for ClientError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&**self.inner.source.as_ref()?)
    }
}

impl fmt::Debug for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientError")
            .field("cause", &self.inner.cause)
            .field("method", &self.inner.method)
            .field("url", &self.inner.url.as_ref().map(words::Shown))
            .field("attempts", &self.inner.sent)
            .field("source", &self.inner.source)
            .finish_non_exhaustive()
    }
}

/// A client that cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The base is no URL that paths could stand beneath.
    #[error("the base URL {given:?} cannot be used")]
    BaseUrl {
        /// What was given, without user, password and query.
        given: String,
        /// What is wrong with it.
        #[source]
        why: BoxError,
    },
    /// A default header field has a name or a value that none may have.
    #[error("a default header field cannot be sent")]
    Header(#[source] ::http::Error),
    /// A secret is among the default fields of reqwest's own builder, which sends them to whichever
    /// host a redirect leads to.
    #[error(
        "`{0}` among reqwest's own default fields would go wherever a redirect leads; \
             `default_header` of this builder keeps it to its host"
    )]
    Secret(HeaderName),
    /// A [blocking](super::blocking) client has no thread to serve its connections.
    #[cfg(feature = "blocking")]
    #[error("there is no thread to be had")]
    Thread(#[source] std::io::Error),
    /// reqwest cannot be set up so: mostly its TLS.
    #[error("reqwest cannot be set up")]
    Reqwest(#[source] ::reqwest::Error),
}
