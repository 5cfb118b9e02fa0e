//! What a server's response headers say about waiting and about quotas.
//!
//! ```
//! use http::{HeaderMap, HeaderValue};
//! use mainstay::http::hints::{Hints, parse_retry_after};
//! use std::time::Duration;
//!
//! let seconds = parse_retry_after(&HeaderValue::from_static("1.5"), Duration::ZERO);
//! assert_eq!(seconds, Some(Duration::from_millis(1_500)));
//!
//! let mut headers = HeaderMap::new();
//! headers.insert("x-ratelimit-remaining", HeaderValue::from_static("0"));
//! headers.insert("x-ratelimit-reset-after", HeaderValue::from_static("4"));
//! assert_eq!(Hints::read(&headers).wait(), Some(Duration::from_secs(4)));
//! ```

mod civil;
mod cursor;
mod date;
mod families;
mod kinds;
mod number;
mod quota;
mod received;
mod reset;
mod retry_after;
mod structured;
mod timestamp;

#[cfg(test)]
mod tests;

use std::time::Duration;

use ::http::HeaderMap;

pub use date::parse_http_date;
pub use quota::{Quota, Scope, Unit};
pub use retry_after::parse_retry_after;

use crate::clock;
use kinds::Kinds;
use received::Received;

/// What the headers of a response say about when to come back and how much is left.
///
/// ```
/// use http::{HeaderMap, HeaderValue};
/// use mainstay::http::{Hints, Unit};
/// use std::time::Duration;
///
/// let mut headers = HeaderMap::new();
/// headers.insert("date", HeaderValue::from_static("Tue, 15 Nov 1994 08:12:31 GMT"));
/// headers.insert("retry-after", HeaderValue::from_static("Tue, 15 Nov 1994 08:12:41 GMT"));
/// headers.insert("ratelimit", HeaderValue::from_static(r#""hourly";r=0;t=7"#));
///
/// let hints = Hints::read(&headers);
/// assert_eq!(hints.retry_after(), Some(Duration::from_secs(10)));
/// assert_eq!(hints.wait(), hints.retry_after()); // it wins over quotas
///
/// let quota = hints.quota().unwrap();
/// assert_eq!((quota.left, quota.unit), (0, Unit::Requests));
/// assert_eq!(quota.reset, Some(Duration::from_secs(7)));
/// ```
///
/// # What is read
///
/// | headers | who sends them |
/// |---|---|
/// | `Retry-After` | everyone; whole seconds, decimal seconds, an HTTP date |
/// | `retry-after-ms`, `x-ms-retry-after-ms`, `x-amz-retry-after` | Azure, AWS and others; milliseconds |
/// | `RateLimit`, `RateLimit-Policy` | the IETF draft, and `RateLimit` as its version 07 had it |
/// | `RateLimit-Limit`, `-Remaining`, `-Reset` | its older versions; GitLab with `-ResetTime` |
/// | `X-RateLimit-Limit`, `-Remaining`, `-Reset`, `-Reset-After` | GitHub, Discord, and many more |
/// | `x-rate-limit-…` | X |
/// | `x-ratelimit-…-requests`, `x-ratelimit-…-tokens` | `openai.com` |
/// | `anthropic-ratelimit-…` | Anthropic |
/// | `x-shopify-shop-api-call-limit` | Shopify |
///
/// What is malformed is ignored as a whole, and nothing is guessed from a part of it.
/// Where a server says one thing twice, the one that asks for more patience counts, and
/// `Retry-After` wins over all quotas.
///
/// # Whose clock
///
/// A date is read against the `Date` of the same response,: a client whose own clock
/// is wrong waits as long as the server meant.
/// Only if there is no usable `Date` does the client's clock count.
///
/// # How much is read
///
/// Response headers come from strangers. A `RateLimit` field of more than 64 members or 16 KiB is
/// ignored as a whole, no wait is longer than [`Hints::LONGEST`], and a response without such
/// headers costs one look at each name and no allocation.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hints {
    retry_after: Option<Duration>,
    quotas: Vec<Quota>,
}

impl Hints {
    /// The longest wait that is believed, 366 days. What is longer reads as this.
    pub const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

    /// Reads the headers of a response that has just been received.
    ///
    /// The wall clock is read only where a date needs it and the response has no usable `Date`.
    #[must_use]
    #[inline]
    pub fn read(headers: &HeaderMap) -> Self {
        Self::read_by(headers, &clock::unix_now)
    }

    /// Reads the headers of a response received at `now`, the time since 1970 in UTC.
    ///
    /// For tests, and for those who have a clock of their own.
    #[must_use]
    pub fn read_at(headers: &HeaderMap, now: Duration) -> Self {
        Self::read_by(headers, &|| now)
    }

    #[inline]
    fn read_by(headers: &HeaderMap, clock: &dyn Fn() -> Duration) -> Self {
        match Kinds::of(headers) {
            Kinds::NONE => Self::default(),
            kinds => Self::read_kinds(headers, kinds, clock),
        }
    }

    fn read_kinds(headers: &HeaderMap, kinds: Kinds, clock: &dyn Fn() -> Duration) -> Self {
        let received = Received::new(headers, clock);
        let mut hints = Self::default();
        if kinds.include(Kinds::RETRY_AFTER) {
            hints.retry_after = retry_after::longest(headers, &received);
        }
        // What a cache has kept was true of another request, some time ago.
        if !received.was_cached() {
            hints.quotas = quotas(headers, kinds, &received);
        }
        hints
    }

    /// How long the server asks to wait. Zero is kept: it asks to come back without saying when,
    /// and leaves the wait to your backoff.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The tightest quota that the server tells of.
    ///
    /// One with nothing left comes before one with something left; among the former the longest
    /// reset counts, among the latter what leaves the fewest for each second until its reset.
    /// Since tokens cannot be compared with requests, requests come first while neither is used
    /// up. Concurrent requests are told only where nothing else is.
    #[must_use]
    pub fn quota(&self) -> Option<&Quota> {
        Quota::tightest(self.quotas())
    }

    /// All quotas that the server tells of.
    #[must_use]
    pub fn quotas(&self) -> &[Quota] {
        &self.quotas
    }

    /// At least how long to wait before another request.
    ///
    /// That is [`retry_after`](Self::retry_after) if it names a wait, else the reset of a quota
    /// that [is used up](Quota::is_used_up). A Retry-After of zero counts where there is none.
    #[must_use]
    #[inline]
    pub fn wait(&self) -> Option<Duration> {
        if self.is_empty() { None } else { self.longest() }
    }

    fn longest(&self) -> Option<Duration> {
        let named = self.retry_after.filter(|wait| !wait.is_zero());
        let reset = || self.quota().filter(|quota| quota.is_used_up())?.reset;
        named.or_else(reset).or(self.retry_after)
    }

    /// Whether the headers say nothing of all this.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.retry_after.is_none() && self.quotas.is_empty()
    }
}

fn quotas(headers: &HeaderMap, kinds: Kinds, received: &Received<'_>) -> Vec<Quota> {
    let mut quotas =
        if kinds.include(Kinds::RATELIMIT) { structured::read(headers) } else { Vec::new() };
    // The older fields would repeat what the current one says, and say less.
    let kinds = if quotas.is_empty() { kinds } else { kinds.without(Kinds::RATELIMIT) };
    families::read(headers, kinds, received, &mut quotas);
    quotas
}
