//! A throttle: sends a server that refuses much of what it is asked less of it.
//!
//! ```
//! use http::{Request, Response, StatusCode};
//! use mainstay::throttle::{Throttle, ThrottleLayer};
//! use mainstay::{Error, LiftLayer, Reason};
//! use std::convert::Infallible;
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let throttle = ThrottleLayer::new(Throttle::new())?;
//! let handle = throttle.handle();
//!
//! let overloaded = service_fn(|_: Request<()>| async {
//!     let mut answer = Response::new(());
//!     *answer.status_mut() = StatusCode::TOO_MANY_REQUESTS;
//!     Ok::<_, Infallible>(answer)
//! });
//! let mut service =
//!     ServiceBuilder::new().layer(throttle).layer(LiftLayer::new()).service(overloaded);
//!
//! // It sends less and less of what is asked, and never nothing.
//! let (mut sent, mut refused) = (0, 0);
//! for _ in 0..1_000 {
//!     match service.ready().await?.call(Request::new(())).await {
//!         Ok(_) => sent += 1,
//!         Err(Error::Refused(no)) if no.reason() == Reason::Throttled => refused += 1,
//!         Err(error) => return Err(error.into()),
//!     }
//! }
//! assert!(sent > 50 && refused > 800);
//! assert_eq!(handle.snapshot().requests, 1_000);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is shared
//!
//! The state belongs to the layer: every service that one layer value and its clones make shares
//! one window.
//!
//! # What is accepted
//!
//! What the server did its work for: with [`Http`], an answer that is no 429 and no 5xx that speaks
//! of the server; a 404 is one. A 408, a 429, a 503, a reset, a timeout are not accepted. A refusal
//! further in and a call that is dropped say nothing. The status of gRPC mostly stands behind the
//! body: with [`hold_bodies`](ThrottleLayer::hold_bodies) it is waited for, without, such an answer
//! is accepted.
//!
//! It refuses, and never has a call wait. A refusal does not say when to come back: the next call
//! may well go.

mod dice;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mainstay_policy::throttle::{Admission as Answer, Throttler, Ticket, Verdict};
use mainstay_policy::{Draw, Moment, SettingsError};
use tower_layer::Layer;

use crate::error::{Reason, Refused};
use crate::guard::{Admission, Ask, Guard, GuardLayer, Guarded, HoldLayer, Now, Shadow};
use crate::http::Http;
use crate::protocol::Ending;

use dice::Dice;

pub use mainstay_policy::throttle::{Throttle, ThrottleSnapshot};

/// Puts a throttle before a service.
#[derive(Debug)]
pub struct ThrottleLayer<P = Http> {
    inner: GuardLayer<Arc<ThrottleGuard>, P>,
}

impl ThrottleLayer {
    /// A throttle with these settings that lets everything through so far, for HTTP.
    ///
    /// # Errors
    ///
    /// What [`Throttle::check`] finds.
    pub fn new(settings: Throttle) -> Result<Self, SettingsError> {
        Ok(Self::of(ThrottleGuard::new(settings)?, Http::new()))
    }
}

impl<P> ThrottleLayer<P> {
    /// This throttle, for another protocol, or for HTTP with rules of one's own.
    pub fn of(throttle: ThrottleGuard, protocol: P) -> Self {
        Self { inner: GuardLayer::of(Arc::new(throttle), protocol) }
    }

    /// The throttle, to look at it or to change it.
    #[must_use]
    pub fn handle(&self) -> Arc<ThrottleGuard> {
        Arc::clone(self.inner.guard())
    }

    /// Judges an answer whose status stands behind its body, as gRPC's does, when the
    /// body has ended; for services that answer with HTTP responses.
    #[must_use]
    pub fn hold_bodies(self) -> HoldLayer<Arc<ThrottleGuard>, P> {
        self.inner.hold_bodies()
    }
}

impl<P: Clone> ThrottleLayer<P> {
    /// The same throttle in shadow: it decides and reports, and refuses nothing.
    #[must_use]
    pub fn shadow(&self) -> GuardLayer<Shadow<Arc<ThrottleGuard>>, P> {
        self.inner.shadow_as(|guard| {
            let name = guard.name.clone();
            Shadow::of_layer(LAYER, name.as_ref(), guard)
        })
    }
}

