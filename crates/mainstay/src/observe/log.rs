//! What happened to the call that is polled now.
//!
//! The notes of a call stand in the thread while the call runs, as its [`Scope`](crate::scope) does,
//! and with the call while it does not. So they belong to one at a time, and need no lock.

use std::cell::Cell;
use std::time::Duration;

use mainstay_policy::{Moment, Outcome};

use super::Event;
use super::report::Entry;
use crate::clock;

/// Of how many events a report tells; those beyond are counted.
const MOST: usize = 64;

thread_local! {
    /// Whether there is something in `HERE`, which costs more to look at.
    static IS_KEPT: Cell<bool> = const { Cell::new(false) };
    static HERE: Cell<Option<Box<Log>>> = const { Cell::new(None) };
}

/// The notes of one call.
#[derive(Debug)]
pub(super) struct Log {
    /// Whether the first attempt was sent, as far as anybody told.
    first: Option<bool>,
    /// How many were sent beyond the first.
    again: u32,
    pub(super) waited: Duration,
    /// Only where a report is wanted.
    pub(super) entries: Option<Vec<Entry>>,
    pub(super) left_out: u32,
    since: Moment,
    /// Of the call that this one is part of.
    outer: Option<Box<Log>>,
}

impl Log {
    pub(super) fn new(since: Moment, is_report: bool) -> Box<Self> {
        let entries = is_report.then(Vec::new);
        let waited = Duration::ZERO;
        Box::new(Self { first: None, again: 0, waited, entries, left_out: 0, since, outer: None })
    }

    /// How many attempts were sent.
    pub(super) fn attempts(&self) -> u32 {
        let was_sent = self.first.unwrap_or(self.again > 0);
        self.again.saturating_add(u32::from(was_sent))
    }

    fn add(&mut self, event: &Event<'_>) {
        match *event {
            Event::Again { .. } => self.again = self.again.saturating_add(1),
            // Nothing was sent.
            Event::Ended { attempt, outcome: Outcome::Refused, .. } if attempt > 1 => {
                self.again = self.again.saturating_sub(1);
            }
            Event::Ended { attempt: 1, outcome, .. } => {
                let was_sent = outcome != Outcome::Refused;
                self.first = Some(was_sent || self.first == Some(true));
            }
            Event::Waited { took, .. } => self.waited += took,
            Event::Ended { .. }
            | Event::Waits { .. }
            | Event::Refused(_)
            | Event::WouldRefuse(_)
            | Event::WouldWait { .. }
            | Event::NotRetried { .. }
            | Event::FellBack { .. }
            | Event::Changed { .. }
            | Event::Warning { .. } => {}
        }
        let Some(entries) = &mut self.entries else { return };
        if entries.len() < MOST {
            entries.push(Entry::new(clock::now().since(self.since), event));
        } else {
            self.left_out = self.left_out.saturating_add(1);
        }
    }
}

/// Whether somebody takes notes here.
#[inline]
pub(super) fn is_kept() -> bool {
    IS_KEPT.get()
}

/// Notes it for the call that runs here, and for those that it is part of.
pub(super) fn add(event: &Event<'_>) {
    if !is_kept() {
        return;
    }
    let Some(mut log) = take() else { return };
    let mut each = Some(&mut log);
    while let Some(log) = each {
        log.add(event);
        each = log.outer.as_mut();
    }
    put(Some(log));
}

/// Runs a part of the call whose notes these are.
pub(super) fn around<T>(log: &mut Option<Box<Log>>, run: impl FnOnce() -> T) -> T {
    let Some(mut own) = log.take() else { return run() };
    own.outer = take();
    put(Some(own));
    let _leave = Leave(log);
    run()
}

/// Runs what belongs to none of those who wait for it: nobody takes notes of it.
pub(crate) fn apart<T>(run: impl FnOnce() -> T) -> T {
    if !is_kept() {
        return run();
    }
    let _back = Back(take());
    put(None);
    run()
}

struct Back(Option<Box<Log>>);

impl Drop for Back {
    fn drop(&mut self) {
        put(self.0.take());
    }
}

struct Leave<'a>(&'a mut Option<Box<Log>>);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let mut own = take();
        put(own.as_mut().and_then(|own| own.outer.take()));
        *self.0 = own;
    }
}

fn take() -> Option<Box<Log>> {
    // Where the thread ends there is nothing to take notes in.
    HERE.try_with(Cell::take).ok().flatten()
}

fn put(log: Option<Box<Log>>) {
    IS_KEPT.set(log.is_some());
    let _ = HERE.try_with(|here| here.set(log));
}
