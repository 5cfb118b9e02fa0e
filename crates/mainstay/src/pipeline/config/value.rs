//! Values as files spell them, for whoever asks for them elsewhere: on a command line.

use std::time::Duration;

use crate::pipeline::fields;
use crate::rate_limit::RateLimit;

/// Reads a duration as files spell it: `250ms`, `1.5s`, `1m30s`.
///
/// # Errors
///
/// What to write instead.
///
/// ```
/// use mainstay::pipeline::config::duration;
/// use std::time::Duration;
///
/// assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
/// assert_eq!(duration("90").unwrap_err(), "a number needs its unit: \"90s\" or \"90ms\"");
/// ```
pub fn duration(text: &str) -> Result<Duration, String> {
    fields::read_duration(text)
}

/// Reads a rate as files spell it: `50/s`, `300/min`, `10/250ms`.
///
/// # Errors
///
/// What to write instead.
///
/// ```
/// use mainstay::pipeline::config::rate;
/// use mainstay::rate_limit::RateLimit;
///
/// assert_eq!(rate("50/s"), Ok(RateLimit::per_second(50)));
/// assert!(rate("50").unwrap_err().starts_with("write so many in so long"));
/// ```
pub fn rate(text: &str) -> Result<RateLimit, String> {
    let rate = fields::read_rate(text)?;
    let limit = RateLimit::per(rate.count, rate.period);
    limit.check().map_err(|wrong| wrong.to_string())?;
    Ok(limit)
}
