//! Which kinds of hints a response has, found in one pass over the names of its headers.

use ::http::HeaderMap;

/// A set of kinds. Most responses have none, so finding that out must cost next to nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Kinds(u8);

impl Kinds {
    pub(super) const NONE: Self = Self(0);
    pub(super) const RETRY_AFTER: Self = Self(1);
    /// Of the IETF draft, in all its versions.
    pub(super) const RATELIMIT: Self = Self(1 << 1);
    pub(super) const X_RATELIMIT: Self = Self(1 << 2);
    pub(super) const X_RATE_LIMIT: Self = Self(1 << 3);
    pub(super) const ANTHROPIC: Self = Self(1 << 4);
    pub(super) const SHOPIFY: Self = Self(1 << 5);

    #[inline]
    pub(super) fn of(headers: &HeaderMap) -> Self {
        headers.keys().fold(Self::NONE, |kinds, name| Self(kinds.0 | Self::named(name.as_str()).0))
    }

    pub(super) const fn include(self, kind: Self) -> bool {
        self.0 & kind.0 != 0
    }

    pub(super) const fn without(self, kind: Self) -> Self {
        Self(self.0 & !kind.0)
    }

    /// To begin like one of ours is enough; whoever reads the kind asks for whole names.
    fn named(name: &str) -> Self {
        let starts = |start| name.starts_with(start);
        // The letters first: they turn away nearly all of what servers send.
        match name.as_bytes() {
            [b'r', b'e', ..] if starts("retry-after") => Self::RETRY_AFTER,
            [b'r', b'a', ..] if starts("ratelimit") => Self::RATELIMIT,
            [b'x', _, b'r', b'a', ..] if starts("x-ratelimit-") => Self::X_RATELIMIT,
            [b'x', _, b'r', b'a', ..] if starts("x-rate-limit-") => Self::X_RATE_LIMIT,
            [b'x', _, b'm', ..] if name == "x-ms-retry-after-ms" => Self::RETRY_AFTER,
            [b'x', _, b'a', ..] if name == "x-amz-retry-after" => Self::RETRY_AFTER,
            [b'x', _, b's', ..] if name == "x-shopify-shop-api-call-limit" => Self::SHOPIFY,
            [b'a', b'n', ..] if starts("anthropic-ratelimit-") => Self::ANTHROPIC,
            _ => Self::NONE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_headers_are_of_no_kind() {
        for name in [
            "a",
            "accept-ranges",
            "age",
            "date",
            "r",
            "ratio",
            "retry",
            "x",
            "x-",
            "x-request-id",
            "x-ms-request-id",
            "x-amz-request-id",
            "x-rate",
            "x-ratelimit",
            "x-shopify-stage",
            "anthropic-organization-id",
        ] {
            assert_eq!(Kinds::named(name), Kinds::NONE, "{name}");
        }
    }

    #[test]
    fn a_response_has_every_kind_that_one_of_its_headers_is_of() {
        let mut headers = HeaderMap::new();
        for name in ["date", "retry-after-ms", "server", "x-shopify-shop-api-call-limit"] {
            headers.insert(name, ::http::HeaderValue::from_static("1"));
        }
        let kinds = Kinds::of(&headers);
        assert!(kinds.include(Kinds::RETRY_AFTER) && kinds.include(Kinds::SHOPIFY));
        assert_eq!(kinds.without(Kinds::RETRY_AFTER), Kinds::SHOPIFY);
    }
}
