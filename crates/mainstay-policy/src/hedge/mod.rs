//! When to send a second attempt beside the first.
//!
//! ```
//! use mainstay_policy::hedge::{Hedge, Hedger};
//! use mainstay_policy::{Moment, Outcome};
//! use std::time::Duration;
//!
//! let hedger = Hedger::new(Hedge::at_percentile(95.0))?;
//! let now = Moment::ORIGIN;
//!
//! // Of a hundred calls ninety-five took ten milliseconds, and five a second.
//! for call in 0..100 {
//!     let took = Duration::from_millis(if call % 20 == 0 { 1_000 } else { 10 });
//!     hedger.observe(Outcome::Success, took);
//! }
//!
//! // One attempt has been sent, now: when does another go out, if no answer comes?
//! let then = hedger.next_at(1, now).expect("one more may go out");
//! assert!(then.since(now) > Duration::from_millis(10)); // and by no more than 3 %
//! assert!(then.since(now) <= Duration::from_micros(10_313));
//! assert_eq!(hedger.next_at(2, then), None);
//! # Ok::<(), mainstay_policy::SettingsError>(())
//! ```

mod latencies;
mod plan;
mod race;
mod settings;

#[cfg(test)]
mod tests;

pub use race::{Finish, Race};
pub use settings::{Hedge, Observed, When};

use std::sync::OnceLock;
use std::time::Duration;

use latencies::{Half, Latencies};
use plan::Plan;
use settings::InForce;

use crate::live::{Changes, Live};
use crate::moment::Moment;
use crate::outcome::Outcome;
use crate::settings::SettingsError;
use crate::stamp::Stamp;
use crate::sync::{Acquire, AtomicU64, Line, Relaxed, Release, update};

/// Says for many calls when an extra attempt goes out.
///
/// Each extra attempt must be paid for: who sends one draws on the
/// [`Budget`](crate::budget::Budget) that retries draw on too. And it must be a request that may be
/// sent twice.
///
/// * **No sooner than the percentile says.** The delay is never shorter than the observed one, and
///   longer by at most a 32nd part, or 66 µs where that is more.
/// * **Observed are first attempts**, those among them that an extra one has beaten. Without these
///   the slowest would never be seen: the delay would sink, and twice as many calls be sent twice.
/// * **It is looked at anew** ten times a second, if anybody asks, by one call at a time.
/// * No lock. Asking is one load, observing one load and one addition.
#[derive(Debug)]
pub struct Hedger {
    /// In place of what is learned.
    fixed: Live<Option<Duration>>,
    /// There is none before somebody asks for it.
    learned: OnceLock<Box<Learned>>,
    extra_attempts: Live<u32>,
    changes: Changes,
}

/// What is observed, and what follows from it.
#[derive(Debug)]
struct Learned {
    shared: Line<Shared>,
    latencies: Latencies,
    /// In their place, once a change has asked for more than they tell apart.
    grown: OnceLock<Latencies>,
    settings: InForce,
}

#[derive(Debug)]
struct Shared {
    plan: AtomicU64,
    /// When the current half was begun; belongs to the call that looks.
    began: AtomicU64,
}

impl Hedger {
    /// How long what was last seen is gone by.
    pub const REFRESH: Duration = Duration::from_millis(100);

    /// One that has observed nothing yet.
    ///
    /// # Errors
    ///
    /// What [`Hedge::check`] finds.
    pub fn new(settings: Hedge) -> Result<Self, SettingsError> {
        settings.check()?;
        let hedger = Self {
            fixed: Live::new(None),
            learned: OnceLock::new(),
            extra_attempts: Live::new(settings.extra_attempts),
            changes: Changes::default(),
        };
        hedger.goes_by(settings);
        Ok(hedger)
    }

    /// Goes on with other settings. What was observed stays, and what was seen in it is bounded by
    /// the new delays at once, and looked for by the new percentile within [`Hedger::REFRESH`]. While
    /// the delay is fixed nothing is observed.
    ///
    /// # Errors
    ///
    /// What [`Hedge::check`] finds; nothing is changed then.
    pub fn change(&self, settings: Hedge) -> Result<(), SettingsError> {
        settings.check()?;
        let _change = self.changes.begin();
        self.goes_by(settings);
        Ok(())
    }

    fn goes_by(&self, settings: Hedge) {
        self.extra_attempts.set(settings.extra_attempts);
        match settings.when {
            When::After(delay) => self.fixed.set(Some(delay)),
            When::Observed(observed) => {
                self.learned.get_or_init(|| Box::new(Learned::new(observed))).change(observed);
                self.fixed.set(None);
            }
        }
    }

    /// What is learned, where the delay is not fixed.
    fn learned(&self) -> Result<&Learned, Duration> {
        match (self.fixed.get(), self.learned.get()) {
            (None, Some(learned)) => Ok(learned),
            // Just made, and not to be seen from here: as long as may be.
            (fixed, _) => Err(fixed.unwrap_or(Hedge::LONGEST)),
        }
    }

    /// So many attempts of a call have been sent, the last of them now: when does the next one go
    /// out, if no answer comes before? `None`: there is none.
    #[must_use]
    pub fn next_at(&self, sent: u32, now: Moment) -> Option<Moment> {
        if sent > self.extra_attempts.get() {
            return None;
        }
        Some(now + self.learned().map_or_else(|fixed| fixed, |learned| learned.delay(now)))
    }

    /// When does the next attempt of this call go out, of which one was sent now, if no answer
    /// comes before? `None`: there is none; also because the call's time is over by then, so that
    /// it could not end before.
    #[must_use]
    pub fn next_of(&self, race: &Race, now: Moment, until: Moment) -> Option<Moment> {
        let next = self.next_at(race.sent(), now).filter(|_| !race.has_failed());
        next.filter(|next| *next < until)
    }

