//! Keys by which a server knows a request that it has seen before.

use ::http::{HeaderMap, HeaderName, HeaderValue};

use crate::chance;

/// The field of draft-ietf-httpapi-idempotency-key-header.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Whether a field is there that few requests have.
#[inline(always)] // a name that is known is compared in half the time
pub(super) fn has(headers: &HeaderMap, name: &HeaderName) -> bool {
    const FEW: usize = 16;

    // A look at each name costs less than the hash of one, while they are few.
    match headers.keys_len() {
        0..=FEW => headers.keys().any(|key| key == name),
        _ => headers.contains_key(name),
    }
}

/// Gives each call that is not idempotent a key of its own, so that a server which knows such keys
/// does what was asked once, however often it is asked.
///
/// The key is minted once per call and is the same in every attempt. A request that has one keeps
/// it. Only for servers that promise to honour it: to others a POST with a key is a POST, and it
/// would be repeated.
///
/// ```
/// use mainstay::http::{Http, IdempotencyKeys};
///
/// let http = Http::new().idempotency_keys(IdempotencyKeys::new());
/// # let _ = http;
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub struct IdempotencyKeys {
    pub(crate) header: HeaderName,
    pub(crate) is_quoted: bool,
}

impl IdempotencyKeys {
    /// `Idempotency-Key: "8e03978e-40d5-43dd-bc93-6894a57f9324"`, as the draft has it. Those who
    /// take keys for plain text (Stripe, Adyen) take the quotes for a part of it, which does no
    /// harm.
    pub const fn new() -> Self {
        Self { header: IDEMPOTENCY_KEY, is_quoted: true }
    }

    /// Without the quotes, for servers that will have nothing but the UUID.
    pub const fn bare(mut self) -> Self {
        self.is_quoted = false;
        self
    }

    /// In another field: `PayPal-Request-Id`.
    pub fn header(mut self, header: HeaderName) -> Self {
        self.header = header;
        self
    }

    /// Whether the request has a key.
    pub(super) fn is_on(&self, headers: &HeaderMap) -> bool {
        has(headers, &self.header)
    }

    /// Gives the request a key, unless it has one.
    pub(crate) fn mint(&self, headers: &mut HeaderMap) {
        if self.is_on(headers) {
            return;
        }
        if let Ok(value) = HeaderValue::from_bytes(&self.value(chance::unique())) {
            headers.insert(self.header.clone(), value);
        }
    }

    fn value(&self, bits: u128) -> Vec<u8> {
        let uuid = uuid(bits);
        let text = if self.is_quoted { format!("\"{uuid}\"") } else { uuid };
        text.into_bytes()
    }
}

impl Default for IdempotencyKeys {
    fn default() -> Self {
        Self::new()
    }
}

/// The UUID of version 4 that these bits make; six of them say the version.
fn uuid(bits: u128) -> String {
    const VERSION: u128 = 0xf << 76;
    const VARIANT: u128 = 0b11 << 62;

    let bits = bits & !VERSION & !VARIANT | 0x4 << 76 | 0b10 << 62;
    let hex = format!("{bits:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::headers;

    fn minted(keys: &IdempotencyKeys) -> String {
        let mut headers = HeaderMap::new();
        keys.mint(&mut headers);
        headers[&keys.header].to_str().unwrap().to_owned()
    }

    #[test]
    fn a_uuid_says_its_version_and_keeps_every_other_bit() {
        assert_eq!(uuid(0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(
            uuid(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef),
            "01234567-89ab-4def-8123-456789abcdef"
        );
    }

    #[test]
    fn a_key_is_a_quoted_uuid_unless_told_otherwise() {
        let quoted = minted(&IdempotencyKeys::new());
        assert_eq!(quoted.len(), 38);
        assert!(quoted.starts_with('"') && quoted.ends_with('"'), "{quoted}");
        let bare = minted(&IdempotencyKeys::default().bare());
        assert_eq!(bare.len(), 36);
        assert!(bare.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-'), "{bare}");
    }

    #[test]
    fn no_two_calls_share_a_key() {
        let keys = IdempotencyKeys::new();
        assert_ne!(minted(&keys), minted(&keys));
    }

    #[test]
    fn a_request_that_has_a_key_keeps_it() {
        let mut headers = headers(&[("idempotency-key", "mine")]);
        IdempotencyKeys::new().mint(&mut headers);
        assert_eq!(headers.get_all("idempotency-key").iter().collect::<Vec<_>>(), ["mine"]);
    }

    #[test]
    fn a_key_can_stand_in_another_field() {
        let keys = IdempotencyKeys::new().header(HeaderName::from_static("paypal-request-id"));
        let mut headers = headers(&[("idempotency-key", "not this")]);
        assert!(!keys.is_on(&headers));
        keys.mint(&mut headers);
        assert!(keys.is_on(&headers));
        assert_eq!(headers["idempotency-key"], "not this");
    }
}