impl<P> Clone for ThrottleLayer<P> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<S, P> Layer<S> for ThrottleLayer<P> {
    type Service = Guarded<S, Arc<ThrottleGuard>, P>;

    fn layer(&self, service: S) -> Self::Service {
        self.inner.layer(service)
    }
}

const LAYER: &str = "throttle";

/// A throttle as a [`Guard`], by itself or in a set.
#[derive(Debug)]
pub struct ThrottleGuard {
    throttler: Throttler,
    name: Option<Arc<str>>,
    /// It is not as its settings made it.
    by_hand: AtomicBool,
}

impl ThrottleGuard {
    /// A throttle that lets everything through so far.
    ///
    /// # Errors
    ///
    /// What [`Throttle::check`] finds.
    pub fn new(settings: Throttle) -> Result<Self, SettingsError> {
        let throttler = Throttler::new(settings)?;
        Ok(Self { throttler, name: None, by_hand: AtomicBool::new(false) })
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

    /// What it holds, and with which probability a call is refused.
    #[must_use]
    pub fn snapshot(&self) -> ThrottleSnapshot {
        self.throttler.snapshot(Now::default().get())
    }

    /// Goes on with other settings, by which what the window holds is judged. With another window it
    /// begins anew: nothing is refused until that holds enough.
    ///
    /// # Errors
    ///
    /// What [`Throttle::check`] finds; nothing is changed then.
    pub fn change(&self, settings: Throttle) -> Result<(), SettingsError> {
        self.throttler.change(settings, Now::default().get())?;
        self.by_hand.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// It has the settings that a new one would have, so it may be forgotten for one.
    pub(crate) fn goes_by_settings(&self) {
        self.by_hand.store(false, Ordering::Relaxed);
    }

    #[cold]
    fn refused(&self) -> Refused {
        Refused::new(LAYER, Reason::Throttled).named_if(self.name.as_ref())
    }
}

impl TryFrom<Throttle> for ThrottleGuard {
    type Error = SettingsError;

    fn try_from(settings: Throttle) -> Result<Self, SettingsError> {
        Self::new(settings)
    }
}

impl<Req> Guard<Req> for ThrottleGuard {
    const WAITS: bool = false;

    /// The dice, which are thrown once for an attempt, however often it asks.
    type Subject = Dice;
    type Permit = Ticket;
    /// The ticket, where the verdict stands behind the body.
    type Held = Option<Ticket>;

    fn subject(&self, _: &Req) -> Dice {
        Dice::default()
    }

    fn glance(&self, dice: &Dice, ask: Ask, now: &Now) -> Result<(), Refused> {
        match Guard::<Req>::try_admit(self, dice, ask, now) {
            Admission::Go(ticket) => {
                // Nothing was sent for it yet.
                self.throttler.settle(ticket, Verdict::Ignored, now.get());
                Ok(())
            }
            Admission::Refuse(refused) => Err(refused),
            Admission::Wait => Ok(()),
        }
    }

    fn try_admit(&self, dice: &Dice, _: Ask, now: &Now) -> Admission<Ticket> {
        let now = now.get();
        // A throw of the dice costs as much as the rest, and all threads share them.
        let draw = match self.throttler.lets_all_through(now) {
            true => Draw::MOST,
            false => dice.thrown(),
        };
        match self.throttler.admit(now, draw) {
            Answer::Granted(ticket) => Admission::Go(ticket),
            Answer::Refused(_) => Admission::Refuse(self.refused()),
        }
    }

    fn settle(&self, _: &Dice, ticket: Ticket, ending: &Ending, now: &Now) -> Option<Ticket> {
        if ending.is_open() {
            return Some(ticket);
        }
        self.throttler.settle(ticket, Verdict::from(ending.outcome()), now.get());
        None
    }

    fn let_go(&self, _: &Dice, held: Option<Ticket>, ending: &Ending, now: &Now) {
        if let Some(ticket) = held {
            self.throttler.settle(ticket, Verdict::from(ending.outcome()), now.get());
        }
    }

    fn at_rest_from(&self) -> Option<Moment> {
        match self.by_hand.load(Ordering::Relaxed) {
            true => None,
            false => self.throttler.at_rest_from(),
        }
    }
}

#[cfg(test)]
mod tests;
