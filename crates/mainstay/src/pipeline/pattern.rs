//! Which hosts are meant.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::http::{own_port, split_port};

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
/// A pattern without a scheme means every scheme, and one without a port every port; a scheme's own
/// port may be named or not. Where state is kept by something else than the host, it is matched
/// against the whole key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HostPattern(Arc<str>);

impl HostPattern {
    /// A pattern; upper and lower case are the same.
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        Self(pattern.to_lowercase().into())
    }

    /// What it says.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this key is meant, or the host in it.
    #[must_use]
    pub fn matches(&self, key: &str) -> bool {
        self.means(&names(key))
    }

    /// Whether one of these names is meant.
    pub(super) fn means(&self, names: &[String]) -> bool {
        names.iter().any(|name| is_like(name, &self.0))
    }

    /// Whether there can be a host that it matches: else something stands in it that is in no origin.
    #[cfg(feature = "config")]
    pub(super) fn is_of_hosts(&self) -> bool {
        let authority = self.0.split_once("://").map_or(&*self.0, |(_, authority)| authority);
        let is_foreign = |c: char| c.is_whitespace() || c.is_control() || "/?#@\\".contains(c);
        !authority.is_empty() && !authority.contains(is_foreign)
    }

    fn has_star(&self) -> bool {
        self.0.contains('*')
    }

    /// Whether it matches whatever the other matches: a `*` of the other, read as plain text, can
    /// only lie within a `*` of this one, where anything may stand in its place.
    fn covers(&self, other: &Self) -> bool {
        is_like(&other.0, &self.0)
    }
}

/// The names by which a key can be meant: all of it, and without its scheme, its port, the brackets
/// of an address; a key that leaves its scheme's own port out, with that too.
pub(super) fn names(key: &str) -> Vec<String> {
    let key = key.to_lowercase();
    let (scheme, authority) = key.split_once("://").unwrap_or(("", &key));
    let (host, port) = split_port(authority);
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let mut names: Vec<_> = [Some(authority), Some(host), address].into_iter().flatten().collect();
    names.dedup();
    let mut names: Vec<_> = names.into_iter().map(str::to_owned).collect();
    let own = own_port(scheme);
    if port.is_empty() && !own.is_empty() {
        names.extend([format!("{authority}:{own}"), format!("{key}:{own}")]);
    }
    names.push(key);
    names
}

/// Patterns in their order, of which the first that matches is found without a look at each: those
/// without a `*` by what they say.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    plain: BTreeMap<Arc<str>, Rows>,
    starred: Vec<(usize, HostPattern)>,
}

/// The first and the last place of a pattern that is given more than once.
#[derive(Debug)]
struct Rows {
    first: usize,
    last: usize,
}

impl Patterns {
    pub(super) fn new<'a>(patterns: impl Iterator<Item = &'a HostPattern>) -> Self {
        let mut all = Self::default();
        for (place, pattern) in patterns.enumerate() {
            if pattern.has_star() {
                all.starred.push((place, pattern.clone()));
            } else {
                let here = Rows { first: place, last: place };
                all.plain.entry(Arc::clone(&pattern.0)).or_insert(here).last = place;
            }
        }
        all
    }

    /// The first that matches this key.
    pub(super) fn first(&self, key: &str) -> Option<usize> {
        let names = names(key);
        let plain = names.iter().filter_map(|name| self.plain.get(&**name)).map(|rows| rows.first);
        let starred = self.starred.iter().find(|(_, pattern)| pattern.means(&names));
        plain.chain(starred.map(|(place, _)| *place)).min()
    }

    /// The first before this place that matches whatever the pattern there matches.
    pub(super) fn covered_before(&self, place: usize, pattern: &HostPattern) -> Option<usize> {
        let plain = self.plain.get(&pattern.0).map(|rows| rows.first);
        let mut starred = self.starred.iter().take_while(|(other, _)| *other < place);
        let starred = starred.find(|(_, other)| other.covers(pattern)).map(|(other, _)| *other);
        plain.filter(|first| *first < place).into_iter().chain(starred).min()
    }

    /// Whether one behind this place matches whatever the pattern there matches.
    pub(super) fn is_covered_behind(&self, place: usize, pattern: &HostPattern) -> bool {
        let mut starred = self.starred.iter().filter(|(other, _)| *other > place);
        self.plain.get(&pattern.0).is_some_and(|rows| rows.last > place)
            || starred.any(|(_, other)| other.covers(pattern))
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
        for address in ["[::1]", "::1", "[::1]:8080", "http://[::1]:8080"] {
            assert!(matches(address, "http://[::1]:8080"), "{address}");
        }
    }

    /// Keys leave it out.
    #[test]
    fn the_own_port_of_a_scheme_may_be_named() {
        for pattern in ["api.example.com:443", "https://api.example.com:443", "*:443"] {
            assert!(matches(pattern, "https://api.example.com"), "{pattern}");
            assert!(!matches(pattern, "http://api.example.com"), "{pattern}");
            assert!(!matches(pattern, "https://api.example.com:8443"), "{pattern}");
        }
        assert!(matches("[::1]:80", "http://[::1]"));
        assert!(matches("http://*:80", "http://api.example.com"));
        assert!(!matches("tenant:443", "tenant"));
    }

    #[test]
    fn letters_of_every_alphabet_have_two_cases() {
        assert!(matches("BÜCHER.example", "https://bücher.example"));
    }

    #[test]
    fn of_many_patterns_the_first_that_matches_is_found() {
        let said = ["b.example", "*.net", "a.example:81", "*.example", "b.example", "https://*"];
        let all: Vec<_> = said.iter().map(|pattern| HostPattern::new(pattern)).collect();
        let patterns = Patterns::new(all.iter());
        for key in
            ["https://a.example", "http://b.example", "http://a.example:81", "c.net", "", "d"]
        {
            let first = all.iter().position(|pattern| pattern.matches(key));
            assert_eq!(patterns.first(key), first, "{key}");
        }
        assert_eq!(patterns.first("https://b.example"), Some(0));
        assert_eq!(patterns.covered_before(4, &all[4]), Some(0));
        assert_eq!(patterns.covered_before(2, &all[2]), None);
        assert!(patterns.is_covered_behind(0, &all[0]) && !patterns.is_covered_behind(4, &all[4]));
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
