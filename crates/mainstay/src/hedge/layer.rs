//! The layer and its service.

use std::sync::Arc;
use std::task::{Context, Poll};

use mainstay_policy::hedge::{Hedge, Hedger};
use mainstay_policy::{Moment, SettingsError};
use tower_layer::Layer;
use tower_service::Service;

use super::course::{CourseOf, Shared};
use super::future::HedgeFuture;
use crate::budget::{Budget, Budgets, RetryBudget, Unbounded, per_host};
use crate::http::{ByHost, Http, KeyBy};
use crate::keyed::{AtRest, Keyed};
use crate::protocol::Protocol;

/// Sends a second attempt beside a slow first one.
///
/// # What is shared
///
/// What was observed, and the budget: all services that one layer value and its clones make share
/// them.
#[derive(Debug)]
pub struct HedgeLayer<P = Http, H = Arc<Keyed<Hedger, ByHost>>, B = Arc<Keyed<Budget, ByHost>>> {
    protocol: Arc<P>,
    hedgers: H,
    budgets: B,
    name: Option<Arc<str>>,
}

impl HedgeLayer {
    /// Hedges with these settings, for HTTP: attempts are observed per host, and a standard budget
    /// pays for the extra ones per host.
    ///
    /// # Errors
    ///
    /// What [`Hedge::check`] finds.
    #[expect(clippy::missing_panics_doc, reason = "the settings are checked before")]
    pub fn new(settings: Hedge) -> Result<Self, SettingsError> {
        settings.check()?;
        #[expect(clippy::expect_used, reason = "the settings are checked before")]
        let hedgers = Keyed::new(ByHost, move |_| Hedger::new(settings).expect("checked"));
        Ok(Self::of(Arc::new(hedgers), per_host(RetryBudget::new())?, Http::new()))
    }
}

impl<P, H, B> HedgeLayer<P, H, B> {
    /// Hedges for another protocol: when extra attempts go out is said by this, and this pays for
    /// them. An `Arc<Hedger>` and an `Arc<Budget>` serve all requests alike.
    pub fn of(hedgers: H, budgets: B, protocol: P) -> Self {
        Self { protocol: Arc::new(protocol), hedgers, budgets, name: None }
    }

    /// HTTP with other rules, or any other protocol in its place.
    #[must_use]
    pub fn protocol<Q>(self, protocol: Q) -> HedgeLayer<Q, H, B> {
        let Self { hedgers, budgets, name, .. } = self;
        HedgeLayer { protocol: Arc::new(protocol), hedgers, budgets, name }
    }

    /// Draws on this budget: an `Arc<Budget>` for all requests, a `Keyed<Budget, K>` in an `Arc`, a
    /// `TowerBudget` (feature `tower`). A layer of retries may be given the same.
    #[must_use]
    pub fn budget<C>(self, budgets: C) -> HedgeLayer<P, H, C> {
        let Self { protocol, hedgers, name, .. } = self;
        HedgeLayer { protocol, hedgers, budgets, name }
    }

    /// Draws on no budget: while a server is slow every call may make all its extra attempts, see
    /// [`Unbounded`].
    #[must_use]
    pub fn without_budget(self) -> HedgeLayer<P, H, Unbounded> {
        self.budget(Unbounded)
    }

    /// A name that its events say; the ends of attempts are nobody's, and say none.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// What says when extra attempts go out, to look at what it has observed.
    #[must_use]
    pub const fn hedgers(&self) -> &H {
        &self.hedgers
    }

    /// The budget, to look at it or to share it.
    #[must_use]
    pub fn budgets(&self) -> B
    where
        B: Clone,
    {
        self.budgets.clone()
    }
}

impl<P, H: Clone, B: Clone> Clone for HedgeLayer<P, H, B> {
    fn clone(&self) -> Self {
        Self {
            protocol: Arc::clone(&self.protocol),
            hedgers: self.hedgers.clone(),
            budgets: self.budgets.clone(),
            name: self.name.clone(),
        }
    }
}

impl<S, P, H: Clone, B: Clone> Layer<S> for HedgeLayer<P, H, B> {
    type Service = Hedged<S, P, H, B>;

    fn layer(&self, inner: S) -> Self::Service {
        let Self { protocol, hedgers, budgets, name } = self.clone();
        Hedged { inner, shared: Arc::new(Shared { protocol, hedgers, budgets, name }) }
    }
}

/// A service whose slow requests are sent a second time; made by [`HedgeLayer`].
#[derive(Debug)]
pub struct Hedged<S, P = Http, H = Arc<Keyed<Hedger, ByHost>>, B = Arc<Keyed<Budget, ByHost>>> {
    inner: S,
    shared: Arc<Shared<P, H, B>>,
}

impl<S, P, H, B> Hedged<S, P, H, B> {
    /// The same before another service.
    pub(crate) fn over<T>(&self, inner: T) -> Hedged<T, P, H, B> {
        Hedged { inner, shared: Arc::clone(&self.shared) }
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

impl<S: Clone, P, H, B> Clone for Hedged<S, P, H, B> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), shared: Arc::clone(&self.shared) }
    }
}

impl<S, Req, P, H, B> Service<Req> for Hedged<S, P, H, B>
where
    S: Service<Req> + Clone,
    P: Protocol<Req, S::Response, S::Error>,
    H: Hedgers<Req>,
    B: Budgets<Req>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = HedgeFuture<S::Future, CourseOf<Req, S, P, H, B>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        HedgeFuture::starts(&mut self.inner, request, &self.shared)
    }
}

/// What says when the extra attempts of a call go out: one for all requests, or one for each key.
///
/// There is `Arc<Hedger>`, and `Arc<Keyed<Hedger, K>>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say when requests of type `{Req}` are hedged",
    label = "no hedger for these requests",
    note = "layers share it: give an `Arc<Hedger>`, or an `Arc<Keyed<Hedger, K>>` whose \
            `K: KeyBy<{Req}>`"
)]
pub trait Hedgers<Req> {
    /// Whether anything is hedged at all.
    fn hedges(&self) -> bool {
        true
    }

    /// The one for the call of this request, if that is to be hedged.
    fn hedger(&self, request: &Req) -> Option<Arc<Hedger>>;
}

impl<Req> Hedgers<Req> for Arc<Hedger> {
    fn hedger(&self, _: &Req) -> Option<Arc<Hedger>> {
        Some(Self::clone(self))
    }
}

impl<Req, K: KeyBy<Req>> Hedgers<Req> for Arc<Keyed<Hedger, K>> {
    fn hedger(&self, request: &Req) -> Option<Arc<Hedger>> {
        Some(self.of(request))
    }
}

/// None: nothing is hedged.
impl<Req> Hedgers<Req> for Option<Arc<Hedger>> {
    fn hedges(&self) -> bool {
        self.is_some()
    }

    fn hedger(&self, _: &Req) -> Option<Arc<Hedger>> {
        self.clone()
    }
}

impl AtRest for Hedger {
    fn at_rest_from(&self) -> Option<Moment> {
        self.at_rest_from()
    }
}
