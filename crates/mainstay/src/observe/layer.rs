//! The outermost layer: one span for each call, and a report where one is wanted.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

use super::future::{ObserveFuture, Seen};
use super::{CallReport, Describe, is_metered, trace};
use crate::error::CallError;
use crate::http::Http;
use crate::protocol::Protocol;

/// Makes one span of each call, and a report where one is wanted.
///
/// It stands outside of all other layers: what it has not seen begin is not in the span.
///
/// # What is shared
///
/// The settings. Each service has those that its layer had when it was made.
#[derive(Debug)]
pub struct ObserveLayer<P = Http> {
    settings: Settings,
    protocol: Arc<P>,
}

impl ObserveLayer {
    /// Spans for HTTP, and no reports.
    #[must_use]
    pub fn new() -> Self {
        Self::of(Http::new())
    }
}

impl Default for ObserveLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<P> ObserveLayer<P> {
    /// Spans for another protocol, or for HTTP with rules of one's own.
    pub fn of(protocol: P) -> Self {
        Self { settings: Settings::default(), protocol: Arc::new(protocol) }
    }

    /// A name for the calls, in spans, reports and metrics.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.settings.name = Some(name.into());
        self
    }

    /// Whether a report is made of every call. Without it, one is made of those calls that ask for
    /// it: for HTTP by [`WithReport`](super::WithReport) among the request's extensions.
    ///
    /// An answer carries its report in its extensions; what has no answer tells it to
    /// [`on_report`](Self::on_report) and to the span.
    #[must_use]
    pub const fn report(mut self, is_wanted: bool) -> Self {
        self.settings.is_report = is_wanted;
        self
    }

    /// Makes a report of every call and gives it to this, however the call ends: also with an
    /// error, a refusal, a drop or a panic. Runs where the call does, so it must be quick, and it
    /// must not panic.
    #[must_use]
    pub fn on_report(mut self, run: impl Fn(&CallReport) + Send + Sync + 'static) -> Self {
        self.settings.on_report = Some(Arc::new(run));
        self.report(true)
    }
}

impl<P> Clone for ObserveLayer<P> {
    fn clone(&self) -> Self {
        Self { settings: self.settings.clone(), protocol: Arc::clone(&self.protocol) }
    }
}

impl<S, P> Layer<S> for ObserveLayer<P> {
    type Service = Observe<S, P>;

    fn layer(&self, inner: S) -> Self::Service {
        let Self { settings, protocol } = self.clone();
        Observe { inner, shared: Arc::new(Shared { settings, protocol }) }
    }
}

#[derive(Clone, Default)]
pub(super) struct Settings {
    pub(super) name: Option<Arc<str>>,
    pub(super) is_report: bool,
    pub(super) on_report: Option<Arc<OnReport>>,
}

type OnReport = dyn Fn(&CallReport) + Send + Sync;

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("name", &self.name)
            .field("is_report", &self.is_report)
            .field("on_report", &self.on_report.is_some())
            .finish()
    }
}

/// What the services of a layer share with the calls that they make.
#[derive(Debug)]
pub(super) struct Shared<P> {
    pub(super) settings: Settings,
    pub(super) protocol: Arc<P>,
}

/// A service whose calls are seen; made by [`ObserveLayer`].
#[derive(Debug)]
pub struct Observe<S, P = Http> {
    inner: S,
    shared: Arc<Shared<P>>,
}

impl<S, P> Observe<S, P> {
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

impl<S: Clone, P> Clone for Observe<S, P> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), shared: Arc::clone(&self.shared) }
    }
}

impl<S, Req, P> Service<Req> for Observe<S, P>
where
    S: Service<Req>,
    S::Error: CallError,
    P: Protocol<Req, S::Response, S::Error> + Describe<Req, S::Response>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ObserveFuture<Req, S::Future, P, P::About>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let Shared { settings, protocol } = &*self.shared;
        let is_report = settings.is_report || protocol.wants_report(&request);
        let span = trace::span(settings.name.as_deref(), || {
            Describe::<Req, S::Response>::request(&**protocol, &request)
        });
        if span.is_disabled() && !is_report && !is_metered() {
            return ObserveFuture::new(self.inner.call(request), None);
        }
        let about = protocol.about(&request);
        let mut seen = Seen::new(Arc::clone(&self.shared), about, span, is_report);
        let future = seen.watch(|| self.inner.call(request));
        ObserveFuture::new(future, Some(seen))
    }
}
