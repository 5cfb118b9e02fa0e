//! The head of a request of HTTP/1.1.

use bytes::BytesMut;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request, Version};

/// No head is longer.
const MOST: usize = 1 << 20;

/// What there is of a head.
#[derive(Debug)]
pub(crate) enum Head {
    /// Not all.
    Half,
    /// It is none.
    Nonsense,
    /// All, and it has been taken out of the buffer.
    Whole(Box<Parts>),
}

/// Takes a head out of what has been read.
pub(crate) fn take(read: &mut BytesMut) -> Head {
    const END: &[u8] = b"\r\n\r\n";
    let Some(end) = read.windows(END.len()).position(|four| four == END) else {
        // What is no text is no beginning of a head, and need not be waited for.
        let is_text = read.first().is_none_or(u8::is_ascii_graphic);
        return if is_text && read.len() <= MOST { Head::Half } else { Head::Nonsense };
    };
    let head = read.split_to(end + END.len());
    match std::str::from_utf8(&head[..end]).ok().and_then(parts) {
        Some(parts) => Head::Whole(Box::new(parts)),
        None => Head::Nonsense,
    }
}

fn parts(head: &str) -> Option<Parts> {
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() {
        return None;
    }
    let version = match version {
        "HTTP/1.1" => Version::HTTP_11,
        "HTTP/1.0" => Version::HTTP_10,
        _ => return None,
    };
    let request = Request::builder().method(method).uri(target).version(version).body(()).ok()?;
    let mut parts = request.into_parts().0;
    for line in lines {
        let (name, value) = line.split_once(':')?;
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        let value = HeaderValue::from_bytes(value.trim_matches([' ', '\t']).as_bytes()).ok()?;
        parts.headers.append(name, value);
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> (Parts, BytesMut) {
        let mut read = BytesMut::from(text);
        match take(&mut read) {
            Head::Whole(parts) => (*parts, read),
            head => panic!("{text:?} is {head:?}"),
        }
    }

    #[test]
    fn a_head_is_taken_and_what_follows_it_stays() {
        let text = "POST /a?b=c HTTP/1.1\r\nHost:one\r\nx-list: a\r\nX-List:\t b \r\n\r\nbody";
        let (parts, rest) = whole(text);
        assert_eq!((parts.method.as_str(), parts.uri.to_string().as_str()), ("POST", "/a?b=c"));
        assert_eq!(parts.version, Version::HTTP_11);
        assert_eq!(parts.headers["host"], "one");
        let list: Vec<_> = parts.headers.get_all("x-list").iter().collect();
        assert_eq!(list, ["a", "b"]);
        assert_eq!(rest, "body");
        assert_eq!(whole("GET * HTTP/1.0\r\n\r\n").0.version, Version::HTTP_10);
    }

    #[test]
    fn half_a_head_is_waited_for() {
        for half in ["", "G", "GET / HTTP/1.1", "GET / HTTP/1.1\r\nhost: one\r\n"] {
            let mut read = BytesMut::from(half);
            assert!(matches!(take(&mut read), Head::Half), "{half:?}");
            assert_eq!(read, half);
        }
    }

    #[test]
    fn what_is_no_head_is_known_as_such() {
        for nonsense in [
            "\u{16}\u{3}\u{1}",
            "GET /\r\n\r\n",
            "GET / HTTP/1.1 x\r\n\r\n",
            "GET / HTTP/3\r\n\r\n",
            "GET / HTTP/1.1\r\nno colon\r\n\r\n",
            "GET / HTTP/1.1\r\na b: c\r\n\r\n",
            "GET \u{7f} HTTP/1.1\r\n\r\n",
        ] {
            assert!(matches!(take(&mut BytesMut::from(nonsense)), Head::Nonsense), "{nonsense:?}");
        }
        let endless = "x".repeat(MOST + 1);
        assert!(matches!(take(&mut BytesMut::from(&*endless)), Head::Nonsense));
    }
}
