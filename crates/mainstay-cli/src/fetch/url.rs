//! URLs as they are written, and as they are asked.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Uri};
use reqwest::Url;

/// Where to. A name and a password in it become the header that says them.
pub(super) fn read(text: &str, headers: &mut HeaderMap) -> Result<Url, String> {
    if text.is_empty() {
        return Err("there is no URL".to_owned());
    }
    let mut url = Url::parse(text).map_err(|error| match text.starts_with("http") {
        true => format!("`{}` is no URL: {error}", shown(text)),
        false => format!("`{}` is no URL: it begins with http:// or https://", shown(text)),
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("`{}` is neither http:// nor https://", shown(text)));
    }
    if !url.username().is_empty() || url.password().is_some() {
        let basic = basic(&url);
        // Both can be taken from whatever has a host, and http:// has.
        let _: (Result<(), ()>, Result<(), ()>) = (url.set_username(""), url.set_password(None));
        headers.entry(AUTHORIZATION).or_insert(basic);
    }
    url.set_fragment(None);
    match url.as_str().parse::<Uri>() {
        Ok(_) => Ok(url),
        Err(error) => Err(format!("`{}` cannot be asked: {error}", shown(url.as_str()))),
    }
}

/// What may be shown of a text that is no URL: neither a name nor a password, and not all of it if
/// it is long.
pub(super) fn shown(text: &str) -> String {
    let after_scheme = text.find("://").map_or(0, |at| at + "://".len());
    let (scheme, rest) = text.split_at(after_scheme);
    let is_secret = |before: &str| {
        // Of a scheme with a mistake in it nobody knows where it ends.
        let is_authority = !before.contains(['/', '?', '#']) || before.starts_with("http");
        is_authority || before.contains(':')
    };
    match rest.rfind('@').filter(|at| is_secret(&rest[..*at])) {
        Some(at) => clipped(&format!("{scheme}…{}", &rest[at..])),
        None => clipped(text),
    }
}

/// As much of a line as a message quotes.
pub(super) fn clipped(text: &str) -> String {
    const LONGEST: usize = 200;

    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn basic(url: &Url) -> HeaderValue {
    use base64::Engine as _;

    let decoded = |text: &str| percent_decoded(text);
    let (name, password) = (decoded(url.username()), decoded(url.password().unwrap_or_default()));
    let encoded = base64::engine::general_purpose::STANDARD.encode([name, password].join(&b':'));
    let mut value = HeaderValue::try_from(format!("Basic {encoded}"))
        .unwrap_or_else(|_| HeaderValue::from_static("Basic"));
    value.set_sensitive(true);
    value
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits =
            text.get(at + 1..at + 3).filter(|two| two.chars().all(|c| c.is_ascii_hexdigit()));
        let hex = || u8::from_str_radix(digits?, 16).ok();
        match (bytes[at], hex()) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                at += 3;
            }
            (byte, _) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_url_is_shown_without_its_password() {
        for (text, says) in [
            ("ftp://me:s3cret@h/x", "ftp://…@h/x"),
            ("me:s3cret@h/x", "…@h/x"),
            ("me@h/x", "…@h/x"),
            ("http://me:s3/cr?et@h/x", "http://…@h/x"),
            ("http://me:s3c@ret@h:x", "http://…@h:x"),
            ("example.com/@me", "example.com/@me"),
            ("example.com/x", "example.com/x"),
        ] {
            assert_eq!(shown(text), says);
            let wrong = read(text, &mut HeaderMap::new());
            assert!(wrong.is_err_and(|what| what.contains(says) && !what.contains("s3")), "{text}");
        }
        let long = format!("ftp://h/{}", "ä".repeat(5_000));
        assert_eq!(shown(&long).chars().count(), 201);
    }

    #[test]
    fn what_is_no_byte_in_a_password_stays_as_it_is() {
        for (text, decoded) in
            [("a%20b", "a b"), ("%+5", "%+5"), ("%-1", "%-1"), ("%2", "%2"), ("%ä", "%ä")]
        {
            assert_eq!(percent_decoded(text), decoded.as_bytes());
        }
    }
}
