//! What state is kept per.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use ::http::header::HOST;
use ::http::{HeaderMap, Uri};

use super::view::RequestView;

/// What state is kept per: a breaker, a rate, a budget.
///
/// Mostly a host, `https://api.example.com`; a tenant or a route where its user says so.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

impl Key {
    /// A key of your own: a tenant, a route, a bucket that the server named.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// What it says.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Where a request goes, as it is spelled in it.
///
/// The same server can be spelled in many ways; [`Origin::key`] is one and the same for all of
/// them. Spellings can be compared without making a key, which costs an allocation.
///
/// ```
/// use mainstay::http::Origin;
///
/// let here = Origin::new("https", "ana:secret@API.example.com:443");
/// let there = Origin::new("HTTPS", "api.example.com");
/// assert_eq!(here.key(), there.key());
/// assert_eq!(here.key().as_str(), "https://api.example.com");
/// ```
#[derive(Clone, Copy)]
pub struct Origin<'a> {
    scheme: &'a str,
    /// With whatever stands before an `@`.
    authority: &'a str,
}

impl<'a> Origin<'a> {
    /// An origin of a scheme, which may be empty where it is not known, and an authority. Whatever
    /// stands before an `@` is not part of it.
    #[must_use]
    #[inline]
    pub const fn new(scheme: &'a str, authority: &'a str) -> Self {
        Self { scheme, authority }
    }

    /// Where a request with this URI and these headers goes: the URI's authority, or else Host.
    #[must_use]
    #[inline]
    pub fn of_parts(uri: &'a Uri, headers: &'a HeaderMap) -> Option<Self> {
        let scheme = uri.scheme_str().unwrap_or_default();
        match uri.authority() {
            Some(authority) => Some(Self::new(scheme, authority.as_str())),
            None => Self::of_host(scheme, headers),
        }
    }

    // Apart, so that what most requests need is put in place.
    fn of_host(scheme: &'a str, headers: &'a HeaderMap) -> Option<Self> {
        let host = headers.get(HOST)?.to_str().ok()?.trim();
        (!host.is_empty()).then(|| Self::new(scheme, host))
    }

    /// The scheme as it is spelled; empty if it is not known.
    #[must_use]
    pub const fn scheme(&self) -> &'a str {
        self.scheme
    }

    /// Host and port as they are spelled, without user and password.
    #[must_use]
    pub fn authority(&self) -> &'a str {
        self.authority.rfind('@').map_or(self.authority, |at| &self.authority[at + 1..])
    }

    /// Whether this is how it is spelled: sooner said than what its authority is.
    #[inline]
    pub(crate) fn is_spelled(&self, scheme: &str, authority: &str) -> bool {
        let is_this = || self.authority == authority || self.authority() == authority;
        self.scheme == scheme && is_this()
    }

    /// The host as it is spelled, without the brackets of an IPv6 address.
    #[must_use]
    pub fn host(&self) -> &'a str {
        let name = split_port(self.authority()).0;
        name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name)
    }

    /// The port, or the scheme's own where none is spelled.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        match split_port(self.authority()).1 {
            "" => own_port(&self.scheme.to_ascii_lowercase()).parse().ok(),
            digits => digits.parse().ok(),
        }
    }

    /// The one spelling of this origin: lower case, without the scheme's own port. Names stay in
    /// the form they were given in, whether Unicode or `xn--`.
    #[must_use]
    pub fn key(&self) -> Key {
        let scheme = self.scheme.to_lowercase();
        let host = self.authority().to_lowercase();
        let (name, port) = split_port(&host);
        // `example.com:` and `example.com:0443` are spellings of `example.com:443`.
        let port = match port.trim_start_matches('0') {
            "" if !port.is_empty() => "0",
            digits => digits,
        };
        let own = own_port(&scheme);
        let mut text = String::with_capacity(scheme.len() + host.len() + 3);
        if !scheme.is_empty() {
            text.push_str(&scheme);
            text.push_str("://");
        }
        text.push_str(name);
        if !port.is_empty() && port != own {
            text.push(':');
            text.push_str(port);
        }
        Key::new(text)
    }
}

impl PartialEq for Origin<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.scheme, self.authority()) == (other.scheme, other.authority())
    }
}

impl Eq for Origin<'_> {}

impl Hash for Origin<'_> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (self.scheme, self.authority()).hash(hasher);
    }
}

impl fmt::Debug for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority())
    }
}

/// Of a scheme in lower case.
pub(crate) fn own_port(scheme: &str) -> &'static str {
    match scheme {
        "http" | "ws" => "80",
        "https" | "wss" => "443",
        _ => "",
    }
}

/// Name and port. A colon inside the brackets of an IPv6 address starts no port; what has colons
/// elsewhere is no authority, and is one name as it stands.
pub(crate) fn split_port(host: &str) -> (&str, &str) {
    let is_name = |name: &str| !name.contains(':') || name.starts_with('[') && name.ends_with(']');
    match host.rsplit_once(':') {
        Some((name, port)) if is_name(name) && port.bytes().all(|byte| byte.is_ascii_digit()) => {
            (name, port)
        }
        _ => (host, ""),
    }
}

/// Chooses the key of a request. A closure is one.
pub trait KeyBy<Req> {
    /// The key whose state this request shares.
    fn key(&self, request: &Req) -> Key;

    /// The spelling that the key follows from, if it does: whoever has seen it need not make the
    /// key again.
    #[inline]
    fn spelled<'a>(&self, request: &'a Req) -> Option<Origin<'a>> {
        let _ = request;
        None
    }
}

