//! A script that says what each call meets, in their order, and nothing more.

use std::collections::VecDeque;
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::Lines;

/// What one call of a [strict script](super::Script::strict) meets.
pub struct Step<Req, Res, E> {
    pub(super) does: Does<Req, Res, E>,
    pub(super) after: Duration,
    line: &'static Location<'static>,
}

pub(super) enum Does<Req, Res, E> {
    Ends(Box<dyn FnOnce(Req) -> Result<Res, E> + Send>),
    Hangs,
    Panics(String),
}

impl<Req, Res, E> Step<Req, Res, E> {
    #[track_caller]
    fn new(does: Does<Req, Res, E>) -> Self {
        Self { does, after: Duration::ZERO, line: Location::caller() }
    }

    /// The call is answered.
    #[track_caller]
    #[must_use]
    pub fn answers(answer: Res) -> Self
    where
        Res: Send + 'static,
    {
        Self::new(Does::Ends(Box::new(move |_| Ok(answer))))
    }

    /// The call fails.
    #[track_caller]
    #[must_use]
    pub fn fails(error: E) -> Self
    where
        E: Send + 'static,
    {
        Self::new(Does::Ends(Box::new(move |_| Err(error))))
    }

    /// The call ends with what this makes of its request, which is also the place to look at it.
    #[track_caller]
    #[must_use]
    pub fn ends(end: impl FnOnce(Req) -> Result<Res, E> + Send + 'static) -> Self {
        Self::new(Does::Ends(Box::new(end)))
    }

    /// The call never ends.
    #[track_caller]
    #[must_use]
    pub fn hangs() -> Self {
        Self::new(Does::Hangs)
    }

    /// The poll that would end the call panics with these words.
    #[track_caller]
    #[must_use]
    pub fn panics(text: impl Into<String>) -> Self {
        Self::new(Does::Panics(text.into()))
    }

    /// The call ends so long after its first poll, by tokio's clock.
    #[must_use]
    pub const fn after(mut self, delay: Duration) -> Self {
        self.after = delay;
        self
    }
}

impl<Req, Res, E> fmt::Debug for Step<Req, Res, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.does {
            Does::Ends(_) => "Ends",
            Does::Hangs => "Hangs",
            Does::Panics(_) => "Panics",
        })?;
        write!(f, "({}, after {:?})", self.line, self.after)
    }
}

/// The steps of a strict script.
pub(super) struct Steps<Req, Res, E> {
    left: VecDeque<Step<Req, Res, E>>,
    taken: usize,
    unexpected: usize,
    line: &'static Location<'static>,
}

impl<Req, Res, E> Steps<Req, Res, E> {
    #[track_caller]
    pub(super) fn new(steps: impl IntoIterator<Item = Step<Req, Res, E>>) -> Self {
        let left = steps.into_iter().collect();
        Self { left, taken: 0, unexpected: 0, line: Location::caller() }
    }

    pub(super) fn left(&self) -> usize {
        self.left.len()
    }

    /// The next step, or what is wrong.
    pub(super) fn take(&mut self) -> Result<Step<Req, Res, E>, String> {
        if let Some(step) = self.left.pop_front() {
            self.taken += 1;
            return Ok(step);
        }
        self.unexpected += 1;
        let (nth, line) = (self.taken + self.unexpected, self.line);
        Err(format!("{line}: call {nth} was not expected: there are {} steps", self.taken))
    }

    /// What is wrong at the end.
    fn fault(&self) -> Option<String> {
        let (line, unexpected, left) = (self.line, self.unexpected, self.left.len());
        if unexpected > 0 {
            return Some(format!("{line}: {unexpected} calls came that were not expected"));
        }
        let next = self.left.front()?;
        Some(format!("{}: {left} steps were not used, the first of them this one", next.line))
    }
}

/// What the handles of a strict script share. With the last of them the script is over.
pub(super) struct Curtain<Req, Res, E>(pub(super) Arc<Lines<Req, Res, E>>);

impl<Req, Res, E> Drop for Curtain<Req, Res, E> {
    #[expect(clippy::panic, reason = "a test fails by panicking")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let said = self.0.said.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = said.steps.as_ref().and_then(Steps::fault);
        drop(said);
        if let Some(fault) = fault {
            panic!("{fault}");
        }
    }
}
