//! What the server does with a request, as plain data.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Gate;

/// What the server does with a request: an answer, and what is wrong with it.
///
/// It is complete at every step. What is not said is as with a server that is well: the request is
/// read to its end, the answer comes at once, whole, with a length, and the connection stays open.
///
/// ```
/// use mainstay_testkit::server::Reply;
/// use std::time::Duration;
///
/// let busy = Reply::status(503).header("retry-after", "1");
/// let slow = Reply::ok("well").after(Duration::from_millis(200));
/// let breaks_off = Reply::ok("a long answer").resets_at(6);
/// let drips = Reply::ok(vec![b'x'; 100]).pieces(10).pause(Duration::from_millis(20));
/// ```
///
/// Nothing is checked: a status that does not exist and a header that may not be are sent as they
/// are. HTTP/2 leaves less to lie about; where it cannot be said there, the documentation tells
/// what is done instead.
#[derive(Clone, Debug)]
#[must_use = "it does nothing until a request is answered with it"]
pub struct Reply {
    pub(super) reads: Reads,
    pub(super) after: Duration,
    pub(super) gate: Option<Gate>,
    pub(super) early: Vec<Head>,
    pub(super) answer: Answer,
}

/// How the body of a request is read, before it is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reads {
    All,
    Slowly { bytes: usize, pause: Duration },
    Nothing,
}

/// A status, and the fields as they stand on the wire.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) fields: Vec<(Bytes, Bytes)>,
}

#[derive(Clone)]
pub(super) enum Answer {
    Http(Box<Http>),
    /// What it is depends on the body of the request.
    Of(Arc<dyn Fn(Bytes) -> Reply + Send + Sync>),
    Raw(Bytes),
    Never,
    Closes,
    Resets(u32),
    GoesAway,
}

#[derive(Clone, Debug)]
pub(super) struct Http {
    pub(super) head: Head,
    pub(super) body: Source,
    /// The most that is sent at once.
    pub(super) piece: usize,
    /// Before each piece but the first.
    pub(super) pause: Duration,
    pub(super) trailers: Vec<(Bytes, Bytes)>,
    pub(super) length: Length,
    pub(super) fault: Option<Fault>,
    pub(super) is_last: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Source {
    Whole(Bytes),
    Frames(Arc<[Bytes]>),
    Endless(Bytes),
}

/// How the client is told where the body ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Length {
    /// By its length where it is known, else by chunks.
    Told,
    /// By the end of the connection.
    Closes,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    HalfHead,
    At { bytes: u64, end: Break },
}

/// How an answer breaks off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Break {
    Closes,
    /// With this reason in HTTP/2.
    Resets(u32),
    Stalls,
}

/// The reasons of HTTP/2 for a reset.
const INTERNAL_ERROR: u32 = 2;
const REFUSED_STREAM: u32 = 7;

impl Reply {
    fn new(answer: Answer) -> Self {
        let (reads, after) = (Reads::All, Duration::ZERO);
        Self { reads, after, gate: None, early: Vec::new(), answer }
    }

    /// An answer with this status, and no body.
    pub fn status(status: u16) -> Self {
        let body = Source::Whole(Bytes::new());
        Self::new(Answer::Http(Box::new(Http {
            head: Head { status, fields: Vec::new() },
            body,
            piece: usize::MAX,
            pause: Duration::ZERO,
            trailers: Vec::new(),
            length: Length::Told,
            fault: None,
            is_last: false,
        })))
    }

    /// A 200 with this body.
    pub fn ok(body: impl Into<Bytes>) -> Self {
        Self::status(200).body(body)
    }

    /// A redirect with this status to there.
    pub fn redirect(status: u16, location: impl AsRef<[u8]>) -> Self {
        Self::status(status).header("location", location)
    }

    /// The request is read to its end, and what becomes of it depends on its body.
    ///
    /// ```
    /// use mainstay_testkit::server::Reply;
    ///
    /// let echo = Reply::of_body(Reply::ok);
    /// ```
    pub fn of_body(decide: impl Fn(Bytes) -> Self + Send + Sync + 'static) -> Self {
        Self::new(Answer::Of(Arc::new(decide)))
    }

    /// No answer at all: the connection stays open until the client gives up.
    pub fn never() -> Self {
        Self::new(Answer::Never)
    }

    /// The connection is closed in good order, without a byte of an answer.
    pub fn closes() -> Self {
        Self::new(Answer::Closes)
    }

    /// The connection is reset, without a byte of an answer; in HTTP/2 the stream is.
    pub fn resets() -> Self {
        Self::resets_with(INTERNAL_ERROR)
    }

    /// The stream is reset, with this reason of HTTP/2; in HTTP/1.1 the connection is.
    pub fn resets_with(reason: u32) -> Self {
        Self::new(Answer::Resets(reason))
    }

    /// The stream is refused (`REFUSED_STREAM`): the request has not been looked at. HTTP/1.1 has
    /// no word for that, and the connection is reset.
    pub fn refuses() -> Self {
        Self::resets_with(REFUSED_STREAM)
    }

    /// The connection goes away (`GOAWAY`), and the request is behind the last one that it will
    /// answer; those before it are answered to their ends. HTTP/1.1 has no word for that, and the
    /// connection is closed.
    pub fn goes_away() -> Self {
        Self::new(Answer::GoesAway)
    }

