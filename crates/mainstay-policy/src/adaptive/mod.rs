//! How many calls may be in flight at once, learnt from how they end.
//!
//! ```
//! use mainstay_policy::adaptive::{AdaptiveLimit, AdaptiveSlots, Aimd};
//! use mainstay_policy::concurrency::Entry;
//! use mainstay_policy::{Moment, Outcome};
//! use std::time::Duration;
//!
//! let slots = AdaptiveSlots::new(AdaptiveLimit::aimd(Aimd::new()).initial(10))?;
//! let Entry::Granted(slot) = slots.enter() else { panic!("it is free") };
//!
//! // The server said no: nine tenths are left.
//! let took = Duration::from_millis(3);
//! let effect = slots.leave(slot, Outcome::Throttled, took, Moment::ORIGIN);
//! let moved = effect.moved.expect("a drop cuts the limit");
//! assert_eq!((moved.from, moved.to), (10, 9));
//! # Ok::<(), mainstay_policy::SettingsError>(())
//! ```

mod aimd;
mod estimate;
mod in_force;
mod rules;
mod sample;
mod settings;
mod window;

#[cfg(test)]
mod tests;

pub use rules::{Aimd, Gradient2};
pub use settings::{AdaptiveLimit, Rule};

use std::time::Duration;

use estimate::Estimate;
use in_force::{Bounds, Gradient, InForce};
use sample::Sample;
use settings::check_limit;
use window::Window;

use crate::concurrency::{self, Claim, Entry, Slot, Slots, Vacancy, Waiting, Wake};
use crate::live::{Changes, Live};
use crate::moment::Moment;
use crate::outcome::Outcome;
use crate::settings::{Checks, SettingsError};
use crate::sync::{AcqRel, Acquire, AtomicU64, Line, update};

/// [`Slots`] whose limit follows what the server bears.
///
/// Slots, places in the queue and waking are those of [`Slots`]; leaving says how the call went.
///
/// | outcome | says |
/// |---|---|
/// | success, fatal | the server did it, in so long |
/// | transient, throttled | a drop: it was too much for the server |
/// | abandoned | nothing; a drop if it had run for [`abandoned_after`](AdaptiveLimit::abandoned_after) |
/// | invalid, refused | nothing: the server has not seen it, or not all of it |
///
/// * The limit stays inside its bounds. While less than half of it is in use, drops alone move it.
/// * No lock. AIMD is an exchange on the word of the slots itself; Gradient2 is one more on the
///   window's word, and once a window one on the word of what has been learnt.
#[derive(Debug)]
pub struct AdaptiveSlots {
    slots: Slots,
    settings: InForce,
    changes: Changes,
    rule: Running,
    /// When the limit last moved, or a window ended; to a second.
    learnt: Line<AtomicU64>,
}

/// A rule and what it keeps.
#[derive(Debug)]
enum Running {
    /// Its timeout.
    Aimd(Live<Duration>),
    Gradient2(Box<Tracker>),
}

/// What Gradient2 keeps.
#[derive(Debug)]
struct Tracker {
    rule: Gradient,
    window: Window,
    /// Changed once a window.
    estimate: AtomicU64,
}

/// What the end of a call, or a change by hand, sets off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a waiter that is not woken waits on"]
pub struct Effect {
    /// Whether the first waiter must be woken.
    pub wake: Wake,
    /// What became of the limit, if it moved.
    pub moved: Option<Moved>,
}

/// The limit is another from now on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Moved {
    /// What it was.
    pub from: u32,
    /// What it is.
    pub to: u32,
}

impl AdaptiveSlots {
    /// Slots that are all free, as many as the limit begins with.
    ///
    /// # Errors
    ///
    /// What [`AdaptiveLimit::check`] finds.
    pub fn new(settings: AdaptiveLimit) -> Result<Self, SettingsError> {
        settings.check()?;
        let slots = Slots::new(settings.slots())?;
        let rule = match settings.rule {
            Rule::Aimd(rule) => Running::Aimd(Live::new(rule.timeout)),
            Rule::Gradient2(rule) => Running::Gradient2(Box::new(Tracker {
                rule: Gradient::new(&rule),
                window: Window::new(&rule),
                estimate: AtomicU64::new(Estimate::at(slots.snapshot().limit).pack()),
            })),
        };
        let (settings, learnt) = (InForce::new(&settings), Line(AtomicU64::new(0)));
        Ok(Self { slots, settings, changes: Changes::default(), rule, learnt })
    }

