//! Answers read to their end, so that they can be cloned.

use std::error::Error as StdError;
use std::fmt;
use std::future::{Future, Ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use ::http::{HeaderMap, Response, response};
use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::chunks::Chunks;
use crate::error::BoxError;

/// Reads answers to their end, so that they can be cloned.
///
/// It changes the type of the body to [`Collected`] and leaves that of the error alone: where a
/// body broke, or was larger than allowed, the answer has what was read and then fails with [`Cut`],
/// as a stream would have done. It waits for the whole body, as long as that takes: put a timeout
/// that sees bodies beneath it.
#[derive(Clone, Copy, Debug)]
pub struct CollectLayer {
    limit: usize,
}

impl CollectLayer {
    /// Bodies of so many bytes at most.
    #[must_use]
    pub const fn up_to(limit: usize) -> Self {
        Self { limit }
    }
}

impl<S> Layer<S> for CollectLayer {
    type Service = Collect<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Collect { inner, limit: self.limit }
    }
}

/// A service whose answers are read to their end; made by [`CollectLayer`].
#[derive(Clone, Debug)]
pub struct Collect<S> {
    inner: S,
    limit: usize,
}

impl<S> Collect<S> {
    /// The service beneath.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service beneath.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The service beneath.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, Req, B> Service<Req> for Collect<S>
where
    S: Service<Req, Response = Response<B>>,
    B: Body,
    B::Error: Into<BoxError>,
{
    type Response = Response<Collected>;
    type Error = S::Error;
    type Future = CollectFuture<S::Future, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        CollectFuture { state: State::Head { future: self.inner.call(request) }, limit: self.limit }
    }
}

pin_project! {
    /// The response future of [`Collect`].
    #[must_use = "futures do nothing unless polled"]
    pub struct CollectFuture<F, B> {
        #[pin]
        state: State<F, B>,
        limit: usize,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, B> {
        Head { #[pin] future: F },
        Body { #[pin] body: B, read: Read },
    }
}

/// Reads an answer that is there to its end.
pub(crate) fn read<B: Body, E>(
    answer: Response<B>,
    limit: usize,
) -> CollectFuture<Ready<Result<Response<B>, E>>, B> {
    let (head, body) = answer.into_parts();
    CollectFuture { state: State::Body { body, read: Read::of(head) }, limit }
}

/// What has been read of an answer.
struct Read {
    head: Option<response::Parts>,
    chunks: Chunks,
    trailers: Option<HeaderMap>,
}

impl<F, B, E> Future for CollectFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
    B::Error: Into<BoxError>,
{
    type Output = Result<Response<Collected>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProj::Head { future } => {
                    let (head, body) = ready!(future.poll(cx))?.into_parts();
                    this.state.set(State::Body { body, read: Read::of(head) });
                }
                StateProj::Body { body, read } => {
                    let cut = ready!(read.poll_to_end(body, *this.limit, cx)).err();
                    return Poll::Ready(Ok(read.answer(cut)));
                }
            }
        }
    }
}

impl Read {
    fn of(head: response::Parts) -> Self {
        Self { head: Some(head), chunks: Chunks::default(), trailers: None }
    }

    fn poll_to_end<B>(
        &mut self,
        mut body: Pin<&mut B>,
        limit: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Cut>>
    where
        B: Body,
        B::Error: Into<BoxError>,
    {
        while let Some(frame) = ready!(body.as_mut().poll_frame(cx)) {
            let frame = frame.map_err(|error| Cut::Broken(Arc::from(error.into())))?;
            match frame.into_data() {
                Ok(data) => {
                    if data.remaining() > limit - self.chunks.len() {
                        return Poll::Ready(Err(Cut::TooLarge { limit }));
                    }
                    self.chunks.add(data);
                }
                Err(frame) => {
                    if let Ok(more) = frame.into_trailers() {
                        self.trailers.get_or_insert_default().extend(more);
                    }
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    #[expect(clippy::expect_used, reason = "a future that is polled after its end may panic")]
    fn answer(&mut self, cut: Option<Cut>) -> Response<Collected> {
        let head = self.head.take().expect("polled after it was ready");
        let data = std::mem::take(&mut self.chunks).join();
        let left = data.clone();
        let trailers = self.trailers.take();
        Response::from_parts(head, Collected { data, left, trailers, cut })
    }
}

/// A body that has been read, to its end or to where it was cut. Its clones share the bytes.
#[derive(Clone, Debug)]
pub struct Collected {
    data: Bytes,
    /// What has not been given yet.
    left: Bytes,
    trailers: Option<HeaderMap>,
    cut: Option<Cut>,
}

impl Collected {
    /// All its bytes, also those that were given as frames before.
    ///
    /// # Errors
    ///
    /// There are more, which nobody has.
    pub fn into_bytes(self) -> Result<Bytes, Cut> {
        match self.cut {
            None => Ok(self.data),
            Some(cut) => Err(cut),
        }
    }
}

impl Body for Collected {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if !self.left.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.left)))));
        }
        if let Some(cut) = &self.cut {
            return Poll::Ready(Some(Err(cut.clone())));
        }
        Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty() && self.cut.is_none() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let left = u64::try_from(self.left.len()).unwrap_or(u64::MAX);
        let mut hint = SizeHint::with_exact(left);
        if self.cut.is_some() {
            hint = SizeHint::new();
            hint.set_lower(left);
        }
        hint
    }
}

