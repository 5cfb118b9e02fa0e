//! When to stop asking a server that is not well, and how to find out that it is well again.
//!
//! ```
//! use mainstay_policy::breaker::{Admission, Breaker, CircuitBreaker, Verdict};
//! use mainstay_policy::{Draw, Moment};
//! use std::time::Duration;
//!
//! let settings = CircuitBreaker::new().consecutive_failures(Some(2));
//! let breaker = Breaker::new(settings, Draw::new(42))?;
//!
//! let now = Moment::ORIGIN;
//! for _ in 0..2 {
//!     if let Admission::Granted { ticket, .. } = breaker.admit(now) {
//!         breaker.settle(ticket, Verdict::Failure, now);
//!     }
//! }
//! let Admission::Refused(refusal) = breaker.admit(now) else { panic!("two failures open it") };
//! assert!(refusal.retry_in <= Some(Duration::from_secs(1)));
//! # Ok::<(), mainstay_policy::SettingsError>(())
//! ```

mod answers;
mod by_hand;
mod in_force;
mod settings;
mod state;

#[cfg(test)]
mod tests;

pub use answers::{
    Admission, BreakerSnapshot, BreakerState, Cause, Refusal, Ticket, Transition, Verdict,
};
pub use settings::{CircuitBreaker, Slow, Span};

use std::time::Duration;

use in_force::InForce;
use state::{Decision, Machine, Sample, State};

use crate::draw::Draw;
use crate::live::Changes;
use crate::moment::Moment;
use crate::settings::SettingsError;
use crate::stamp::Stamp;
use crate::sync::{AcqRel, Acquire, AtomicU64, Line, update};
use crate::window::Window;

/// The kinds of hits in the window.
const FAILED: usize = 0;
const SLOW: usize = 1;

/// A circuit breaker that many calls share.
///
/// | state | a call that asks | success | failure | nothing |
/// |---|---|---|---|---|
/// | closed | goes | counts; ends the row | counts; may open | – |
/// | open | is refused; after the open time it is the first probe, half-open | – | – | – |
/// | half-open | goes if a probe's place is free | enough of them close it | opens it for longer | gives its place back |
/// | isolated | is refused | – | – | – |
///
/// * A result decides nothing but the state that its call was let through in: what comes late from
///   before the breaker opened is no answer to a probe.
/// * A probe that hangs holds nobody up for long: when every place is held and the last probe went
///   out [`probe_time`](CircuitBreaker::probe_time) ago, all that are out are given up and the next
///   call takes a place.
/// * It starts each closed time with an empty window.
/// * What is slow is slow whether it succeeds or fails.
/// * No lock. The state is one word; the window has one word per slice and rule.
#[derive(Debug)]
pub struct Breaker {
    shared: Line<Shared>,
    /// Where a rule looks back: failures, and slow calls where a rule asks for them.
    window: Window<2>,
    settings: InForce,
    seed: Draw,
    changes: Changes,
}

#[derive(Debug)]
struct Shared {
    machine: AtomicU64,
    /// When the last probe was let go. Raised before the machine changes, so that nobody who sees
    /// the probe's place taken sees an older moment than that probe's.
    newest_probe: AtomicU64,
    /// When the last failure or slow call was told.
    last_trouble: AtomicU64,
}

impl Breaker {
    /// A closed breaker. `seed` is where the jitter of its open times comes from, all of them.
    ///
    /// # Errors
    ///
    /// What [`CircuitBreaker::check`] finds.
    pub fn new(settings: CircuitBreaker, seed: Draw) -> Result<Self, SettingsError> {
        settings.check()?;
        let shared = Shared {
            machine: AtomicU64::new(Machine::closed(0).pack()),
            newest_probe: AtomicU64::new(0),
            last_trouble: AtomicU64::new(0),
        };
        Ok(Self {
            shared: Line(shared),
            window: Window::new(settings.window.cut(), settings.asks_for()),
            settings: InForce::new(&settings),
            seed,
            changes: Changes::default(),
        })
    }

