//! Retry-After and dates by themselves.

use std::time::Duration;

use http::HeaderValue;
use mainstay::http::Hints;
use mainstay::http::hints::{parse_http_date, parse_retry_after};

/// A wait is within bounds and gets no longer as time goes on.
pub fn feed(bytes: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let mut last = Hints::LONGEST;
    for now in [0, 784_111_777, 1_800_000_000, 253_402_300_800, u64::MAX] {
        let now = Duration::from_secs(now);
        let Some(wait) = parse_retry_after(&value, now) else { continue };
        assert!(wait <= Hints::LONGEST, "{value:?} at {now:?} is {wait:?}");
        // A year of two digits is read anew each time.
        let is_short_year =
            bytes.windows(2).filter(|pair| pair == b"-A" || pair[0] == b'-').count() > 1;
        assert!(is_short_year || wait <= last, "{value:?} at {now:?} is {wait:?}");
        last = wait;
    }
    if let Some(moment) = parse_http_date(&value, Duration::ZERO) {
        assert!(moment <= Duration::from_secs(253_402_300_800), "{value:?} is {moment:?}");
    }
}
