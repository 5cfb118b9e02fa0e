//! What is known of methods, and what was said of them.

use ::http::{Method, StatusCode};

use super::RetryRules;
use crate::http::When;

impl RetryRules {
    /// The methods that RFC 9110, RFC 5789 and RFC 10008 know, and those that were named here.
    pub(crate) fn known_methods(&self) -> impl Iterator<Item = &Method> {
        let named = self.methods.iter().map(|(method, _)| method);
        KNOWN.iter().chain(named).chain(&self.at_once)
    }

    /// Whether a function is asked before the table.
    pub(crate) const fn has_a_function(&self) -> bool {
        self.decide.is_some()
    }

    /// What was said of statuses, beside the table.
    pub(crate) fn named_statuses(&self) -> impl Iterator<Item = (StatusCode, When)> {
        self.statuses.iter().copied()
    }
}

const KNOWN: [Method; 9] = [
    Method::GET,
    Method::HEAD,
    Method::OPTIONS,
    Method::TRACE,
    Method::PUT,
    Method::DELETE,
    Method::QUERY,
    Method::POST,
    Method::PATCH,
];

/// The methods that RFC 9110 and RFC 10008 call idempotent.
pub(super) fn by_rfc(method: &Method) -> bool {
    [
        Method::GET,
        Method::HEAD,
        Method::OPTIONS,
        Method::TRACE,
        Method::PUT,
        Method::DELETE,
        Method::QUERY,
    ]
    .contains(method)
}

/// The methods that RFC 9110 and RFC 10008 call safe: they change nothing.
pub(super) fn is_safe(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE, Method::QUERY].contains(method)
}
