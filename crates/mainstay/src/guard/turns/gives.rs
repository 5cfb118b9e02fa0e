//! What gives turns.

use std::sync::Arc;
use std::time::Duration;

use mainstay_policy::Moment;
use mainstay_policy::turn::{Ahead, Turn};

use crate::error::Reason;
use crate::guard::Now;
use crate::protocol::Ending;

/// Gives turns: a rate limit, a cool-down, or something of your own.
///
/// It says when a call may start; [`TurnGuard`](super::TurnGuard) lets calls stand in line for it. None of these
/// blocks or waits.
pub trait Turns: Send + Sync {
    /// The kind of layer it makes, as refusals name it.
    const LAYER: &'static str;

    /// Whether it [tells of its changes](Turns::tell_changes) by itself.
    const IS_WATCHED: bool = false;

    /// Starts a call of this cost if it may start now; else says when to ask again. `since` is when
    /// the call came to stand in line. Asked by the first in line, and by a newcomer if nobody
    /// stands.
    fn take(&self, cost: u32, since: Moment, now: Moment) -> Turn;

    /// What [`take`](Turns::take) would say. Takes nothing.
    fn peek(&self, cost: u32, since: Moment, now: Moment) -> Turn;

    /// When a call could start that stands behind these, as far as can be said, and never later
    /// than it will. Takes nothing.
    fn forecast(&self, ahead: Ahead, cost: u32, now: Moment) -> Turn;

    /// Told how each attempt ended that says something on waiting. Answers until when calls are
    /// held back, if that is for longer than before.
    fn learn(&self, ending: &Ending, now: &Now) -> Option<Moment> {
        let _ = (ending, now);
        None
    }

    /// Tells of what has changed, under this name, where its state can be watched: asked after a
    /// turn was asked for, an end was learnt, the line emptied.
    fn tell_changes(&self, name: Option<&Arc<str>>, now: Moment) {
        let _ = (name, now);
    }

    /// Nobody stands in line any more.
    fn line_emptied(&self, now: Moment) {
        let _ = now;
    }

    /// Why a call is refused whose turn comes too late.
    fn reason(&self, now: Moment) -> Reason {
        let _ = now;
        Reason::NoTurn
    }

    /// After how long it would not be refused any more, given when its turn would come.
    fn retry_in(&self, turn: Moment, now: Moment) -> Duration {
        turn.since(now)
    }

    /// From when on it may be forgotten; `None` while it may not.
    fn at_rest_from(&self) -> Option<Moment> {
        None
    }
}

/// Two at one turnstile: a call starts at the later of the two.
impl<A: Turns, B: Turns> Turns for (A, B) {
    const LAYER: &'static str = A::LAYER;
    const IS_WATCHED: bool = A::IS_WATCHED || B::IS_WATCHED;

    fn take(&self, cost: u32, since: Moment, now: Moment) -> Turn {
        match self.peek(cost, since, now) {
            Turn::Now => {}
            later @ (Turn::At(_) | Turn::Never) => return later,
        }
        match self.0.take(cost, since, now) {
            // Another may have been faster since we looked. Then this start is lost to the first,
            // which is the safe side.
            Turn::Now => self.1.take(cost, since, now),
            later @ (Turn::At(_) | Turn::Never) => later,
        }
    }

    fn peek(&self, cost: u32, since: Moment, now: Moment) -> Turn {
        self.0.peek(cost, since, now).and(self.1.peek(cost, since, now))
    }

    fn forecast(&self, ahead: Ahead, cost: u32, now: Moment) -> Turn {
        self.0.forecast(ahead, cost, now).and(self.1.forecast(ahead, cost, now))
    }

    fn learn(&self, ending: &Ending, now: &Now) -> Option<Moment> {
        let first = self.0.learn(ending, now);
        first.max(self.1.learn(ending, now))
    }

    fn tell_changes(&self, name: Option<&Arc<str>>, now: Moment) {
        self.0.tell_changes(name, now);
        self.1.tell_changes(name, now);
    }

    fn line_emptied(&self, now: Moment) {
        self.0.line_emptied(now);
        self.1.line_emptied(now);
    }

    /// The reason of the second, if it holds calls back; else of the first.
    fn reason(&self, now: Moment) -> Reason {
        match self.1.peek(1, now, now) {
            Turn::Now => self.0.reason(now),
            Turn::At(_) | Turn::Never => self.1.reason(now),
        }
    }

    fn retry_in(&self, turn: Moment, now: Moment) -> Duration {
        self.0.retry_in(turn, now).max(self.1.retry_in(turn, now))
    }

    fn at_rest_from(&self) -> Option<Moment> {
        Some(self.0.at_rest_from()?.max(self.1.at_rest_from()?))
    }
}

/// Turns that several lines take from: each of them is told apart, and none starts what another has
/// taken.
impl<T: Turns> Turns for Arc<T> {
    const LAYER: &'static str = T::LAYER;
    const IS_WATCHED: bool = T::IS_WATCHED;

    #[inline]
    fn take(&self, cost: u32, since: Moment, now: Moment) -> Turn {
        T::take(self, cost, since, now)
    }

    #[inline]
    fn peek(&self, cost: u32, since: Moment, now: Moment) -> Turn {
        T::peek(self, cost, since, now)
    }

    #[inline]
    fn forecast(&self, ahead: Ahead, cost: u32, now: Moment) -> Turn {
        T::forecast(self, ahead, cost, now)
    }

    #[inline]
    fn learn(&self, ending: &Ending, now: &Now) -> Option<Moment> {
        T::learn(self, ending, now)
    }

    #[inline]
    fn tell_changes(&self, name: Option<&Arc<str>>, now: Moment) {
        T::tell_changes(self, name, now);
    }

    fn line_emptied(&self, now: Moment) {
        T::line_emptied(self, now);
    }

    fn reason(&self, now: Moment) -> Reason {
        T::reason(self, now)
    }

    fn retry_in(&self, turn: Moment, now: Moment) -> Duration {
        T::retry_in(self, turn, now)
    }

    fn at_rest_from(&self) -> Option<Moment> {
        T::at_rest_from(self)
    }
}
