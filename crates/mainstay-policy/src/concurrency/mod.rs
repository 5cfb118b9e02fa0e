//! How many calls may be in flight at once.
//!
//! ```
//! use mainstay_policy::concurrency::{Claim, Concurrency, Entry, Slots, Wake};
//!
//! let slots = Slots::new(Concurrency::limit(1))?;
//! let Entry::Granted(slot) = slots.enter() else { panic!("it is free") };
//!
//! // The next one must queue; when the slot comes back, the first waiter is to be woken...
//! let Entry::Queued(waiting) = slots.enter() else { panic!("it is taken") };
//! assert_eq!(slots.leave(slot), Wake::First);
//!
//! // ...and nobody who comes in the meantime gets past it.
//! assert!(slots.try_enter().is_none());
//! assert!(matches!(slots.claim(waiting), Claim::Granted(..)));
//! # Ok::<(), mainstay_policy::SettingsError>(())
//! ```

mod settings;
mod state;

pub use settings::Concurrency;

use state::Places;

use crate::moment::Moment;
use crate::settings::SettingsError;
use crate::sync::{AtomicU32, AtomicU64, Line, Relaxed, update};

/// Slots that many calls share.
///
/// One word holds who is in, who waits and the limit, so that a slot which comes back while
/// somebody waits is theirs: no newcomer takes it in between. Who waits, and in which order, is the
/// business of a queue behind it; its first calls [`claim`](Slots::claim) when woken.
#[derive(Debug)]
pub struct Slots {
    word: Line<AtomicU64>,
    max_waiting: AtomicU32,
}

/// What a newcomer finds.
#[derive(PartialEq, Eq, Debug)]
#[must_use]
pub enum Entry {
    /// A slot.
    Granted(Slot),
    /// A place in the queue.
    Queued(Waiting),
    /// Neither: as many wait as may.
    Full,
}

/// What a newcomer would find, who takes nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Vacancy {
    /// A slot.
    Slot,
    /// A place in the queue.
    Queue,
    /// Neither.
    Full,
}

/// A place in the queue; goes back through [`Slots::claim`] or [`Slots::give_up`].
///
/// Stand where you can be woken, then claim once: the slot may have come back in between.
#[derive(PartialEq, Eq, Debug)]
#[must_use = "a place that is not given up holds everybody up who comes later"]
pub struct Waiting(());

/// A place among the calls in flight; goes back through [`Slots::leave`].
#[derive(PartialEq, Eq, Debug)]
#[must_use = "a slot that is not left is lost to all"]
pub struct Slot(());

/// What a woken waiter finds.
#[derive(PartialEq, Eq, Debug)]
#[must_use]
pub enum Claim {
    /// A slot, and whether there is one for the next waiter too.
    Granted(Slot, Wake),
    /// None yet; it keeps its place.
    NotYet(Waiting),
}

/// Whether the first waiter must be woken.
///
/// Waking the first is always enough: it wakes the next when it has [claimed](Slots::claim).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a waiter that is not woken waits on"]
pub enum Wake {
    /// Nobody waits, or there is nothing for them.
    Nobody,
    /// A slot is free and somebody waits for it.
    First,
}

impl Slots {
    /// Slots that are all free.
    ///
    /// # Errors
    ///
    /// What [`Concurrency::check`] finds.
    pub fn new(settings: Concurrency) -> Result<Self, SettingsError> {
        settings.check()?;
        let word = Line(AtomicU64::new(Places::free(settings.limit).word()));
        Ok(Self { word, max_waiting: AtomicU32::new(settings.max_waiting) })
    }

    /// Takes a slot, or else a place in the queue.
    pub fn enter(&self) -> Entry {
        let max_waiting = self.max_waiting.load(Relaxed);
        update(&self.word, |word| {
            let places = Places::of(word);
            if let Some(places) = places.enter() {
                (Some(places.word()), Entry::Granted(Slot(())))
            } else if let Some(places) = places.queue(max_waiting) {
                (Some(places.word()), Entry::Queued(Waiting(())))
            } else {
                (None, Entry::Full)
            }
        })
    }

    /// Takes a slot if one is free and nobody waits for it.
    #[must_use]
    #[inline]
    pub fn try_enter(&self) -> Option<Slot> {
        update(&self.word, |word| {
            let next = Places::of(word).enter().map(Places::word);
            (next, next.map(|_| Slot(())))
        })
    }

    /// What [`enter`](Slots::enter) would find. Takes nothing.
    #[must_use]
    #[inline]
    pub fn peek(&self) -> Vacancy {
        let places = Places::of(self.word.load(Relaxed));
        if places.enter().is_some() { Vacancy::Slot } else { self.peek_beyond(places) }
    }

