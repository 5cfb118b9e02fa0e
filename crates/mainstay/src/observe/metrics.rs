//! Counters, gauges and histograms, by way of the `metrics` facade.
//!
//! Nothing is counted until [`turn_on`] was called, which the application does once, after it has
//! installed its recorder: a library beneath it that has the feature on must not make every call
//! of the application pay.
//!
//! ```
//! use mainstay::concurrency::{Concurrency, ConcurrencyGuard};
//! use mainstay::observe::metrics;
//! use std::sync::Arc;
//!
//! metrics::turn_on(); // once
//!
//! let slots = Arc::new(ConcurrencyGuard::new(Concurrency::limit(16))?);
//! metrics::publish(&slots); // each time before somebody looks
//! # Ok::<(), mainstay::policy::SettingsError>(())
//! ```
//!
//! | metric | kind | labels | what |
//! |---|---|---|---|
//! | `mainstay_calls_total` | counter | name, outcome | calls that ended, by [`ObserveLayer`] |
//! | `mainstay_call_seconds` | histogram | name, outcome | how long they took |
//! | `mainstay_attempts_total` | counter | outcome | attempts that ended beneath a driver |
//! | `mainstay_extra_attempts_total` | counter | layer | attempts beyond the first |
//! | `mainstay_stops_total` | counter | reason | failures that were not tried again |
//! | `mainstay_refusals_total` | counter | layer, name, reason | attempts that were refused |
//! | `mainstay_shadow_refusals_total` | counter | layer, name, reason | those that would have been |
//! | `mainstay_shadow_waits_total` | counter | layer, name | calls that would have waited |
//! | `mainstay_fallbacks_total` | counter | name, outcome | calls that failed and were answered all the same |
//! | `mainstay_wait_seconds` | histogram | layer, name | how long calls waited |
//! | `mainstay_state` | gauge | layer, name, state | how many are in this state, other than the one of rest |
//! | `mainstay_state_changes_total` | counter | layer, name, state | changes to this state |
//! | `mainstay_warnings_total` | counter | layer, name | what should be looked into |
//! | `mainstay_slots` | gauge | layer, name, state | in use, waiting, limit; by [`publish`] |
//! | `mainstay_budget` | gauge | layer, name, state | extra attempts that are left; by [`publish`] |
//!
//! A label without a value is empty. Names are those that were given to layers; there is no label
//! for hosts or keys, which would make a series of each.
//!
//! `mainstay_state` is taken back from the old state as it is given to the new one, also when what
//! was in that state is dropped, so an alert on `state="open"` clears by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mainstay_policy::Outcome;
use mainstay_policy::budget::Budget;
use mainstay_policy::retry::Stop;
use metrics::{Key, Label, Level, Metadata, Recorder, Unit, with_recorder};

#[expect(unused_imports, reason = "named in the docs")]
use super::ObserveLayer;
use super::{Event, words};
use crate::concurrency::{ConcurrencyGuard, SlotsSnapshot};
use crate::error::Refused;

static IS_ON: AtomicBool = AtomicBool::new(false);

const METADATA: Metadata<'static> =
    Metadata::new("mainstay", Level::INFO, Some("mainstay::observe"));

const CALLS: &str = "mainstay_calls_total";
const CALL_SECONDS: &str = "mainstay_call_seconds";
const ATTEMPTS: &str = "mainstay_attempts_total";
const EXTRA_ATTEMPTS: &str = "mainstay_extra_attempts_total";
const STOPS: &str = "mainstay_stops_total";
const REFUSALS: &str = "mainstay_refusals_total";
const SHADOW_REFUSALS: &str = "mainstay_shadow_refusals_total";
const WAIT_SECONDS: &str = "mainstay_wait_seconds";
const SHADOW_WAITS: &str = "mainstay_shadow_waits_total";
const FALLBACKS: &str = "mainstay_fallbacks_total";
const STATE: &str = "mainstay_state";
const STATE_CHANGES: &str = "mainstay_state_changes_total";
const WARNINGS: &str = "mainstay_warnings_total";
const SLOTS: &str = "mainstay_slots";
const BUDGET: &str = "mainstay_budget";

/// Counts from now on. To be called once, when the recorder is installed, whose descriptions it
/// gives; a second call does nothing.
pub fn turn_on() {
    if !IS_ON.swap(true, Ordering::Relaxed) {
        with_recorder(describe);
    }
}

fn describe(recorder: &dyn Recorder) {
    for (name, what) in [
        (CALLS, "Calls that ended"),
        (ATTEMPTS, "Attempts that ended"),
        (EXTRA_ATTEMPTS, "Attempts beyond the first of their call"),
        (STOPS, "Failures that were not tried again"),
        (REFUSALS, "Attempts that were refused"),
        (SHADOW_REFUSALS, "Attempts that a guard in shadow would have refused"),
        (SHADOW_WAITS, "Calls that a guard in shadow would have had wait"),
        (FALLBACKS, "Calls that failed and were answered all the same"),
        (STATE_CHANGES, "Changes to this state"),
        (WARNINGS, "What should be looked into"),
    ] {
        recorder.describe_counter(name.into(), Some(Unit::Count), what.into());
    }
    for (name, what) in [
        (STATE, "How many are in this state"),
        (SLOTS, "Slots that are in use, are waited for, and that there are"),
        (BUDGET, "Extra attempts that are left"),
    ] {
        recorder.describe_gauge(name.into(), Some(Unit::Count), what.into());
    }
    for (name, what) in
        [(CALL_SECONDS, "How long calls took"), (WAIT_SECONDS, "How long calls waited for us")]
    {
        recorder.describe_histogram(name.into(), Some(Unit::Seconds), what.into());
    }
}

