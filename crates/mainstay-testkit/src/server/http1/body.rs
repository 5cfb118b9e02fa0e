//! The body of a request of HTTP/1.1.

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};

/// Where in a body the reader stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Body {
    /// So many bytes are left.
    Length(u64),
    /// Before the line that says how long a chunk is.
    Size,
    /// In a chunk with so many bytes left.
    Chunk(u64),
    /// Behind the bytes of a chunk.
    ChunkEnd,
    /// Behind the last chunk.
    Trailers,
}

/// What comes next of a body.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Next {
    /// These bytes.
    Bytes(Bytes),
    /// More must be read first.
    Half,
    /// Nothing.
    End,
    /// What is no body.
    Nonsense,
}

impl Body {
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let text = |value: Option<&http::HeaderValue>| {
            value.and_then(|value| value.to_str().ok().map(str::to_ascii_lowercase))
        };
        if headers.contains_key(TRANSFER_ENCODING) {
            let coding = text(headers.get_all(TRANSFER_ENCODING).iter().next_back())?;
            return coding.ends_with("chunked").then_some(Self::Size);
        }
        match headers.get(CONTENT_LENGTH) {
            Some(length) => text(Some(length))?.parse().ok().map(Self::Length),
            None => Some(Self::Length(0)),
        }
    }

    pub(crate) fn is_over(self) -> bool {
        self == Self::Length(0)
    }

    /// Takes at most so many bytes of the body out of what has been read.
    pub(crate) fn take(&mut self, read: &mut BytesMut, most: usize) -> Next {
        loop {
            match self {
                Self::Length(0) => return Next::End,
                Self::Length(left) => return bytes(left, read, most),
                Self::Chunk(0) => *self = Self::ChunkEnd,
                Self::Chunk(left) => return bytes(left, read, most),
                Self::Size => {
                    let Some(line) = line(read) else { return Next::Half };
                    let size = line.as_ref().split(|byte| *byte == b';').next().unwrap_or_default();
                    let size = std::str::from_utf8(size).unwrap_or_default().trim();
                    match u64::from_str_radix(size, 16) {
                        Ok(0) => *self = Self::Trailers,
                        Ok(size) => *self = Self::Chunk(size),
                        Err(_) => return Next::Nonsense,
                    }
                }
                Self::ChunkEnd => match line(read) {
                    Some(line) if line.is_empty() => *self = Self::Size,
                    Some(_) => return Next::Nonsense,
                    None => return Next::Half,
                },
                Self::Trailers => match line(read) {
                    Some(line) if line.is_empty() => *self = Self::Length(0),
                    Some(_) => {}
                    None => return Next::Half,
                },
            }
        }
    }
}

fn bytes(left: &mut u64, read: &mut BytesMut, most: usize) -> Next {
    if read.is_empty() {
        return Next::Half;
    }
    let most = usize::try_from(*left).unwrap_or(usize::MAX).min(most).min(read.len());
    *left -= u64::try_from(most).unwrap_or(*left);
    Next::Bytes(read.split_to(most).freeze())
}

/// Takes a line, without its end.
fn line(read: &mut BytesMut) -> Option<BytesMut> {
    let end = read.windows(2).position(|two| two == b"\r\n")?;
    let line = read.split_to(end);
    read.advance(2);
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &[(&'static str, &'static str)]) -> Option<Body> {
        let fields = fields.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), http::HeaderValue::from_static(value))
        });
        Body::of(&fields.collect())
    }

    /// What is taken, and the end; a byte at a time comes in.
    fn all(mut body: Body, sent: &str) -> (String, Next) {
        let (mut read, mut taken) = (BytesMut::new(), Vec::new());
        for byte in sent.bytes() {
            read.extend([byte]);
            match body.take(&mut read, usize::MAX) {
                Next::Bytes(bytes) => taken.extend(bytes),
                Next::Half => {}
                end => return (String::from_utf8(taken).unwrap(), end),
            }
        }
        let end = body.take(&mut read, usize::MAX);
        (String::from_utf8(taken).unwrap(), end)
    }

    #[test]
    fn the_fields_say_how_long_it_is() {
        assert_eq!(of(&[]), Some(Body::Length(0)));
        assert_eq!(of(&[("content-length", "12")]), Some(Body::Length(12)));
        let both = [("content-length", "12"), ("transfer-encoding", "gzip, Chunked")];
        assert_eq!(of(&both), Some(Body::Size));
        assert_eq!(of(&[("content-length", "-1")]), None);
        assert_eq!(of(&[("transfer-encoding", "gzip")]), None);
    }

    #[test]
    fn a_length_is_read_and_no_further() {
        assert_eq!(all(Body::Length(4), "four"), ("four".to_owned(), Next::End));
        assert_eq!(all(Body::Length(5), "four"), ("four".to_owned(), Next::Half));
        let mut read = BytesMut::from("fourGET");
        assert_eq!(Body::Length(4).take(&mut read, 9), Next::Bytes("four".into()));
        assert_eq!(read, "GET");
        assert_eq!(Body::Length(4).take(&mut BytesMut::from("four"), 3), Next::Bytes("fou".into()));
    }

    #[test]
    fn chunks_are_put_together_and_trailers_left_out() {
        let sent = "3;x=y\r\none\r\nA\r\n and a half\r\n0\r\nx: y\r\n\r\n";
        assert_eq!(all(Body::Size, sent).1, Next::Nonsense, "ten bytes are not eleven");
        let sent = "3;x=y\r\none\r\nB\r\n and a half\r\n0\r\nx: y\r\n\r\n";
        assert_eq!(all(Body::Size, sent), ("one and a half".to_owned(), Next::End));
        assert_eq!(all(Body::Size, "x\r\n").1, Next::Nonsense);
        assert_eq!(all(Body::Size, "3\r\non").1, Next::Half);
    }
}
