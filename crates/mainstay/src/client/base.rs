//! Where a request goes: a URL, or a path beneath the base of its client.

use std::fmt;

use ::http::Uri;
use ::reqwest::Url;

use super::error::{BuildError, without_secrets};
use crate::BoxError;

/// The URL beneath which the paths of a client stand.
#[derive(Clone)]
pub(super) struct Base {
    /// Without a slash at its end.
    prefix: String,
    uri: Uri,
}

impl Base {
    pub(super) fn new(given: &str) -> Result<Self, BuildError> {
        let wrong = |why: BoxError| BuildError::BaseUrl { given: without_secrets(given), why };
        let url = Url::parse(given).map_err(|error| wrong(error.into()))?;
        if !url.has_host() {
            return Err(wrong("it names no host".into()));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("a path cannot stand behind a query or a fragment".into()));
        }
        let uri = Uri::try_from(url.as_str()).map_err(|error| wrong(error.into()))?;
        Ok(Self { prefix: url.as_str().trim_end_matches('/').to_owned(), uri })
    }

    /// The same as `http` has it.
    pub(super) const fn uri(&self) -> &Uri {
        &self.uri
    }

    /// A path leads to no place but one beneath it, whatever dots it has.
    fn beneath(&self, path: &str) -> Result<Url, BoxError> {
        let url = Url::parse(&self.join(path))?;
        let rest = url.as_str().strip_prefix(&self.prefix).map(str::as_bytes);
        match rest.map(<[u8]>::first) {
            Some(None | Some(b'/' | b'?' | b'#')) => Ok(url),
            Some(Some(_)) | None => {
                Err(format!("{:?} leads out of the base", without_secrets(path)).into())
            }
        }
    }

    /// A path stands behind it, with a slash before it or without; it never takes its place.
    fn join(&self, path: &str) -> String {
        match path.as_bytes().first() {
            None | Some(b'?' | b'#') => format!("{}{path}", self.prefix),
            Some(b'/') => format!("{}{path}", self.prefix),
            Some(_) => format!("{}/{path}", self.prefix),
        }
    }
}

/// It may have a password.
impl fmt::Debug for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        without_secrets(&self.prefix).fmt(f)
    }
}

/// Where a request goes.
pub(super) fn target(base: Option<&Base>, given: &str) -> Result<Url, BoxError> {
    match base {
        Some(base) if !has_scheme(given) => base.beneath(given),
        _ => Url::parse(given).map_err(|error| match has_scheme(given) {
            true => error.into(),
            false => {
                let shown = without_secrets(given);
                format!("{shown:?} is no URL, and the client has no base to put before it").into()
            }
        }),
    }
}

/// `https://`, and not the colon that a path may have.
fn has_scheme(given: &str) -> bool {
    let Some((scheme, _)) = given.split_once("://") else { return false };
    let mut bytes = scheme.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(base: &str, path: &str) -> String {
        target(Some(&Base::new(base).unwrap()), path).unwrap().to_string()
    }

    #[test]
    fn a_path_stands_beneath_the_base_whatever_slashes_there_are() {
        for base in ["https://api.example.com/v1", "https://api.example.com/v1/"] {
            for path in ["users/7", "/users/7"] {
                assert_eq!(joined(base, path), "https://api.example.com/v1/users/7");
            }
            assert_eq!(joined(base, ""), "https://api.example.com/v1");
            assert_eq!(joined(base, "?page=2"), "https://api.example.com/v1?page=2");
            assert_eq!(joined(base, "/a:b//c?d=/e"), "https://api.example.com/v1/a:b//c?d=/e");
        }
        assert_eq!(joined("https://api.example.com", "users"), "https://api.example.com/users");
        assert_eq!(joined("https://api.example.com", ""), "https://api.example.com/");
    }

    #[test]
    fn no_path_leads_to_another_host() {
        assert_eq!(joined("https://a.example", "//b.example/"), "https://a.example//b.example/");
        assert_eq!(joined("https://a.example", "@b.example/"), "https://a.example/@b.example/");
        assert_eq!(joined("https://a.example", "javascript:1"), "https://a.example/javascript:1");
    }

    #[test]
    fn no_path_leads_out_of_the_base() {
        let base = Base::new("https://a.example/v1/public").unwrap();
        let out = "\"../keys\" leads out of the base";
        assert_eq!(target(Some(&base), "../keys").unwrap_err().to_string(), out);
        for path in ["/../keys", "x/../../keys", "%2e%2E/keys", "..\\keys", "..", "../publicity"] {
            assert!(target(Some(&base), path).is_err(), "{path}");
        }
        assert_eq!(joined("https://a.example/v1", "x/../y"), "https://a.example/v1/y");
        assert_eq!(joined("https://a.example", "../y"), "https://a.example/y");
    }

    #[test]
    fn a_whole_url_goes_where_it_says() {
        let base = Base::new("https://a.example/v1").unwrap();
        for base in [Some(&base), None] {
            let url = target(base, "http://b.example:81/x").unwrap();
            assert_eq!(url.as_str(), "http://b.example:81/x");
        }
    }

    #[test]
    fn what_cannot_be_a_base_or_a_target_says_why() {
        let refused = |base| Base::new(base).unwrap_err().to_string();
        assert!(refused("api.example.com").starts_with("the base URL \"api.example.com\""));
        assert!(refused("mailto:ana@example.com").contains("…@example.com"));
        assert!(refused("https://a.example/?key=1").contains("https://a.example/?…"));
        let error = target(None, "/users").unwrap_err().to_string();
        assert_eq!(error, "\"/users\" is no URL, and the client has no base to put before it");
        assert!(target(None, "http://[").is_err());
    }
}