    /// Goes on with other settings. The limit stays where it is, or moves to the nearest that the
    /// new bounds allow; who is in stays in, and who waits keeps its place. What was learnt stays,
    /// and where the limit began plays no part.
    ///
    /// # Errors
    ///
    /// What [`AdaptiveLimit::check`] finds, and another rule, which needs a new limit. Nothing is
    /// changed then.
    pub fn change(&self, settings: AdaptiveLimit) -> Result<Effect, SettingsError> {
        settings.check()?;
        let _change = self.changes.begin();
        self.rule.change(settings.rule)?;
        self.settings.set(&settings);
        self.slots.let_wait(settings.max_waiting);
        Ok(match &self.rule {
            Running::Aimd(_) => self.follow(self.slots.move_to(|limit| self.nearest(limit))),
            Running::Gradient2(tracker) => {
                self.estimated(tracker, |then| then.within(&self.settings))
            }
        })
    }

    /// Takes a slot, or else a place in the queue.
    pub fn enter(&self) -> Entry {
        self.slots.enter()
    }

    /// Takes a slot if one is free and nobody waits for it.
    #[must_use]
    pub fn try_enter(&self) -> Option<Slot> {
        self.slots.try_enter()
    }

    /// What [`enter`](AdaptiveSlots::enter) would find. Takes nothing.
    #[must_use]
    pub fn peek(&self) -> Vacancy {
        self.slots.peek()
    }

    /// Turns the first waiter's place into a slot, if one is free.
    pub fn claim(&self, waiting: Waiting) -> Claim {
        self.slots.claim(waiting)
    }

    /// A waiter leaves the queue without a slot.
    pub fn give_up(&self, waiting: Waiting) -> Wake {
        self.slots.give_up(waiting)
    }

    /// A call has ended so, and its server took so long.
    ///
    /// `took` is the time to the head of the answer even where the slot is held to the end of the
    /// body: a body takes as long as its reader does. Where there was no answer, it is how long the
    /// call ran.
    pub fn leave(&self, slot: Slot, outcome: Outcome, took: Duration, now: Moment) -> Effect {
        let sample = Sample::of(outcome, took, &self.settings);
        match &self.rule {
            Running::Aimd(timeout) => {
                let rule = Aimd { timeout: timeout.get() };
                let next = |in_flight, limit| rule.next(&self.settings, sample, in_flight, limit);
                let effect = self.follow(self.slots.leave_and_move(slot, next));
                if effect.moved.is_some() {
                    self.learn(now);
                }
                effect
            }
            Running::Gradient2(tracker) => {
                let left = self.slots.leave_and_move(slot, |_, limit| limit);
                let Some(window) = tracker.window.record(sample, left.in_flight, now) else {
                    return Effect::of(left);
                };
                self.learn(now);
                let step = |then: Estimate| then.step(&self.settings, &tracker.rule, &window);
                self.estimated(tracker, step) // which looks at the slot that is free now, too
            }
        }
    }

    /// Sets the limit by hand; from there it moves on. Who is in stays in.
    ///
    /// # Errors
    ///
    /// A limit outside the bounds; it stays what it was.
    pub fn resize(&self, limit: u32) -> Result<Effect, SettingsError> {
        let Bounds { min, max } = self.settings.bounds();
        check_limit("limit", limit, min, max)?;
        Ok(match &self.rule {
            Running::Aimd(_) => self.follow(self.slots.move_to(|_| limit)),
            Running::Gradient2(tracker) => self.estimated(tracker, |then| then.set(limit)),
        })
    }

