//! Which hosts are meant.

use std::fmt;
use std::sync::Arc;

/// Which hosts are meant: a name, or one with a `*` in it for anything.
///
/// ```
/// use mainstay::pipeline::HostPattern;
///
/// let pattern = HostPattern::new("*.example.com");
/// assert!(pattern.matches("https://api.EXAMPLE.com"));
/// assert!(pattern.matches("http://cdn.example.com:8080"));
/// assert!(!pattern.matches("https://example.com"));
/// ```
///
/// A pattern without a scheme means every scheme, and one without a port every port. Where state is
/// kept by something else than the host, it is matched against the whole key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HostPattern(Arc<str>);

impl HostPattern {
    /// A pattern; upper and lower case are the same.
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        Self(pattern.to_ascii_lowercase().into())
    }

    /// What it says.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this key is meant, or the host in it.
    #[must_use]
    pub fn matches(&self, key: &str) -> bool {
        let key = key.to_ascii_lowercase();
        let authority = key.split_once("://").map_or(&*key, |(_, authority)| authority);
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        };
        [&*key, authority, host].into_iter().any(|text| is_like(text, &self.0))
    }

    /// Whether it matches whatever the other matches: a `*` of the other, read as plain text, can
    /// only lie within a `*` of this one, where anything may stand in its place.
    pub(super) fn covers(&self, other: &Self) -> bool {
        is_like(&other.0, &self.0)
    }
}

/// Whether the text is the pattern, with something in place of each `*`.
fn is_like(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

impl From<&str> for HostPattern {
    fn from(pattern: &str) -> Self {
        Self::new(pattern)
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, key: &str) -> bool {
        HostPattern::new(pattern).matches(key)
    }

    #[test]
    fn a_name_means_every_scheme_and_port() {
        for key in ["https://api.example.com", "http://api.example.com:81", "api.example.com"] {
            assert!(matches("API.example.com", key), "{key}");
        }
        assert!(!matches("example.com", "https://api.example.com"));
        assert!(!matches("api.example.com", "https://api.example.com.evil"));
    }

    #[test]
    fn what_is_named_must_be_so() {
        assert!(matches("https://*", "https://api.example.com"));
        assert!(!matches("https://*", "http://api.example.com"));
        assert!(matches("*:8080", "http://localhost:8080"));
        assert!(!matches("*:8080", "http://localhost:80"));
        assert!(matches("[::1]", "http://[::1]:8080"));
    }

    #[test]
    fn a_star_is_anything() {
        assert!(matches("*", ""));
        assert!(matches("*", "https://anything"));
        assert!(matches("a*b*c", "a1b2c"));
        assert!(!matches("a*b*c", "a1c2b"));
        assert!(!matches("ab*ba", "aba"));
        assert!(matches("tenant-*", "tenant-7"));
    }
}
