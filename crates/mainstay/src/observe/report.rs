//! What happened to one call, to be read.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mainstay_policy::Outcome;
use mainstay_policy::retry::Stop;

use super::Event;
use super::words::{self, Because, Secs};
use crate::error::Reason;

/// What took the time of a call, which layer decided what, and what was not tried and why.
///
/// An answer carries it in its extensions, and [`ObserveLayer::on_report`](super::ObserveLayer)
/// gets it however the call ended. It is made to be printed.
#[derive(Clone, PartialEq, Debug)]
pub struct CallReport {
    pub(super) name: Option<Arc<str>>,
    pub(super) outcome: Outcome,
    pub(super) attempts: u32,
    pub(super) waited: Duration,
    pub(super) total: Duration,
    pub(super) entries: Vec<Entry>,
    pub(super) left_out: u32,
}

impl CallReport {
    /// The name of the layer that made it, if it was given one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// How the call ended.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// How many attempts there were; none, if it was refused before the first. One that was dropped
    /// counts, though it may not have been sent.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// How long it waited for layers of ours: for turns, for slots, between attempts. Attempts that
    /// wait beside each other count each.
    #[must_use]
    pub const fn waited(&self) -> Duration {
        self.waited
    }

    /// How long it took in all.
    #[must_use]
    pub const fn total(&self) -> Duration {
        self.total
    }

    /// What happened, in its order: the first 64.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// How much more happened that is not among the entries.
    #[must_use]
    pub const fn left_out(&self) -> u32 {
        self.left_out
    }
}

impl fmt::Display for CallReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(f, "{name}: ")?;
        }
        let attempts = match self.attempts {
            1 => "1 attempt".to_owned(),
            n => format!("{n} attempts"),
        };
        let outcome = words::outcome(self.outcome);
        write!(f, "{outcome}, {attempts}, {} in all", Secs(self.total))?;
        if !self.waited.is_zero() {
            write!(f, ", {} of it waiting", Secs(self.waited))?;
        }
        for entry in &self.entries {
            write!(f, "\n{:>12}  {entry}", Secs(entry.at).to_string())?;
        }
        match self.left_out {
            0 => Ok(()),
            more => write!(f, "\n{:>12}  and {more} more", ""),
        }
    }
}

/// Something that happened to a call.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    at: Duration,
    layer: Option<&'static str>,
    name: Option<Box<str>>,
    what: What,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum What {
    /// An attempt beyond the first was sent.
    Again {
        /// Which attempt of the call it was, from 2.
        attempt: u32,
    },
    /// An attempt ended.
    Ended {
        /// Which attempt of the call it was, from 1.
        attempt: u32,
        /// How.
        outcome: Outcome,
        /// How long it took, where that is known.
        took: Option<Duration>,
    },
    /// The call began to wait.
    Waits {
        /// For how long, where that could be said.
        wait: Option<Duration>,
    },
    /// The call had waited.
    Waited {
        /// For how long.
        took: Duration,
    },
    /// An attempt was refused.
    Refused {
        /// Why.
        reason: Reason,
        /// After how long it would not have been any more, where that could be said.
        retry_in: Option<Duration>,
    },
    /// A guard in shadow would have refused.
    WouldRefuse {
        /// Why.
        reason: Reason,
        /// After how long it would not have any more, where that could be said.
        retry_in: Option<Duration>,
    },
    /// A guard in shadow would have had the call wait.
    WouldWait,
    /// There was no further attempt.
    NotRetried {
        /// How many attempts there were.
        attempts: u32,
        /// Why there was none after them.
        why: Stop,
    },
    /// The call failed, and something else was answered instead.
    FellBack {
        /// How it had ended.
        outcome: Outcome,
    },
    /// The state of a layer changed by this call.
    Changed {
        /// What it was from then on.
        to: &'static str,
    },
    /// Something that its user should look into.
    Warning {
        /// What.
        what: Box<str>,
        /// How long it took or will take, where that says something.
        took: Option<Duration>,
    },
}

impl Entry {
    pub(super) fn new(at: Duration, event: &Event<'_>) -> Self {
        let (layer, name, what) = match *event {
            Event::Again { layer, name, attempt } => (Some(layer), name, What::Again { attempt }),
            Event::Ended { attempt, outcome, took } => {
                (None, None, What::Ended { attempt, outcome, took })
            }
            Event::Waits { layer, name, wait } => (Some(layer), name, What::Waits { wait }),
            Event::Waited { layer, name, took } => (Some(layer), name, What::Waited { took }),
            Event::Refused(refused) => {
                let (reason, retry_in) = (refused.reason(), refused.retry_in());
                let what = What::Refused { reason, retry_in };
                (Some(refused.layer()), refused.name(), what)
            }
            Event::WouldRefuse(refused) => {
                let (reason, retry_in) = (refused.reason(), refused.retry_in());
                let what = What::WouldRefuse { reason, retry_in };
                (Some(refused.layer()), refused.name(), what)
            }
            Event::WouldWait { layer, name } => (Some(layer), name, What::WouldWait),
            Event::FellBack { name, outcome } => {
                (Some("fallback"), name, What::FellBack { outcome })
            }
            Event::NotRetried { layer, name, attempts, why } => {
                (Some(layer), name, What::NotRetried { attempts, why })
            }
            Event::Changed { layer, name, to } => (Some(layer), name, What::Changed { to }),
            Event::Warning { layer, name, what, took } => {
                (Some(layer), name, What::Warning { what: what.into(), took })
            }
        };
        Self { at, layer, name: name.map(Into::into), what }
    }

    /// How long after the call began.
    #[must_use]
    pub const fn at(&self) -> Duration {
        self.at
    }

    /// The layer that decided it, if it was one.
    #[must_use]
    pub const fn layer(&self) -> Option<&'static str> {
        self.layer
    }

    /// The name of the layer, if it was given one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What happened.
    #[must_use]
    pub const fn what(&self) -> &What {
        &self.what
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(layer) = self.layer {
            f.write_str(layer)?;
            if let Some(name) = &self.name {
                write!(f, " {name:?}")?;
            }
            f.write_str(": ")?;
        }
        self.what.fmt(f)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let some_time = |f: &mut fmt::Formatter<'_>, before: &str, time: &Option<Duration>| {
            time.map_or(Ok(()), |time| write!(f, "{before}{}", Secs(time)))
        };
        match self {
            Self::Again { attempt } => write!(f, "begins attempt {attempt}"),
            Self::Ended { attempt, outcome, took } => {
                write!(f, "attempt {attempt} ends: {}", words::outcome(*outcome))?;
                some_time(f, ", after ", took)
            }
            Self::Waits { wait } => {
                f.write_str("waits")?;
                some_time(f, " for ", wait)
            }
            Self::Waited { took } => write!(f, "has waited for {}", Secs(*took)),
            Self::Refused { reason, retry_in } => {
                write!(f, "refuses: {reason}")?;
                some_time(f, "; retry in ", retry_in)
            }
            Self::WouldRefuse { reason, retry_in } => {
                write!(f, "would refuse: {reason}")?;
                some_time(f, "; retry in ", retry_in)
            }
            Self::WouldWait => f.write_str("would have it wait"),
            Self::FellBack { outcome } => {
                write!(f, "answers something else: {}", words::outcome(*outcome))
            }
            Self::NotRetried { attempts, why } => {
                write!(f, "no attempt after {attempts}: {}", Because(*why))
            }
            Self::Changed { to } => write!(f, "is {to} from now on"),
            Self::Warning { what, took } => {
                f.write_str(what)?;
                some_time(f, ": ", took)
            }
        }
    }
}
