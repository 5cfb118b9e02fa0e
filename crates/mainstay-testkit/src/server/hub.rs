//! What all connections of a server share: the script, the log, and who waits for what happens.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::request::Parts;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::log::{End, Exchange, Log, Speaks};
use super::{Greeting, Received, Reply};
use crate::clock;

pub(super) type Answers = Box<dyn FnMut(&Received) -> Reply + Send>;
pub(super) type Greets = Box<dyn FnMut(usize) -> Greeting + Send>;

pub(super) struct Hub {
    answers: Mutex<Answers>,
    greets: Mutex<Greets>,
    log: Mutex<Log>,
    changed: Notify,
    since: Instant,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl Hub {
    pub(super) fn new(answers: Answers, greets: Greets, log: Log) -> Self {
        Self {
            answers: Mutex::new(answers),
            greets: Mutex::new(greets),
            log: Mutex::new(log),
            changed: Notify::new(),
            since: clock::now(),
            panic: Mutex::default(),
        }
    }

    /// How long the server has been up.
    pub(super) fn now(&self) -> Duration {
        clock::now().duration_since(self.since)
    }

    pub(super) fn log(&self) -> MutexGuard<'_, Log> {
        locked(&self.log)
    }

    /// Changes the log, and tells whoever waits for that.
    fn note<T>(&self, change: impl FnOnce(&mut Log) -> T) -> T {
        let noted = change(&mut self.log());
        self.changed.notify_waiters();
        noted
    }

    /// Waits until something is so that the log may show.
    pub(super) async fn until(&self, mut is_so: impl FnMut() -> bool) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if is_so() {
                return;
            }
            changed.await;
        }
    }

    /// Runs a piece of the test, whose panic fails it when the server is dropped.
    pub(super) fn guarded<T>(&self, run: impl FnOnce() -> T) -> Option<T> {
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(result) => Some(result),
            Err(panic) => {
                locked(&self.panic).get_or_insert(panic);
                None
            }
        }
    }

    pub(super) fn take_panic(&self) -> Option<Box<dyn Any + Send>> {
        locked(&self.panic).take()
    }

    pub(super) fn opens(self: &Arc<Self>) -> (Opened, Greeting) {
        let now = self.now();
        let number = self.note(|log| log.opened(now));
        let greeting = self.guarded(|| locked(&self.greets)(number));
        let opened = Opened { hub: Arc::clone(self), number, requests: 0 };
        (opened, greeting.unwrap_or(Greeting::Closes))
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let log = self.log();
        let mut debug = f.debug_struct("Hub");
        debug.field("requests", &log.requests()).field("open", &log.open).finish_non_exhaustive()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection that is open.
#[derive(Debug)]
pub(super) struct Opened {
    hub: Arc<Hub>,
    number: usize,
    requests: usize,
}

impl Opened {
    pub(super) fn speaks(&self, speaks: Speaks) {
        self.hub.note(|log| log.speaks(self.number, speaks));
    }

    /// Notes a request and asks what is to be done with it.
    pub(super) fn asks(&mut self, head: Parts) -> (Note, Reply) {
        let place = (self.number, self.requests);
        self.requests += 1;
        let now = self.hub.now();
        let request = self.hub.note(|log| log.arrived(head, now, place));
        let reply = self.hub.guarded(|| locked(&self.hub.answers)(&request));
        let note = Note { hub: Arc::clone(&self.hub), request, has_ended: false };
        (note, reply.unwrap_or_else(Reply::closes))
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.hub.note(|log| log.closed(self.number));
    }
}

/// An exchange that runs. One that is dropped was broken off.
#[derive(Debug)]
pub(super) struct Note {
    hub: Arc<Hub>,
    request: Arc<Received>,
    has_ended: bool,
}

impl Note {
    pub(super) fn request(&self) -> &Received {
        &self.request
    }

    fn changes(&self, change: impl FnOnce(&mut Exchange)) {
        self.hub.note(|log| log.changes(self.request.number(), change));
    }

    pub(super) fn read(&self, bytes: u64) {
        self.changes(|exchange| exchange.body_read += bytes);
    }

    pub(super) fn head_sent(&self, status: u16) {
        self.changes(|exchange| exchange.status = Some(status));
    }

    pub(super) fn sent(&self, bytes: u64) {
        self.changes(|exchange| exchange.body_sent += bytes);
    }

    /// Runs a piece of the test that belongs to this exchange.
    pub(super) fn guarded(&self, run: impl FnOnce() -> Reply) -> Reply {
        self.hub.guarded(run).unwrap_or_else(Reply::closes)
    }

    pub(super) fn ends(mut self, end: End) {
        self.end(end);
    }

    fn end(&mut self, end: End) {
        if !self.has_ended {
            self.has_ended = true;
            let now = self.hub.now();
            self.hub.note(|log| log.ended(self.request.number(), end, now));
        }
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        self.end(End::BrokenOff);
    }
}
