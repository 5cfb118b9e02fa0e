//! Keeps what is told to `tracing`, so that a test can say what should have been told.
//!
//! ```
//! use mainstay_testkit::recorder::Recorder;
//!
//! let recorder = Recorder::new();
//! let listening = recorder.listens(); // to this thread, until it is dropped
//! tracing::warn!(layer = "breaker", state = "open", "state changed");
//!
//! let change = recorder.told("state changed").with("layer", "breaker").only();
//! assert_eq!(change.field("state"), Some("open"));
//! recorder.told("refused").never();
//! ```
//!
//! What other threads tell is heard where a future brings the recorder along: see
//! `tracing::instrument::WithSubscriber`, of which `with_subscriber(recorder.clone())` is all.

mod search;
mod subscriber;

pub use search::Search;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::Duration;

use tokio::time::Instant;
use tracing_core::dispatcher::{DefaultGuard, Dispatch, set_default};
use tracing_core::{Level, Metadata};

use crate::clock;

/// Keeps what is told to `tracing`. See [the module](self).
///
/// All clones keep the same.
#[derive(Clone)]
pub struct Recorder {
    target: Option<Arc<str>>,
    since: Instant,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    events: Vec<Told>,
    spans: Vec<Open>,
    /// The spans that each thread is in.
    inside: Vec<(ThreadId, Vec<u64>)>,
}

/// A span, and what must be known while there are handles of it.
struct Open {
    span: Spanned,
    metadata: &'static Metadata<'static>,
    handles: usize,
}

/// An event, as it was told.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Told {
    /// When, from when the recorder was made, by tokio's clock.
    pub at: Duration,
    /// How loud.
    pub level: Level,
    /// Who told it.
    pub target: &'static str,
    /// What: the field `message`.
    pub message: String,
    /// All other fields, as text, in their order.
    pub fields: Vec<(&'static str, String)>,
    /// The innermost span that it was told in, by its number among the [spans](Recorder::spans).
    pub span: Option<usize>,
}

/// A span, as it is known so far.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Spanned {
    /// When it was made, from when the recorder was, by tokio's clock.
    pub at: Duration,
    /// How loud.
    pub level: Level,
    /// Whose it is.
    pub target: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its fields, as text, each with what was recorded last.
    pub fields: Vec<(&'static str, String)>,
    /// The span around it, by its number.
    pub parent: Option<usize>,
    /// Whether nobody has it any more.
    pub is_closed: bool,
}

impl Told {
    /// A field, as text.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        find(&self.fields, name)
    }
}

impl Spanned {
    /// A field, as text.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        find(&self.fields, name)
    }
}

fn find<'a>(fields: &'a [(&'static str, String)], name: &str) -> Option<&'a str> {
    fields.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str())
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, level, target, message, fields, .. } = self;
        write!(f, "{:9.3} s {level:5} {target}: {message}", at.as_secs_f64())?;
        fields.iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

impl Recorder {
    /// Keeps everything.
    #[must_use]
    pub fn new() -> Self {
        Self { target: None, since: clock::now(), kept: Arc::default() }
    }

    /// Keeps what has this target, or one beneath it: with `"mainstay"` the decisions of its layers,
    /// and not what a client tells of its sockets.
    #[must_use]
    pub fn of(target: &str) -> Self {
        Self { target: Some(target.into()), ..Self::new() }
    }

    /// Listens to this thread until what it gives is dropped.
    #[must_use = "it listens until this is dropped"]
    pub fn listens(&self) -> Listening {
        Listening { _guard: set_default(&Dispatch::new(self.clone())) }
    }

    /// All events so far.
    #[must_use]
    pub fn events(&self) -> Vec<Told> {
        self.lock().events.clone()
    }

    /// All spans so far.
    #[must_use]
    pub fn spans(&self) -> Vec<Spanned> {
        self.lock().spans.iter().map(|open| open.span.clone()).collect()
    }

    /// The events with this message, to say how many there should be.
    pub fn told(&self, message: &str) -> Search {
        Search::new(self.events(), message)
    }

    /// Fails unless events with these messages were told in this order, whatever came between.
    ///
    /// # Panics
    ///
    /// If they were not.
    #[track_caller]
    pub fn told_in_order(&self, messages: &[&str]) {
        let events = self.events();
        let mut left = events.iter();
        for (n, message) in messages.iter().enumerate() {
            let is_there = left.any(|event| event.message == *message);
            let before = &messages[..n];
            assert!(
                is_there,
                "{message:?} was not told behind {before:?}; told was:\n{}",
                list(&events)
            );
        }
    }

    /// Forgets all events so far.
    pub fn forgets(&self) {
        self.lock().events.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn list(events: &[Told]) -> String {
    events.iter().map(|event| format!("{event}\n")).collect()
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.lock();
        let mut debug = f.debug_struct("Recorder");
        debug.field("events", &kept.events.len()).field("spans", &kept.spans.len()).finish()
    }
}

/// A recorder listens to this thread until this is dropped.
#[must_use = "it listens until this is dropped"]
pub struct Listening {
    _guard: DefaultGuard,
}

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listening").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
