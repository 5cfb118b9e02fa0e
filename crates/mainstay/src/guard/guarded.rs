//! The one service that asks a guard.

use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

use super::body::HoldLayer;
use super::future::{Attempt, GuardedFuture};
use super::live::{Live, Shared};
use super::waiting::Waiter;
use super::{Admission, Ask, Guard, Now, Shadow, ask_at_once};
use crate::error::CallError;
use crate::http::Http;
use crate::observe::{Event, tell};
use crate::protocol::Protocol;
use crate::scope::Scope;

/// Asks a guard, or a tuple of them, before each attempt.
///
/// # What is shared
///
/// The guard: all services that one layer value and its clones make ask the same one.
#[derive(Debug)]
pub struct GuardLayer<G, P = Http> {
    shared: Arc<Shared<G, P>>,
}

impl<G> GuardLayer<G> {
    /// Asks this guard, of HTTP.
    pub fn new(guard: G) -> Self {
        Self::of(guard, Http::new())
    }
}

impl<G, P> GuardLayer<G, P> {
    /// Asks this guard, of another protocol or of HTTP with other rules.
    pub fn of(guard: G, protocol: P) -> Self {
        Self { shared: Arc::new(Shared { guard, protocol }) }
    }

    /// The guard, to look at it or to change its limits.
    #[must_use]
    pub fn guard(&self) -> &G {
        &self.shared.guard
    }
}

impl<G, P> GuardLayer<G, P> {
    /// Holds what outlives the head of an answer to the end of its body: slots, and the verdict on
    /// an answer whose status stands behind its body, as gRPC's does.
    #[must_use]
    pub fn hold_bodies(self) -> HoldLayer<G, P> {
        HoldLayer::new(self)
    }
}

impl<G: Clone, P: Clone> GuardLayer<G, P> {
    /// The same guard in shadow: it decides and reports, and refuses or delays nothing. Of a guard
    /// that cannot be cloned, make the [`Shadow`] first and the layer of that.
    #[must_use]
    pub fn shadow(&self) -> GuardLayer<Shadow<G>, P> {
        self.shadow_as(Shadow::of)
    }

    pub(crate) fn shadow_as(&self, of: impl FnOnce(G) -> Shadow<G>) -> GuardLayer<Shadow<G>, P> {
        GuardLayer::of(of(self.shared.guard.clone()), self.shared.protocol.clone())
    }
}

impl<G, P> Clone for GuardLayer<G, P> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<S, G, P> Layer<S> for GuardLayer<G, P> {
    type Service = Guarded<S, G, P>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded { inner, shared: Arc::clone(&self.shared) }
    }
}

/// A service whose attempts a guard is asked about; made by [`GuardLayer`] and by each guard's own
/// layer.
#[derive(Debug)]
pub struct Guarded<S, G, P = Http> {
    inner: S,
    shared: Arc<Shared<G, P>>,
}

impl<S, G, P> Guarded<S, G, P> {
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

impl<S: Clone, G, P> Guarded<S, G, P> {
    /// What the ready service has reserved must neither wait along nor stay with one who was
    /// refused and is idle.
    fn give_readiness_back(&mut self) {
        let clone = self.inner.clone();
        drop(mem::replace(&mut self.inner, clone));
    }
}

impl<S: Clone, G, P> Clone for Guarded<S, G, P> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), shared: Arc::clone(&self.shared) }
    }
}

impl<S, Req, G, P> Service<Req> for Guarded<S, G, P>
where
    S: Service<Req> + Clone + Send + 'static,
    S::Error: CallError,
    S::Future: Send,
    Req: Send + 'static,
    G: Guard<Req> + Send + Sync + 'static,
    P: Protocol<Req, S::Response, S::Error> + Send + Sync + 'static,
    P::About: Send,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = GuardedFuture<S::Future, S::Error, Attempt<Req, G, P, P::About>>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        let Shared { guard, protocol } = &*self.shared;
        let Scope { until, attempt, .. } = Scope::current();
        let ask = Ask { cost: protocol.cost(&request), attempt, until };
        let now = Now::default();
        let subject = guard.subject(&request);
        match ask_at_once(guard, &subject, ask, &now) {
            Admission::Go(permit) => GuardedFuture::starts(
                &mut self.inner,
                request,
                Live::new(Arc::clone(&self.shared), subject, permit),
            ),
            Admission::Refuse(refused) => {
                tell(Event::Refused(&refused));
                self.give_readiness_back();
                GuardedFuture::refused(refused)
            }
            Admission::Wait => {
                // A clone that is made ready after the wait goes into the future.
                self.give_readiness_back();
                let (service, holder) = (self.inner.clone(), Arc::clone(&self.shared));
                GuardedFuture::waits(Waiter { service, request, subject, ask, holder })
            }
        }
    }
}
