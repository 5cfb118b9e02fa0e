//! reqwest's own requests and responses.

use std::error::Error as StdError;

use ::http::{Extensions, HeaderMap, Method, Response, StatusCode, Version};
use ::reqwest::ResponseBuilderExt;

use super::body::Copies;
use super::key::Origin;
use super::view::{RequestView, ResponseView};
use crate::error::beneath;

impl RequestView for ::reqwest::Request {
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
        Some(Origin::new(self.url().scheme(), self.url().authority()))
    }

    /// reqwest keeps a place for extensions and does not show it.
    fn extensions(&self) -> Option<&Extensions> {
        None
    }

    fn copies(&self) -> Copies {
        match self.body().map(::reqwest::Body::as_bytes) {
            None | Some(Some(_)) => Copies::Alongside,
            Some(None) => Copies::Never,
        }
    }

    fn copy(&self) -> Option<Self> {
        if self.body().is_some() || self.timeout().is_some() {
            return self.try_clone();
        }
        // The same for what most requests are; that allocates for a timeout also where there is none.
        let mut copy = Self::new(self.method().clone(), self.url().clone());
        if !self.headers().is_empty() {
            *copy.headers_mut() = self.headers().clone();
        }
        *copy.version_mut() = self.version();
        Some(copy)
    }
}

/// The same response with its body changed; it goes on to say which URL it answers, which one that is
/// taken apart and put together again does not.
pub(crate) fn with_body(
    response: ::reqwest::Response,
    change: impl FnOnce(::reqwest::Body) -> ::reqwest::Body,
) -> ::reqwest::Response {
    let url = response.url().clone();
    let (mut parts, body) = Response::from(response).into_parts();
    leave_url(&mut parts.extensions, url);
    Response::from_parts(parts, change(body)).into()
}

/// Leaves the URL among the extensions of a response that is to be reqwest's.
pub(crate) fn leave_url(extensions: &mut Extensions, url: ::reqwest::Url) {
    let mut own = Response::builder().url(url);
    if let Some(own) = own.extensions_mut() {
        extensions.extend(std::mem::take(own));
    }
}

/// Whether redirects may have been followed before this error, which does not tell. Our own client
/// says where they were not.
pub(super) fn may_have_followed(error: &(dyn StdError + 'static)) -> bool {
    #[cfg(feature = "client")]
    if beneath::chain(error).any(crate::client::follows_none) {
        return false;
    }
    beneath::chain(error).any(<dyn StdError>::is::<::reqwest::Error>)
}

impl ResponseView for ::reqwest::Response {
    type Body = ::reqwest::Body;

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

    fn may_follow_redirects(&self) -> bool {
        true
    }

    fn into_http(self) -> Response<::reqwest::Body> {
        self.into()
    }
}

#[cfg(test)]
mod tests {
    use ::http::HeaderValue;
    use ::reqwest::{Body, Request, Url};

    use super::*;
    use crate::http::Key;

    fn post(url: &str, body: Option<Body>) -> Request {
        let mut request = Request::new(Method::POST, Url::parse(url).unwrap());
        *request.body_mut() = body;
        request
    }

    fn stream() -> Body {
        let full = http_body_util::Full::new(bytes::Bytes::from("in one piece"));
        Body::wrap(http_body_util::BodyExt::boxed(full))
    }

    #[test]
    fn a_request_shows_what_it_is() {
        let mut request = post("https://ana:secret@API.example.com:443/users?id=7", None);
        let one = HeaderValue::from_static("1");
        RequestView::headers_mut(&mut request).insert("x-one", one);
        assert_eq!(RequestView::method(&request), Method::POST);
        assert_eq!(RequestView::headers(&request)["x-one"], "1");
        assert!(RequestView::extensions(&request).is_none());
        let origin = request.origin().unwrap();
        assert_eq!(origin.key(), Key::new("https://api.example.com"));
    }

    #[test]
    fn a_request_is_copied_whole_unless_its_body_is_a_stream() {
        let mut bytes = post("https://example.com/", Some(Body::from("payload")));
        bytes.headers_mut().insert("x-one", HeaderValue::from_static("1"));
        assert_eq!(bytes.copies(), Copies::Alongside);
        let copy = bytes.copy().unwrap();
        assert_eq!(copy.body().and_then(Body::as_bytes), Some(&b"payload"[..]));
        assert_eq!((copy.method(), copy.url()), (&Method::POST, bytes.url()));
        assert_eq!(copy.headers()["x-one"], "1");

        let empty = post("https://example.com/", None);
        assert_eq!(empty.copies(), Copies::Alongside);
        assert!(empty.copy().is_some_and(|copy| copy.body().is_none()));

        let mut short = post("https://example.com/", None);
        *short.timeout_mut() = Some(std::time::Duration::from_secs(1));
        assert_eq!(short.copy().unwrap().timeout(), short.timeout());

        let stream = post("https://example.com/", Some(stream()));
        assert_eq!(stream.copies(), Copies::Never);
        assert!(stream.copy().is_none());
    }

    #[tokio::test]
    async fn a_response_shows_what_it_is_and_gives_its_body() {
        let response = ::http::Response::builder()
            .status(StatusCode::SERVICE_UNAVAILABLE)
            .header("retry-after", "2")
            .body("down");
        let response = ::reqwest::Response::from(response.unwrap());
        assert_eq!(ResponseView::status(&response), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(ResponseView::headers(&response)["retry-after"], "2");
        assert_eq!(ResponseView::version(&response), Version::HTTP_11);
        assert!(response.may_follow_redirects());
        let body = http_body_util::BodyExt::collect(response.into_http().into_body());
        assert_eq!(body.await.unwrap().to_bytes(), "down");
    }
}
