//! All header fields that ask for patience.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use mainstay::http::Hints;

const NAMES: [&str; 32] = [
    "retry-after",
    "retry-after-ms",
    "x-ms-retry-after-ms",
    "x-amz-retry-after",
    "date",
    "age",
    "ratelimit",
    "ratelimit-policy",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "ratelimit-resettime",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-ratelimit-reset-after",
    "x-ratelimit-resource",
    "x-ratelimit-bucket",
    "x-ratelimit-scope",
    "x-ratelimit-global",
    "x-rate-limit-limit",
    "x-rate-limit-remaining",
    "x-rate-limit-reset",
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-tokens",
    "anthropic-ratelimit-requests-remaining",
    "anthropic-ratelimit-requests-reset",
    "anthropic-ratelimit-tokens-remaining",
    "x-shopify-shop-api-call-limit",
];

/// Lines of a byte that says which name and the value after it. Nothing waits too long, and what
/// was read once reads the same again.
pub fn feed(bytes: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let Some((which, value)) = line.split_first() else { continue };
        let name = HeaderName::from_static(NAMES[usize::from(*which) % NAMES.len()]);
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(name, value);
        }
    }
    for now in [Duration::ZERO, Duration::from_secs(1_800_000_000), Duration::MAX] {
        let hints = Hints::read_at(&headers, now);
        let resets = hints.quotas().iter().map(|quota| quota.reset);
        for wait in resets.chain([hints.wait(), hints.retry_after()]).flatten() {
            assert!(wait <= Hints::LONGEST, "{wait:?} in {headers:?}");
        }
        assert!(hints.retry_after() <= hints.wait(), "{hints:?}");
        assert_eq!(Hints::read_at(&headers, now), hints);
    }
}