    /// These bytes and nothing else, whatever they mean, and then the end of the connection. In
    /// HTTP/2 they stand between two frames.
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        Self::new(Answer::Raw(bytes.into()))
    }

    /// The answer begins this long after the request was read.
    pub const fn after(mut self, delay: Duration) -> Self {
        self.after = delay;
        self
    }

    /// The answer begins when the gate is open, and then waits as long as [`after`](Self::after)
    /// says.
    pub fn behind(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    /// Before the answer comes one with this status (1xx), which is none yet: as soon as the request
    /// was read.
    pub fn early(mut self, status: u16, fields: &[(&str, &str)]) -> Self {
        let fields = fields.iter().map(|(name, value)| (copied(name), copied(value)));
        self.early.push(Head { status, fields: fields.collect() });
        self
    }

    /// The body of the request is read in pieces of this size, with this pause before each.
    pub const fn reads_slowly(mut self, bytes: usize, pause: Duration) -> Self {
        self.reads = Reads::Slowly { bytes: if bytes == 0 { 1 } else { bytes }, pause };
        self
    }

    /// The body of the request is not read. What the client can send all the same is what buffers
    /// take: in HTTP/1.1 those of the [system](super::Builder::receive_buffer), in HTTP/2 the
    /// [window](super::Builder::window).
    ///
    /// In HTTP/1.1 the connection ends with the answer; and a client that goes away while those are
    /// full is not noticed, since its end of the connection stands behind what is not read.
    pub const fn reads_nothing(mut self) -> Self {
        self.reads = Reads::Nothing;
        self
    }

    fn http(mut self, change: impl FnOnce(&mut Http)) -> Self {
        if let Answer::Http(http) = &mut self.answer {
            change(http);
        }
        self
    }

    /// A field of the head. A length or a transfer encoding stands there instead of the true one.
    pub fn header(self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.http(|http| http.head.fields.push((copied(name), copied(value))))
    }

    /// The body.
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        self.http(|http| http.body = Source::Whole(body.into()))
    }

    /// The body, in frames: each is a chunk in HTTP/1.1, and no length is told.
    pub fn frames<B: Into<Bytes>>(self, frames: impl IntoIterator<Item = B>) -> Self {
        self.http(|http| http.body = Source::Frames(frames.into_iter().map(Into::into).collect()))
    }

    /// A body that repeats this for ever.
    pub fn endless(self, frame: impl Into<Bytes>) -> Self {
        self.http(|http| http.body = Source::Endless(frame.into()))
    }

    /// At most so many bytes of the body are sent at once.
    pub fn pieces(self, bytes: usize) -> Self {
        self.http(|http| http.piece = bytes.max(1))
    }

    /// Before each piece and frame of the body but the first passes so much time.
    pub fn pause(self, pause: Duration) -> Self {
        self.http(|http| http.pause = pause)
    }

    /// A field behind the body. HTTP/1.1 has a place for it behind [frames](Self::frames) only.
    pub fn trailer(self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.http(|http| http.trailers.push((copied(name), copied(value))))
    }

    /// Claims that the body is so long. Where less comes, the connection (in HTTP/2 the stream) ends
    /// behind it.
    pub fn claims(self, length: u64) -> Self {
        self.header("content-length", length.to_string())
    }

    /// Tells no length: the body ends with the connection. HTTP/2 tells the end in any case.
    pub fn to_the_end(self) -> Self {
        self.http(|http| http.length = Length::Closes)
    }

    /// The connection is closed in the middle of the head.
    pub fn half_head(self) -> Self {
        self.http(|http| http.fault = Some(Fault::HalfHead))
    }

    /// The connection is closed behind so many bytes of the body, without a word. Behind all of
    /// them, that is a whole answer over a connection that cannot be used again.
    pub fn closes_at(self, bytes: u64) -> Self {
        self.breaks(bytes, Break::Closes)
    }

    /// The connection is reset behind so many bytes of the body; in HTTP/2 the stream is.
    pub fn resets_at(self, bytes: u64) -> Self {
        self.breaks(bytes, Break::Resets(INTERNAL_ERROR))
    }

    /// Nothing comes behind so many bytes of the body, until the client gives up.
    pub fn stalls_at(self, bytes: u64) -> Self {
        self.breaks(bytes, Break::Stalls)
    }

    fn breaks(self, bytes: u64, end: Break) -> Self {
        self.http(|http| http.fault = Some(Fault::At { bytes, end }))
    }

    /// The connection takes no request after this one, and says so: `connection: close`, in HTTP/2
    /// a `GOAWAY` behind this stream.
    pub fn last(self) -> Self {
        self.http(|http| http.is_last = true)
    }
}

fn copied(bytes: impl AsRef<[u8]>) -> Bytes {
    Bytes::copy_from_slice(bytes.as_ref())
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(http) => http.fmt(f),
            Self::Of(_) => f.write_str("Of(..)"),
            Self::Raw(bytes) => f.debug_tuple("Raw").field(bytes).finish(),
            Self::Never => f.write_str("Never"),
            Self::Closes => f.write_str("Closes"),
            Self::Resets(reason) => f.debug_tuple("Resets").field(reason).finish(),
            Self::GoesAway => f.write_str("GoesAway"),
        }
    }
}
