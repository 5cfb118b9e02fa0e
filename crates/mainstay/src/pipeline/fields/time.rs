//! Durations as a file has them: `250ms`, `1.5s`, `1m30s`.

use std::fmt::Write as _;
use std::time::Duration;

/// What a number may be followed by, the longest first, in nanoseconds.
const UNITS: [(&str, u64); 9] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("min", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("µs", 1_000),
    ("ns", 1),
];

/// Reads a duration; `Err` says what to write instead.
pub(crate) fn read(text: &str) -> Result<Duration, String> {
    let mut rest = text;
    let mut total: u128 = 0;
    let mut least = u64::MAX;
    if text.is_empty() {
        return Err(example(text));
    }
    while !rest.is_empty() {
        let number = number(rest).ok_or_else(|| example(text))?;
        let behind = &rest[number.len()..];
        let end = behind.find(|c: char| !c.is_alphabetic()).unwrap_or(behind.len());
        let (name, after) = behind.split_at(end);
        let unit = UNITS.iter().find(|(unit, _)| *unit == name);
        let Some(&(_, unit)) = unit else { return Err(wrong_unit(text, number, name)) };
        if unit >= least {
            return Err("the units go from the longest to the shortest: \"1m30s\"".to_owned());
        }
        total += nanos(number, unit).ok_or(UNCOUNTED)?;
        (least, rest) = (unit, after);
    }
    let secs = u64::try_from(total / 1_000_000_000).ok();
    let part = u32::try_from(total % 1_000_000_000).ok();
    secs.zip(part).map(|(secs, part)| Duration::new(secs, part)).ok_or(UNCOUNTED.to_owned())
}

/// The digits, and perhaps a point and more of them, that text begins with.
fn number(text: &str) -> Option<&str> {
    let is_part = |c: char| c.is_ascii_digit() || c == '.';
    let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
    let (whole, part) = text[..end].split_once('.').unwrap_or((&text[..end], "0"));
    let is_number = !whole.is_empty() && !part.is_empty() && !part.contains('.');
    is_number.then(|| &text[..end])
}

/// That many of a unit; `None` where no nanoseconds come out, or more than there are.
fn nanos(number: &str, unit: u64) -> Option<u128> {
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let part = part.trim_end_matches('0');
    let whole = u128::from(whole.parse::<u64>().ok()?) * u128::from(unit);
    let scale = 10_u64.checked_pow(u32::try_from(part.len()).ok()?)?;
    let part = u128::from(part.parse::<u64>().ok().or(part.is_empty().then_some(0))?);
    let nanos = part * u128::from(unit);
    (nanos % u128::from(scale) == 0).then(|| whole + nanos / u128::from(scale))
}

fn wrong_unit(text: &str, number: &str, unit: &str) -> String {
    match unit {
        "" if number == text => format!("a number needs its unit: \"{number}s\" or \"{number}ms\""),
        "" => example(text),
        _ if number.len() + unit.len() == text.len() => {
            let like = match &*unit.to_ascii_lowercase() {
                "s" | "sec" | "secs" | "second" | "seconds" => "s",
                "ms" | "msec" | "msecs" | "milli" | "millis" => "ms",
                "m" | "min" | "mins" | "minute" | "minutes" => "m",
                "h" | "hr" | "hrs" | "hour" | "hours" => "h",
                "d" | "day" | "days" => "d",
                _ => return UNIT_NAMES.to_owned(),
            };
            format!("write \"{number}{like}\"")
        }
        _ => UNIT_NAMES.to_owned(),
    }
}

const UNCOUNTED: &str = "it is longer, or more exact, than nanoseconds can count";
const UNIT_NAMES: &str = "the units are d, h, m, s, ms, us and ns: \"250ms\", \"1m30s\"";

fn example(text: &str) -> String {
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    if compact == text {
        return "write a number and its unit: \"250ms\", \"1.5s\", \"1m30s\"".to_owned();
    }
    match read(&compact) {
        Ok(_) => format!("write \"{compact}\", without spaces"),
        Err(help) => help,
    }
}

