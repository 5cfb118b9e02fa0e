//! What gRPC says over HTTP/2: its status, its pushback, its timeout.
//!
//! ```
//! use http::{HeaderMap, HeaderValue};
//! use mainstay::http::grpc::{Code, Pushback};
//! use mainstay::policy::Outcome;
//! use std::time::Duration;
//!
//! let mut trailers = HeaderMap::new();
//! trailers.insert("grpc-status", HeaderValue::from_static("14"));
//! trailers.insert("grpc-retry-pushback-ms", HeaderValue::from_static("250"));
//! assert_eq!(Code::read(&trailers), Some(Code::UNAVAILABLE));
//! assert_eq!(Code::UNAVAILABLE.outcome(), Outcome::Transient);
//! assert_eq!(Pushback::read(&trailers), Some(Pushback::Wait(Duration::from_millis(250))));
//! ```

mod timeout;

use std::fmt;
use std::time::Duration;

use ::http::header::CONTENT_TYPE;
use ::http::{HeaderMap, HeaderName, StatusCode, Version};
use mainstay_policy::Outcome;

use super::when::When;

pub use timeout::{TIMEOUT, Timeout, TimeoutError};

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");

/// How a gRPC call ended, in its own numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Code(u8);

impl Code {
    /// It worked.
    pub const OK: Self = Self(0);
    /// Somebody cancelled it.
    pub const CANCELLED: Self = Self(1);
    /// Nobody knows what happened.
    pub const UNKNOWN: Self = Self(2);
    /// The arguments are wrong.
    pub const INVALID_ARGUMENT: Self = Self(3);
    /// It took too long.
    pub const DEADLINE_EXCEEDED: Self = Self(4);
    /// There is no such thing.
    pub const NOT_FOUND: Self = Self(5);
    /// There is one already.
    pub const ALREADY_EXISTS: Self = Self(6);
    /// The caller may not.
    pub const PERMISSION_DENIED: Self = Self(7);
    /// A quota or a disk is full.
    pub const RESOURCE_EXHAUSTED: Self = Self(8);
    /// The system is not in the state that this needs.
    pub const FAILED_PRECONDITION: Self = Self(9);
    /// It got into the way of another; to be repeated at a higher level.
    pub const ABORTED: Self = Self(10);
    /// Past the end.
    pub const OUT_OF_RANGE: Self = Self(11);
    /// Not built here.
    pub const UNIMPLEMENTED: Self = Self(12);
    /// Something is broken.
    pub const INTERNAL: Self = Self(13);
    /// The service cannot be had now.
    pub const UNAVAILABLE: Self = Self(14);
    /// Data are lost for good.
    pub const DATA_LOSS: Self = Self(15);
    /// Nobody knows who the caller is.
    pub const UNAUTHENTICATED: Self = Self(16);

    const NAMES: [&'static str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];

    /// The code of this number; what is no code of gRPC's is [`Code::UNKNOWN`].
    #[must_use]
    pub const fn from_number(number: u8) -> Self {
        if number as usize >= Self::NAMES.len() { Self::UNKNOWN } else { Self(number) }
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Reads `grpc-status`, in the head of an answer that has no body or in the trailers of one
    /// that has. A value that is no number is [`Code::UNKNOWN`].
    #[must_use]
    pub fn read(fields: &HeaderMap) -> Option<Self> {
        let value = fields.get(STATUS)?;
        Some(match value.as_bytes() {
            [ones @ b'0'..=b'9'] => Self::from_number(ones - b'0'),
            [b'1', ones @ b'0'..=b'9'] => Self::from_number(10 + (ones - b'0')),
            _ => Self::UNKNOWN,
        })
    }

    /// What the trailers say of the call whose body they end. gRPC that ends without a status has
    /// broken off.
    #[must_use]
    pub fn at_the_end(trailers: Option<&HeaderMap>) -> Self {
        trailers.and_then(Self::read).unwrap_or(Self::UNKNOWN)
    }

    /// What it says to the layers.
    #[must_use]
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::OK => Outcome::Success,
            Self::RESOURCE_EXHAUSTED => Outcome::Throttled,
            Self::UNKNOWN
            | Self::DEADLINE_EXCEEDED
            | Self::INTERNAL
            | Self::UNAVAILABLE
            | Self::DATA_LOSS => Outcome::Transient,
            _ => Outcome::Fatal,
        }
    }

    /// When a call that ended so may be sent again, unless rules say otherwise.
    pub(super) const fn when(self) -> When {
        match self {
            Self::RESOURCE_EXHAUSTED => When::Always,
            Self::UNKNOWN | Self::DEADLINE_EXCEEDED | Self::INTERNAL | Self::UNAVAILABLE => {
                When::IfIdempotent
            }
            _ => When::Never,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES[usize::from(self.0)])
    }
}

/// What the head of an answer says of gRPC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Head {
    /// It is none of gRPC's, or one that never reached it.
    Other,
    /// The status comes behind the body.
    Open,
    /// There is no body, and this is the status.
    Ended(Code),
}

impl Head {
    /// Looks for gRPC only where it can be: HTTP/1.1 cannot carry it, and it answers 200.
    #[inline]
    pub(super) fn read(status: StatusCode, version: Version, headers: &HeaderMap) -> Self {
        if version < Version::HTTP_2 || status != StatusCode::OK || !is_grpc(headers) {
            return Self::Other;
        }
        Code::read(headers).map_or(Self::Open, Self::Ended)
    }

    pub(super) const fn code(self) -> Option<Code> {
        match self {
            Self::Other | Self::Open => None,
            Self::Ended(code) => Some(code),
        }
    }
}

/// Whether these are the header fields of gRPC.
fn is_grpc(headers: &HeaderMap) -> bool {
    const GRPC: &[u8] = b"application/grpc";

    headers.get(CONTENT_TYPE).is_some_and(|value| {
        let value = value.as_bytes();
        value.get(..GRPC.len()).is_some_and(|start| start.eq_ignore_ascii_case(GRPC))
            && matches!(value.get(GRPC.len()), None | Some(b'+' | b';' | b' '))
    })
}

/// What `grpc-retry-pushback-ms` says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Pushback {
    /// Wait so long.
    Wait(Duration),
    /// Do not ask again: the number was negative, or none.
    DoNotRetry,
}

impl Pushback {
    /// Reads it; `None` if there is none. The number is one of 32 bits with a sign.
    #[must_use]
    pub fn read(fields: &HeaderMap) -> Option<Self> {
        let value = fields.get(PUSHBACK)?;
        let number = value.to_str().ok().and_then(|text| text.parse::<i32>().ok());
        Some(match number.and_then(|number| u64::try_from(number).ok()) {
            Some(millis) => Self::Wait(Duration::from_millis(millis)),
            None => Self::DoNotRetry,
        })
    }
}

#[cfg(test)]
mod tests;
