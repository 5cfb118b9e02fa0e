//! What the tests of this module share.

use ::http::{HeaderMap, HeaderName, HeaderValue};

/// Header fields, in this order.
pub(crate) fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    headers
}