/// As short as it can be said exactly.
pub(super) fn show(time: Duration) -> String {
    let (secs, nanos) = (time.as_secs(), time.subsec_nanos());
    let mut text = String::new();
    if secs == 0 {
        let (unit, size) = match nanos {
            0 => return "0s".to_owned(),
            1_000_000.. => ("ms", 1_000_000),
            1_000.. => ("us", 1_000),
            _ => ("ns", 1),
        };
        with_fraction(&mut text, u64::from(nanos / size), nanos % size, size);
        return text + unit;
    }
    for (unit, count) in [("h", secs / 3_600), ("m", secs / 60 % 60)] {
        if count > 0 {
            let _ = write!(text, "{count}{unit}");
        }
    }
    if secs % 60 > 0 || nanos > 0 {
        with_fraction(&mut text, secs % 60, nanos, 1_000_000_000);
        text.push('s');
    }
    text
}

fn with_fraction(text: &mut String, whole: u64, part: u32, size: u32) {
    let _ = write!(text, "{whole}");
    if part > 0 {
        let digits = size.ilog10() as usize;
        let part = format!("{part:0digits$}");
        let _ = write!(text, ".{}", part.trim_end_matches('0'));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_with_their_units() {
        for (text, nanos) in [
            ("0s", 0),
            ("250ms", 250_000_000),
            ("1.5s", 1_500_000_000),
            ("1m30s", 90_000_000_000),
            ("2min", 120_000_000_000),
            ("1h", 3_600_000_000_000),
            ("1d12h", 129_600_000_000_000),
            ("100us", 100_000),
            ("1.25µs", 1_250),
            ("7ns", 7),
            ("0.000000001s", 1),
        ] {
            assert_eq!(read(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_told_what_to_write() {
        for (text, says) in [
            ("5", "a number needs its unit: \"5s\" or \"5ms\""),
            ("5 s", "write \"5s\", without spaces"),
            ("30 seconds", "write \"30s\""),
            ("5sec", "write \"5s\""),
            ("10minutes", "write \"10m\""),
            ("5S", "write \"5s\""),
            ("5parsecs", UNIT_NAMES),
            ("1s1m", "the units go from the longest to the shortest: \"1m30s\""),
            ("1s1s", "the units go from the longest to the shortest: \"1m30s\""),
            ("1.5ns", UNCOUNTED),
            ("", "write a number and its unit: \"250ms\", \"1.5s\", \"1m30s\""),
            ("soon", "write a number and its unit: \"250ms\", \"1.5s\", \"1m30s\""),
            ("-5s", "write a number and its unit: \"250ms\", \"1.5s\", \"1m30s\""),
            (".5s", "write a number and its unit: \"250ms\", \"1.5s\", \"1m30s\""),
            ("1.s", "write a number and its unit: \"250ms\", \"1.5s\", \"1m30s\""),
        ] {
            assert_eq!(read(text), Err(says.to_owned()), "{text}");
        }
        for text in ["99999999999999999999999s", "18446744073709551615h"] {
            assert_eq!(read(text), Err(UNCOUNTED.to_owned()), "{text}");
        }
    }

    #[test]
    fn durations_are_shown_as_short_as_is_exact() {
        for text in ["0s", "250ms", "1.5s", "1m30s", "2m", "2m30s", "1h", "1h30m", "1.5ms", "7ns"] {
            assert_eq!(show(read(text).unwrap()), text);
        }
        assert_eq!(show(Duration::from_secs(60)), "1m");
        assert_eq!(show(Duration::from_secs(86_400)), "24h");
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_as_what_it_was(secs in 0..=u64::MAX, nanos in 0..1_000_000_000_u32) {
            for time in [Duration::new(secs, nanos), Duration::new(secs % 1_000, nanos)] {
                prop_assert_eq!(read(&show(time)), Ok(time));
            }
            prop_assert_eq!(read(&show(Duration::new(0, nanos))), Ok(Duration::new(0, nanos)));
        }

        #[test]
        fn nothing_that_is_read_as_a_duration_ends_it(text in "[0-9.smhdunµ ]{0,30}|.{0,10}") {
            let _ = read(&text);
        }
    }
}
