//! What an error says to whoever reads it.

use std::error::Error as _;
use std::fmt;
use std::iter::successors;
use std::time::Duration;

use ::http::StatusCode;
use ::reqwest::Url;

use super::ClientError;
use crate::error::Refused;
use crate::http::Cause;

/// A URL without what may be secret in it: user, password and query.
pub(super) struct Shown<'a>(pub(super) &'a Url);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.0;
        write!(f, "{}://{}", url.scheme(), url.host_str().unwrap_or_default())?;
        if let Some(port) = url.port() {
            write!(f, ":{port}")?;
        }
        f.write_str(url.path())?;
        match url.query() {
            Some(_) => f.write_str("?…"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What was given for a URL, without what may be secret in it, whether it is one or not.
pub(in crate::client) fn without_secrets(given: &str) -> String {
    match Url::parse(given) {
        Ok(url) if url.has_host() => Shown(&url).to_string(),
        // Where its parts begin and end, nobody knows: all before the last @ may be a password.
        _ => {
            let slashes = given.find("://").map_or(0, |scheme| scheme + "://".len());
            let (scheme, rest) = given.split_at(slashes);
            let (hidden, rest) = match rest.rfind('@') {
                Some(at) if rest[..at].contains(':') => ("…", &rest[at..]),
                _ => ("", rest),
            };
            match rest.split_once(['?', '#']) {
                Some((path, _)) => format!("{scheme}{hidden}{path}?…"),
                None => format!("{scheme}{hidden}{rest}"),
            }
        }
    }
}

/// Further down nothing is looked for.
const MOST_SOURCES: usize = 16;

/// "1 redirect", "2 redirects".
pub(super) struct Redirects(pub(super) u32);

impl fmt::Display for Redirects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} redirect{}", self.0, if self.0 == 1 { "" } else { "s" })
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(method) = self.method() {
            write!(f, "{method} ")?;
        }
        if let Some(url) = self.url() {
            write!(f, "{}: ", Shown(url))?;
        }
        match self.status() {
            Some(status) => answered(f, status)?,
            None => f.write_str(what(self.cause()))?,
        }
        if self.attempts() > 1 {
            write!(f, ", after {} attempts", self.attempts())?;
        }
        self.advise(f)
    }
}

impl ClientError {
    /// What can be done.
    fn advise(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(wait) = self.refused().and_then(|refused| refused.retry_in()) {
            let wait = Duration::from_millis(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
            return write!(f, "; it would be taken in {wait:?}");
        }
        let is_known = self.inner.method.is_some();
        let layer = self.refused().map(Refused::layer);
        f.write_str(match self.cause() {
            // One that its pipeline gave a key was sent again.
            Cause::TimedOut | Cause::Broken if self.inner.is_once && self.attempts() == 1 => {
                "; it may have been done, so it was not sent again: an idempotency key would allow that"
            }
            Cause::Connect if self.is_without_tls() => {
                "; https needs a feature of reqwest that brings TLS, such as `rustls`"
            }
            Cause::Connect if is_known => "; is the address right, and does something listen there?",
            Cause::TimedOut if is_known => match layer {
                _ if self.inner.is_over => "; `timeout` gives it longer, a report says what was slow",
                Some("attempt timeout") => "; its pipeline's `attempt_timeout` gives each attempt longer",
                Some("write timeout") => "; `write_timeout` gives each piece of its body longer",
                Some("deadline") => {
                    "; its pipeline's `deadline` gives it longer, a report says what was slow"
                }
                _ => "; a report says what was slow",
            },
            Cause::Refused if self.attempts() == 0 => "; nothing was sent",
            _ => "",
        })
    }
}

impl ClientError {
    /// Whether what connects does so without TLS alone. It has no other sign than these words.
    fn is_without_tls(&self) -> bool {
        let is_https = self.url().is_some_and(|url| url.scheme() == "https");
        let mut sources = successors(self.source(), |&error| error.source()).take(MOST_SOURCES);
        is_https && sources.any(|error| error.to_string() == "invalid URL, scheme is not http")
    }
}

fn answered(f: &mut fmt::Formatter<'_>, status: StatusCode) -> fmt::Result {
    write!(f, "it was answered with {}", status.as_str())?;
    match status.canonical_reason() {
        Some(reason) => write!(f, " {reason}"),
        None => Ok(()),
    }
}

const fn what(cause: Cause) -> &'static str {
    match cause {
        Cause::Refused => "it was refused",
        Cause::Invalid => "it cannot be sent",
        Cause::GivenUp => "its body broke off",
        Cause::Connect => "no connection",
        Cause::ClosedBefore => "the connection was closed before it was sent",
        Cause::PutBack => "the server put it back",
        Cause::TimedOut => "no answer in time",
        Cause::Broken => "the connection broke",
        Cause::Malformed => "the answer cannot be understood",
        Cause::Redirects => "its redirects were not followed to their end",
        Cause::Status(_) => "it was answered with an error",
        Cause::Unknown => "it failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_user_nor_password_nor_query_of_a_url_is_shown() {
        for (given, shown) in [
            ("https://ana:tell-nobody@a.example:81/x?key=1#y", "https://a.example:81/x?…"),
            ("https://ana:tell/nobody@a.example/x", "https://…@a.example/x"),
            ("http://ana:tell?nobody@[?key=1", "http://…@[?…"),
            ("ana:tell-nobody@a.example", "…@a.example"),
            ("/users?key=1", "/users?…"),
            ("/users#key=1", "/users?…"),
            ("/users/@ana", "/users/@ana"),
            ("/calls/12:30", "/calls/12:30"),
        ] {
            assert_eq!(without_secrets(given), shown);
        }
    }
}
