//! `Retry-After` and the headers that say the same in milliseconds.

use std::time::Duration;

use ::http::{HeaderMap, HeaderValue};

use super::number::Decimal;
use super::received::Received;
use super::{Hints, date};

const SECONDS_OR_DATE: &str = "retry-after";
const MILLISECONDS: [&str; 3] = ["retry-after-ms", "x-ms-retry-after-ms", "x-amz-retry-after"];

/// Reads the value of a `Retry-After` header: seconds, with or without decimals, or an HTTP date.
///
/// A date is read against `now`, the time since 1970; best is the time in the `Date` of the same
/// response. One in the past gives zero. No wait is longer than [`Hints::LONGEST`].
///
/// ```
/// use http::HeaderValue;
/// use mainstay::http::hints::parse_retry_after;
/// use std::time::Duration;
///
/// let wait = |value| parse_retry_after(&HeaderValue::from_static(value), Duration::ZERO);
/// assert_eq!(wait("2.5"), Some(Duration::from_millis(2500)));
/// assert_eq!(wait("Thu, 01 Jan 1970 00:01:00 GMT"), Some(Duration::from_secs(60)));
/// assert_eq!(wait("-1"), None);
/// ```
#[must_use]
pub fn parse_retry_after(value: &HeaderValue, now: Duration) -> Option<Duration> {
    let none = HeaderMap::new();
    seconds_or_date(value, &Received::new(&none, &|| now))
}

/// The longest of all that are valid: nobody comes back sooner than the server allows.
pub(super) fn longest(headers: &HeaderMap, received: &Received<'_>) -> Option<Duration> {
    let standard = headers.get_all(SECONDS_OR_DATE).iter();
    let standard = standard.filter_map(|value| seconds_or_date(value, received));
    let others = MILLISECONDS.iter().flat_map(|name| headers.get_all(*name));
    standard.chain(others.filter_map(milliseconds)).max()
}

fn seconds_or_date(value: &HeaderValue, received: &Received<'_>) -> Option<Duration> {
    let text = value.as_bytes().trim_ascii();
    if let Some(number) = Decimal::parse(text) {
        return Some(number.times(Duration::from_secs(1)).min(Hints::LONGEST));
    }
    date::parse(text, &|| received.time()).map(|moment| received.until(moment))
}

fn milliseconds(value: &HeaderValue) -> Option<Duration> {
    let number = Decimal::parse(value.as_bytes().trim_ascii())?;
    Some(number.times(Duration::from_millis(1)).min(Hints::LONGEST))
}

#[cfg(test)]
mod tests;
