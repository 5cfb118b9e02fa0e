//! A body that can break off.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::error::BoxError;

pin_project! {
    /// The body of an answer that came through a [`ChaosLayer`](super::ChaosLayer).
    ///
    /// Where it is cut off, its error is the `std::io::Error` that a broken connection gives, of
    /// the kind `UnexpectedEof`. Any other error is the body's own.
    #[derive(Debug)]
    pub struct ChaosBody<B> {
        #[pin]
        inner: Option<B>,
        // How much of it may still be read before it breaks off.
        cut: Option<u64>,
    }
}

impl<B> ChaosBody<B> {
    pub(super) const fn new(body: B, cut: Option<u64>) -> Self {
        Self { inner: Some(body), cut }
    }

    pub(super) const fn empty() -> Self {
        Self { inner: None, cut: None }
    }
}

impl<B> Body for ChaosBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, Self::Error>>> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        let item = ready!(inner.poll_frame(cx));
        let Some(left) = *this.cut else {
            return Poll::Ready(item.map(|frame| frame.map_err(Into::into)));
        };
        let rest = match &item {
            Some(Ok(frame)) => frame.data_ref().and_then(|data| {
                left.checked_sub(u64::try_from(data.remaining()).unwrap_or(u64::MAX))
            }),
            Some(Err(_)) => Some(left),
            None => None,
        };
        match (rest, item) {
            (Some(rest), Some(item)) => {
                *this.cut = Some(rest);
                Poll::Ready(Some(item.map_err(Into::into)))
            }
            _ => {
                this.inner.set(None);
                let what = "the body was cut off on purpose";
                Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::UnexpectedEof, what).into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let is_at_end = self.inner.as_ref().is_none_or(Body::is_end_stream);
        is_at_end && (self.cut.is_none() || self.inner.is_none())
    }

    /// What was announced, also of a body that will break off.
    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