#[inline]
pub(crate) fn is_on() -> bool {
    IS_ON.load(Ordering::Relaxed)
}

/// Sets the gauges of what has numbers of its own: slots in use, budget left.
///
/// They are not set with every call, which would cost each call something and tell the one who
/// looks once in a while no more. Call this before that one looks: in the handler that renders the
/// metrics, or every few seconds.
pub fn publish(numbers: &(impl Numbers + ?Sized)) {
    numbers.each(&mut |number| {
        let of = (number.layer, number.name, number.state);
        with_gauge(number.gauge, of, |gauge| gauge.set(number.value));
    });
}

/// What has numbers that change without an event.
pub trait Numbers {
    /// Tells each of them.
    fn each(&self, tell: &mut dyn FnMut(Number<'_>));
}

/// One number of a state.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Number<'a> {
    /// The gauge that it is set on.
    pub gauge: &'static str,
    /// The layer.
    pub layer: &'static str,
    /// The name of the layer, if it was given one.
    pub name: Option<&'a str>,
    /// Which of its numbers.
    pub state: &'static str,
    /// What it is.
    pub value: f64,
}

impl Numbers for ConcurrencyGuard {
    fn each(&self, tell: &mut dyn FnMut(Number<'_>)) {
        let SlotsSnapshot { in_use, waiting, limit, .. } = self.snapshot();
        let (layer, name) = (Self::LAYER, self.name());
        for (state, value) in [("in use", in_use), ("waiting", waiting), ("limit", limit)] {
            tell(Number { gauge: SLOTS, layer, name, state, value: value.into() });
        }
    }
}

impl Numbers for Budget {
    fn each(&self, tell: &mut dyn FnMut(Number<'_>)) {
        let value = f64::from(self.snapshot().available);
        tell(Number { gauge: BUDGET, layer: "budget", name: None, state: "left", value });
    }
}

impl<T: Numbers + ?Sized> Numbers for Arc<T> {
    fn each(&self, tell: &mut dyn FnMut(Number<'_>)) {
        (**self).each(tell);
    }
}

/// One more or one less is in this state.
pub(crate) fn moved(layer: &'static str, name: Option<&str>, state: &'static str, by: f64) {
    with_gauge(STATE, (layer, name, state), |gauge| gauge.increment(by));
}

/// Counts what happened, if it is to be counted.
pub(super) fn count(event: &Event<'_>) {
    if !is_on() {
        return;
    }
    match *event {
        Event::Again { layer, .. } => {
            increment(EXTRA_ATTEMPTS, vec![Label::from_static_parts("layer", layer)]);
        }
        Event::Ended { outcome, .. } => {
            increment(ATTEMPTS, vec![what("outcome", words::outcome(outcome))]);
        }
        Event::Waits { .. } | Event::NotRetried { why: Stop::Succeeded, .. } => {}
        Event::Waited { layer, name, took } => {
            let key = Key::from_parts(WAIT_SECONDS, of(layer, name).to_vec());
            record(&key, took);
        }
        Event::Refused(refused) => refusal(REFUSALS, refused),
        Event::WouldRefuse(refused) => refusal(SHADOW_REFUSALS, refused),
        Event::WouldWait { layer, name } => increment(SHADOW_WAITS, of(layer, name).to_vec()),
        Event::FellBack { name, outcome } => {
            increment(FALLBACKS, vec![name_label(name), what("outcome", words::outcome(outcome))]);
        }
        Event::NotRetried { why, .. } => {
            increment(STOPS, vec![what("reason", words::stop(why))]);
        }
        Event::Changed { layer, name, to } => {
            let [layer, name] = of(layer, name);
            increment(STATE_CHANGES, vec![layer, name, what("state", to)]);
        }
        Event::Warning { layer, name, .. } => increment(WARNINGS, of(layer, name).to_vec()),
    }
}

/// Counts a call that ended.
pub(super) fn called(name: Option<&str>, outcome: Outcome, took: Duration) {
    if !is_on() {
        return;
    }
    let labels = vec![name_label(name), what("outcome", words::outcome(outcome))];
    increment(CALLS, labels.clone());
    record(&Key::from_parts(CALL_SECONDS, labels), took);
}

fn refusal(counter: &'static str, refused: &Refused) {
    let [layer, name] = of(refused.layer(), refused.name());
    increment(counter, vec![layer, name, what("reason", words::reason(refused.reason()))]);
}

fn increment(counter: &'static str, labels: Vec<Label>) {
    let key = Key::from_parts(counter, labels);
    with_recorder(|recorder| recorder.register_counter(&key, &METADATA).increment(1));
}

fn record(key: &Key, took: Duration) {
    with_recorder(|recorder| recorder.register_histogram(key, &METADATA).record(took));
}

fn with_gauge(
    gauge: &'static str,
    (layer, name, state): (&'static str, Option<&str>, &'static str),
    change: impl FnOnce(metrics::Gauge),
) {
    let [layer, name] = of(layer, name);
    let key = Key::from_parts(gauge, vec![layer, name, what("state", state)]);
    with_recorder(|recorder| change(recorder.register_gauge(&key, &METADATA)));
}

fn of(layer: &'static str, name: Option<&str>) -> [Label; 2] {
    [what("layer", layer), name_label(name)]
}

fn name_label(name: Option<&str>) -> Label {
    match name {
        Some(name) => Label::new("name", name.to_owned()),
        None => what("name", ""),
    }
}

const fn what(label: &'static str, value: &'static str) -> Label {
    Label::from_static_parts(label, value)
}
