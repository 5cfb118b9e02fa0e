//! The body of a response, whose time may be over.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::clock::Timer;
use crate::deadline::Deadline;
use crate::error::{Error, Reason, Refused};
use crate::observe::{Event, tell};
use crate::scope::run_out;
use crate::timeout::TimeoutBody;

pin_project! {
    /// A body that fails when one of its pieces takes too long, or all of it.
    #[derive(Debug)]
    pub(super) struct Bounded {
        #[pin]
        inner: Option<TimeoutBody<::reqwest::Body>>,
        ends: Option<Deadline>,
        timer: Timer,
    }
}

impl Bounded {
    pub(super) fn new(body: ::reqwest::Body, idle: Duration, ends: Option<Deadline>) -> Self {
        Self { inner: Some(TimeoutBody::new(body, idle)), ends, timer: Timer::default() }
    }
}

impl Body for Bounded {
    type Data = Bytes;
    type Error = Error<::reqwest::Error>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        let polled = inner.poll_frame(cx);
        let Some(ends) = this.ends else { return polled };
        let is_over = match &polled {
            Poll::Pending => this.timer.poll(ends.moment(), cx).is_ready(),
            // A body that always has more would never wait, and its last piece is not thrown away.
            Poll::Ready(Some(Ok(_))) => {
                let inner = this.inner.as_ref().as_pin_ref();
                ends.left().is_zero() && inner.is_some_and(|inner| !inner.is_end_stream())
            }
            Poll::Ready(None | Some(Err(_))) => false,
        };
        if !is_over {
            return polled;
        }
        run_out(|| this.inner.set(None));
        let refused = Refused::new("timeout of the call", Reason::TimedOut);
        tell(Event::Refused(&refused));
        Poll::Ready(Some(Err(refused.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::{BodyExt, Full, StreamBody};
    use tokio::time::advance;

    use super::*;
    use crate::error::CallError;

    const TIME: Duration = Duration::from_secs(10);

    fn bounded(body: ::reqwest::Body) -> Bounded {
        Bounded::new(body, Duration::MAX, Some(Deadline::within(TIME)))
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_always_has_more_ends_in_time() {
        let pieces = stream::repeat_with(|| Ok::<_, std::io::Error>(Frame::data(Bytes::from("x"))));
        let mut body = bounded(::reqwest::Body::wrap(StreamBody::new(pieces)));
        assert!(body.frame().await.unwrap().is_ok());
        advance(TIME - Duration::from_millis(1)).await;
        assert!(body.frame().await.unwrap().is_ok());
        advance(Duration::from_millis(1)).await;
        let error = body.frame().await.unwrap().unwrap_err();
        assert_eq!(error.refused().unwrap().layer(), "timeout of the call");
        assert!(body.frame().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_all_there_is_handed_on_though_its_time_is_over() {
        let mut body = bounded(::reqwest::Body::wrap(Full::<Bytes>::from("all of it")));
        advance(TIME * 2).await;
        let piece = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(piece, "all of it");
        assert!(body.frame().await.is_none());
    }
}
