//! What `tracing` asks of whoever listens.

use std::fmt::{self, Write as _};
use std::thread;

use tracing_core::field::{Field, Visit};
use tracing_core::span::{Attributes, Current, Id, Record};
use tracing_core::{Event, Metadata, Subscriber};

use super::{Kept, Open, Recorder, Spanned, Told};
use crate::clock;

impl Kept {
    /// The spans of this thread, from the outermost.
    fn inside(&mut self) -> &mut Vec<u64> {
        let own = thread::current().id();
        let at = self.inside.iter().position(|(thread, _)| *thread == own);
        let at = at.unwrap_or_else(|| {
            self.inside.push((own, Vec::new()));
            self.inside.len() - 1
        });
        &mut self.inside[at].1
    }

    fn innermost(&mut self) -> Option<usize> {
        self.inside().last().and_then(|id| number(*id))
    }

    fn open(&mut self, id: &Id) -> Option<&mut Open> {
        self.spans.get_mut(number(id.into_u64())?)
    }
}

/// A span's place in the list. Its id begins at 1, as it must.
fn number(id: u64) -> Option<usize> {
    usize::try_from(id).ok()?.checked_sub(1)
}

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.target.as_deref().is_none_or(|target| {
            let beneath = metadata.target().strip_prefix(target);
            beneath.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        })
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let (at, mut texts) = (self.at(), Texts::default());
        attributes.record(&mut texts);
        let metadata = attributes.metadata();
        let mut kept = self.lock();
        let parent = if attributes.is_contextual() {
            kept.innermost()
        } else {
            attributes.parent().and_then(|id| number(id.into_u64()))
        };
        let (level, target, name) = (*metadata.level(), metadata.target(), metadata.name());
        let (fields, is_closed) = (texts.all(), false);
        let span = Spanned { at, level, target, name, fields, parent, is_closed };
        kept.spans.push(Open { span, metadata, handles: 1 });
        Id::from_u64(u64::try_from(kept.spans.len()).unwrap_or(u64::MAX))
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut texts = Texts::default();
        values.record(&mut texts);
        let mut kept = self.lock();
        let Some(open) = kept.open(span) else { return };
        for (name, value) in texts.all() {
            match open.span.fields.iter_mut().find(|(own, _)| *own == name) {
                Some((_, own)) => *own = value,
                None => open.span.fields.push((name, value)),
            }
        }
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let (at, mut texts) = (self.at(), Texts::default());
        event.record(&mut texts);
        let (level, target) = (*event.metadata().level(), event.metadata().target());
        let mut kept = self.lock();
        let span = if event.is_contextual() {
            kept.innermost()
        } else {
            event.parent().and_then(|id| number(id.into_u64()))
        };
        let Texts { message, fields } = texts;
        kept.events.push(Told { at, level, target, message, fields, span });
    }

    fn enter(&self, span: &Id) {
        self.lock().inside().push(span.into_u64());
    }

    fn exit(&self, span: &Id) {
        let mut kept = self.lock();
        let inside = kept.inside();
        if let Some(at) = inside.iter().rposition(|id| *id == span.into_u64()) {
            inside.remove(at);
        }
    }

    fn clone_span(&self, span: &Id) -> Id {
        if let Some(open) = self.lock().open(span) {
            open.handles += 1;
        }
        span.clone()
    }

    fn try_close(&self, span: Id) -> bool {
        let mut kept = self.lock();
        let Some(open) = kept.open(&span) else { return false };
        open.handles = open.handles.saturating_sub(1);
        open.span.is_closed = open.handles == 0;
        open.span.is_closed
    }

    fn current_span(&self) -> Current {
        let mut kept = self.lock();
        let id = kept.inside().last().map(|id| Id::from_u64(*id));
        match id {
            Some(id) => match kept.open(&id).map(|open| open.metadata) {
                Some(metadata) => Current::new(id, metadata),
                None => Current::none(),
            },
            None => Current::none(),
        }
    }
}

impl Recorder {
    fn at(&self) -> std::time::Duration {
        clock::now().duration_since(self.since)
    }
}

/// Fields as text.
#[derive(Default)]
struct Texts {
    message: String,
    fields: Vec<(&'static str, String)>,
}

impl Texts {
    /// A span may have a field of that name as any other.
    fn all(self) -> Vec<(&'static str, String)> {
        let message = (!self.message.is_empty()).then_some(("message", self.message));
        message.into_iter().chain(self.fields).collect()
    }

    fn add(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        if field.name() == "message" {
            // Writing to a string does not fail.
            let _ = self.message.write_fmt(value);
        } else {
            self.fields.push((field.name(), value.to_string()));
        }
    }
}

impl Visit for Texts {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, format_args!("{value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.add(field, format_args!("{value}"));
    }
}
