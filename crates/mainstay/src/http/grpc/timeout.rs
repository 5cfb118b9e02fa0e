//! How long a server may take.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use ::http::{HeaderName, HeaderValue};

/// The name of the field that [`Timeout`] is the value of.
pub const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// The value of `grpc-timeout`: how long the server may take.
///
/// ```
/// use mainstay::http::grpc::Timeout;
/// use std::time::Duration;
///
/// let timeout: Timeout = "250m".parse()?;
/// assert_eq!(timeout.duration(), Duration::from_millis(250));
/// assert_eq!(Timeout::of(Duration::from_millis(250)).to_string(), "250000u");
/// # Ok::<(), mainstay::http::grpc::TimeoutError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Timeout(Duration);

/// A value of `grpc-timeout` is one to eight digits and one of the letters `HMSmun`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no timeout of gRPC's")]
pub struct TimeoutError;

/// Hours down to nanoseconds, each with the nanoseconds in it.
const UNITS: [(u8, u64); 6] = [
    (b'H', 3_600_000_000_000),
    (b'M', 60_000_000_000),
    (b'S', 1_000_000_000),
    (b'm', 1_000_000),
    (b'u', 1_000),
    (b'n', 1),
];

/// The most that eight digits can say.
const MOST: u64 = 99_999_999;

impl Timeout {
    /// A timeout for the server; as precise as eight digits can say it, and never longer.
    #[must_use]
    pub const fn of(duration: Duration) -> Self {
        Self(duration)
    }

    /// How long it is.
    #[must_use]
    pub const fn duration(&self) -> Duration {
        self.0
    }

    /// The value to send.
    #[must_use]
    pub fn to_value(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.to_string()).ok()
    }
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        let exact = UNITS.iter().rev().map(|(letter, unit)| (letter, nanos / u128::from(*unit)));
        let (letter, number) = exact
            .into_iter()
            .find(|(_, number)| *number <= u128::from(MOST))
            .unwrap_or((&b'H', u128::from(MOST)));
        write!(f, "{number}{}", char::from(*letter))
    }
}

impl FromStr for Timeout {
    type Err = TimeoutError;

    fn from_str(text: &str) -> Result<Self, TimeoutError> {
        let (letter, digits) = text.as_bytes().split_last().ok_or(TimeoutError)?;
        let (_, unit) = UNITS.iter().find(|(known, _)| known == letter).ok_or(TimeoutError)?;
        if !(1..=8).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
            return Err(TimeoutError);
        }
        let number = digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
        let nanos = u128::from(number) * u128::from(*unit);
        let (seconds, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
        let whole = u64::try_from(seconds).map_err(|_| TimeoutError)?;
        let rest = u32::try_from(rest).map_err(|_| TimeoutError)?;
        Ok(Self(Duration::new(whole, rest)))
    }
}
