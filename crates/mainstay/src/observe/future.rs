//! A call that is seen to its end.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use mainstay_policy::{Moment, Outcome};
use pin_project_lite::pin_project;
use tracing::Span;

use super::layer::Shared;
use super::log::{self, Log};
use super::{CallReport, Describe, trace, words};
use crate::clock;
use crate::error::{CallError, Reason};
use crate::http::Failure;
use crate::protocol::Protocol;
use crate::scope::{self, dropped};

pin_project! {
    /// The response future of [`Observe`](super::Observe).
    #[must_use = "futures do nothing unless polled"]
    pub struct ObserveFuture<Req, F, P, A> {
        #[pin]
        inner: Option<F>,
        seen: Option<Seen<P, A>>,
        of: PhantomData<fn(Req)>,
    }

    impl<Req, F, P, A> PinnedDrop for ObserveFuture<Req, F, P, A> {
        /// What the drop of a call sets off belongs to the call.
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(seen) = this.seen {
                seen.around(|| this.inner.set(None));
            }
        }
    }
}

impl<Req, F, P, A> ObserveFuture<Req, F, P, A> {
    pub(super) const fn new(inner: F, seen: Option<Seen<P, A>>) -> Self {
        Self { inner: Some(inner), seen, of: PhantomData }
    }
}

#[expect(clippy::expect_used, reason = "a future that is polled after its end may panic")]
impl<Req, Res, E, F, P> ObserveFuture<Req, F, P, P::About>
where
    F: Future<Output = Result<Res, E>>,
    E: CallError,
    P: Protocol<Req, Res, E> + Describe<Req, Res>,
{
    /// Polls it for its end and, apart from that, the report, which an error has no place for.
    #[inline]
    pub(crate) fn poll_end(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<(Result<Res, E>, Option<CallReport>)> {
        let mut this = self.project();
        let future = this.inner.as_mut().as_pin_mut().expect("polled after it was ready");
        let Some(seen) = this.seen else { return future.poll(cx).map(|end| (end, None)) };
        let end = ready!(seen.poll(|| future.poll(cx)));
        seen.around(|| this.inner.set(None));
        let protocol = Arc::clone(&seen.shared.protocol);
        let outcome = protocol.end(&seen.about, end.as_ref()).outcome();
        let report = match &end {
            Ok(answer) => seen.answered(outcome, protocol.status(answer)),
            Err(error) => seen.failed(outcome, error),
        };
        Poll::Ready((end, report))
    }
}

impl<Req, Res, E, F, P> Future for ObserveFuture<Req, F, P, P::About>
where
    F: Future<Output = Result<Res, E>>,
    E: CallError,
    P: Protocol<Req, Res, E> + Describe<Req, Res>,
{
    type Output = Result<Res, E>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (mut end, report) = ready!(self.as_mut().poll_end(cx));
        if let (Ok(answer), Some(report)) = (&mut end, report) {
            if let Some(seen) = self.project().seen {
                seen.shared.protocol.attach(answer, report);
            }
        }
        Poll::Ready(end)
    }
}

impl<Req, F, P, A> fmt::Debug for ObserveFuture<Req, F, P, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_seen = self.seen.is_some();
        f.debug_struct("ObserveFuture").field("is_seen", &is_seen).finish_non_exhaustive()
    }
}

/// A call that somebody looks at. Dropped before its end, it was abandoned, or
/// its time was over.
pub(super) struct Seen<P, A> {
    shared: Arc<Shared<P>>,
    about: A,
    span: Span,
    began: Moment,
    /// There until the end.
    log: Option<Box<Log>>,
    /// It stands in a queue of ours, and nothing has been sent.
    is_queued: bool,
}

impl<P, A> Seen<P, A> {
    pub(super) fn new(shared: Arc<Shared<P>>, about: A, span: Span, is_report: bool) -> Self {
        let began = clock::now();
        let log = Some(Log::new(began, is_report));
        Self { shared, about, span, began, log, is_queued: false }
    }

    /// Runs a part of the call.
    fn around<T>(&mut self, run: impl FnOnce() -> T) -> T {
        let _entered = self.span.enter();
        log::around(&mut self.log, run)
    }

    /// The same with a part that may panic, which is an end.
    pub(super) fn watch<T>(&mut self, run: impl FnOnce() -> T) -> T {
        let watched = Watched(self);
        let done = watched.0.around(run);
        mem::forget(watched);
        done
    }

    fn poll<T>(&mut self, poll: impl FnOnce() -> Poll<T>) -> Poll<T> {
        let queued = scope::queued();
        let polled = self.watch(poll);
        self.is_queued = polled.is_pending() && scope::queued() != queued;
        polled
    }

    fn answered(&mut self, outcome: Outcome, status: Option<u16>) -> Option<CallReport> {
        if outcome == Outcome::Success {
            return self.tell(outcome, true, status, None);
        }
        // A call of gRPC may fail behind a 200, which is the type of no error.
        let code = status.filter(|code| *code >= 400);
        let word = code.map_or_else(|| words::outcome(outcome).into(), |code| code.to_string());
        self.tell(outcome, true, status, Some(&word))
    }

    fn failed<E: CallError>(&mut self, outcome: Outcome, error: &E) -> Option<CallReport> {
        let (was_sent, word) = match error.refused() {
            Some(refused) => {
                let reason = refused.reason();
                let was_sent =
                    matches!(reason, Reason::TimedOut | Reason::Panicked | Reason::Injected);
                (was_sent, words::reason(reason))
            }
            None => (true, words::cause(Failure::of(error.as_error()).cause())),
        };
        self.tell(outcome, was_sent, None, Some(word))
    }

    /// Tells of the end, once.
    fn tell(
        &mut self,
        outcome: Outcome,
        was_sent: bool,
        status: Option<u16>,
        error: Option<&str>,
    ) -> Option<CallReport> {
        let log = *self.log.take()?;
        let settings = &self.shared.settings;
        let attempts = log.attempts().max(u32::from(was_sent));
        let total = clock::now().since(self.began);
        let waited = log.waited;
        let left_out = log.left_out;
        let report = log.entries.map(|entries| CallReport {
            name: settings.name.clone(),
            outcome,
            attempts,
            waited,
            total,
            entries,
            left_out,
        });
        #[cfg(feature = "metrics")]
        super::metrics::called(settings.name.as_deref(), outcome, total);
        let end = trace::End { outcome, status, error, attempts, waited };
        trace::ended(&self.span, &end, report.as_ref());
        if let (Some(run), Some(report)) = (&settings.on_report, &report) {
            run(report);
        }
        report
    }
}

impl<P, A> Drop for Seen<P, A> {
    fn drop(&mut self) {
        let outcome = dropped(self.is_queued);
        let word = match outcome {
            Outcome::Abandoned => words::outcome(outcome),
            _ => words::reason(Reason::TimedOut),
        };
        self.tell(outcome, true, None, Some(word));
    }
}

/// Dropped only where something unwinds.
struct Watched<'a, P, A>(&'a mut Seen<P, A>);

impl<P, A> Drop for Watched<'_, P, A> {
    fn drop(&mut self) {
        self.0.tell(Outcome::Transient, true, None, Some("panic"));
    }
}
