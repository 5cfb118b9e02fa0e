//! Which of many inputs is started next.
//!
//! ```
//! use mainstay_policy::Moment;
//! use mainstay_policy::batch::{Ended, Held, Schedule, Scheduler, Turn, Until};
//! use std::time::Duration;
//!
//! let now = Moment::ORIGIN;
//! let mut batch = Scheduler::new(Schedule::new().concurrency(2), now)?;
//!
//! // It asks for an input whenever it has none that could run.
//! assert_eq!(batch.next(now), Turn::Pull);
//! let ant = batch.pulled("ant.example");
//! let Turn::Start(start) = batch.next(now) else { panic!("it is free") };
//! assert_eq!(start.input(), ant);
//!
//! // Its host asked to be left alone for a second: the input waits, and others may go by.
//! let then = now + Duration::from_secs(1);
//! assert_eq!(batch.blocked(start, Until::At(then)), Held::Back);
//! assert_eq!(batch.next(now), Turn::Pull);
//! let bee = batch.pulled("bee.example");
//! let Turn::Start(start) = batch.next(now) else { panic!("it is free") };
//! assert_eq!(start.input(), bee);
//!
//! batch.no_more();
//! assert_eq!(batch.next(now), Turn::WaitUntil(then));
//! batch.finished(start, Ended::Well);
//! assert!(matches!(batch.next(then), Turn::Start(start) if start.input() == ant));
//! # Ok::<(), mainstay_policy::SettingsError>(())
//! ```

mod lanes;
mod row;
mod settings;
mod snapshot;

#[cfg(test)]
mod tests;

pub use settings::{Order, Schedule, StopAt};
pub use snapshot::{BatchSnapshot, KeySnapshot};

use lanes::{Gate, Lanes};

use crate::moment::Moment;
use crate::settings::SettingsError;

/// Says of many inputs which one is started next.
///
/// Inputs are numbered from zero in the order in which they are pulled. Each has a key, mostly its
/// host; where all have the same, they are started in their order.
///
/// * **Nothing is pulled before there is a place for it**, and no more is known of than the
///   look-ahead, what runs, and in input order the window: memory does not grow with the inputs.
/// * **Fair between keys.** The next one is of the key that has the fewest running, and of those of
///   the one that has been passed over for longest. So a slow host holds no more places than its
///   share while others have inputs waiting. A key that holds its share is not given more before
///   the look-ahead has been searched for others.
/// * **Who would wait anyway does not take a place for it**: what is [`blocked`](Self::blocked)
///   lets those behind it by.
/// * **No place stays empty** while there is an input that could take it.
///
/// Each step takes the logarithm of what is known at most.
#[derive(Debug)]
pub struct Scheduler<K> {
    settings: Schedule,
    began: Moment,
    until: Moment,
    latest: Moment,
    lanes: Lanes<K>,
    running: u32,
    input: Input,
    pulled: u64,
    yielded: u64,
    succeeded: u64,
    failed: u64,
    end: Option<End>,
}

/// What is known of the inputs that have not been pulled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Input {
    Flows,
    /// There is none right now.
    Pauses,
    Ended,
}

/// An input that is to be started, and the place that it holds among those that run.
///
/// It goes back by [`Scheduler::finished`] or [`Scheduler::blocked`], once.
#[derive(PartialEq, Eq, Debug)]
#[must_use = "whoever keeps it keeps a place in the batch"]
pub struct Start {
    input: u64,
    lane: usize,
}

impl Start {
    /// Which input it is, counted from zero.
    #[must_use]
    pub const fn input(&self) -> u64 {
        self.input
    }
}

/// What is to be done next.
#[derive(PartialEq, Eq, Debug)]
#[must_use]
pub enum Turn {
    /// Start this input; or say that it is [`blocked`](Scheduler::blocked).
    Start(Start),
    /// Get another input, and say [`pulled`](Scheduler::pulled), [`none_yet`](Scheduler::none_yet)
    /// or [`no_more`](Scheduler::no_more).
    Pull,
    /// Wait for an end, or an input if there was none yet, or a result that is given out; but ask
    /// again at this moment.
    WaitUntil(Moment),
    /// The same, however long it takes.
    Wait,
    /// It is over; whatever runs is to be given up. Of what had ended by then, say that it is
    /// [`finished`](Scheduler::finished), and ask again: if that was the last, it is
    /// [complete](End::Complete).
    Done(End),
}

/// Why a batch is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// All inputs have ended.
    Complete,
    /// This one has failed, and was not to.
    Failed(u64),
    /// This one has succeeded, and that is enough.
    Succeeded(u64),
    /// Its time is over.
    Deadline,
}

/// How an input ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// It succeeded.
    Well,
    /// It failed.
    Badly,
}

/// Until when an input could not but wait if it were started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Until {
    /// Until this moment.
    At(Moment),
    /// Until another has ended, which may be anybody's.
    AnEnd,
}

/// What becomes of an input that is blocked.
#[derive(PartialEq, Eq, Debug)]
#[must_use]
pub enum Held {
    /// It is not started; its turn comes again.
    Back,
    /// It is to be started all the same: nothing is known of that could bring its turn again, or
    /// that would come too late. It waits where it must, or is refused.
    Not(Start),
}

impl<K: Ord + Clone> Scheduler<K> {
    /// One that begins now and knows of no input yet.
    ///
    /// # Errors
    ///
    /// What [`Schedule::check`] finds.
    pub fn new(settings: Schedule, now: Moment) -> Result<Self, SettingsError> {
        settings.check()?;
        Ok(Self {
            settings,
            began: now,
            until: settings.deadline.map_or(Moment::MAX, |time| now + time),
            latest: now,
            lanes: Lanes::default(),
            running: 0,
            input: Input::Flows,
            pulled: 0,
            yielded: 0,
            succeeded: 0,
            failed: 0,
            end: None,
        })
    }