    /// Goes on with other settings. It stays in the state that it is in, and the new settings judge
    /// from the next result on: an open time stays as it was drawn, a row of failures and probes
    /// that have succeeded go on counting. With another window it begins with an empty one.
    ///
    /// # Errors
    ///
    /// What [`CircuitBreaker::check`] finds; nothing is changed then.
    pub fn change(&self, settings: CircuitBreaker, now: Moment) -> Result<(), SettingsError> {
        settings.check()?;
        let _change = self.changes.begin();
        self.settings.set(&settings);
        self.window.change(settings.window.cut(), settings.asks_for(), now);
        Ok(())
    }

    /// May a call be made? Whoever is granted it owes a [`settle`](Breaker::settle).
    #[inline]
    pub fn admit(&self, now: Moment) -> Admission {
        // The way of nearly every call.
        if let Machine { generation, state: State::Closed { .. } } = self.machine() {
            let ticket = Ticket { generation, admitted: now };
            return Admission::Granted { ticket, transition: None };
        }
        self.admit_while_not_closed(now)
    }

    #[cold]
    fn admit_while_not_closed(&self, now: Moment) -> Admission {
        let (generation, decision) = update(&self.shared.machine, |word| {
            let machine = Machine::unpack(word);
            let newest = Moment::from_nanos(self.shared.newest_probe.load(Acquire));
            let (next, decision) = machine.admit(&self.settings, newest, now);
            if next.is_some() {
                self.shared.newest_probe.fetch_max(now.as_nanos(), AcqRel);
            }
            let generation = next.unwrap_or(machine).generation;
            (next.map(Machine::pack), (generation, decision))
        });
        let ticket = Ticket { generation, admitted: now };
        match decision {
            Decision::Go => Admission::Granted { ticket, transition: None },
            Decision::GoFirst => {
                self.forget(); // nobody counts while it is half-open
                Admission::Granted { ticket, transition: Some(Transition::HalfOpened) }
            }
            Decision::Refuse(refusal) => Admission::Refused(refusal),
        }
    }

    /// Whether a call would be refused now. Takes nothing and changes nothing.
    #[must_use]
    pub fn would_refuse(&self, now: Moment) -> Option<Refusal> {
        let machine = self.machine();
        let newest = Moment::from_nanos(self.shared.newest_probe.load(Acquire));
        match machine.admit(&self.settings, newest, now).1 {
            Decision::Go | Decision::GoFirst => None,
            Decision::Refuse(refusal) => Some(refusal),
        }
    }

    /// How a call went that was let through; every one ends here, dropped calls too.
    // Always: too large for the compiler's own measure, and not half as large once it is in place.
    #[inline(always)]
    pub fn settle(&self, ticket: Ticket, verdict: Verdict, now: Moment) -> Option<Transition> {
        // The way of nearly every call.
        let says_well = verdict == Verdict::Success && self.settings.slow_longer_than().is_none();
        if says_well && self.is_well(ticket.generation) {
            self.window.record([false], now); // nobody asks for slow ones
            return None;
        }
        self.settle_in_full(ticket, verdict, now)
    }

    /// Whether the same closed time goes on and its last result was a success.
    #[inline]
    fn is_well(&self, generation: u32) -> bool {
        self.shared.machine.load(Acquire) == Machine::closed(generation).pack()
    }

    #[inline(never)]
    fn settle_in_full(&self, ticket: Ticket, verdict: Verdict, now: Moment) -> Option<Transition> {
        let Ticket { generation, admitted } = ticket;
        let sample = Sample::of(verdict, now.since(admitted), &self.settings);
        let machine = self.machine();
        if machine.generation != generation {
            return None; // the answer to an old call is no answer to the probe
        }
        let exceeded = match (machine.state, sample) {
            (State::Closed { .. }, Sample::Nothing) => return None,
            (State::Closed { consecutive }, Sample::Result { failed, slow }) => {
                let exceeded = self.record(failed, slow, now);
                if consecutive == 0 && !failed && exceeded.is_none() {
                    return None; // nothing changes
                }
                exceeded
            }
            (State::Open { .. } | State::HalfOpen { .. } | State::Isolated, _) => None,
        };
        update(&self.shared.machine, |word| {
            let machine = Machine::unpack(word);
            if machine.generation != generation {
                return (None, None);
            }
            let until = |openings| self.open_until(generation, openings, now);
            let (next, transition) = machine.settle(&self.settings, sample, exceeded, until);
            (next.map(Machine::pack), transition)
        })
    }

