//! A request, as the server received it.

use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, Method, Version};

use crate::Chance;

/// The head of a request, as the server received it.
///
/// Numbers begin at 0, so that they say how many came before.
#[derive(Clone, Debug)]
pub struct Received {
    pub(super) head: Parts,
    pub(super) at: Duration,
    pub(super) number: usize,
    pub(super) nth_of_path: usize,
    pub(super) connection: usize,
    pub(super) nth_of_connection: usize,
    pub(super) seed: u64,
}

impl Received {
    /// The method.
    #[must_use]
    pub const fn method(&self) -> &Method {
        &self.head.method
    }

    /// The path, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.head.uri.path()
    }

    /// What stands behind the question mark.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.head.uri.query()
    }

    /// Which host it is for, by the field `host` or by HTTP/2's `:authority`.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        let authority = self.head.uri.authority();
        authority.map(http::uri::Authority::as_str).or_else(|| self.header("host"))
    }

    /// The version of HTTP.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.head.version
    }

    /// All fields.
    #[must_use]
    pub const fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// The first field of this name, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok()
    }

    /// How long the server had been up when the head was there.
    #[must_use]
    pub const fn at(&self) -> Duration {
        self.at
    }

    /// How many requests came before.
    #[must_use]
    pub const fn number(&self) -> usize {
        self.number
    }

    /// How many requests to this path came before.
    #[must_use]
    pub const fn nth_of_path(&self) -> usize {
        self.nth_of_path
    }

    /// How many connections came before the one that it came over.
    #[must_use]
    pub const fn connection(&self) -> usize {
        self.connection
    }

    /// How many requests came before over the same connection.
    #[must_use]
    pub const fn nth_of_connection(&self) -> usize {
        self.nth_of_connection
    }

    /// Chance that depends on the server's [seed](super::Builder::seed) and on the request's number
    /// alone: the request with that number meets the same fate in every run.
    #[must_use]
    pub fn chance(&self) -> Chance {
        Chance::seeded(self.seed).nth(u64::try_from(self.number).unwrap_or(u64::MAX))
    }
}
