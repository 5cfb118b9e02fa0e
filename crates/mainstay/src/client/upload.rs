//! A body that is sent, and a server that does not take it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use mainstay_policy::Moment;
use pin_project_lite::pin_project;

use crate::clock::{self, Timer};
use crate::error::{Reason, Refused};

/// What a body and whoever waits for the answer to it both know.
#[derive(Debug)]
struct Progress {
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Nobody waits for the server: the next piece has yet to be asked for, or to be there.
    Idle,
    /// A piece was handed over then, and the next has not been asked for.
    Handed(Moment),
    /// All of it was handed over, or nobody asks for the rest.
    Done,
}

impl Progress {
    fn set(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    fn get(&self) -> State {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pin_project! {
    /// A body that notes when its pieces are taken.
    struct Noted<B> {
        #[pin]
        inner: B,
        progress: Arc<Progress>,
    }

    // Where the length was said, nobody asks for the end: it is dropped after the last byte.
    impl<B> PinnedDrop for Noted<B> {
        fn drop(this: Pin<&mut Self>) {
            this.progress.set(State::Done);
        }
    }
}

/// Whether there is nothing left of it, by its own word or by the length that it said.
fn is_at_its_end(body: &impl Body) -> bool {
    body.is_end_stream() || body.size_hint().exact() == Some(0)
}

impl<B: Body<Data = Bytes>> Body for Noted<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        let polled = this.inner.as_mut().poll_frame(cx);
        this.progress.set(match &polled {
            Poll::Pending => State::Idle,
            Poll::Ready(Some(Ok(_))) if !is_at_its_end(&*this.inner) => State::Handed(clock::now()),
            Poll::Ready(_) => State::Done,
        });
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Waits for a body to be taken, as long as each of its pieces may take.
#[derive(Debug)]
pub(super) struct Upload {
    progress: Arc<Progress>,
    limit: Duration,
    /// When it is looked at next.
    next: Moment,
    timer: Timer,
}

impl Upload {
    /// Watches over the body of a request, if it is a stream: one in memory is handed over at once.
    pub(super) fn watch(request: &mut ::reqwest::Request, limit: Duration) -> Option<Self> {
        let body = request.body_mut().take_if(|body| body.as_bytes().is_none())?;
        let progress = Arc::new(Progress { state: Mutex::new(State::Idle) });
        let noted = Noted { inner: body, progress: Arc::clone(&progress) };
        *request.body_mut() = Some(::reqwest::Body::wrap(noted));
        let next = clock::now() + limit;
        Some(Self { progress, limit, next, timer: Timer::default() })
    }

    /// Ready once a piece was not taken in time. Nobody is woken by a piece that is handed over, so
    /// it is looked at each time that a limit has passed.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Refused> {
        loop {
            let now = clock::now();
            match self.progress.get() {
                State::Done => return Poll::Pending,
                State::Handed(then) if then + self.limit <= now => {
                    return Poll::Ready(Refused::new("write timeout", Reason::TimedOut));
                }
                State::Handed(then) if self.next <= now => self.next = then + self.limit,
                State::Idle if self.next <= now => self.next = now + self.limit,
                State::Handed(_) | State::Idle => {}
            }
            if self.timer.poll(self.next, cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::StreamBody;
    use tokio::time::advance;
    use tokio_test::{assert_pending, assert_ready, task};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    /// Two pieces and an end, the second of which is there when it is let go.
    fn upload() -> (::reqwest::Request, Upload, tokio::sync::mpsc::UnboundedSender<&'static str>) {
        let (pieces, mut left) = tokio::sync::mpsc::unbounded_channel::<&'static str>();
        let stream = futures_util::stream::poll_fn(move |cx| {
            let frame = |piece: &'static str| Frame::data(Bytes::from(piece));
            left.poll_recv(cx).map(|piece| piece.map(|piece| Ok::<_, std::io::Error>(frame(piece))))
        });
        let url = "http://127.0.0.1/".parse().unwrap();
        let mut request = ::reqwest::Request::new(::http::Method::POST, url);
        *request.body_mut() = Some(::reqwest::Body::wrap(StreamBody::new(stream)));
        let upload = Upload::watch(&mut request, LIMIT).unwrap();
        (request, upload, pieces)
    }

    /// HTTP/2 asks for room before it asks for the end, and there may be none.
    #[tokio::test(start_paused = true)]
    async fn the_last_piece_of_a_length_that_is_known_is_the_end() {
        /// It does not say of itself that it has ended.
        struct Whole(Option<Bytes>);

        impl Body for Whole {
            type Data = Bytes;
            type Error = std::io::Error;

            fn poll_frame(
                mut self: Pin<&mut Self>,
                _: &mut Context<'_>,
            ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
                Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
            }

            fn size_hint(&self) -> SizeHint {
                SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
        }

        let url = "http://127.0.0.1/".parse().unwrap();
        let mut request = ::reqwest::Request::new(::http::Method::POST, url);
        *request.body_mut() = Some(::reqwest::Body::wrap(Whole(Some("all of it".into()))));
        let mut upload = Upload::watch(&mut request, LIMIT).unwrap();
        assert_eq!(takes(&mut request), Poll::Ready(true));
        advance(LIMIT * 2).await;
        task::spawn(()).enter(|cx, _| assert_pending!(upload.poll(cx)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_is_dropped_is_not_waited_for() {
        let (mut request, mut upload, pieces) = upload();
        pieces.send("all that was said to come").unwrap();
        assert_eq!(takes(&mut request), Poll::Ready(true));
        drop(request);
        advance(LIMIT * 2).await;
        task::spawn(()).enter(|cx, _| assert_pending!(upload.poll(cx)));
    }

    fn takes(request: &mut ::reqwest::Request) -> Poll<bool> {
        let body = Pin::new(request.body_mut().as_mut().unwrap());
        let mut cx = Context::from_waker(std::task::Waker::noop());
        body.poll_frame(&mut cx).map(|piece| piece.is_some())
    }

    #[tokio::test(start_paused = true)]
    async fn a_piece_after_which_none_is_asked_for_is_not_taken() {
        let (mut request, mut upload, pieces) = upload();
        pieces.send("first").unwrap();
        assert_eq!(takes(&mut request), Poll::Ready(true));
        let mut watching = task::spawn(());
        watching.enter(|cx, _| assert_pending!(upload.poll(cx)));
        advance(LIMIT).await;
        assert!(watching.is_woken());
        let refused = watching.enter(|cx, _| assert_ready!(upload.poll(cx)));
        assert_eq!(refused.to_string(), "write timeout: no answer in time");
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_is_slow_is_not_the_server_s_fault() {
        let (mut request, mut upload, pieces) = upload();
        let mut watching = task::spawn(());
        for _ in 0..3 {
            assert_eq!(takes(&mut request), Poll::Pending);
            advance(LIMIT).await;
            watching.enter(|cx, _| assert_pending!(upload.poll(cx)));
        }
        pieces.send("late").unwrap();
        assert_eq!(takes(&mut request), Poll::Ready(true));
        advance(LIMIT / 2).await;
        assert_eq!(takes(&mut request), Poll::Pending);
        drop(pieces);
        assert_eq!(takes(&mut request), Poll::Ready(false));
        advance(LIMIT * 2).await;
        watching.enter(|cx, _| assert_pending!(upload.poll(cx)));
    }

    #[test]
    fn a_body_in_memory_is_not_watched() {
        let url = "http://127.0.0.1/".parse().unwrap();
        let mut request = ::reqwest::Request::new(::http::Method::POST, url);
        assert!(Upload::watch(&mut request, LIMIT).is_none());
        *request.body_mut() = Some("at once".into());
        assert!(Upload::watch(&mut request, LIMIT).is_none());
        assert_eq!(request.body().and_then(::reqwest::Body::as_bytes), Some(&b"at once"[..]));
    }
}
