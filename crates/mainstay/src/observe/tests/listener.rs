//! A subscriber that keeps what it is told.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Level, Metadata, Subscriber};

type Fields = BTreeMap<&'static str, String>;

/// What was told: events with the span that they were told in, and spans with their fields.
#[derive(Default, Debug)]
pub(super) struct Told {
    pub(super) events: Vec<(Level, Option<u64>, Fields)>,
    pub(super) spans: Vec<Fields>,
    pub(super) closed: usize,
    inside: Vec<u64>,
}

#[derive(Clone, Default)]
pub(super) struct Listener(Arc<Mutex<Told>>);

impl Listener {
    /// Listens on this thread until the guard is dropped.
    pub(super) fn listens() -> (Self, DefaultGuard) {
        let listener = Self::default();
        let guard = tracing::subscriber::set_default(listener.clone());
        (listener, guard)
    }

    pub(super) fn told(&self) -> Told {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// How many events there were at each of these levels.
    pub(super) fn counts<const N: usize>(&self, levels: [Level; N]) -> [usize; N] {
        let told = self.told();
        levels.map(|level| told.events.iter().filter(|(at, ..)| *at == level).count())
    }
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "mainstay"
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut fields = Fields::new();
        attributes.record(&mut Into(&mut fields));
        let mut told = self.0.lock().unwrap();
        told.spans.push(fields);
        Id::from_u64(told.spans.len() as u64)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let at = usize::try_from(span.into_u64()).unwrap() - 1;
        values.record(&mut Into(&mut self.0.lock().unwrap().spans[at]));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::new();
        event.record(&mut Into(&mut fields));
        let mut told = self.0.lock().unwrap();
        let span = told.inside.last().copied();
        told.events.push((*event.metadata().level(), span, fields));
    }

    fn enter(&self, span: &Id) {
        self.0.lock().unwrap().inside.push(span.into_u64());
    }

    fn exit(&self, _: &Id) {
        self.0.lock().unwrap().inside.pop();
    }

    fn try_close(&self, _: Id) -> bool {
        self.0.lock().unwrap().closed += 1;
        true
    }
}

struct Into<'a>(&'a mut Fields);

impl Visit for Into<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}
