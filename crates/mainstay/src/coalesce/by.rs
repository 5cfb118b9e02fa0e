//! Which requests are equal.

use ::http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use ::http::{HeaderMap, HeaderName, Method, Request};
use http_body::Body;

use crate::deadline::Deadline;
use crate::http::Key;

/// Says which requests are equal. A closure that returns an `Option<Key>` does.
pub trait CoalesceBy<Req> {
    /// Requests with equal keys are sent once; one that has none is sent by itself.
    fn key(&self, request: &Req) -> Option<Key>;

    /// Takes out of a request that is sent for several what holds only for its own caller, such as
    /// the time until which that one waits. By default nothing, for a closure too.
    fn make_common(&self, request: &mut Req) {
        let _ = request;
    }
}

impl<Req, F: Fn(&Req) -> Option<Key>> CoalesceBy<Req> for F {
    fn key(&self, request: &Req) -> Option<Key> {
        self(request)
    }
}

/// HTTP requests are equal that ask for the same in the same words: `GET` and `HEAD` without a body,
/// with one URI and one set of header fields.
///
/// All fields count but those that are named here. A list of those that do count would be shorter,
/// and whoever forgot one on it would give one tenant the answer to another; a field that was
/// forgotten here costs a request.
///
/// ```
/// use http::HeaderName;
/// use mainstay::coalesce::ByRequest;
///
/// let by = ByRequest::new().ignoring(HeaderName::from_static("traceparent"));
/// # let _ = by;
/// ```
///
/// A request's extensions do not count, and a [`Deadline`] among them is not sent along: the caller
/// it belongs to is only one of those that wait. Where a service beneath acts upon one, as upon the caller's
/// name, write a closure that puts it into the key.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[must_use]
pub struct ByRequest {
    ignored: Vec<HeaderName>,
}

impl ByRequest {
    /// Every header field counts.
    pub const fn new() -> Self {
        Self { ignored: Vec::new() }
    }

    /// All but this one: what differs from call to call and does not change the answer.
    pub fn ignoring(mut self, header: HeaderName) -> Self {
        self.ignored.push(header);
        self
    }

    fn of(&self, method: &Method, target: &str, headers: &HeaderMap) -> Option<Key> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            return None;
        }
        // No part can have a line feed in it, so no two requests are spelled alike.
        let mut text = format!("{method} {target}\n");
        for (name, value) in headers {
            if !self.ignored.contains(name) {
                text.push_str(name.as_str());
                text.push(':');
                text.extend(value.as_bytes().escape_ascii().map(char::from));
                text.push('\n');
            }
        }
        Some(Key::new(text))
    }
}

impl<B: Body> CoalesceBy<Request<B>> for ByRequest {
    fn key(&self, request: &Request<B>) -> Option<Key> {
        let headers = request.headers();
        let announces = |name| headers.contains_key(name);
        let has_body = announces(TRANSFER_ENCODING) || announces(CONTENT_LENGTH);
        // Where neither says whom it is for, nobody knows whether two go to the same place.
        let says_where = request.uri().authority().is_some() || announces(HOST);
        if has_body || !says_where || !request.body().is_end_stream() {
            return None;
        }
        self.of(request.method(), &request.uri().to_string(), headers)
    }

    fn make_common(&self, request: &mut Request<B>) {
        request.extensions_mut().remove::<Deadline>();
    }
}

#[cfg(feature = "reqwest")]
#[cfg_attr(docsrs, doc(cfg(feature = "reqwest")))]
impl CoalesceBy<::reqwest::Request> for ByRequest {
    fn key(&self, request: &::reqwest::Request) -> Option<Key> {
        match request.body() {
            None => self.of(request.method(), request.url().as_str(), request.headers()),
            Some(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::{Empty, Full};

    use super::*;

    fn get(uri: &str, fields: &[(&str, &[u8])]) -> Request<Empty<Bytes>> {
        let mut request = Request::get(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(Empty::new()).unwrap()
    }

    fn key(request: &Request<Empty<Bytes>>) -> Option<Key> {
        ByRequest::new().key(request)
    }

    const HERE: &str = "https://api.example.com/users?id=1";

    #[test]
    fn requests_are_equal_that_ask_for_the_same_in_the_same_words() {
        let one = key(&get(HERE, &[("accept", b"text/html")]));
        assert!(one.is_some());
        assert_eq!(one, key(&get(HERE, &[("accept", b"text/html")])));
        assert_ne!(one, key(&get(HERE, &[("accept", b"text/plain")])));
        assert_ne!(one, key(&get(HERE, &[])));
        assert_ne!(
            one,
            key(&get("https://api.example.com/users?id=2", &[("accept", b"text/html")]))
        );
        let mut head = get(HERE, &[("accept", b"text/html")]);
        *head.method_mut() = Method::HEAD;
        assert_ne!(one, key(&head));
    }

    #[test]
    fn the_credentials_of_one_are_not_those_of_another() {
        for name in ["authorization", "cookie", "x-api-key"] {
            let mine = key(&get(HERE, &[(name, b"mine")]));
            assert_ne!(mine, key(&get(HERE, &[(name, b"yours")])), "{name}");
            assert_eq!(mine, key(&get(HERE, &[(name, b"mine")])), "{name}");
        }
    }

    #[test]
    fn no_value_can_be_taken_for_the_end_of_another() {
        let two = key(&get(HERE, &[("a", b"1"), ("b", b"2")]));
        for value in [&b"1\tb:2"[..], b"1\\nb:2", b"1\xff"] {
            assert_ne!(two, key(&get(HERE, &[("a", value)])));
        }
        assert_ne!(key(&get(HERE, &[("a", b"\xff")])), key(&get(HERE, &[("a", b"\\xff")])));
    }

    #[test]
    fn a_field_that_is_ignored_does_not_count() {
        let by = ByRequest::new().ignoring(HeaderName::from_static("traceparent"));
        let traced = |id: &[u8]| by.key(&get(HERE, &[("traceparent", id), ("accept", b"*/*")]));
        assert_eq!(traced(b"1"), traced(b"2"));
        assert_ne!(traced(b"1"), by.key(&get(HERE, &[("traceparent", b"1")])));
    }

    #[test]
    fn what_has_a_body_or_changes_something_or_goes_nobody_knows_where_is_sent_by_itself() {
        let by = ByRequest::new();
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let mut request = get(HERE, &[]);
            *request.method_mut() = method;
            assert_eq!(by.key(&request), None);
        }
        let full = Request::get(HERE).body(Full::new(Bytes::from("query"))).unwrap();
        assert_eq!(by.key(&full), None);
        assert_eq!(key(&get(HERE, &[("content-length", b"5")])), None);
        assert_eq!(key(&get(HERE, &[("transfer-encoding", b"chunked")])), None);

        assert_eq!(key(&get("/users", &[])), None);
        let here = key(&get("/users", &[("host", b"here.example")]));
        assert!(here.is_some());
        assert_ne!(here, key(&get("/users", &[("host", b"there.example")])));
    }

    #[cfg(feature = "reqwest")]
    #[test]
    fn requests_of_reqwest_are_compared_alike() {
        let get = |uri: &str| ::reqwest::Request::new(Method::GET, uri.parse().unwrap());
        let by = ByRequest::new();
        assert!(by.key(&get(HERE)).is_some());
        assert_eq!(by.key(&get(HERE)), by.key(&get(HERE)));
        assert_ne!(by.key(&get(HERE)), by.key(&get("https://api.example.com/users?id=2")));
        let mut full = get(HERE);
        *full.body_mut() = Some("query".into());
        assert_eq!(by.key(&full), None);
    }
}
