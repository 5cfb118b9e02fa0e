//! A decision of ours against an attempt.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::http::Key;

/// A layer of ours did not let an attempt start, or stopped waiting for its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    layer: &'static str,
    name: Option<Arc<str>>,
    key: Option<Key>,
    reason: Reason,
    retry_in: Option<Duration>,
}

/// Why an attempt was refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Reason {
    /// The circuit is open: the server is not well.
    Open,
    /// The turn would not have come in time, or too many wait for theirs.
    NoTurn,
    /// No slot came free in time, or too many wait for one.
    NoSlot,
    /// The server asked to be left alone.
    CoolingDown,
    /// The server refuses much of what is asked, so some is not asked at all.
    Throttled,
    /// The time of the whole call would not suffice, so nothing was sent.
    Deadline,
    /// The attempt may have been sent, and its answer did not come in time: it is open what the
    /// server has done, as after no other refusal but [`Panicked`](Self::Panicked).
    TimedOut,
    /// The code that was sending panicked: it is open how far the request came.
    Panicked,
    /// No new calls are taken.
    Closed,
    /// A fault that was injected on purpose, by [`ChaosLayer`](crate::chaos::ChaosLayer). To HTTP
    /// it is a connection that was not made, and no refusal.
    Injected,
    /// What a guard of your own says.
    Other(&'static str),
}

impl Refused {
    /// A refusal by this kind of layer.
    #[must_use]
    pub const fn new(layer: &'static str, reason: Reason) -> Self {
        Self { layer, name: None, key: None, reason, retry_in: None }
    }

    /// The name that its user gave to the layer.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The name of a layer that may have none.
    pub(crate) fn named_if(mut self, name: Option<&Arc<str>>) -> Self {
        self.name = name.cloned();
        self
    }

    /// The key whose state it was that refused, where there is one for each; the innermost counts.
    pub(crate) fn of_key(mut self, key: &Key) -> Self {
        self.key.get_or_insert_with(|| key.clone());
        self
    }

    /// The call would not be refused any more after this.
    #[must_use]
    pub const fn with_retry_in(mut self, wait: Duration) -> Self {
        self.retry_in = Some(wait);
        self
    }

    /// The kind of layer that refused, as its documentation calls it.
    #[must_use]
    pub const fn layer(&self) -> &'static str {
        self.layer
    }

    /// The name of the layer, if it was given one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The host, or whatever else it keeps state per, that it refused for; where there is one state
    /// for all it says none.
    #[must_use]
    pub const fn key(&self) -> Option<&Key> {
        self.key.as_ref()
    }

    /// Why it refused.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// After how long it would not have refused any more, where that can be said.
    #[must_use]
    pub const fn retry_in(&self) -> Option<Duration> {
        self.retry_in
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.layer)?;
        if let Some(name) = &self.name {
            write!(f, " {name:?}")?;
        }
        if let Some(key) = &self.key {
            write!(f, " of {key}")?;
        }
        write!(f, ": {}", self.reason)?;
        match self.retry_in {
            Some(wait) => write!(f, "; retry in {wait:?}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "the circuit is open",
            Self::NoTurn => "no turn in time",
            Self::NoSlot => "no free slot in time",
            Self::CoolingDown => "the server asked to be left alone",
            Self::Throttled => "the server refuses too much",
            Self::Deadline => "not enough time left",
            Self::TimedOut => "no answer in time",
            Self::Panicked => "the request panicked",
            Self::Closed => "no new calls are taken",
            Self::Injected => "it was made to fail",
            Self::Other(reason) => reason,
        })
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_who_why_and_when() {
        let bare = Refused::new("circuit breaker", Reason::Open);
        assert_eq!(bare.to_string(), "circuit breaker: the circuit is open");
        assert_eq!((bare.name(), bare.retry_in()), (None, None));

        let full = bare.named("github").with_retry_in(Duration::from_millis(1500));
        assert_eq!(
            full.to_string(),
            "circuit breaker \"github\": the circuit is open; retry in 1.5s"
        );
        assert_eq!((full.layer(), full.reason()), ("circuit breaker", Reason::Open));
        assert_eq!(full.name(), Some("github"));
        assert_eq!(full.retry_in(), Some(Duration::from_millis(1500)));

        let of_one = full.of_key(&Key::new("https://api.example.com"));
        assert_eq!(of_one.key().map(Key::as_str), Some("https://api.example.com"));
        assert_eq!(of_one.clone().of_key(&Key::new("acme")), of_one);
        assert_eq!(
            of_one.to_string(),
            "circuit breaker \"github\" of https://api.example.com: the circuit is open; \
             retry in 1.5s"
        );
    }

    #[test]
    fn every_reason_has_words_of_its_own() {
        use Reason::{
            Closed, CoolingDown, Deadline, Injected, NoSlot, NoTurn, Open, Other, Panicked,
            Throttled, TimedOut,
        };
        let all = [
            Open,
            NoTurn,
            NoSlot,
            CoolingDown,
            Throttled,
            Deadline,
            TimedOut,
            Panicked,
            Closed,
            Injected,
            Other("out of coins"),
        ];
        let words: std::collections::BTreeSet<_> = all.iter().map(Reason::to_string).collect();
        assert_eq!(words.len(), all.len());
        assert!(words.contains("out of coins"));
    }
}
