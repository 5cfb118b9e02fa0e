//! By what a body is known again, and which part of it an answer has.

use std::time::Duration;

use ::http::header::{CONTENT_ENCODING, CONTENT_RANGE, DATE, ETAG, LAST_MODIFIED};
use ::http::{HeaderMap, HeaderName, HeaderValue};

use crate::clock;
use crate::http::hints::parse_http_date;

/// By what a body is known again, byte for byte.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Validator {
    pub(super) field: HeaderName,
    pub(super) value: HeaderValue,
}

impl Validator {
    /// A strong `ETag`, or else a `Last-Modified` that is strong because the answer is younger.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        if let Some(value) = headers.get(ETAG) {
            let value = value.clone();
            return value.as_bytes().starts_with(b"\"").then_some(Self { field: ETAG, value });
        }
        let value = headers.get(LAST_MODIFIED)?;
        let now = clock::unix_now();
        let modified = parse_http_date(value, now)?;
        let answered = parse_http_date(headers.get(DATE)?, now)?;
        // Within a second it may have changed again.
        let is_strong = answered >= modified + Duration::from_secs(1);
        is_strong.then(|| Self { field: LAST_MODIFIED, value: value.clone() })
    }

    pub(super) const fn tag(value: HeaderValue) -> Self {
        Self { field: ETAG, value }
    }

    /// Whether a part says that it is of the same body. Every part has the tag of the whole; its
    /// date may be left out, and then it is enough that it does not deny it.
    pub(super) fn fits(&self, headers: &HeaderMap) -> bool {
        match headers.get(&self.field) {
            Some(value) => *value == self.value,
            None => self.field != ETAG,
        }
    }
}

/// How a body is packed, if it is.
pub(super) fn packing(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers.get(CONTENT_ENCODING).filter(|how| !how.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// `Content-Range: bytes 100-199/1000`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Part {
    pub(super) first: u64,
    pub(super) last: u64,
    /// Not always known.
    pub(super) total: Option<u64>,
}

impl Part {
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get(CONTENT_RANGE)?.to_str().ok()?.trim();
        let (unit, range) = text.split_once(' ')?;
        let (range, total) = range.trim_start().split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let total = if total == "*" { None } else { Some(number(total)?) };
        let part = Self { first: number(first)?, last: number(last)?, total };
        let is_one = unit.eq_ignore_ascii_case("bytes")
            && part.first <= part.last
            && total.is_none_or(|total| part.last < total);
        is_one.then_some(part)
    }
}

/// Digits and nothing else; a sign is none.
pub(super) fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::headers;

    fn value(fields: &[(&'static str, &str)]) -> Option<String> {
        Validator::of(&headers(fields)).map(|it| it.value.to_str().unwrap().to_owned())
    }

    #[test]
    fn only_what_changes_with_every_byte_is_a_validator() {
        assert_eq!(value(&[("etag", "\"a\"")]).as_deref(), Some("\"a\""));
        assert_eq!(value(&[("etag", "W/\"a\"")]), None);
        assert_eq!(value(&[]), None);

        let modified = ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT");
        let at = |date| value(&[modified, ("date", date)]);
        assert_eq!(at("Sun, 06 Nov 1994 08:49:38 GMT").as_deref(), Some(modified.1));
        assert_eq!(at("Sun, 06 Nov 1994 08:49:37 GMT"), None);
        assert_eq!(value(&[modified]), None);
        let later = ("date", "Sun, 06 Nov 2044 08:49:37 GMT");
        assert_eq!(value(&[("etag", "W/\"a\""), modified, later]), None, "a weak one says it all");
    }

    #[test]
    fn a_part_has_the_tag_of_the_whole_or_does_not_deny_its_date() {
        let validator = Validator::of(&headers(&[("etag", "\"a\"")])).unwrap();
        assert!(validator.fits(&headers(&[("etag", "\"a\"")])));
        assert!(!validator.fits(&headers(&[])));
        assert!(!validator.fits(&headers(&[("etag", "\"b\"")])));
        assert!(!validator.fits(&headers(&[("etag", "W/\"a\"")])));

        let (old, new) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 2004 08:49:37 GMT");
        let validator = Validator::of(&headers(&[("last-modified", old), ("date", new)])).unwrap();
        assert!(validator.fits(&headers(&[("last-modified", old)])));
        assert!(validator.fits(&headers(&[])));
        assert!(!validator.fits(&headers(&[("last-modified", new)])));
    }

    #[test]
    fn what_is_packed_says_so() {
        assert_eq!(packing(&headers(&[])), None);
        assert_eq!(packing(&headers(&[("content-encoding", "Identity")])), None);
        assert_eq!(packing(&headers(&[("content-encoding", "gzip")])).unwrap(), "gzip");
    }

    #[test]
    fn a_part_is_read_strictly() {
        let part = |text| Part::of(&headers(&[("content-range", text)]));
        let of = |first, last, total| Some(Part { first, last, total });
        assert_eq!(part("bytes 100-199/1000"), of(100, 199, Some(1000)));
        assert_eq!(part("Bytes  0-0/*"), of(0, 0, None));
        for wrong in [
            "bytes */1000",
            "items 1-2/3",
            "bytes 5-4/10",
            "bytes 5-10/10",
            "bytes +5-6/10",
            "bytes 5-6",
            "bytes 5-6/",
            "bytes=5-6/10",
            "bytes 18446744073709551616-18446744073709551617/*",
        ] {
            assert_eq!(part(wrong), None, "{wrong}");
        }
        assert_eq!(Part::of(&headers(&[])), None);
    }
}
