//! The response future: the first attempt, and what may come beside it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tower_service::Service;

use super::course::{Course, CourseOf, Shared};
use super::layer::Hedgers;
use crate::budget::{Account, Budgets};
use crate::protocol::Protocol;

pin_project! {
    /// The response future of [`Hedged`](super::Hedged).
    #[must_use = "futures do nothing unless polled"]
    pub struct HedgeFuture<F, C> {
        #[pin]
        first: Option<F>,
        // What only a call needs that may have extra attempts.
        course: Option<Pin<Box<C>>>,
    }
}

impl<Req, S, P, H, B> HedgeFuture<S::Future, CourseOf<Req, S, P, H, B>>
where
    S: Service<Req> + Clone,
    P: Protocol<Req, S::Response, S::Error>,
    H: Hedgers<Req>,
    B: Budgets<Req>,
{
    /// Sends the first attempt; the service is ready.
    pub(super) fn starts(service: &mut S, mut request: Req, shared: &Arc<Shared<P, H, B>>) -> Self {
        let course = Course::of(service, &mut request, shared);
        let first = match &course {
            None => service.call(request),
            Some(course) => course.scope().around(|| service.call(request)),
        };
        Self { first: Some(first), course }
    }
}

#[expect(clippy::expect_used, reason = "a future that is polled after its end may panic")]
impl<Req, S, P, H, B> Future for HedgeFuture<S::Future, CourseOf<Req, S, P, H, B>>
where
    S: Service<Req> + Clone,
    P: Protocol<Req, S::Response, S::Error>,
    B: Budgets<Req>,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(course) = this.course else {
            return this.first.as_pin_mut().expect("polled after it was ready").poll(cx);
        };
        let end = ready!(course.as_mut().poll(this.first.as_mut(), cx));
        // Whoever lost is gone before the caller has the answer.
        *this.course = None;
        this.first.set(None);
        Poll::Ready(end)
    }
}

impl<Req, S, F, T, A, L, C: Account> fmt::Debug for HedgeFuture<F, Course<Req, S, F, T, A, L, C>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sent = self.course.as_ref().map_or(1, |course| course.sent());
        f.debug_struct("HedgeFuture").field("sent", &sent).finish_non_exhaustive()
    }
}
