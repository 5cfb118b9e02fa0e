//! The layer and its service.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use mainstay_policy::SettingsError;
use mainstay_policy::retry::Retry;
use tower_layer::Layer;
use tower_service::Service;

use super::course::Shared;
use super::future::{CallOf, End, RetriedFuture};
use super::schedule::Schedule;
use crate::budget::{Budget, Budgets, RetryBudget, Unbounded, per_host};
use crate::error::CallError;
use crate::http::{ByHost, Http};
use crate::keyed::Keyed;
use crate::protocol::{Discard, Protocol};

/// Sends requests again that failed in a way that may pass.
///
/// # What is shared
///
/// The budget: all services that one layer value and its clones make draw on the same one.
#[derive(Debug)]
pub struct RetryLayer<P = Http, B = Arc<Keyed<Budget, ByHost>>> {
    settings: Retry,
    schedule: Option<Schedule>,
    protocol: Arc<P>,
    budgets: B,
    name: Option<Arc<str>>,
}

impl RetryLayer {
    /// Retries with these settings, for HTTP, with a standard budget for every host.
    ///
    /// # Errors
    ///
    /// What [`Retry::check`] finds.
    pub fn new(settings: Retry) -> Result<Self, SettingsError> {
        Self::of(settings, per_host(RetryBudget::new())?, Http::new())
    }
}

impl<P, B> RetryLayer<P, B> {
    /// Retries for another protocol, with this budget.
    ///
    /// # Errors
    ///
    /// What [`Retry::check`] finds.
    pub fn of(settings: Retry, budgets: B, protocol: P) -> Result<Self, SettingsError> {
        settings.check()?;
        let protocol = Arc::new(protocol);
        Ok(Self { settings, schedule: None, protocol, budgets, name: None })
    }

    /// HTTP with other rules, or any other protocol in its place.
    #[must_use]
    pub fn protocol<Q>(self, protocol: Q) -> RetryLayer<Q, B> {
        let Self { settings, schedule, budgets, name, .. } = self;
        RetryLayer { settings, schedule, protocol: Arc::new(protocol), budgets, name }
    }

    /// Draws on this budget: an `Arc<Budget>` for all requests, a `Keyed<Budget, K>` in an `Arc`, a
    /// `TowerBudget` (feature `tower`). A layer of hedges may be given the same.
    #[must_use]
    pub fn budget<C>(self, budgets: C) -> RetryLayer<P, C> {
        let Self { settings, schedule, protocol, name, .. } = self;
        RetryLayer { settings, schedule, protocol, budgets, name }
    }

    /// Draws on no budget: a server that is down gets as many times its load as there are attempts,
    /// see [`Unbounded`].
    #[must_use]
    pub fn without_budget(self) -> RetryLayer<P, Unbounded> {
        self.budget(Unbounded)
    }

    /// Waits as this says, in place of the [`Backoff`](super::Backoff) of the settings: a function
    /// that makes the waits of one call, as those of backon and tokio-retry do. When they have come
    /// to their end, so has the call.
    ///
    /// The number of attempts and what the server asks for still count. Where it asks for a wait,
    /// up to one wait of the schedule is added by chance.
    ///
    /// ```
    /// use mainstay::retry::{Retry, RetryLayer};
    /// use std::time::Duration;
    ///
    /// let waits = || [10, 100, 1000].map(Duration::from_millis).into_iter();
    /// let retry = RetryLayer::new(Retry::up_to(10))?.schedule(waits); // four attempts at most
    /// # let _ = retry;
    /// # Ok::<(), mainstay::policy::SettingsError>(())
    /// ```
    #[must_use]
    pub fn schedule<F, I>(mut self, waits: F) -> Self
    where
        F: Fn() -> I + Send + Sync + 'static,
        I: Iterator<Item = Duration> + Send + 'static,
    {
        self.schedule = Some(Schedule::new(waits));
        self
    }

    /// A name that its events say; the ends of attempts are nobody's, and say none.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The budget, to look at it or to share it.
    #[must_use]
    pub fn budgets(&self) -> B
    where
        B: Clone,
    {
        self.budgets.clone()
    }

    pub(super) fn share(&self) -> Arc<Shared<P, B>>
    where
        B: Clone,
    {
        Arc::new(Shared {
            settings: self.settings,
            schedule: self.schedule.clone(),
            protocol: Arc::clone(&self.protocol),
            budgets: self.budgets.clone(),
            name: self.name.clone(),
        })
    }
}

impl<P, B: Clone> Clone for RetryLayer<P, B> {
    fn clone(&self) -> Self {
        Self {
            settings: self.settings,
            schedule: self.schedule.clone(),
            protocol: Arc::clone(&self.protocol),
            budgets: self.budgets.clone(),
            name: self.name.clone(),
        }
    }
}

impl<S, P, B: Clone> Layer<S> for RetryLayer<P, B> {
    type Service = Retried<S, P, B>;

    fn layer(&self, inner: S) -> Self::Service {
        Retried { inner, shared: self.share() }
    }
}

/// A service whose failed requests are sent again; made by [`RetryLayer`].
#[derive(Debug)]
pub struct Retried<S, P = Http, B = Arc<Keyed<Budget, ByHost>>> {
    inner: S,
    shared: Arc<Shared<P, B>>,
}

impl<S, P, B> Retried<S, P, B> {
    /// What all services of the layer share.
    pub(crate) const fn shared(&self) -> &Arc<Shared<P, B>> {
        &self.shared
    }

    /// The same before another service.
    pub(crate) fn over<T>(&self, inner: T) -> Retried<T, P, B> {
        Retried { inner, shared: Arc::clone(&self.shared) }
    }

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

impl<S: Clone, P, B> Clone for Retried<S, P, B> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), shared: Arc::clone(&self.shared) }
    }
}

impl<S, Req, P, B> Service<Req> for Retried<S, P, B>
where
    S: Service<Req> + Clone + Send + 'static,
    S::Response: Send,
    S::Error: CallError + Send,
    S::Future: Send,
    Req: Send + 'static,
    P: Protocol<Req, S::Response, S::Error> + Discard<S::Response> + Send + Sync + 'static,
    P::About: Send,
    B: Budgets<Req> + Send + Sync + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = RetriedFuture<S::Future, End<Req, S>, CallOf<Req, S, P, B>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        RetriedFuture::starts(&mut self.inner, request, Arc::clone(&self.shared))
    }
}