    /// From when on they may be forgotten; `None` while anybody is in or waits.
    ///
    /// That is a minute after the limit last moved or a window ended: by then the server may bear
    /// more or less, and the limit begins anew.
    #[must_use]
    pub fn at_rest_from(&self) -> Option<Moment> {
        let empty = self.slots.at_rest_from()?;
        Some(match Moment::from_nanos(self.learnt.load(Acquire)) {
            Moment::MIN => empty,
            learnt => learnt + Self::MEMORY,
        })
    }

    const MEMORY: Duration = Duration::from_secs(60);
    /// How far `learnt` may be behind, so that a limit that moves with every call writes seldom.
    const GRAIN: Duration = Duration::from_secs(1);

    /// What they hold.
    #[must_use]
    pub fn snapshot(&self) -> AdaptiveSnapshot {
        let concurrency::SlotsSnapshot { in_use, waiting, limit } = self.slots.snapshot();
        let (usual, calls) = match &self.rule {
            Running::Aimd(_) => (None, 0),
            Running::Gradient2(tracker) => {
                (tracker.estimate().usual(), tracker.window.look().calls())
            }
        };
        AdaptiveSnapshot { in_use, waiting, limit, usual, calls }
    }

    /// Changes what has been learnt, and then the slots by what is the last word on it by then: of
    /// two threads that change it, the slots follow the later one, whichever comes to them first.
    fn estimated(&self, tracker: &Tracker, step: impl Fn(Estimate) -> Estimate) -> Effect {
        update(&tracker.estimate, |word| {
            let next = step(Estimate::unpack(word)).pack();
            ((next != word).then_some(next), ())
        });
        self.follow(self.slots.move_to(|_| self.nearest(tracker.estimate().whole())))
    }

    fn nearest(&self, limit: u32) -> u32 {
        self.settings.bounds().nearest(limit)
    }

    /// What became of the limit, which lies inside the bounds whatever they were when it was moved:
    /// of who moves it and who changes them, the one that is later at the slots sees the other.
    #[inline]
    fn follow(&self, moved: concurrency::Moved) -> Effect {
        if moved.from == moved.to || self.nearest(moved.to) == moved.to {
            return Effect::of(moved);
        }
        let again = self.slots.move_to(|limit| self.nearest(limit));
        Effect::of(concurrency::Moved { from: moved.from, ..again })
    }

    fn learn(&self, now: Moment) {
        let seen = Moment::from_nanos(self.learnt.load(Acquire));
        if seen == Moment::MIN || now > seen + Self::GRAIN {
            self.learnt.fetch_max(now.as_nanos(), AcqRel);
        }
    }
}

impl Running {
    fn change(&self, rule: Rule) -> Result<(), SettingsError> {
        match (self, rule) {
            (Self::Aimd(timeout), Rule::Aimd(rule)) => timeout.set(rule.timeout),
            (Self::Gradient2(tracker), Rule::Gradient2(rule)) => {
                tracker.rule.set(&rule);
                tracker.window.change(&rule);
            }
            (Self::Gradient2(_), Rule::Aimd(_)) => return Self::is_other("aimd"),
            (Self::Aimd(_), Rule::Gradient2(_)) => return Self::is_other("gradient2"),
        }
        Ok(())
    }

    fn is_other(rule: &str) -> Result<(), SettingsError> {
        let must = "stay what it was: a new limit is needed";
        Checks::default().require(false, "rule", format_args!("{rule}"), must).done()
    }
}

impl Tracker {
    fn estimate(&self) -> Estimate {
        Estimate::unpack(self.estimate.load(Acquire))
    }
}

impl Effect {
    fn of(moved: concurrency::Moved) -> Self {
        let concurrency::Moved { from, to, wake, .. } = moved;
        Self { wake, moved: (from != to).then_some(Moved { from, to }) }
    }
}

/// What [`AdaptiveSlots`] held at one time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct AdaptiveSnapshot {
    /// Calls in flight.
    pub in_use: u32,
    /// Calls that wait for a slot.
    pub waiting: u32,
    /// How many may be in flight.
    pub limit: u32,
    /// How long calls usually take; known to Gradient2 alone, and not before its first window.
    pub usual: Option<Duration>,
    /// Calls in the window that will move the limit next; Gradient2 alone has one.
    pub calls: u32,
}