    fn peek_beyond(&self, places: Places) -> Vacancy {
        if places.queue(self.max_waiting.load(Relaxed)).is_some() {
            Vacancy::Queue
        } else {
            Vacancy::Full
        }
    }

    /// Turns the first waiter's place into a slot, if one is free.
    pub fn claim(&self, waiting: Waiting) -> Claim {
        let Waiting(()) = waiting;
        update(&self.word, |word| match Places::of(word).claim() {
            Some(places) => (Some(places.word()), Claim::Granted(Slot(()), places.wake())),
            None => (None, Claim::NotYet(Waiting(()))),
        })
    }

    /// A waiter leaves the queue without a slot.
    pub fn give_up(&self, waiting: Waiting) -> Wake {
        let Waiting(()) = waiting;
        self.step(Places::give_up)
    }

    /// A call has ended.
    #[inline]
    pub fn leave(&self, slot: Slot) -> Wake {
        let Slot(()) = slot;
        self.step(Places::leave)
    }

    /// Changes how many may be in flight. Who is in stays in: after a cut nobody comes in until
    /// enough have left.
    ///
    /// # Errors
    ///
    /// What [`Concurrency::check`] finds; the limit stays what it was.
    pub fn resize(&self, limit: u32) -> Result<Wake, SettingsError> {
        Concurrency::limit(limit).check()?;
        Ok(self.step(|places| places.resize(limit)))
    }

    /// Changes how many may be in flight and how many may wait. Who is in stays in, and who waits
    /// keeps its place.
    ///
    /// # Errors
    ///
    /// What [`Concurrency::check`] finds; nothing is changed then.
    pub fn change(&self, settings: Concurrency) -> Result<Wake, SettingsError> {
        settings.check()?;
        self.max_waiting.store(settings.max_waiting, Relaxed);
        Ok(self.step(|places| places.resize(settings.limit)))
    }

    /// A call has ended, and in the same exchange the limit moves to what `next` says of those in
    /// flight, this call among them, and of the limit.
    pub(crate) fn leave_and_move(&self, slot: Slot, next: impl Fn(u32, u32) -> u32) -> Moved {
        let Slot(()) = slot;
        self.move_limit(|places| places.leave().resize(next(places.in_use(), places.limit())))
    }

    /// Moves the limit to what `next` says of it at that very moment: it is asked again whenever
    /// another thread was faster.
    pub(crate) fn move_to(&self, next: impl Fn(u32) -> u32) -> Moved {
        self.move_limit(|places| places.resize(next(places.limit())))
    }

    /// At most so many wait from now on.
    pub(crate) fn let_wait(&self, max_waiting: u32) {
        self.max_waiting.store(max_waiting, Relaxed);
    }

    fn move_limit(&self, step: impl Fn(Places) -> Places) -> Moved {
        update(&self.word, |word| {
            let before = Places::of(word);
            let after = step(before);
            let (from, to) = (before.limit(), after.limit());
            let moved = Moved { in_flight: before.in_use(), from, to, wake: after.wake() };
            // In any case, so that whoever moves it sees all that was done before it was last moved.
            (Some(after.word()), moved)
        })
    }

    /// From when on they may be forgotten; `None` while anybody is in or waits.
    #[must_use]
    pub fn at_rest_from(&self) -> Option<Moment> {
        let SlotsSnapshot { in_use, waiting, .. } = self.snapshot();
        (in_use == 0 && waiting == 0).then_some(Moment::MIN)
    }

    /// What it holds.
    #[must_use]
    pub fn snapshot(&self) -> SlotsSnapshot {
        let places = Places::of(self.word.load(Relaxed));
        SlotsSnapshot { in_use: places.in_use(), waiting: places.waiting(), limit: places.limit() }
    }

    #[inline]
    fn step(&self, step: impl Fn(Places) -> Places) -> Wake {
        update(&self.word, |word| {
            let places = step(Places::of(word));
            (Some(places.word()), places.wake())
        })
    }
}

/// What an exchange that may move the limit found and did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moved {
    /// Who was in before it.
    pub(crate) in_flight: u32,
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) wake: Wake,
}

/// What [`Slots`] held at one time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SlotsSnapshot {
    /// Calls in flight.
    pub in_use: u32,
    /// Calls that wait for a slot.
    pub waiting: u32,
    /// How many may be in flight.
    pub limit: u32,
}

#[cfg(test)]
mod tests;
