//! What a status says of the server.

use ::http::StatusCode;
use mainstay_policy::Outcome;

/// What a status says to the layers.
///
/// Of the 5xx, those that speak of the request (501, 505, 506, 510, 511) say nothing of the
/// server's health.
#[inline]
pub(crate) fn outcome(status: StatusCode) -> Outcome {
    match status.as_u16() {
        408 | 425 => Outcome::Transient,
        429 => Outcome::Throttled,
        501 | 505 | 506 | 510 | 511 => Outcome::Fatal,
        100..=399 => Outcome::Success,
        500..=599 => Outcome::Transient,
        _ => Outcome::Fatal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_status_says_of_the_server() {
        let of = |status| outcome(StatusCode::from_u16(status).unwrap());
        for status in (100..=399).chain([101, 200, 204, 304]) {
            assert_eq!(of(status), Outcome::Success, "{status}");
        }
        for status in (400..=499).filter(|status| ![408, 425, 429].contains(status)) {
            assert_eq!(of(status), Outcome::Fatal, "{status}");
        }
        for status in [408, 425, 500, 502, 503, 504, 507, 508, 520, 529, 599] {
            assert_eq!(of(status), Outcome::Transient, "{status}");
        }
        for status in [501, 505, 506, 510, 511, 600, 999] {
            assert_eq!(of(status), Outcome::Fatal, "{status}");
        }
        assert_eq!(of(429), Outcome::Throttled);
    }
}
