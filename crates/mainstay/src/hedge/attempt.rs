//! One attempt of a call that may have several.

use std::pin::Pin;
use std::sync::Arc;

use mainstay_policy::hedge::Hedger;
use mainstay_policy::{Moment, Outcome};

use crate::budget::{Fare, Fee, Paid};
use crate::clock;
use crate::observe::{Event, tell};

/// An attempt that has been handed on. Its end is told once; if it is dropped before, as abandoned.
#[derive(Debug)]
pub(super) struct Sent {
    /// Which attempt of its call it is, from 1.
    pub(super) number: u32,
    /// When it was sent, for all that is known: since then no queue of ours held it.
    at: Option<Moment>,
    /// Who observes how long it takes; of extra attempts nobody.
    observer: Option<Arc<Hedger>>,
    /// Nobody further out sees the ends of single attempts, where there are several.
    is_alone: bool,
    has_ended: bool,
}

impl Sent {
    /// The first attempt of a call, which begins when it is first polled.
    pub(super) const fn first(number: u32, observer: Arc<Hedger>) -> Self {
        Self { number, at: None, observer: Some(observer), is_alone: true, has_ended: false }
    }

    /// An extra attempt, handed on now.
    pub(super) fn extra(number: u32, name: Option<&str>) -> Self {
        tell(Event::Again { layer: super::LAYER, name, attempt: number });
        Self { number, at: None, observer: None, is_alone: false, has_ended: false }
    }

    /// When it was sent; now, if it was not before.
    pub(super) fn begins(&mut self) -> Moment {
        *self.at.get_or_insert_with(clock::now)
    }

    /// It stands in a queue, and begins when it has left it.
    pub(super) const fn waits(&mut self) {
        self.at = None;
    }

    /// There is another beside it.
    pub(super) const fn has_company(&mut self) {
        self.is_alone = false;
    }

    /// Its end has been told further in.
    pub(super) const fn is_told(&mut self) {
        self.is_alone = true;
    }

    /// How it ended. Only the first end counts.
    pub(super) fn end(&mut self, outcome: Outcome) {
        if self.has_ended {
            return;
        }
        self.has_ended = true;
        let took = self.at.map(|at| clock::now().since(at));
        if let (Some(observer), Some(took)) = (&self.observer, took) {
            observer.observe(outcome, took);
        }
        if !self.is_alone {
            tell(Event::Ended { attempt: self.number, outcome, took });
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
pub(super) struct Extra<F, T: Paid> {
    pub(super) sent: Sent,
    pub(super) fare: Fare<T>,
    pub(super) future: Pin<Box<F>>,
}

/// An extra attempt that is decided and paid for. Its own service must be ready before it is sent;
/// dropped before, it is refunded.
#[derive(Debug)]
pub(super) struct Waiting<S, Req, T> {
    pub(super) service: S,
    pub(super) request: Req,
    pub(super) fee: Fee<T>,
}
