//! What the layers need to see of a request and a response.

use ::http::{Extensions, HeaderMap, Method, Request, Response, StatusCode, Version};

use super::body::{self, Copies};
use super::key::Origin;

/// What the layers need to see of a request: `http::Request<B>` for any body, and with the feature
/// `reqwest` that crate's own.
pub trait RequestView: Sized {
    /// What is asked.
    fn method(&self) -> &Method;

    /// The header fields.
    fn headers(&self) -> &HeaderMap;

    /// The header fields, to add one that all attempts must have in common.
    fn headers_mut(&mut self) -> &mut HeaderMap;

    /// Where it goes, as it is spelled there; `None` if neither URI nor Host say.
    fn origin(&self) -> Option<Origin<'_>>;

    /// What its sender left there for the layers, where the type has such a place.
    fn extensions(&self) -> Option<&Extensions>;

    /// The same place, to leave something there.
    fn extensions_mut(&mut self) -> Option<&mut Extensions> {
        None
    }

    /// How much of the request a copy could send.
    fn copies(&self) -> Copies;

    /// A copy to be sent later, if the body can be sent again.
    fn copy(&self) -> Option<Self>;
}

/// What the layers need to see of a response.
pub trait ResponseView: Sized {
    /// Its body.
    type Body;

    /// How it went.
    fn status(&self) -> StatusCode;

    /// The header fields.
    fn headers(&self) -> &HeaderMap;

    /// Where layers leave something for whoever gets it, where the type has such a place.
    fn extensions_mut(&mut self) -> Option<&mut Extensions> {
        None
    }

    /// Which HTTP it came by.
    fn version(&self) -> Version;

    /// Whether the client may have followed redirects inside the attempt, so that this may answer a
    /// later request than the one that was sent first. reqwest does so unless told otherwise.
    fn may_follow_redirects(&self) -> bool {
        false
    }

    /// The same response in the common currency, to read its body to the end.
    fn into_http(self) -> Response<Self::Body>;
}

impl<B: 'static> RequestView for Request<B> {
    fn method(&self) -> &Method {
        self.method()
    }

    fn headers(&self) -> &HeaderMap {
        self.headers()
    }

    fn headers_mut(&mut self) -> &mut HeaderMap {
        self.headers_mut()
    }

    fn origin(&self) -> Option<Origin<'_>> {
        Origin::of_parts(self.uri(), self.headers())
    }

    fn extensions(&self) -> Option<&Extensions> {
        Some(self.extensions())
    }

    fn extensions_mut(&mut self) -> Option<&mut Extensions> {
        Some(self.extensions_mut())
    }

    fn copies(&self) -> Copies {
        body::copies(self.body())
    }

    #[inline]
    fn copy(&self) -> Option<Self> {
        body::copy_of(self)
    }
}

impl<B> ResponseView for Response<B> {
    type Body = B;

    fn status(&self) -> StatusCode {
        self.status()
    }

    fn headers(&self) -> &HeaderMap {
        self.headers()
    }

    fn extensions_mut(&mut self) -> Option<&mut Extensions> {
        Some(self.extensions_mut())
    }

    fn version(&self) -> Version {
        self.version()
    }

    fn into_http(self) -> Self {
        self
    }
}
