//! A body that can be sent again.

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::copy::{Copies, copies};
use super::layer::BODY_LIMIT;
use super::limits::Limits;
use super::stream::{Reader, Source, Stream};
use crate::BoxError;

/// A body that can be sent again: what one attempt reads of it is kept for the next.
///
/// A copy made with [`copy()`](super::copy()) sends the whole body, from its first byte, with the
/// same frames and trailers. First come those that an earlier attempt has read, then the rest of
/// the stream. The rest belongs to the copy that began last; an older one that asks for more than
/// is kept ends with [`Superseded`](super::Superseded), so that a transport that still holds it
/// gives up. A copy begins when it is first polled, whenever it was made: a transport that does
/// not touch the body of an attempt that was given up before the next one has begun must drop it.
///
/// What is kept has a limit. A body that passes it goes on being sent by the attempt that reads
/// it, but can no longer be copied, and copies that were made before end with
/// [`TooLarge`](super::TooLarge). Nothing is kept of a body that has no copy.
///
/// What [`copies()`](super::copies()) knows to be in memory is no stream and has no limit: it is
/// copied alongside as it was before, whatever its size, and counts for nothing.
///
/// Counted are the bytes of the frames, with trailers by their names and values, not the buffers
/// that they may be cut from. A body that comes in more than 64 frames and one for each 32 bytes
/// of the limit counts as too large as well.
///
/// ```
/// use http_body_util::BodyExt;
/// use mainstay::http::body::{Copies, ReplayBody, copies, copy};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), mainstay::BoxError> {
/// let upload = || String::from("eleven byte").boxed(); // any body
/// let first = ReplayBody::with_limit(upload(), 11);
/// let second = copy(&first).ok_or("too large")?;
///
/// assert_eq!(copies(&second), Copies::Afterwards);
/// assert_eq!(first.collect().await?.to_bytes(), "eleven byte");
/// assert_eq!(copies(&second), Copies::Alongside); // nothing is left of the stream
/// assert_eq!(second.collect().await?.to_bytes(), "eleven byte");
///
/// let larger = ReplayBody::with_limit(upload(), 10);
/// assert_eq!(copies(&larger), Copies::Never);
/// # Ok(())
/// # }
/// ```
pub struct ReplayBody {
    stream: Arc<Stream>,
    reader: Reader,
    /// How many bytes it has read.
    read: u64,
    done: bool,
}

impl ReplayBody {
    /// Wraps a body, of which up to 64 KiB are kept. One that is wrapped already stays as it is.
    #[must_use]
    pub fn new<B>(body: B) -> Self
    where
        B: Body + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self::with_limit(body, BODY_LIMIT)
    }

    /// Wraps a body, of which up to that many bytes are kept. One that is wrapped already stays as
    /// it is, with its own limit.
    #[must_use]
    pub fn with_limit<B>(body: B, bytes: usize) -> Self
    where
        B: Body + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self::within(&Limits::new(bytes, usize::MAX), body)
    }

    pub(super) fn within<B>(limits: &Limits, body: B) -> Self
    where
        B: Body + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let mut body = Some(body);
        let wrapped = (&mut body as &mut dyn Any).downcast_mut::<Option<Self>>();
        if let Some(wrapped) = wrapped.and_then(Option::take) {
            return wrapped;
        }
        let in_memory = body.as_ref().is_some_and(|body| copies(body) == Copies::Alongside);
        let size = body.as_ref().map(Body::size_hint).unwrap_or_default();
        let source = body.filter(|body| !body.is_end_stream());
        let source = source.map(|body| Box::pin(Erased { body }) as Source);
        if !in_memory {
            return Self::from_the_start(Arc::new(Stream::new(source, size, limits)));
        }
        let unlimited = Limits::new(usize::MAX, usize::MAX);
        let body = Self::from_the_start(Arc::new(Stream::new(source, size, &unlimited)));
        let mut ahead = Self::from_the_start(Arc::clone(&body.stream));
        let mut cx = Context::from_waker(Waker::noop()); // what is in memory does not wait
        while let Poll::Ready(Some(Ok(_))) = Pin::new(&mut ahead).poll_frame(&mut cx) {}
        drop(ahead);
        body
    }

    /// When a copy could be sent.
    pub(super) fn copies(&self) -> Copies {
        self.stream.copies()
    }

    /// A copy that begins at the first frame, wherever this one stands.
    pub(super) fn copy(&self) -> Option<Self> {
        let possible = self.copies() != Copies::Never;
        possible.then(|| Self::from_the_start(Arc::clone(&self.stream)))
    }

    fn from_the_start(stream: Arc<Stream>) -> Self {
        Self { stream, reader: Reader::default(), read: 0, done: false }
    }
}

impl Body for ReplayBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let body = self.get_mut();
        if body.done {
            return Poll::Ready(None);
        }
        let alone = Arc::strong_count(&body.stream) == 1;
        let item = ready!(body.stream.poll(&mut body.reader, alone, cx));
        match &item {
            Some(Ok(frame)) => {
                body.reader.place += 1;
                body.read += frame.data_ref().map_or(0, |data| data.len() as u64);
            }
            Some(Err(_)) | None => body.done = true,
        }
        Poll::Ready(item)
    }

    fn is_end_stream(&self) -> bool {
        self.done || self.stream.is_end(self.reader.place)
    }

    /// What the wrapped body said of itself at first, less what this copy has read.
    fn size_hint(&self) -> SizeHint {
        if self.is_end_stream() {
            return SizeHint::with_exact(0);
        }
        let whole = &self.stream.size;
        let mut left = SizeHint::new();
        left.set_lower(whole.lower().saturating_sub(self.read));
        if let Some(upper) = whole.upper() {
            left.set_upper(upper.saturating_sub(self.read));
        }
        left
    }
}

impl Drop for ReplayBody {
    fn drop(&mut self) {
        self.stream.leave(&self.reader);
    }
}

impl fmt::Debug for ReplayBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { read, done, .. } = self;
        let copies = self.copies();
        f.debug_struct("ReplayBody")
            .field("read", read)
            .field("done", done)
            .field("copies", &copies)
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// Any body, with the data and the error that all have in common.
    struct Erased<B> {
        #[pin]
        body: B,
    }
}

impl<B> Body for Erased<B>
where
    B: Body + 'static,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let item = ready!(self.project().body.poll_frame(cx));
        Poll::Ready(item.map(|frame| match frame {
            Ok(frame) => Ok(frame.map_data(bytes)),
            Err(error) => Err(error.into()),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Copies only what is neither shared nor static.
fn bytes<D: Buf + 'static>(mut data: D) -> Bytes {
    match (&data as &dyn Any).downcast_ref::<&'static [u8]>() {
        Some(data) => Bytes::from_static(data),
        None => data.copy_to_bytes(data.remaining()),
    }
}
