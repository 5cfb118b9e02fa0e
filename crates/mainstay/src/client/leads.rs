//! Where a redirect leads, and what of a request goes there.

use ::http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, LOCATION,
    PROXY_AUTHORIZATION, TRANSFER_ENCODING,
};
use ::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use ::reqwest::{Request, Url};

use super::error::{RedirectError, without_secrets};

/// An answer that leads elsewhere. For the command of this project, which follows redirects by the
/// same rules over requests of its own.
#[derive(Debug)]
pub struct Leads<'a> {
    location: &'a HeaderValue,
    asks_for_get: bool,
}

/// Fields that stay with the host that they were meant for.
pub(super) const SECRETS: [HeaderName; 3] = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION];

impl<'a> Leads<'a> {
    /// Of an answer to this method; none, if it leads nowhere.
    #[must_use]
    pub fn of(method: &Method, status: StatusCode, headers: &'a HeaderMap) -> Option<Self> {
        let asks_for_get = match status {
            StatusCode::SEE_OTHER => method != Method::HEAD,
            // What everybody does, and RFC 9110 allows.
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => method == Method::POST,
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => false,
            _ => return None,
        };
        Some(Self { location: headers.get(LOCATION)?, asks_for_get })
    }

    /// Whether the body is sent again.
    #[must_use]
    pub const fn keeps_body(&self) -> bool {
        !self.asks_for_get
    }

    /// Makes the request that was answered the one that it leads to.
    ///
    /// # Errors
    ///
    /// Where it leads to no URL that HTTP can ask.
    pub fn change(&self, request: &mut Request) -> Result<(), RedirectError> {
        let target = target(request.url(), self.location.as_bytes())?;
        if !is_same_origin(request.url(), &target) {
            for secret in SECRETS {
                request.headers_mut().remove(secret);
            }
        }
        if self.asks_for_get {
            *request.method_mut() = Method::GET;
            *request.body_mut() = None;
            for about_body in [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING, TRANSFER_ENCODING] {
                request.headers_mut().remove(about_body);
            }
        }
        request.headers_mut().remove(HOST); // it was that of the host before
        *request.url_mut() = target;
        Ok(())
    }
}

fn target(from: &Url, location: &[u8]) -> Result<Url, RedirectError> {
    let nowhere = || RedirectError::Nowhere(without_secrets(&String::from_utf8_lossy(location)));
    let location = std::str::from_utf8(location).map_err(|_| nowhere())?;
    let mut target = from.join(location).map_err(|_| nowhere())?;
    if !matches!(target.scheme(), "http" | "https") || !target.has_host() {
        return Err(nowhere());
    }
    // A server does not say as whom its clients are to come.
    let cleared = target.set_username("").and_then(|()| target.set_password(None));
    cleared.map_err(|()| nowhere())?;
    Ok(target)
}

fn is_same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host_str() == other.host_str()
        && one.port_or_known_default() == other.port_or_known_default()
}
