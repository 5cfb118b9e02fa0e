//! The body of a response, whose time may be over.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
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
        if let Poll::Ready(piece) = inner.poll_frame(cx) {
            return Poll::Ready(piece);
        }
        let Some(ends) = this.ends else { return Poll::Pending };
        ready!(this.timer.poll(ends.moment(), cx));
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