    /// What it is doing. Open stays open until a call asks after the open time.
    #[must_use]
    #[inline]
    pub fn state(&self) -> BreakerState {
        self.machine().kind()
    }

    /// From when on it may be forgotten, if nothing more happens; `None` while it is isolated.
    ///
    /// That is a window, and at least a minute, after its last failure, slow call, open time or
    /// probe. By then a row of failures and an open time that nobody has asked about since are old
    /// news as well.
    #[must_use]
    pub fn at_rest_from(&self) -> Option<Moment> {
        let memory = self.settings.window().map_or(Self::MEMORY, |time| time.max(Self::MEMORY));
        let trouble = match Moment::from_nanos(self.shared.last_trouble.load(Acquire)) {
            Moment::MIN => Moment::MIN,
            trouble => trouble + memory,
        };
        match self.machine().state {
            State::Closed { .. } => Some(trouble),
            State::Open { until, .. } => Some(trouble.max(until.moment() + memory)),
            State::HalfOpen { .. } => {
                let newest = Moment::from_nanos(self.shared.newest_probe.load(Acquire));
                Some(trouble.max(newest + self.settings.probe_time() + memory))
            }
            State::Isolated => None,
        }
    }

    const MEMORY: Duration = Duration::from_secs(60);

    /// What it holds.
    #[must_use]
    pub fn snapshot(&self, now: Moment) -> BreakerSnapshot {
        let machine = self.machine();
        let [failures, slow] = [FAILED, SLOW].map(|kind| self.window.counts(kind, now));
        let (consecutive_failures, openings, probes_passed, probes_out) = match machine.state {
            State::Closed { consecutive } => (consecutive, 0, 0, 0),
            State::Open { openings, .. } => (0, openings, 0, 0),
            State::HalfOpen { openings, passed, out } => (0, openings, passed, out),
            State::Isolated => (0, 0, 0, 0),
        };
        BreakerSnapshot {
            state: machine.kind(),
            retry_in: self.would_refuse(now).and_then(|refusal| refusal.retry_in),
            consecutive_failures,
            calls: failures.total,
            failures: failures.hits,
            slow_calls: slow.hits,
            openings,
            probes_out,
            probes_passed,
        }
    }

    #[inline]
    fn machine(&self) -> Machine {
        Machine::unpack(self.shared.machine.load(Acquire))
    }

    /// Counts a result; says what it exceeds.
    fn record(&self, failed: bool, slow: bool, now: Moment) -> Option<Cause> {
        if failed || slow {
            self.shared.last_trouble.fetch_max(now.as_nanos(), AcqRel);
        }
        let Self { window, settings, .. } = self;
        window.record([failed, slow], now);
        let exceed = |kind, hit: bool, ratio: Option<f64>| {
            let exceeds = |ratio| window.counts(kind, now).exceed(ratio, settings.min_calls());
            hit && ratio.is_some_and(exceeds)
        };
        if exceed(FAILED, failed, settings.failure_ratio()) {
            Some(Cause::FailureRatio)
        } else if exceed(SLOW, slow, settings.slow_ratio()) {
            Some(Cause::SlowCalls)
        } else {
            None
        }
    }

    fn open_until(&self, generation: u32, openings: u32, now: Moment) -> Stamp {
        let number = u64::from(generation) << 32 | u64::from(openings);
        let open_time = self.settings.open_time().delay(openings, None, self.seed.nth(number));
        Stamp::at_or_after(now + open_time)
    }

    fn forget(&self) {
        self.window.clear();
    }
}
