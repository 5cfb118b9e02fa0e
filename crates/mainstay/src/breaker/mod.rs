//! A circuit breaker: stops asking a server that is not well, and finds out when it is well again.
//!
//! ```
//! use http::{Request, Response, StatusCode};
//! use mainstay::breaker::{BreakerState, CircuitBreaker, CircuitBreakerLayer};
//! use mainstay::{Error, LiftLayer};
//! use std::convert::Infallible;
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let breaker = CircuitBreakerLayer::new(CircuitBreaker::new().consecutive_failures(Some(3)))?;
//! let handle = breaker.handle();
//!
//! let down = service_fn(|_: Request<()>| async {
//!     let mut answer = Response::new(());
//!     *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
//!     Ok::<_, Infallible>(answer)
//! });
//! let mut service = ServiceBuilder::new().layer(breaker).layer(LiftLayer::new()).service(down);
//!
//! for _ in 0..3 {
//!     let answer = service.ready().await?.call(Request::new(())).await?;
//!     assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
//! }
//! assert_eq!(handle.state(), BreakerState::Open);
//! let refused = service.ready().await?.call(Request::new(())).await;
//! assert!(matches!(refused, Err(Error::Refused(_))));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is shared
//!
//! The state belongs to the layer: every service that one layer value and its clones make shares
//! one breaker.
//!
//! # What is a failure
//!
//! What the protocol calls a transient failure: with [`Http`], a 5xx that speaks of the server, a
//! 408, a reset, a timeout, be it that of the attempt or that of a
//! [deadline](crate::deadline) further out, which ends a call that the server has not answered in
//! the time that its caller has. A 4xx is a success: the server is well. A 429 says nothing, nor
//! does a refusal further in, nor a call that its caller drops early.
//!
//! The status of gRPC mostly stands behind the body. With
//! [`hold_bodies`](CircuitBreakerLayer::hold_bodies) the breaker waits for it; without, such an
//! answer is a success.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mainstay_policy::breaker::{Admission as Answer, Breaker, Refusal, Ticket, Verdict};
use mainstay_policy::{Moment, SettingsError};
use tokio::sync::watch;
use tower_layer::Layer;

use crate::chance;
use crate::error::{Reason, Refused};
use crate::guard::{
    Admission, Ask, Guard, GuardLayer, Guarded, HoldLayer, Now, Shadow, State, Watch,
};
use crate::http::Http;
use crate::protocol::Ending;

pub use mainstay_policy::breaker::{
    BreakerSnapshot, BreakerState, Cause, CircuitBreaker, Slow, Span, Transition,
};

const LAYER: &str = "circuit breaker";

/// Puts a circuit breaker before a service.
#[derive(Debug)]
pub struct CircuitBreakerLayer<P = Http> {
    inner: GuardLayer<Arc<BreakerGuard>, P>,
}

impl CircuitBreakerLayer {
    /// A closed breaker with these settings, for HTTP.
    ///
    /// # Errors
    ///
    /// What [`CircuitBreaker::check`] finds.
    pub fn new(settings: CircuitBreaker) -> Result<Self, SettingsError> {
        Ok(Self::of(BreakerGuard::new(settings)?, Http::new()))
    }
}

impl<P> CircuitBreakerLayer<P> {
    /// This breaker, for another protocol, or for HTTP with rules of one's own.
    pub fn of(breaker: BreakerGuard, protocol: P) -> Self {
        Self { inner: GuardLayer::of(Arc::new(breaker), protocol) }
    }

    /// The breaker, to look at it or to work it by hand.
    #[must_use]
    pub fn handle(&self) -> Arc<BreakerGuard> {
        Arc::clone(self.inner.guard())
    }

    /// Gives its verdict on an answer whose status stands behind its body, as gRPC's does, when the
    /// body has ended; for services that answer with HTTP responses.
    #[must_use]
    pub fn hold_bodies(self) -> HoldLayer<Arc<BreakerGuard>, P> {
        self.inner.hold_bodies()
    }
}

impl<P: Clone> CircuitBreakerLayer<P> {
    /// The same breaker in shadow: it decides and reports, and refuses nothing.
    #[must_use]
    pub fn shadow(&self) -> GuardLayer<Shadow<Arc<BreakerGuard>>, P> {
        self.inner.shadow_as(|guard| {
            let name = guard.name.clone();
            Shadow::of_layer(LAYER, name.as_ref(), guard)
        })
    }
}

impl<P> Clone for CircuitBreakerLayer<P> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<S, P> Layer<S> for CircuitBreakerLayer<P> {
    type Service = Guarded<S, Arc<BreakerGuard>, P>;

    fn layer(&self, service: S) -> Self::Service {
        self.inner.layer(service)
    }
}

/// A circuit breaker as a [`Guard`], by itself or in a set.
#[derive(Debug)]
pub struct BreakerGuard {
    breaker: Breaker,
    name: Option<Arc<str>>,
    watch: Watch<BreakerState>,
    /// It is not as its settings made it.
    by_hand: AtomicBool,
}

impl BreakerGuard {
    /// A closed breaker.
    ///
    /// # Errors
    ///
    /// What [`CircuitBreaker::check`] finds.
    pub fn new(settings: CircuitBreaker) -> Result<Self, SettingsError> {
        let breaker = Breaker::new(settings, chance::draw())?;
        let by_hand = AtomicBool::new(false);
        Ok(Self { breaker, name: None, watch: Watch::default(), by_hand })
    }

