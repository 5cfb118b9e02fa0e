//! Seeing what happens: every decision that a caller would want explained is told here, once.

use std::time::Duration;

use mainstay_policy::Outcome;
use mainstay_policy::retry::Stop;

use crate::error::Refused;

/// Something that happened to a call, or to a state that calls share.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// An attempt beyond the first is sent.
    Again {
        /// The layer that sends it: retry or hedge.
        layer: &'static str,
        /// Which attempt of the call it is, from 2.
        attempt: u32,
    },
    /// An attempt has ended.
    Ended {
        /// Which attempt of the call it was, from 1.
        attempt: u32,
        /// How.
        outcome: Outcome,
        /// How long it took, where a layer knows.
        took: Option<Duration>,
    },
    /// A call begins to wait.
    Waits {
        /// The layer in which it waits.
        layer: &'static str,
        /// The name of the layer, if it was given one.
        name: Option<&'a str>,
        /// For how long, where that can be said.
        wait: Option<Duration>,
    },
    /// A call has waited.
    Waited {
        /// The layer in which it waited.
        layer: &'static str,
        /// The name of the layer, if it was given one.
        name: Option<&'a str>,
        /// For how long.
        took: Duration,
    },
    /// A layer did not let an attempt start, or gave it up.
    Refused(&'a Refused),
    /// A guard in shadow would have refused.
    WouldRefuse(&'a Refused),
    /// There is no further attempt.
    NotRetried {
        /// How many attempts there were.
        attempts: u32,
        /// Why there is none after them.
        why: Stop,
    },
    /// There is no further attempt because the budget is spent.
    NoBudget {
        /// The layer that would have sent it: retry or hedge.
        layer: &'static str,
        /// How many attempts there were.
        attempts: u32,
    },
    /// The state of a layer has changed.
    Changed {
        /// The layer.
        layer: &'static str,
        /// The name of the layer, if it was given one.
        name: Option<&'a str>,
        /// What it is now.
        to: &'static str,
    },
    /// Something that its user should look into.
    Warning {
        /// The layer.
        layer: &'static str,
        /// The name of the layer, if it was given one.
        name: Option<&'a str>,
        /// What.
        what: &'a str,
        /// How long it took or will take, where that says something.
        took: Option<Duration>,
    },
}

/// Tells of it.
#[inline]
pub(crate) fn tell(event: Event<'_>) {
    let _ = event;
}
