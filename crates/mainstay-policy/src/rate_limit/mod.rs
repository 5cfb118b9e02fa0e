//! How many calls may start in how long.
//!
//! ```
//! use mainstay_policy::Moment;
//! use mainstay_policy::rate_limit::{Limiter, RateLimit};
//! use mainstay_policy::turn::Turn;
//! use std::time::Duration;
//!
//! let limiter = Limiter::new(RateLimit::per_second(50).burst(2))?;
//! let now = Moment::ORIGIN;
//!
//! assert_eq!(limiter.take(1, now, now), Turn::Now);
//! assert_eq!(limiter.take(1, now, now), Turn::Now);
//! assert_eq!(limiter.take(1, now, now), Turn::At(now + Duration::from_millis(20)));
//! # Ok::<(), mainstay_policy::SettingsError>(())
//! ```

mod quota;
mod settings;
mod smooth;
mod strict;

#[cfg(test)]
mod tests;

pub use settings::{RateLimit, Shape};

use std::time::Duration;

use quota::Quota;
use smooth::{Pace, Smooth};
use strict::{Limits, Strict};

use crate::moment::Moment;
use crate::settings::{Checks, SettingsError};
use crate::turn::Turn;

/// A rate limit that many calls share.
///
/// It says when a call may start; who waits, and in which order, is the business of a queue before
/// it ([`Turnstile`](crate::turn::Turnstile)), whose first asks again when the time has come.
///
/// * **Smooth** (the default): in any time *t*, starts cost at most
///   burst + rate × (*t* + [`Limiter::CATCH_UP`]).
/// * **Strict**: in any window as long as the period, starts cost at most the count.
/// * **Told**: after [`learn`](Limiter::learn), starts until the reset cost at most what the server
///   said was left.
///
/// Each holds around changes of the limits too; a start that overlaps a change counts as before it
/// or after it. No lock on the way of a call: a smooth limit is one word, a strict one a ring of
/// them.
#[derive(Debug)]
pub struct Limiter {
    kind: Kind,
    quota: Quota,
}

#[derive(Debug)]
enum Kind {
    Smooth(Smooth),
    Strict(Strict),
}

impl Kind {
    #[inline]
    fn take(&self, cost: u32, since: Moment, now: Moment) -> Turn {
        match self {
            Self::Smooth(smooth) => smooth.take(cost, since, now),
            Self::Strict(strict) => strict.take(cost, now),
        }
    }

    fn peek(&self, cost: u32, since: Moment, now: Moment) -> Turn {
        match self {
            Self::Smooth(smooth) => smooth.peek(cost, since, now),
            Self::Strict(strict) => strict.peek(cost, now),
        }
    }
}

/// What a server said about its own limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Told {
    /// How many more starts it takes until the reset.
    pub left: u32,
    /// When there will be more.
    pub reset: Moment,
}

impl Limiter {
    /// How late a waiter may come without its lateness costing rate.
    ///
    /// A timer is up to a millisecond late. A waiter that stood in the queue counts as having
    /// started when it could have, but no more than this long ago, so that the waiters behind it
    /// are not late by the sum of all.
    pub const CATCH_UP: Duration = smooth::CATCH_UP;

    /// A limiter that nothing has started from yet.
    ///
    /// # Errors
    ///
    /// What [`RateLimit::check`] finds.
    pub fn new(settings: RateLimit) -> Result<Self, SettingsError> {
        settings.check()?;
        let kind = match settings.shape {
            Shape::Smooth { burst } => Kind::Smooth(Smooth::new(Pace::new(&settings, burst))),
            Shape::Strict => Kind::Strict(Strict::new(Limits::new(&settings))),
        };
        Ok(Self { kind, quota: Quota::new(settings.pace) })
    }

    /// Starts a call of this cost if it may start now; else says when to ask again.
    ///
    /// `since` is when the call came to stand in the queue, and `now` if it did not stand.
    #[inline]
    pub fn take(&self, cost: u32, since: Moment, now: Moment) -> Turn {
        match self.quota.is_silent() {
            true => self.kind.take(cost, since, now),
            false => self.take_of_both(cost, since, now),
        }
    }