    /// A name that its refusals say.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The name that it was given.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What it is doing. Open stays open until a call asks after the open time.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        self.breaker.state()
    }

    /// What it holds.
    #[must_use]
    pub fn snapshot(&self) -> BreakerSnapshot {
        self.breaker.snapshot(Now::default().get())
    }

    /// What it is doing, as it changes. Who looks seldom sees the last state, not all between.
    pub fn watch(&self) -> watch::Receiver<BreakerState> {
        self.watch.receiver(|| self.breaker.state())
    }

    /// Goes on with other settings, in the state that it is in: an open time stays as it is, a row
    /// of failures and probes that have succeeded go on counting. With another window it begins with
    /// an empty one.
    ///
    /// # Errors
    ///
    /// What [`CircuitBreaker::check`] finds; nothing is changed then.
    pub fn change(&self, settings: CircuitBreaker) -> Result<(), SettingsError> {
        self.breaker.change(settings, Now::default().get())?;
        self.by_hand.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// It has the settings that a new one would have, so it may be forgotten for one.
    pub(crate) fn goes_by_settings(&self) {
        self.by_hand.store(false, Ordering::Relaxed);
    }

    /// Refuses every call until it is released.
    pub fn isolate(&self) -> Option<Transition> {
        self.told(self.breaker.isolate())
    }

    /// Ends an isolation, with an empty window.
    pub fn release(&self) -> Option<Transition> {
        self.told(self.breaker.release())
    }

    /// Closes it, whatever it was doing, with an empty window.
    pub fn reset(&self) -> Option<Transition> {
        self.told(self.breaker.reset())
    }

    /// Tells of a change of state, if there was one.
    #[inline]
    fn told(&self, transition: Option<Transition>) -> Option<Transition> {
        if let Some(to) = transition {
            self.changed(to);
        }
        transition
    }

    #[cold]
    fn changed(&self, transition: Transition) {
        let to = match transition {
            Transition::Opened { .. } => BreakerState::Open,
            Transition::HalfOpened => BreakerState::HalfOpen,
            Transition::Closed => BreakerState::Closed,
            Transition::Isolated => BreakerState::Isolated,
            _ => self.breaker.state(),
        };
        self.watch.changed(LAYER, self.name.as_ref(), to, || self.breaker.state());
    }

    /// The body has ended of an answer whose head did not say how it went.
    #[inline(never)]
    fn settle_open(&self, open: OpenTicket, ending: &Ending, now: &Now) {
        let OpenTicket { ticket, head } = open;
        let (verdict, now) = match Verdict::from(ending.outcome()) {
            // A body takes as long as its reader does: how fast the server is, the head has said.
            Verdict::Success => (Verdict::Success, head),
            // There was an answer in time, whatever its end would have said.
            Verdict::Abandoned => (Verdict::Ignored, head),
            verdict @ (Verdict::Failure | Verdict::Ignored) => (verdict, now.get()),
        };
        self.told(self.breaker.settle(ticket, verdict, now));
    }

    #[cold]
    fn glance_while_not_closed(&self, now: &Now) -> Result<(), Refused> {
        self.breaker.would_refuse(now.get()).map_or(Ok(()), |refusal| Err(self.refused(refusal)))
    }

    #[cold]
    fn refused(&self, refusal: Refusal) -> Refused {
        let refused = Refused::new(LAYER, Reason::Open).named_if(self.name.as_ref());
        match refusal.retry_in {
            Some(wait) => refused.with_retry_in(wait),
            None => refused,
        }
    }
}

/// A call whose answer has come and does not say yet how it went.
#[derive(Debug)]
#[must_use = "a call that is not settled holds a probe's place until it is given up"]
pub struct OpenTicket {
    ticket: Ticket,
    /// When its head counts as having come.
    head: Moment,
}

impl TryFrom<CircuitBreaker> for BreakerGuard {
    type Error = SettingsError;

    fn try_from(settings: CircuitBreaker) -> Result<Self, SettingsError> {
        Self::new(settings)
    }
}

impl<Req> Guard<Req> for BreakerGuard {
    const WAITS: bool = false;

    type Subject = ();
    type Permit = Ticket;
    type Held = Option<OpenTicket>;

    #[inline]
    fn subject(&self, _: &Req) {}

    #[inline]
    fn glance(&self, (): &(), _: Ask, now: &Now) -> Result<(), Refused> {
        if self.breaker.state() == BreakerState::Closed {
            return Ok(()); // and the clock need not be read
        }
        self.glance_while_not_closed(now)
    }

    #[inline]
    fn try_admit(&self, (): &(), _: Ask, now: &Now) -> Admission<Ticket> {
        match self.breaker.admit(now.get()) {
            Answer::Granted { ticket, transition } => {
                self.told(transition);
                Admission::Go(ticket)
            }
            Answer::Refused(refusal) => Admission::Refuse(self.refused(refusal)),
        }
    }

    #[inline(always)]
    fn settle(&self, (): &(), ticket: Ticket, ending: &Ending, now: &Now) -> Option<OpenTicket> {
        let verdict = Verdict::from(ending.outcome());
        let settled = self.breaker.settles_by(&ticket, verdict).unwrap_or_else(|| now.get());
        if ending.is_open() {
            return Some(OpenTicket { ticket, head: settled });
        }
        self.told(self.breaker.settle(ticket, verdict, settled));
        None
    }

    #[inline(always)]
    fn let_go(&self, (): &(), held: Option<OpenTicket>, ending: &Ending, now: &Now) {
        if let Some(open) = held {
            self.settle_open(open, ending, now);
        }
    }

    fn at_rest_from(&self) -> Option<Moment> {
        match self.by_hand.load(Ordering::Relaxed) {
            true => None,
            false => self.breaker.at_rest_from(),
        }
    }
}

impl State for BreakerState {
    fn word(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
            Self::Isolated => "isolated",
        }
    }

    fn is_rest(self) -> bool {
        self == Self::Closed
    }
}

#[cfg(test)]
mod tests;
