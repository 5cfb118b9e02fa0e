//! One attempt of a call that may have several.

use std::pin::Pin;
use std::sync::Arc;

use mainstay_policy::hedge::Hedger;
use mainstay_policy::{Moment, Outcome};

use crate::clock;
use crate::observe::{Event, tell};

/// An attempt that has been sent. Its end is told once; if it is dropped before, as abandoned.
#[derive(Debug)]
pub(super) struct Sent {
    /// Which attempt of its call it is, from 1.
    pub(super) number: u32,
    /// When.
    pub(super) at: Moment,
    /// Who observes how long it takes; of extra attempts nobody.
    observer: Option<Arc<Hedger>>,
    /// Nobody further out sees the ends of single attempts, where there are several.
    is_alone: bool,
    has_ended: bool,
}

impl Sent {
    /// The first attempt of a call, sent now.
    pub(super) fn first(number: u32, observer: Arc<Hedger>) -> Self {
        let at = clock::now();
        Self { number, at, observer: Some(observer), is_alone: true, has_ended: false }
    }

    /// An extra attempt, sent now.
    pub(super) fn extra(number: u32) -> Self {
        tell(Event::Again { layer: super::LAYER, attempt: number });
        Self { number, at: clock::now(), observer: None, is_alone: false, has_ended: false }
    }

    /// There is another beside it.
    pub(super) const fn has_company(&mut self) {
        self.is_alone = false;
    }

    /// How it ended. Only the first end counts.
    pub(super) fn end(&mut self, outcome: Outcome) {
        if self.has_ended {
            return;
        }
        self.has_ended = true;
        let took = clock::now().since(self.at);
        if let Some(observer) = &self.observer {
            observer.observe(outcome, took);
        }
        if !self.is_alone {
            tell(Event::Ended { attempt: self.number, outcome, took: Some(took) });
        }
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.end(Outcome::Abandoned);
    }
}

/// An extra attempt on its way.
#[derive(Debug)]
pub(super) struct Extra<F> {
    pub(super) sent: Sent,
    pub(super) future: Pin<Box<F>>,
}

/// An extra attempt that is decided and paid for. Its own service must be ready before it is sent;
/// dropped before, it is refunded.
#[derive(Debug)]
pub(super) struct Waiting<S, Req, Paid> {
    pub(super) service: S,
    pub(super) request: Req,
    pub(super) paid: Paid,
}