    #[cold]
    fn take_of_both(&self, cost: u32, since: Moment, now: Moment) -> Turn {
        match self.quota.peek(cost, now) {
            Turn::Now => {}
            later @ (Turn::At(_) | Turn::Never) => {
                return later.and(self.kind.peek(cost, since, now));
            }
        }
        match self.kind.take(cost, since, now) {
            // Another may have taken the last that the server had left since we looked. Then this
            // start is lost to the rate, which is the safe side.
            Turn::Now => self.quota.take(cost, now),
            later @ (Turn::At(_) | Turn::Never) => later,
        }
    }

    /// What [`take`](Limiter::take) would say. Takes nothing.
    pub fn peek(&self, cost: u32, since: Moment, now: Moment) -> Turn {
        self.kind.peek(cost, since, now).and(self.quota.peek(cost, now))
    }

    /// When a call of this cost could start that stands behind calls which cost `ahead` together,
    /// if none of them leaves and each starts as soon as it can; never later than it will, and
    /// exact where the limit is smooth or every cost is 1. What a server says is left counts until
    /// its reset, and is not known beyond it.
    pub fn forecast(&self, ahead: u64, cost: u32, now: Moment) -> Turn {
        let by_rate = match &self.kind {
            Kind::Smooth(smooth) => smooth.forecast(ahead, cost, now),
            Kind::Strict(strict) => strict.forecast(ahead, cost, now),
        };
        by_rate.and(self.quota.forecast(ahead, cost, now))
    }

    /// A server said how much it takes until when.
    ///
    /// What it says only ever holds back; it never lets more through than the limit. For one reset
    /// (to within a second) the least counts, so answers may come in any order where the reset is a
    /// fixed moment. A later reset replaces it; a sooner one does if less is left until then. What a
    /// server says is believed for as long as it says: cap the implausible before telling it here,
    /// or [`forget`](Limiter::forget_told) it.
    pub fn learn(&self, told: Told, now: Moment) {
        self.quota.learn(told, now);
    }

    /// Forgets what a server said.
    pub fn forget_told(&self) {
        self.quota.forget();
    }

    /// Goes on with other limits; what has been started stays started, what has been saved up
    /// stays saved up as far as the new burst allows.
    ///
    /// # Errors
    ///
    /// What [`RateLimit::check`] finds, and a change from smooth to strict or back, or of pacing,
    /// which needs a new limiter. Nothing is changed then.
    pub fn change(&self, settings: RateLimit, now: Moment) -> Result<(), SettingsError> {
        settings.check()?;
        let same = Checks::default().require(
            settings.pace == self.quota.paces(),
            "pace",
            settings.pace,
            "stay what it was: a new limiter is needed",
        );
        let kind = "stay of its kind, smooth or strict: a new limiter is needed";
        match (&self.kind, settings.shape) {
            (Kind::Smooth(smooth), Shape::Smooth { burst }) => {
                same.done()?;
                smooth.change(Pace::new(&settings, burst), now);
            }
            (Kind::Strict(strict), Shape::Strict) => {
                same.done()?;
                strict.change(Limits::new(&settings));
            }
            (Kind::Smooth(_), Shape::Strict) => {
                same.require(false, "strict", true, kind).done()?;
            }
            (Kind::Strict(_), Shape::Smooth { .. }) => {
                same.require(false, "strict", false, kind).done()?;
            }
        }
        Ok(())
    }

    /// From when on it may be forgotten, if nothing more starts: when all that can be saved up is,
    /// and what a server said holds no more.
    #[must_use]
    pub fn at_rest_from(&self) -> Option<Moment> {
        let full = match &self.kind {
            Kind::Smooth(smooth) => Some(smooth.full_from()),
            Kind::Strict(strict) => strict.full_from(),
        };
        Some(full?.max(self.quota.holds_until()))
    }

    /// What it holds.
    #[must_use]
    pub fn snapshot(&self, now: Moment) -> RateSnapshot {
        let available = match &self.kind {
            Kind::Smooth(smooth) => smooth.available(now),
            Kind::Strict(strict) => strict.available(now),
        };
        RateSnapshot { available, told: self.quota.said(now) }
    }
}

/// What a [`Limiter`] held at one time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct RateSnapshot {
    /// How many starts of cost 1 the limit would allow at once.
    pub available: u32,
    /// What the server said, if it still holds, less what has started since.
    pub told: Option<Told>,
}