    /// Whether the next extra attempt of this call would be its last, so that what is kept for more
    /// can go with it.
    #[must_use]
    pub fn is_next_the_last(&self, race: &Race) -> bool {
        race.sent() >= self.extra_attempts.get()
    }

    /// How the first attempt of a call ended, and how long it took until then; every one, and no
    /// other. One that was dropped because an extra attempt was faster was
    /// [abandoned](Outcome::Abandoned).
    ///
    /// | outcome | counts |
    /// |---|---|
    /// | success, fatal | always: the server answered |
    /// | transient, throttled, abandoned | if it took as long as the delay, for by then there was no answer; else it would pass a quick failure off as a quick server |
    /// | invalid, refused | never |
    pub fn observe(&self, outcome: Outcome, took: Duration) {
        if let Ok(learned) = self.learned() {
            learned.observe(outcome, took);
        }
    }

    /// From when on it may be forgotten, if nothing more happens: when nobody has asked for as long
    /// as it remembers. What it has learned is lost then.
    #[must_use]
    pub fn at_rest_from(&self) -> Option<Moment> {
        Some(match self.learned() {
            Ok(learned) => learned.plan().due.moment() + learned.settings.get().memory,
            Err(_) => Moment::MIN,
        })
    }

    /// What it holds.
    #[must_use]
    pub fn snapshot(&self) -> HedgeSnapshot {
        match self.learned() {
            Ok(learned) => learned.snapshot(),
            Err(delay) => HedgeSnapshot { delay, observations: 0, learned: None },
        }
    }
}

impl Learned {
    fn new(settings: Observed) -> Self {
        let shared = Shared { plan: AtomicU64::new(Plan::new().pack()), began: AtomicU64::new(0) };
        Self {
            shared: Line(shared),
            latencies: Latencies::up_to(settings.max_delay),
            grown: OnceLock::new(),
            settings: InForce::new(settings),
        }
    }

    fn change(&self, settings: Observed) {
        if !self.latencies().reach(settings.max_delay) {
            // What is observed meanwhile may be lost.
            let _ = self.grown.set(self.latencies.grown(Hedge::LONGEST));
        }
        self.settings.set(settings);
    }

    fn latencies(&self) -> &Latencies {
        self.grown.get().unwrap_or(&self.latencies)
    }

    fn plan(&self) -> Plan {
        Plan::unpack(self.shared.plan.load(Acquire))
    }

    fn delay(&self, now: Moment) -> Duration {
        let plan = self.plan();
        let plan = if plan.is_due(now) { self.look(now) } else { plan };
        self.settings.bound(plan.bucket.map(latencies::end))
    }

    fn observe(&self, outcome: Outcome, took: Duration) {
        let plan = self.plan();
        let lasted = || took >= self.settings.bound(plan.bucket.map(latencies::end));
        let counts = match outcome {
            Outcome::Success | Outcome::Fatal => true,
            Outcome::Transient | Outcome::Throttled | Outcome::Abandoned => lasted(),
            Outcome::Invalid | Outcome::Refused => false,
        };
        if counts {
            self.latencies().count(plan.current, took);
        }
    }

    /// Looks at the latencies, unless another call does already, and forgets what is old.
    #[cold]
    fn look(&self, now: Moment) -> Plan {
        let claimed = update(&self.shared.plan, |word| {
            let plan = Plan::unpack(word);
            let claimed = plan.claim(now);
            (claimed.map(Plan::pack), claimed.ok_or(plan))
        });
        let plan = match claimed {
            Ok(claimed) => claimed,
            Err(seen) => return seen,
        };
        // From here on this call is alone, until it gives the word back.
        let current = if self.is_over(plan, now) {
            // Emptied before anybody is told to count in it: not one that is counted is lost.
            self.latencies().forget(plan.current.other());
            self.shared.began.store(now.as_nanos(), Relaxed);
            plan.current.other()
        } else {
            plan.current
        };
        let (settings, total) = (self.settings.get(), self.observations());
        let enough = total >= u64::from(settings.min_observations);
        let bucket = enough.then(|| self.latencies().at_rank(settings.rank(total)));
        let due = Stamp::at_or_after(now + Hedger::REFRESH);
        let plan = Plan { due, looking: false, current, bucket };
        self.shared.plan.store(plan.pack(), Release); // nobody else changes it meanwhile
        plan
    }

    /// Whether the current half is old enough, and full enough to stand alone.
    fn is_over(&self, plan: Plan, now: Moment) -> bool {
        let began = Moment::from_nanos(self.shared.began.load(Relaxed));
        let Observed { memory, min_observations, .. } = self.settings.get();
        now.since(began) >= memory / 2
            && self.latencies().total(plan.current) >= u64::from(min_observations)
    }

    fn observations(&self) -> u64 {
        [Half::One, Half::Two].map(|half| self.latencies().total(half)).iter().sum()
    }

    fn snapshot(&self) -> HedgeSnapshot {
        let learned = self.plan().bucket.map(latencies::end);
        let delay = self.settings.bound(learned);
        HedgeSnapshot { delay, observations: self.observations(), learned }
    }
}

/// What a [`Hedger`] held at one time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct HedgeSnapshot {
    /// How long after the last attempt an extra one goes out.
    pub delay: Duration,
    /// How many observations it has.
    pub observations: u64,
    /// What the percentile was when it last looked, before the bounds; nothing while it has too
    /// few observations, and where the delay is fixed.
    pub learned: Option<Duration>,
}
