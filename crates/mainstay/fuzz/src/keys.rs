//! Where a request goes.

use http::{HeaderMap, HeaderValue, Uri};
use mainstay::http::Origin;

/// A key is a spelling of its own, and no password is in it.
pub fn feed(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (scheme, authority) = text.split_once('\n').unwrap_or(("https", &text));
    let key = Origin::new(scheme, authority).key();
    assert!(!key.as_str().contains('@') || scheme.contains('@'), "{key}");
    if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !scheme.is_empty() {
        let rest = key.as_str().split_once("://").map_or("", |(_, rest)| rest);
        assert_eq!(Origin::new(scheme, rest).key(), key, "a key is its own spelling");
    }

    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(bytes) {
        headers.insert("host", value);
    }
    let uri = text.parse::<Uri>().unwrap_or_default();
    if let Some(origin) = Origin::of_parts(&uri, &headers) {
        let _ = origin.key();
    }
}
