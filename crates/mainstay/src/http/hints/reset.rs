//! When a quota is renewed. Services agree on the name of the header and on nothing else, so its
//! form is told by its shape.

use std::time::Duration;

use super::number::Decimal;
use super::received::Received;
use super::{Hints, date, timestamp};

/// From here on a number counts seconds since 1970 (it was 2001 then), below it seconds from now.
const EPOCH_SECONDS: u64 = 1_000_000_000;
/// From here on it counts milliseconds since 1970.
const EPOCH_MILLISECONDS: u64 = 1_000_000_000_000;

/// In how long the quota is renewed; zero if the moment has passed.
pub(super) fn parse(text: &[u8], received: &Received<'_>) -> Option<Duration> {
    if let Some(number) = Decimal::parse(text) {
        return Some(of_number(number, received));
    }
    let moment = || timestamp::parse(text).or_else(|| date::parse(text, &|| received.time()));
    go_duration(text).or_else(|| moment().map(|moment| received.until(moment)))
}

fn of_number(number: Decimal, received: &Received<'_>) -> Duration {
    match number.whole {
        EPOCH_MILLISECONDS.. => received.until(number.times(Duration::from_millis(1))),
        EPOCH_SECONDS.. => received.until(number.times(Duration::from_secs(1))),
        _ => number.times(Duration::from_secs(1)).min(Hints::LONGEST),
    }
}

/// `6m0s`, `1.5h`, `12ms`: numbers with units, added up.
fn go_duration(text: &[u8]) -> Option<Duration> {
    let (mut sum, mut rest) = (Duration::ZERO, text);
    loop {
        let (number, behind) = Decimal::split(rest)?;
        let end = behind.iter().position(u8::is_ascii_digit).unwrap_or(behind.len());
        let (name, behind) = behind.split_at_checked(end)?;
        sum = sum.saturating_add(number.times(unit(name)?));
        if behind.is_empty() {
            return Some(sum.min(Hints::LONGEST));
        }
        rest = behind;
    }
}

fn unit(name: &[u8]) -> Option<Duration> {
    Some(match std::str::from_utf8(name).ok()? {
        "h" => Duration::from_secs(3600),
        "m" => Duration::from_secs(60),
        "s" => Duration::from_secs(1),
        "ms" => Duration::from_millis(1),
        // The signs for micro and for the letter mu.
        "us" | "\u{b5}s" | "\u{3bc}s" => Duration::from_micros(1),
        "ns" => Duration::from_nanos(1),
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