/// The host that the request goes to: scheme, name and port. Requests that name none share a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ByHost;

impl<Req: RequestView> KeyBy<Req> for ByHost {
    fn key(&self, request: &Req) -> Key {
        origin(request).key()
    }

    #[inline]
    fn spelled<'a>(&self, request: &'a Req) -> Option<Origin<'a>> {
        Some(origin(request))
    }
}

/// Where it goes; what says nothing of that is spelled as nothing.
fn origin<Req: RequestView>(request: &Req) -> Origin<'_> {
    request.origin().unwrap_or(Origin::new("", ""))
}

impl<Req, F: Fn(&Req) -> Key> KeyBy<Req> for F {
    fn key(&self, request: &Req) -> Key {
        self(request)
    }
}

#[cfg(test)]
mod tests {
    use ::http::Request;

    use super::*;

    fn host(request: &Request<()>) -> String {
        ByHost.key(request).to_string()
    }

    fn to(uri: &str) -> Request<()> {
        Request::get(uri).body(()).unwrap()
    }

    #[test]
    fn an_origin_has_a_host_and_a_port() {
        for (scheme, authority, host, port) in [
            ("https", "ana:secret@API.example.com", "API.example.com", Some(443)),
            ("HTTP", "example.com", "example.com", Some(80)),
            ("", "example.com", "example.com", None),
            ("", "example.com:8080", "example.com", Some(8080)),
            ("https", "example.com:", "example.com", Some(443)),
            ("https", "example.com:99999", "example.com", None),
            ("http", "[2001:db8::1]:8443", "2001:db8::1", Some(8443)),
            ("http", "[::1]", "::1", Some(80)),
        ] {
            let origin = Origin::new(scheme, authority);
            assert_eq!((origin.host(), origin.port()), (host, port), "{origin:?}");
        }
    }

    #[test]
    fn the_spellings_of_one_server_are_one_key() {
        for (uri, key) in [
            ("https://api.example.com/v1?x=1", "https://api.example.com"),
            ("HTTPS://API.Example.COM/", "https://api.example.com"),
            ("https://api.example.com:443/", "https://api.example.com"),
            ("https://api.example.com:0443/", "https://api.example.com"),
            ("https://api.example.com:/", "https://api.example.com"),
            ("https://ana:secret@api.example.com/", "https://api.example.com"),
            ("http://api.example.com:80/", "http://api.example.com"),
            ("ws://api.example.com:80/", "ws://api.example.com"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
            ("http://127.0.0.1:0/", "http://127.0.0.1:0"),
            ("http://[::1]/", "http://[::1]"),
            ("http://[::1]:80/", "http://[::1]"),
            ("http://[2001:DB8::1]:8443/", "http://[2001:db8::1]:8443"),
            ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example"),
        ] {
            assert_eq!(host(&to(uri)), key, "{uri}");
        }
    }

    #[test]
    fn another_scheme_or_port_is_another_server() {
        for other in ["http://example.com/", "https://example.com:80/", "https://example.com:8443/"]
        {
            assert_ne!(host(&to(other)), host(&to("https://example.com/")), "{other}");
        }
    }

    #[test]
    fn without_an_authority_the_host_field_says_where() {
        let with = |value: &[u8]| {
            let mut request = to("/users?id=7");
            request.headers_mut().insert(HOST, value.try_into().unwrap());
            host(&request)
        };
        assert_eq!(with(b"Example.com:8080"), "example.com:8080");
        assert_eq!(with(b" example.com "), "example.com");
        assert_eq!(with(b""), "");
        assert_eq!(with(b"\xff"), "");
        assert_eq!(host(&to("/users")), "");

        let mut both = to("http://here.example/");
        both.headers_mut().insert(HOST, "there.example".try_into().unwrap());
        assert_eq!(host(&both), "http://here.example");
    }

    #[test]
    fn names_in_unicode_are_taken_as_given() {
        let origin = Origin::new("https", "BÜCHER.example:443");
        assert_eq!(origin.key().as_str(), "https://bücher.example");
        assert_eq!((origin.scheme(), origin.authority()), ("https", "BÜCHER.example:443"));
    }

    #[test]
    fn a_key_is_a_spelling_of_itself_even_of_what_is_no_authority() {
        for authority in [
            "a:",
            "a::2",
            "a::2:",
            "a:443:",
            ":::3:443:",
            "a:0:0",
            "a:00",
            ":",
            "::",
            "::1",
            "[::",
            "",
        ] {
            let key = Origin::new("https", authority).key();
            let rest = key.as_str().strip_prefix("https://").unwrap();
            assert_eq!(Origin::new("https", rest).key(), key, "{authority:?}");
        }
    }

    #[test]
    fn a_key_of_one_s_own_is_a_closure() {
        let by_tenant = |request: &Request<()>| {
            let tenant = request.headers().get("x-tenant").and_then(|value| value.to_str().ok());
            Key::new(tenant.unwrap_or("none"))
        };
        let mut request = to("https://example.com/");
        assert_eq!(by_tenant.key(&request).as_str(), "none");
        request.headers_mut().insert("x-tenant", "acme".try_into().unwrap());
        assert_eq!(KeyBy::key(&by_tenant, &request), Key::new("acme"));
        assert_eq!(format!("{:?}", Key::new("acme")), "\"acme\"");
    }

    #[test]
    fn a_password_is_in_no_output() {
        let origin = Origin::new("https", "ana:secret@example.com");
        assert_eq!(format!("{origin:?}"), "https://example.com");
        assert_eq!(origin.key().to_string(), "https://example.com");
    }
}
