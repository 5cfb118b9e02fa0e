//! HTTP dates, in the three forms that a recipient must read (RFC 9110, section 5.6.7).

use std::time::Duration;

use ::http::HeaderValue;

use super::civil::Civil;
use super::cursor::Cursor;

/// Reads an HTTP date as the time since 1970; what lies before reads as zero.
///
/// Strict about the grammar, except that the name of the day need not fit the date. A leap second
/// reads as the second after it. `now` is needed for the form with two digits for the year: a date
/// more than 50 years ahead of `now` is meant to lie in the past.
///
/// ```
/// use http::HeaderValue;
/// use mainstay::http::hints::parse_http_date;
/// use std::time::Duration;
///
/// let now = Duration::from_secs(1_800_000_000);
/// let date = HeaderValue::from_static("Sunday, 06-Nov-94 08:49:37 GMT");
/// assert_eq!(parse_http_date(&date, now), Some(Duration::from_secs(784_111_777)));
/// ```
#[must_use]
pub fn parse_http_date(value: &HeaderValue, now: Duration) -> Option<Duration> {
    parse(value.as_bytes().trim_ascii(), &|| now)
}

pub(super) fn parse(text: &[u8], now: &dyn Fn() -> Duration) -> Option<Duration> {
    let text = Cursor(text);
    let seconds = fixed(text).or_else(|| asctime(text)).or_else(|| rfc850(text, now))?;
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
fn fixed(mut text: Cursor<'_>) -> Option<i64> {
    text.one_of(&DAYS)?;
    text.literal(", ")?;
    let day = text.digits(2)?;
    text.literal(" ")?;
    let month = month(&mut text)?;
    text.literal(" ")?;
    let year = text.digits(4)?;
    text.literal(" ")?;
    let (hour, minute, second) = time(&mut text)?;
    text.literal(" GMT")?;
    text.end()?;
    Civil { year, month, day, hour, minute, second }.seconds()
}

/// `Sun Nov  6 08:49:37 1994`
fn asctime(mut text: Cursor<'_>) -> Option<i64> {
    text.one_of(&DAYS)?;
    text.literal(" ")?;
    let month = month(&mut text)?;
    text.literal(" ")?;
    let day = if text.literal(" ").is_some() { text.digits(1)? } else { text.digits(2)? };
    text.literal(" ")?;
    let (hour, minute, second) = time(&mut text)?;
    text.literal(" ")?;
    let year = text.digits(4)?;
    text.end()?;
    Civil { year, month, day, hour, minute, second }.seconds()
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`
fn rfc850(mut text: Cursor<'_>, now: &dyn Fn() -> Duration) -> Option<i64> {
    text.one_of(&LONG_DAYS)?;
    text.literal(", ")?;
    let day = text.digits(2)?;
    text.literal("-")?;
    let month = month(&mut text)?;
    text.literal("-")?;
    let year = text.digits(2)?;
    text.literal(" ")?;
    let (hour, minute, second) = time(&mut text)?;
    text.literal(" GMT")?;
    text.end()?;
    with_century(Civil { year, month, day, hour, minute, second }, now()).seconds()
}

/// The latest year with these last two digits that is not more than 50 years ahead.
fn with_century(date: Civil, now: Duration) -> Civil {
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX).min(END_OF_9999);
    // One more than 50, since counted in mean years `now` may still be in the year before.
    let latest = 1970 + now / MEAN_YEAR + 51;
    let year = latest - (latest - date.year).rem_euclid(100);
    let fifty_years_before = Civil { year: year - 50, ..date };
    Civil { year: if fifty_years_before.count() > now { year - 100 } else { year }, ..date }
}

const MEAN_YEAR: i64 = 31_556_952;
const END_OF_9999: i64 = 253_402_300_799;

fn month(text: &mut Cursor<'_>) -> Option<i64> {
    i64::try_from(text.one_of(&MONTHS)?).ok().map(|index| index + 1)
}

/// `08:49:37`
pub(super) fn time(text: &mut Cursor<'_>) -> Option<(i64, i64, i64)> {
    let hour = text.digits(2)?;
    text.literal(":")?;
    let minute = text.digits(2)?;
    text.literal(":")?;
    Some((hour, minute, text.digits(2)?))
}

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const LONG_DAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests;
