//! A call whose polls are timed.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::{During, Watch};

pin_project! {
    /// The response future of [`StallService`](super::StallService).
    #[must_use = "futures do nothing unless polled"]
    pub struct StallFuture<F> {
        #[pin]
        inner: F,
        request: Option<Cow<'static, str>>,
        watch: Arc<Watch>,
    }
}

impl<F> StallFuture<F> {
    pub(super) const fn new(
        inner: F,
        request: Option<Cow<'static, str>>,
        watch: Arc<Watch>,
    ) -> Self {
        Self { inner, request, watch }
    }
}

impl<F: Future> Future for StallFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.watch.run(During::Poll, this.request.as_deref(), || this.inner.poll(cx))
    }
}

impl<F> fmt::Debug for StallFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StallFuture").field("request", &self.request).finish_non_exhaustive()
    }
}
