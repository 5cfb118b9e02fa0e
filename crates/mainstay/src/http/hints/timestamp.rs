//! Timestamps of RFC 3339, such as `2026-02-16T09:02:42.5+01:00`.

use std::time::Duration;

use super::civil::Civil;
use super::cursor::Cursor;
use super::date;
use super::number;

/// The time since 1970; what lies before reads as zero.
pub(super) fn parse(text: &[u8]) -> Option<Duration> {
    let mut text = Cursor(text);
    let year = text.digits(4)?;
    text.literal("-")?;
    let month = text.digits(2)?;
    text.literal("-")?;
    let day = text.digits(2)?;
    text.one_of(&["T", "t"])?;
    let (hour, minute, second) = date::time(&mut text)?;
    let billionths = if text.literal(".").is_some() { fraction(&mut text)? } else { 0 };
    let ahead = offset(&mut text)?;
    text.end()?;
    let seconds = Civil { year, month, day, hour, minute, second }.seconds()? - ahead;
    let since_1970 = u64::try_from(seconds).map(Duration::from_secs);
    Some(since_1970.map_or(Duration::ZERO, |time| time + Duration::from_nanos(billionths.into())))
}

fn fraction(text: &mut Cursor<'_>) -> Option<u32> {
    let (billionths, rest) = number::billionths(text.0)?;
    text.0 = rest;
    Some(billionths)
}

/// How many seconds the local time is ahead of UTC.
fn offset(text: &mut Cursor<'_>) -> Option<i64> {
    let sign = match text.one_of(&["Z", "z", "+", "-"])? {
        0 | 1 => return Some(0),
        2 => 1,
        _ => -1,
    };
    let hours = text.digits(2)?;
    text.literal(":")?;
    let minutes = text.digits(2)?;
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nanos(text: &str) -> Option<u128> {
        parse(text.as_bytes()).map(|time| time.as_nanos())
    }

    #[test]
    fn timestamps_read_as_the_time_since_1970() {
        for (text, seconds) in [
            ("2026-02-16T09:02:42Z", 1_771_232_562),
            ("2026-02-16t09:02:42z", 1_771_232_562),
            ("2026-02-16T10:02:42+01:00", 1_771_232_562),
            ("2026-02-15T21:32:42-11:30", 1_771_232_562),
            ("2026-02-16T09:02:42-00:00", 1_771_232_562),
            ("2016-12-31T23:59:60Z", 1_483_228_800),
            ("2017-01-01T00:59:60+01:00", 1_483_228_800),
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:59:59+01:00", 0),
            ("0000-01-01T00:00:00Z", 0),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] {
            assert_eq!(nanos(text), Some(seconds * 1_000_000_000), "{text}");
        }
    }

    #[test]
    fn fractions_of_any_length_count_and_are_rounded_up() {
        for (fraction, expected) in
            [("5", 500_000_000), ("000000001", 1), ("0000000001", 1), ("9999999999", 1_000_000_000)]
        {
            assert_eq!(nanos(&format!("1970-01-01T00:00:00.{fraction}Z")), Some(expected));
        }
    }

    #[test]
    fn what_is_no_timestamp_is_refused() {
        for text in [
            "2026-02-16",
            "2026-02-16T09:02:42",
            "2026-02-16 09:02:42Z",
            "2026-02-16T09:02:42.Z",
            "2026-02-16T09:02:42,5Z",
            "2026-02-16T09:02Z",
            "2026-02-16T9:02:42Z",
            "2026-2-16T09:02:42Z",
            "26-02-16T09:02:42Z",
            "+2026-02-16T09:02:42Z",
            "2026-02-30T09:02:42Z",
            "2026-02-16T24:00:00Z",
            "2026-02-16T09:02:61Z",
            "2026-02-16T09:02:42+0100",
            "2026-02-16T09:02:42+24:00",
            "2026-02-16T09:02:42+01:60",
            "2026-02-16T09:02:42UTC",
            "2026-02-16T09:02:42Z ",
        ] {
            assert_eq!(nanos(text), None, "{text}");
        }
    }
}