/// Why a body is not whole.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Cut {
    /// It broke while it was read.
    Broken(Arc<dyn StdError + Send + Sync>),
    /// It is larger than a [`CollectLayer`] reads.
    TooLarge {
        /// The most bytes that it reads.
        limit: usize,
    },
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(_) => f.write_str("the response body broke while it was read"),
            Self::TooLarge { limit } => {
                write!(f, "the response body is larger than {limit} bytes")
            }
        }
    }
}

impl StdError for Cut {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Broken(error) => Some(&**error),
            Self::TooLarge { .. } => None,
        }
    }
}

impl<F, B> fmt::Debug for CollectFuture<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.state {
            State::Head { .. } => "CollectFuture(head)",
            State::Body { .. } => "CollectFuture(body)",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::io;

    use ::http::HeaderValue;
    use http_body_util::{BodyExt, Empty, Full};
    use tower::{ServiceExt, service_fn};

    use super::*;

    async fn collected<B>(body: B, limit: usize) -> Collected
    where
        B: Body<Error: Into<BoxError>> + Clone,
    {
        let inner = service_fn(move |()| {
            let answer = Response::builder().header("x-one", "1").body(body.clone());
            std::future::ready(Ok::<_, Infallible>(answer.unwrap()))
        });
        let answer = CollectLayer::up_to(limit).layer(inner).oneshot(()).await.unwrap();
        assert_eq!(answer.headers()["x-one"], "1");
        answer.into_body()
    }

    /// A body of these frames.
    #[derive(Clone)]
    struct Frames(Vec<Result<&'static str, &'static str>>);

    impl Body for Frames {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
            if self.0.is_empty() {
                return Poll::Ready(None);
            }
            let frame = self.0.remove(0).map(|data| Frame::data(Bytes::from(data)));
            Poll::Ready(Some(frame.map_err(io::Error::other)))
        }
    }

    #[tokio::test]
    async fn a_body_that_was_read_is_whole_in_every_clone() {
        for frames in [vec![], vec![Ok("one")], vec![Ok("on"), Ok(""), Ok("e")]] {
            let whole = if frames.is_empty() { "" } else { "one" };
            let body = collected(Frames(frames), 3).await;
            assert_eq!(body.size_hint().exact(), Some(whole.len() as u64));
            assert_eq!(body.clone().into_bytes().unwrap(), whole);
            let again = body.clone().collect().await.unwrap().to_bytes();
            assert_eq!(
                (again, body.collect().await.unwrap().to_bytes()),
                (whole.into(), whole.into())
            );
        }
        assert!(collected(Empty::<Bytes>::new(), 0).await.is_end_stream());
    }

    #[tokio::test]
    async fn trailers_come_behind_the_data() {
        let inner = service_fn(|()| {
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            let body = Full::new(Bytes::from("data"));
            let body = body.with_trailers(std::future::ready(Some(Ok(trailers))));
            std::future::ready(Ok::<_, Infallible>(Response::new(body)))
        });
        let body = CollectLayer::up_to(4).layer(inner).oneshot(()).await.unwrap().into_body();
        assert_eq!(body.clone().into_bytes().unwrap(), "data");
        let read = body.collect().await.unwrap();
        assert_eq!(read.trailers().unwrap()["grpc-status"], "0");
        assert_eq!(read.to_bytes(), "data");
    }

    #[tokio::test]
    async fn a_body_that_breaks_is_cut_there_for_everyone() {
        let body = collected(Frames(vec![Ok("half"), Err("reset")]), 100).await;
        assert!(matches!(body.clone().into_bytes(), Err(Cut::Broken(_))));
        assert_eq!((body.size_hint().lower(), body.size_hint().upper()), (4, None));
        for mut clone in [body.clone(), body.clone()] {
            let data = clone.frame().await.unwrap().unwrap();
            assert_eq!(data.into_data().unwrap(), "half");
            let error = clone.frame().await.unwrap().unwrap_err();
            assert_eq!(error.to_string(), "the response body broke while it was read");
            assert!(error.source().is_some_and(|source| source.is::<io::Error>()));
        }
        let nothing = collected(Frames(vec![Err("reset")]), 100).await;
        assert!(!nothing.is_end_stream(), "it would pass for whole");
    }

    #[tokio::test]
    async fn no_more_is_read_than_is_allowed() {
        let body = collected(Frames(vec![Ok("four"), Ok("five"), Err("never read")]), 7).await;
        let error = body.clone().into_bytes().unwrap_err();
        assert_eq!(error.to_string(), "the response body is larger than 7 bytes");
        assert!(body.collect().await.is_err());
    }

    #[tokio::test]
    async fn a_body_in_one_piece_is_not_copied() {
        let whole = Bytes::from_static(b"whole");
        let mut one = Chunks::default();
        one.add(whole.clone());
        assert_eq!(one.join().as_ptr(), whole.as_ptr(), "it is not copied");
    }
}
