//! Rates as a file has them: `50/s`, `10/250ms`.

use std::fmt;
use std::time::Duration;

use super::time;

/// So many in so long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Rate {
    pub(crate) count: u32,
    pub(crate) period: Duration,
}

const NAMED: [(&[&str], &str, u64); 4] = [
    (&["s", "sec", "second"], "s", 1),
    (&["min", "m", "minute"], "min", 60),
    (&["h", "hour"], "h", 3_600),
    (&["d", "day"], "d", 86_400),
];

/// Reads a rate; `Err` says what to write instead.
pub(crate) fn read(text: &str) -> Result<Rate, String> {
    let Some((count, period)) = text.split_once('/') else {
        return Err("write so many in so long: \"50/s\", \"300/min\", \"10/250ms\"".to_owned());
    };
    let (count, period) = (count.trim(), period.trim());
    let named = NAMED.iter().find(|(names, ..)| names.contains(&period));
    let period = match named {
        Some((.., secs)) => Duration::from_secs(*secs),
        None => time::read(period).map_err(|_| {
            "behind the `/` stands s, min, h, d or a duration: \"50/s\", \"10/250ms\"".to_owned()
        })?,
    };
    let count = count.parse().map_err(|_| {
        "the count is a whole number: for one in two seconds, write \"1/2s\"".to_owned()
    })?;
    Ok(Rate { count, period })
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, period } = *self;
        let named = NAMED.iter().find(|(.., secs)| Duration::from_secs(*secs) == period);
        match named {
            Some((_, name, _)) => write!(f, "{count}/{name}"),
            None => write!(f, "{count}/{}", time::show(period)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_and_shown() {
        for (text, count, millis) in [
            ("50/s", 50, 1_000),
            ("300/min", 300, 60_000),
            ("5000/h", 5_000, 3_600_000),
            ("1/d", 1, 86_400_000),
            ("10/250ms", 10, 250),
            ("1/2s", 1, 2_000),
        ] {
            let rate = Rate { count, period: Duration::from_millis(millis) };
            assert_eq!(read(text), Ok(rate));
            assert_eq!(rate.to_string(), text);
        }
        assert_eq!(read(" 50 / second").unwrap().to_string(), "50/s");
        assert_eq!(read("50/m").unwrap().to_string(), "50/min");
    }

    #[test]
    fn what_is_no_rate_is_told_what_to_write() {
        for (text, says) in [
            ("50", "so many in so long"),
            ("0.5/s", "\"1/2s\""),
            ("-1/s", "\"1/2s\""),
            ("/s", "\"1/2s\""),
            ("50/", "behind the `/`"),
            ("50/fortnight", "behind the `/`"),
        ] {
            assert!(read(text).unwrap_err().contains(says), "{text}");
        }
    }
}
