//! Whatever a server sends, reading it neither panics nor asks for too long a wait.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const NAMES: [&str; 47] = [
    "date",
    "age",
    "retry-after",
    "retry-after-ms",
    "x-ms-retry-after-ms",
    "x-amz-retry-after",
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
    "x-ratelimit-global",
    "x-ratelimit-scope",
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-tokens",
    "x-rate-limit-limit",
    "x-rate-limit-remaining",
    "x-rate-limit-reset",
    "anthropic-ratelimit-requests-limit",
    "anthropic-ratelimit-requests-remaining",
    "anthropic-ratelimit-requests-reset",
    "anthropic-ratelimit-tokens-limit",
    "anthropic-ratelimit-tokens-remaining",
    "anthropic-ratelimit-tokens-reset",
    "anthropic-ratelimit-input-tokens-limit",
    "anthropic-ratelimit-input-tokens-remaining",
    "anthropic-ratelimit-input-tokens-reset",
    "anthropic-ratelimit-output-tokens-limit",
    "anthropic-ratelimit-output-tokens-remaining",
    "anthropic-ratelimit-output-tokens-reset",
    "x-shopify-shop-api-call-limit",
    "retry-after-",
    "ratelimit-x",
    "x-ratelimit-",
    "x-rate-limit-",
    "anthropic-ratelimit-",
];

fn value() -> impl Strategy<Value = Vec<u8>> {
    // Three kinds of bytes: any, those of numbers and dates, and what is nearly right.
    prop_oneof![
        vec(any::<u8>(), 0..40),
        vec(prop::sample::select(&b"0123456789.,;:=\"/- +()hmsnTZGMTrtqw"[..]), 0..30),
        "[0-9]{1,40}(\\.[0-9]{1,20})?".prop_map(String::into_bytes),
        "([0-9]{1,25}(\\.[0-9]{1,12})?(h|m|s|ms|us|ns)){1,4}".prop_map(String::into_bytes),
        "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,12})?[-+][0-2][0-9]:[0-6][0-9]"
            .prop_map(String::into_bytes),
        "(Mon|Sun), [0-3][0-9] (Jan|Feb|Dec) [0-9]{4} [0-2][0-9]:[0-6][0-9]:[0-6][0-9] GMT"
            .prop_map(String::into_bytes),
        "(Monday|Sunday), [0-3][0-9]-(Jan|Feb|Dec)-[0-9]{2} [0-2][0-9]:[0-6][0-9]:[0-6][0-9] GMT"
            .prop_map(String::into_bytes),
        "\"[a-c]\";r=[0-9]{1,16}(;t=[0-9]{1,16})?(;q=[0-9]{1,16})?(;w=[0-9]{1,16})?"
            .prop_map(String::into_bytes),
        "(limit|remaining|reset)=[0-9]{1,16}, remaining=[0-9]{1,16}".prop_map(String::into_bytes),
    ]
}

fn now() -> impl Strategy<Value = Duration> {
    let seconds = prop_oneof![Just(0), Just(NOW.as_secs()), Just(u64::MAX), any::<u64>()];
    (seconds, 0..1_000_000_000_u32).prop_map(|(seconds, nanos)| Duration::new(seconds, nanos))
}

fn append(headers: &mut HeaderMap, name: &'static str, value: &[u8]) {
    if let Ok(value) = HeaderValue::from_bytes(value) {
        headers.append(name, value);
    }
}

#[track_caller]
fn assert_bounded(hints: &Hints) {
    let waits = [hints.retry_after(), hints.wait(), hints.quota().and_then(|quota| quota.reset)];
    assert!(waits.into_iter().flatten().all(|wait| wait <= Hints::LONGEST), "{hints:?}");
    assert_eq!(hints.is_empty(), *hints == Hints::default());
}

proptest! {
    #[test]
    fn any_headers_are_read_within_bounds(
        lines in vec((prop::sample::select(&NAMES[..]), value()), 0..12),
        now in now(),
    ) {
        let mut headers = HeaderMap::new();
        for (name, value) in &lines {
            append(&mut headers, name, value);
        }
        assert_bounded(&Hints::read_at(&headers, now));
        assert_bounded(&Hints::read(&headers));
    }

    #[test]
    fn any_value_may_stand_in_every_header(values in vec(value(), 1..3), now in now()) {
        for name in NAMES {
            let mut headers = headers(&[
                ("ratelimit-remaining", "0"),
                ("x-ratelimit-remaining", "0"),
                ("x-rate-limit-remaining", "0"),
            ]);
            values.iter().for_each(|value| append(&mut headers, name, value));
            assert_bounded(&Hints::read_at(&headers, now));
        }
    }

    #[test]
    fn any_text_is_a_date_or_none(text in vec(any::<u8>(), 0..40), now in now()) {
        if let Ok(value) = HeaderValue::from_bytes(&text) {
            let _ = parse_http_date(&value, now);
            let wait = parse_retry_after(&value, now);
            prop_assert!(wait.is_none_or(|wait| wait <= Hints::LONGEST));
        }
    }
}
