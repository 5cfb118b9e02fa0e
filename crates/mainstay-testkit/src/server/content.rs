//! What is served in parts: `Range` and `If-Range`.

use std::ops::Range;

use bytes::Bytes;
use http::Method;

use super::pieces::length;
use super::{Received, Reply};

/// Bytes that are served whole or in part, as a request asks by `Range` and `If-Range`.
///
/// ```
/// use mainstay_testkit::server::{Content, Faulty, Reply};
///
/// # fn main() -> std::io::Result<()> {
/// let file = Content::new(vec![b'x'; 100_000]).etag("\"one\"");
/// let server = Faulty::start(move |request| match request.number() {
///     0 => file.answers(request).resets_at(40_000),
///     _ => file.answers(request), // from there on, if it is asked for that
/// })?;
/// # drop(server);
/// # Ok(())
/// # }
/// ```
///
/// A request for one range of bytes gets a 206, or a 416 where there is none of them. A request for
/// several, or whose `If-Range` is neither the entity tag nor the date, gets all.
#[derive(Clone, Debug)]
#[must_use]
pub struct Content {
    bytes: Bytes,
    etag: Option<String>,
    last_modified: Option<String>,
}

impl Content {
    /// Content that has no validator, so that no `If-Range` fits.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into(), etag: None, last_modified: None }
    }

    /// Has this entity tag, as it stands in the field: with its quotes.
    pub fn etag(mut self, etag: impl Into<String>) -> Self {
        self.etag = Some(etag.into());
        self
    }

    /// Was changed then, as it stands in the field.
    pub fn last_modified(mut self, date: impl Into<String>) -> Self {
        self.last_modified = Some(date.into());
        self
    }

    /// What this request is answered.
    pub fn answers(&self, request: &Received) -> Reply {
        let asked = (request.method() == Method::GET).then(|| request.header("range")).flatten();
        let part = match asked {
            Some(range) if self.is_meant_by(request.header("if-range")) => {
                part(range, length(&self.bytes))
            }
            _ => Part::All,
        };
        let reply = match part {
            Part::All => Reply::ok(self.bytes.clone()),
            Part::Some(range) => {
                let said = format!("bytes {}-{}/{}", range.start, range.end - 1, self.bytes.len());
                let body = self.bytes.slice(range);
                Reply::status(206).body(body).header("content-range", said)
            }
            Part::None => {
                let said = format!("bytes */{}", self.bytes.len());
                return Reply::status(416).header("content-range", said);
            }
        };
        let fields = [("etag", &self.etag), ("last-modified", &self.last_modified)];
        let reply = reply.header("accept-ranges", "bytes");
        fields.into_iter().fold(reply, |reply, (name, value)| match value {
            Some(value) => reply.header(name, value),
            None => reply,
        })
    }

    /// Whether it is what the client has a part of. A weak tag says nothing about bytes.
    fn is_meant_by(&self, if_range: Option<&str>) -> bool {
        let Some(validator) = if_range else { return true };
        let own = [&self.etag, &self.last_modified];
        !validator.starts_with("W/") && own.into_iter().flatten().any(|own| own == validator)
    }
}

#[derive(PartialEq, Eq, Debug)]
enum Part {
    All,
    Some(Range<usize>),
    /// It asks for what is not there.
    None,
}

/// The part of so many bytes that a field `Range` asks for; all where it does not say so of one.
fn part(range: &str, all: u64) -> Part {
    let ends = range.strip_prefix("bytes=").and_then(|range| range.trim().split_once('-'));
    let Some((first, last)) = ends else { return Part::All };
    let range = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => first..all.min(last.saturating_add(1)),
        (Ok(first), Err(_)) if last.is_empty() => first..all,
        (Err(_), Ok(count)) if first.is_empty() => all.saturating_sub(count)..all,
        _ => return Part::All,
    };
    match (usize::try_from(range.start), usize::try_from(range.end)) {
        (Ok(start), Ok(end)) if start < end => Part::Some(start..end),
        _ => Part::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_understood_and_what_is_none_means_all() {
        for (range, expected) in [
            ("bytes=0-0", Part::Some(0..1)),
            ("bytes=2-4", Part::Some(2..5)),
            ("bytes=7-", Part::Some(7..10)),
            ("bytes=-3", Part::Some(7..10)),
            ("bytes=-30", Part::Some(0..10)),
            ("bytes=9-99", Part::Some(9..10)),
            ("bytes=9-18446744073709551615", Part::Some(9..10)),
            ("bytes=10-", Part::None),
            ("bytes=10-12", Part::None),
            ("bytes=-0", Part::None),
            ("bytes=4-2", Part::All),
            ("bytes=0-1,3-4", Part::All),
            ("bytes=-", Part::All),
            ("bytes=a-b", Part::All),
            ("lines=0-1", Part::All),
            ("bytes 0-1", Part::All),
        ] {
            assert_eq!(part(range, 10), expected, "{range}");
        }
        assert_eq!(part("bytes=0-", 0), Part::None);
    }

    #[test]
    fn a_strong_validator_must_be_the_same() {
        let content = Content::new("ten").etag("\"one\"").last_modified("yesterday");
        for fits in [None, Some("\"one\""), Some("yesterday")] {
            assert!(content.is_meant_by(fits), "{fits:?}");
        }
        let weak = content.clone().etag("W/\"one\"");
        assert!(!weak.is_meant_by(Some("W/\"one\"")));
        for other in ["\"two\"", "one", "today"] {
            assert!(!content.is_meant_by(Some(other)), "{other}");
        }
        assert!(!Content::new("ten").is_meant_by(Some("\"one\"")));
    }
}
