//! Numbers as headers spell them: digits, then perhaps a point and more digits.

use std::time::Duration;

/// A decimal number without a sign. What does not fit saturates; what is finer than a billionth
/// is rounded up, so that nobody comes back sooner than asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Decimal {
    pub(super) whole: u64,
    billionths: u32,
}

impl Decimal {
    /// Reads a text that is a number from end to end.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        Self::split(text).and_then(|(number, rest)| rest.is_empty().then_some(number))
    }

    /// Reads the number that a text begins with. The rest does not begin with a digit.
    pub(super) fn split(text: &[u8]) -> Option<(Self, &[u8])> {
        let (whole, rest) = integer(text)?;
        let Some(fraction) = rest.strip_prefix(b".") else {
            return Some((Self { whole, billionths: 0 }, rest));
        };
        let (billionths, rest) = billionths(fraction)?;
        Some((Self { whole, billionths }, rest))
    }

    /// So many units.
    pub(super) fn times(self, unit: Duration) -> Duration {
        let fraction = unit.as_nanos() * u128::from(self.billionths);
        let nanos = unit.as_nanos() * u128::from(self.whole) + fraction.div_ceil(BILLION);
        u64::try_from(nanos / BILLION).map_or(Duration::MAX, |secs| {
            let rest = u64::try_from(nanos % BILLION).unwrap_or_default();
            Duration::from_secs(secs).saturating_add(Duration::from_nanos(rest))
        })
    }
}

const BILLION: u128 = 1_000_000_000;

/// Reads the digits that a text begins with.
pub(super) fn integer(text: &[u8]) -> Option<(u64, &[u8])> {
    let (digits, rest) = split_digits(text)?;
    let add = |sum: u64, digit: &u8| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    Some((digits.iter().fold(0, add), rest))
}

/// Reads the digits behind a point. They may come to a whole, since the tenth is rounded up.
pub(super) fn billionths(text: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = split_digits(text)?;
    let (read, finer) = digits.split_at(digits.len().min(9));
    let padded = read.iter().chain(&[b'0'; 9]).take(9);
    let number = padded.fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    Some((number + u32::from(finer.iter().any(|digit| *digit != b'0')), rest))
}

/// At least one digit.
fn split_digits(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const MILLI: Duration = Duration::from_millis(1);

    fn of(text: &str, unit: Duration) -> Option<Duration> {
        Decimal::parse(text.as_bytes()).map(|number| number.times(unit))
    }

    #[test]
    fn whole_and_decimal_numbers_count_units() {
        assert_eq!(of("2", SECOND), Some(SECOND * 2));
        assert_eq!(of("0002.500", SECOND), Some(MILLI * 2500));
        assert_eq!(of("1.5", MILLI), Some(Duration::from_micros(1500)));
        assert_eq!(of("0.5", Duration::from_secs(3600)), Some(SECOND * 1800));
        assert_eq!(of("0.000", SECOND), Some(Duration::ZERO));
    }

    #[test]
    fn what_is_finer_than_a_nanosecond_is_rounded_up() {
        assert_eq!(of("0.0000000001", SECOND), Some(Duration::from_nanos(1)));
        assert_eq!(of("0.0000000010000", SECOND), Some(Duration::from_nanos(1)));
        assert_eq!(of("0.0000001", MILLI), Some(Duration::from_nanos(1)));
        assert_eq!(of("1.9999999999", SECOND), Some(SECOND * 2));
    }

    #[test]
    fn what_is_too_large_saturates() {
        let hour = Duration::from_secs(3600);
        assert_eq!(of("99999999999999999999999", hour), Some(Duration::MAX));
        let most = u64::MAX.to_string();
        assert_eq!(of(&most, SECOND), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(of(&format!("{most}0"), SECOND), of(&most, SECOND));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", " ", ".", "1.", ".5", "-1", "+1", "1 ", "1e3", "1.2.3", "1,5", "0x1", "١"]
        {
            assert_eq!(of(text, SECOND), None, "{text:?}");
        }
    }
}
