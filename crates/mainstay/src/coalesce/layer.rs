//! The layer and its service.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

use super::LAYER;
use super::by::CoalesceBy;
use super::flights::{Boarded, Flights};
use super::future::{Aboard, CoalesceFuture};
use crate::clock;
use crate::error::CallError;
use crate::observe::{Event, tell};

/// Sends equal requests once that are made at the same time.
///
/// Answers and errors must be `Clone`. For HTTP, [`CollectLayer`](super::CollectLayer) beneath makes
/// bodies so; an error that is not goes into an `Arc`.
///
/// # What is shared
///
/// The flights: equal requests through any services that one layer value and its clones make share
/// one. `Res` and `E` are those of the service, and need not be written where the stack is built.
pub struct CoalesceLayer<By, Res, E> {
    by: Arc<By>,
    flights: Arc<Flights<Result<Res, E>>>,
    name: Option<Arc<str>>,
}

impl<By, Res, E> CoalesceLayer<By, Res, E> {
    /// Requests are equal that have equal keys by this: [`ByRequest`](super::ByRequest), or a
    /// closure that returns an `Option` of a [`Key`](crate::http::Key).
    pub fn new(by: By) -> Self {
        Self { by: Arc::new(by), flights: Arc::default(), name: None }
    }

    /// A name that its events and refusals say.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How many different requests are on their way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.flights.len()
    }
}

impl<By, Res, E> Clone for CoalesceLayer<By, Res, E> {
    fn clone(&self) -> Self {
        let Self { by, flights, name } = self;
        Self { by: Arc::clone(by), flights: Arc::clone(flights), name: name.clone() }
    }
}

impl<By, Res, E> fmt::Debug for CoalesceLayer<By, Res, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("CoalesceLayer");
        debug.field("name", &self.name).field("flights", &self.flights).finish_non_exhaustive()
    }
}

impl<S, By, Res, E> Layer<S> for CoalesceLayer<By, Res, E> {
    type Service = Coalesce<S, By, Res, E>;

    fn layer(&self, inner: S) -> Self::Service {
        Coalesce { inner, shared: self.clone() }
    }
}

/// A service that sends equal requests once; made by [`CoalesceLayer`].
pub struct Coalesce<S, By, Res, E> {
    inner: S,
    shared: CoalesceLayer<By, Res, E>,
}

impl<S, By, Res, E> Coalesce<S, By, Res, E> {
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

impl<S: Clone, By, Res, E> Clone for Coalesce<S, By, Res, E> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), shared: self.shared.clone() }
    }
}

impl<S: fmt::Debug, By, Res, E> fmt::Debug for Coalesce<S, By, Res, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Coalesce");
        debug.field("inner", &self.inner).field("shared", &self.shared).finish()
    }
}

impl<S, Req, By, Res, E> Service<Req> for Coalesce<S, By, Res, E>
where
    S: Service<Req, Response = Res, Error = E> + Clone + Send + 'static,
    S::Future: Send + 'static,
    Req: Send + 'static,
    By: CoalesceBy<Req>,
    Res: Clone + Send + Sync + 'static,
    E: CallError + Clone + Send + Sync + 'static,
{
    type Response = Res;
    type Error = E;
    type Future = CoalesceFuture<S::Future, Aboard<Req, S, Result<Res, E>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Req) -> Self::Future {
        let CoalesceLayer { by, flights, name } = &self.shared;
        let Some(key) = by.key(&request) else {
            return CoalesceFuture::alone(self.inner.call(request));
        };
        let (name, boarded) = (name.clone(), flights.board(key));
        if matches!(boarded, Boarded::First(_) | Boarded::Joined(_)) {
            tell(Event::Waits { layer: LAYER, name: name.as_deref(), wait: None });
            by.make_common(&mut request);
        }
        let since = clock::now();
        CoalesceFuture::aboard(match boarded {
            Boarded::Within => return CoalesceFuture::alone(self.inner.call(request)),
            Boarded::First(seat) => {
                seat.launch(|| Box::pin(self.inner.call(request)));
                Aboard { seat, spare: None, since, name }
            }
            Boarded::Joined(seat) => {
                // What the ready service has reserved must not wait along.
                let idle = self.inner.clone();
                drop(mem::replace(&mut self.inner, idle));
                let spare = Some((self.inner.clone(), request));
                Aboard { seat, spare, since, name }
            }
        })
    }
}
