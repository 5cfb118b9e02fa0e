//! gRPC's fields.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use mainstay::http::grpc::{Code, Pushback, TIMEOUT, Timeout};

/// What is read is within bounds, and what is written reads back.
pub fn feed(bytes: &[u8]) {
    if let Ok(timeout) = std::str::from_utf8(bytes).unwrap_or_default().parse::<Timeout>() {
        let written = timeout.to_value().expect("digits and a letter are a field's value");
        let again = written.to_str().ok().and_then(|text| text.parse::<Timeout>().ok());
        assert!(again.is_some_and(|again| again <= timeout), "{timeout:?} came back as {again:?}");
    }
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let mut fields = HeaderMap::new();
    for name in ["grpc-status", "grpc-retry-pushback-ms", TIMEOUT.as_str()] {
        fields.insert(http::HeaderName::try_from(name).expect("a name"), value.clone());
    }
    assert!(Code::read(&fields).is_some_and(|code| code.number() <= 16));
    if let Some(Pushback::Wait(wait)) = Pushback::read(&fields) {
        assert!(wait <= Duration::from_millis(i32::MAX.unsigned_abs().into()));
    }
}