    /// What is to be done next. Ask until it says to wait, or that it is done.
    pub fn next(&mut self, now: Moment) -> Turn {
        self.latest = self.latest.max(now);
        if let Some(end) = self.end() {
            return Turn::Done(end);
        }
        self.lanes.open_until(self.latest);
        if self.running >= self.settings.concurrency {
            return self.wait(None);
        }
        match (self.lanes.next(), self.may_pull()) {
            (Some((_, running)), true) if running >= self.share() => Turn::Pull,
            (Some((lane, _)), _) => self.start(lane),
            (None, true) => Turn::Pull,
            (None, false) => self.wait(self.lanes.opens()),
        }
    }

    /// Another input has been pulled; its number.
    pub fn pulled(&mut self, key: K) -> u64 {
        let input = self.pulled;
        self.pulled += 1;
        self.lanes.join(key, input);
        input
    }

    /// There is no input right now. None is asked for before [`ask_again`](Self::ask_again).
    pub fn none_yet(&mut self) {
        if self.input == Input::Flows {
            self.input = Input::Pauses;
        }
    }

    /// There may be an input again.
    pub fn ask_again(&mut self) {
        if self.input == Input::Pauses {
            self.input = Input::Flows;
        }
    }

    /// There are no more inputs.
    pub fn no_more(&mut self) {
        self.input = Input::Ended;
    }

    /// The input that was to be started would wait until then. It stands first in the line of its
    /// key again, which is passed by until then; an input of that key that has ended opens it too,
    /// if it waits for [an end](Until::AnEnd).
    pub fn blocked(&mut self, start: Start, until: Until) -> Held {
        let gate = match until {
            // At the end of all time it would be too late, and would hold up others meanwhile.
            Until::At(moment) if moment > self.latest && moment < self.until => Gate::Until(moment),
            // None of its own is on its way, so nobody would say when to look again.
            Until::AnEnd if self.lanes.running(start.lane) > 1 => Gate::UntilAnEnd,
            Until::At(_) | Until::AnEnd => return Held::Not(start),
        };
        self.running -= 1;
        self.lanes.hold_back(start.lane, start.input, gate);
        Held::Back
    }

    /// An input that was started has ended.
    pub fn finished(&mut self, start: Start, ended: Ended) {
        self.running -= 1;
        self.lanes.end(start.lane, ended);
        match ended {
            Ended::Well => self.succeeded += 1,
            Ended::Badly => self.failed += 1,
        }
        let stop = match (self.settings.stop, ended) {
            (StopAt::FirstFailure, Ended::Badly) => Some(End::Failed(start.input)),
            (StopAt::FirstSuccess, Ended::Well) => Some(End::Succeeded(start.input)),
            (StopAt::FirstFailure, Ended::Well)
            | (StopAt::FirstSuccess, Ended::Badly)
            | (StopAt::End, _) => None,
        };
        self.end = self.end.or(stop);
    }

    /// A result has been given out; in input order, that of the first input that had none.
    pub fn yielded(&mut self) {
        self.yielded += 1;
    }

    /// Whether it waits for results to be given out before it goes on.
    #[must_use]
    pub fn is_held_up(&self) -> bool {
        let is_full = match self.settings.order {
            Order::AsCompleted => false,
            Order::Input => self.pulled - self.yielded >= u64::from(self.settings.span()),
        };
        is_full && self.input != Input::Ended
    }

    /// Whether what it says depends on the time. If not, any moment will do.
    #[must_use]
    pub fn heeds_time(&self) -> bool {
        self.until != Moment::MAX || self.lanes.opens().is_some()
    }

    /// The keys of which something has changed since this was asked last, each under a number of
    /// its own; `None` of one that is forgotten, whose number another may have later.
    ///
    /// Keys that have no inputs any more are remembered while there are at most a thousand.
    pub fn news(&mut self) -> impl Iterator<Item = (usize, Option<KeySnapshot<K>>)> + '_ {
        self.lanes.news()
    }

    /// What it holds.
    #[must_use]
    pub fn snapshot(&self) -> BatchSnapshot {
        BatchSnapshot {
            began: self.began,
            pulled: self.pulled,
            waiting: self.lanes.waiting() as u64,
            running: u64::from(self.running),
            succeeded: self.succeeded,
            failed: self.failed,
            yielded: self.yielded,
            is_held_up: self.is_held_up(),
        }
    }

    fn end(&self) -> Option<End> {
        let is_idle = self.lanes.waiting() == 0 && self.running == 0;
        match self.end {
            Some(end) => Some(end),
            None if is_idle && self.input == Input::Ended => Some(End::Complete),
            None if self.latest >= self.until => Some(End::Deadline),
            None => None,
        }
    }

    fn may_pull(&self) -> bool {
        self.input == Input::Flows
            && self.lanes.waiting() < self.settings.ahead() as usize
            && !self.is_held_up()
    }

    /// How many of one key may run before others are looked for.
    fn share(&self) -> u32 {
        let keys = u32::try_from(self.lanes.busy()).unwrap_or(u32::MAX);
        self.settings.concurrency.div_ceil(keys.max(1))
    }

    fn start(&mut self, lane: usize) -> Turn {
        match self.lanes.start(lane) {
            Some(input) => {
                self.running += 1;
                Turn::Start(Start { input, lane })
            }
            None => Turn::Wait,
        }
    }

    fn wait(&self, opens: Option<Moment>) -> Turn {
        match opens.map_or(self.until, |opens| opens.min(self.until)) {
            Moment::MAX => Turn::Wait,
            moment => Turn::WaitUntil(moment),
        }
    }
}
