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
        true => format!("`{text}` is no URL: {error}"),
        false => format!("`{text}` is no URL: it begins with http:// or https://"),
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("`{text}` is neither http:// nor https://"));
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
        Err(error) => Err(format!("`{url}` cannot be asked: {error}")),
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
        let hex = || u8::from_str_radix(text.get(at + 1..at + 3)?, 16).ok();
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
