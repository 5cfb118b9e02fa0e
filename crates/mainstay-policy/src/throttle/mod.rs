//! How much to hold back from a server that accepts too little of what it is sent.
//!
//! ```
//! use mainstay_policy::throttle::{Admission, Throttle, Throttler, Verdict};
//! use mainstay_policy::{Draw, Moment};
//!
//! let throttler = Throttler::new(Throttle::new())?;
//! let now = Moment::ORIGIN;
//!
//! // Twenty calls, and the server takes five of them.
//! for call in 0..20 {
//!     let draw = Draw::MOST; // take 64 bits from your random source
//!     if let Admission::Granted(ticket) = throttler.admit(now, draw) {
//!         let verdict = if call % 4 == 0 { Verdict::Accepted } else { Verdict::NotAccepted };
//!         throttler.settle(ticket, verdict, now);
//!     }
//! }
//! // Twice what it took would have been enough: (20 - 2 × 5) of 21 are refused from now on.
//! assert_eq!(throttler.probability(now), 10.0 / 21.0);
//! assert!(matches!(throttler.admit(now, Draw::LEAST), Admission::Refused(_)));
//! # Ok::<(), mainstay_policy::SettingsError>(())
//! ```

mod settings;

#[cfg(test)]
mod tests;

pub use settings::Throttle;

use settings::InForce;

use crate::draw::Draw;
use crate::live::Changes;
use crate::moment::Moment;
use crate::outcome::Outcome;
use crate::settings::SettingsError;
use crate::sync::{AcqRel, Acquire, AtomicU64, Line};
use crate::window::{Counts, Cut, Window};

/// A throttle that many calls share.
///
/// Each side of a call counts for itself what the server accepts, and sends no more than
/// [`per_accepted`](Throttle::per_accepted) times that; the rest is refused here, by chance, at no
/// cost to the server. Of a server that takes 100 a second and is asked 300, it so asks 200.
///
/// * **It refuses and never waits**, and cannot say when to come back: the next call may well go.
/// * **A request counts when something is known of it**: one that it refuses at once, one that goes
///   out when its end is told. What is in flight says nothing yet.
/// * **The window is a real one**: what is old leaves it, whether or not anybody calls.
/// * No lock. The window is one word per slice; where all is well a call pays one load to start and
///   one exchange to end.
#[derive(Debug)]
pub struct Throttler {
    /// Requests, and how many of them were accepted.
    window: Window<1>,
    /// The first slice, by number, in which no request is held any more that was not accepted.
    held_until: Line<AtomicU64>,
    settings: InForce,
    changes: Changes,
}

/// Leave to make one call; goes back through [`Throttler::settle`], whatever became of the call.
#[derive(PartialEq, Eq, Debug)]
#[must_use = "a call that is not settled is never counted"]
pub struct Ticket(());

/// Whether a call may be made.
#[derive(PartialEq, Debug)]
#[must_use]
pub enum Admission {
    /// It may.
    Granted(Ticket),
    /// It may not.
    Refused(Refusal),
}

/// Why a call may not be made.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Refusal {
    /// With which probability it was refused, as would be a call right after it.
    pub probability: f64,
}

/// How a call went, to a throttle.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Verdict {
    /// The server did its work.
    Accepted,
    /// It did not, or not in time.
    NotAccepted,
    /// The call says nothing about what the server takes.
    Ignored,
}

impl From<Outcome> for Verdict {
    /// | outcome | verdict |
    /// |---|---|
    /// | success | accepted |
    /// | fatal | accepted: the server looked at the request and answered it |
    /// | transient | not accepted |
    /// | throttled | not accepted: the server says so in so many words |
    /// | invalid | ignored: the server has not seen the request, or not all of it |
    /// | refused | ignored: nothing was sent |
    /// | abandoned | ignored: nobody knows |
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Success | Outcome::Fatal => Self::Accepted,
            Outcome::Transient | Outcome::Throttled => Self::NotAccepted,
            Outcome::Invalid | Outcome::Refused | Outcome::Abandoned => Self::Ignored,
        }
    }
}

