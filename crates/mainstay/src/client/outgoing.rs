//! A request on its way through the layers.

use std::time::Duration;

use ::http::{Extensions, HeaderMap, Method};

use super::answer::Answer;
use super::error::TransportError;
use crate::deadline::Deadline;
use crate::error::Error;
use crate::http::{Copies, Origin, RequestView};

/// A request of reqwest's, and what its sender left for the layers.
///
/// It stays reqwest's own from its builder to its client: to make it an `http::Request` and back
/// would read its URL twice for every attempt. What it has no place for stands beside it.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) request: ::reqwest::Request,
    pub(super) extensions: Extensions,
    /// How long the server may take for each piece of a body that is a stream.
    pub(super) write_timeout: Option<Duration>,
    /// When the pipeline's deadline for the first is over, where redirects may be followed.
    pub(super) head_by: Option<Deadline>,
    /// How many redirects may be followed from here.
    pub(super) redirects: u32,
    /// How many were followed to get here.
    pub(super) followed: u32,
}

/// How an attempt ends.
pub(super) type End = Result<Answer, TransportError>;

/// How a call ends.
pub(super) type Ended = Result<Answer, Error<TransportError>>;

impl Outgoing {
    pub(super) fn new(request: ::reqwest::Request) -> Self {
        let extensions = Extensions::new();
        let (write_timeout, head_by) = (None, None);
        Self { request, extensions, write_timeout, head_by, redirects: 0, followed: 0 }
    }

    /// The same request with nothing behind its head.
    pub(super) fn without_body(&self) -> Self {
        let (method, url) = (self.request.method().clone(), self.request.url().clone());
        let mut request = ::reqwest::Request::new(method, url);
        *request.headers_mut() = self.request.headers().clone();
        *request.version_mut() = self.request.version();
        Self { request, extensions: self.extensions.clone(), ..*self }
    }
}

impl RequestView for Outgoing {
    #[inline]
    fn method(&self) -> &Method {
        self.request.method()
    }

    #[inline]
    fn headers(&self) -> &HeaderMap {
        self.request.headers()
    }

    fn headers_mut(&mut self) -> &mut HeaderMap {
        self.request.headers_mut()
    }

    #[inline]
    fn origin(&self) -> Option<Origin<'_>> {
        self.request.origin()
    }

    #[inline]
    fn extensions(&self) -> Option<&Extensions> {
        Some(&self.extensions)
    }

    fn extensions_mut(&mut self) -> Option<&mut Extensions> {
        Some(&mut self.extensions)
    }

    #[inline]
    fn copies(&self) -> Copies {
        self.request.copies()
    }

    #[inline]
    fn copy(&self) -> Option<Self> {
        let request = self.request.copy()?;
        Some(Self { request, extensions: self.extensions.clone(), ..*self })
    }
}