impl Throttler {
    /// A throttle that lets everything through.
    ///
    /// # Errors
    ///
    /// What [`Throttle::check`] finds.
    pub fn new(settings: Throttle) -> Result<Self, SettingsError> {
        settings.check()?;
        let window = Window::new(Cut::of_time(settings.window), [true]);
        Ok(Self {
            window,
            held_until: Line(AtomicU64::new(0)),
            settings: InForce::new(settings),
            changes: Changes::default(),
        })
    }

    /// Goes on with other settings. What the window holds stays, and is judged by them; with another
    /// window it begins anew, so that nothing is refused until it holds enough.
    ///
    /// # Errors
    ///
    /// What [`Throttle::check`] finds; nothing is changed then.
    pub fn change(&self, settings: Throttle, now: Moment) -> Result<(), SettingsError> {
        settings.check()?;
        let _change = self.changes.begin();
        self.settings.set(settings);
        self.window.change(Cut::of_time(settings.window), [true], now);
        Ok(())
    }

    /// May a call be made? Whoever is granted it owes a [`settle`](Throttler::settle).
    pub fn admit(&self, now: Moment, draw: Draw) -> Admission {
        let probability = self.probability(now);
        if draw.happens(probability) {
            self.count(false, now);
            return Admission::Refused(Refusal { probability });
        }
        Admission::Granted(Ticket(()))
    }

    /// How a call went that was let through; every one ends here, dropped calls too.
    pub fn settle(&self, ticket: Ticket, verdict: Verdict, now: Moment) {
        let Ticket(()) = ticket;
        match verdict {
            Verdict::Accepted => self.count(true, now),
            Verdict::NotAccepted => self.count(false, now),
            Verdict::Ignored => {}
        }
    }

    /// With which probability a call would be refused now. Takes nothing and changes nothing.
    #[must_use]
    pub fn probability(&self, now: Moment) -> f64 {
        match self.is_quiet(now) {
            true => 0.0,
            false => self.settings.rejection(self.held(now)),
        }
    }

    /// From when on it may be forgotten, if nothing more happens: when the window holds no request
    /// any more that was not accepted. Refused ones are such.
    #[must_use]
    pub fn at_rest_from(&self) -> Option<Moment> {
        Some(self.window.start(self.held_until.load(Acquire)))
    }

    /// What it holds.
    #[must_use]
    pub fn snapshot(&self, now: Moment) -> ThrottleSnapshot {
        let Counts { total, hits } = self.held(now);
        ThrottleSnapshot { requests: total, accepted: hits, probability: self.probability(now) }
    }

    /// Whether every call is let through now, whatever the dice show: then they need not be thrown.
    ///
    /// That is so while the window holds no request that was not accepted.
    #[must_use]
    pub fn lets_all_through(&self, now: Moment) -> bool {
        self.is_quiet(now)
    }

    fn held(&self, now: Moment) -> Counts {
        self.window.counts(0, now)
    }

    /// Whether all that the window holds was accepted, so that there is nothing to add up: with at
    /// least one request for each accepted one the formula gives nothing then.
    fn is_quiet(&self, now: Moment) -> bool {
        let held_until = self.held_until.load(Acquire);
        held_until == 0 || self.window.number(now) >= held_until
    }

    fn count(&self, accepted: bool, now: Moment) {
        let number = self.window.record([accepted], now);
        if !accepted {
            self.held_until.fetch_max(self.window.leaves(number), AcqRel);
        }
    }
}

/// What a [`Throttler`] held at one time.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub struct ThrottleSnapshot {
    /// Requests in the window: those whose end is known, and those that were refused here.
    pub requests: u64,
    /// How many of them the server accepted.
    pub accepted: u64,
    /// With which probability a call is refused.
    pub probability: f64,
}
