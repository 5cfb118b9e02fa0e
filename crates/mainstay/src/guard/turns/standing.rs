//! One who stands in line.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use mainstay_policy::Moment;
use mainstay_policy::deadline::{Watch, watch};
use mainstay_policy::turn::{Ahead, Place, Turn};
use tokio::time::Sleep;

use super::{TurnGuard, Turns};
use crate::clock;
use crate::error::Refused;
use crate::guard::{Ask, Spot};
use crate::observe::{Event, tell};
use crate::scope::watched;

/// A turn that is taken later than this is warned of.
const LATE: Duration = Duration::from_secs(1);

/// One who stands in line. Who drops it leaves nothing behind.
pub(super) struct Standing<'a, T: Turns> {
    pub(super) guard: &'a TurnGuard<T>,
    pub(super) place: Option<Place>,
    pub(super) spot: Option<Spot<'a>>,
}

impl<T: Turns> Standing<'_, T> {
    /// Waits for the turn, with a timer if it is the first.
    pub(super) fn poll_turn(
        &self,
        cx: &mut Context<'_>,
        mut timer: Pin<&mut Option<Sleep>>,
        ask: Ask,
        since: Moment,
        end: Moment,
    ) -> Poll<Result<(), Refused>> {
        let guard = self.guard;
        loop {
            let is_first = self.spot.as_ref().is_some_and(|spot| spot.is_first(cx));
            let now = clock::now();
            if now >= end {
                let turn = guard.turns.forecast(Ahead::default(), ask.cost, now);
                return Poll::Ready(Err(guard.refused(turn, ask.until, now)));
            }
            let turn = match is_first {
                true => {
                    let turn = guard.turns.take(ask.cost, since, now);
                    guard.tell_changes(now);
                    turn
                }
                // At least as late as if nobody stood before it.
                false => guard.turns.forecast(Ahead::default(), ask.cost, now),
            };
            let moment = match turn {
                Turn::Now if is_first => {
                    self.warn_if_late(timer.as_ref().get_ref().as_ref());
                    return Poll::Ready(Ok(()));
                }
                _ if !turn.comes_before(end) => {
                    return Poll::Ready(Err(guard.refused(turn, ask.until, now)));
                }
                Turn::At(moment) if is_first => moment,
                // Who stands behind others has a timer only for an end that nobody else watches.
                _ if watch(end, watched(cx)) == Watch::Here => end,
                Turn::Now | Turn::At(_) | Turn::Never => return Poll::Pending,
            };
            ready!(clock::poll_at(timer.as_mut(), moment.since(now), cx));
        }
    }

    /// A first in line that was not polled when its turn came has held up all behind it.
    fn warn_if_late(&self, timer: Option<&Sleep>) {
        let late = timer.map_or(Duration::ZERO, clock::overdue);
        if late >= LATE {
            let name = self.guard.name.as_deref();
            let what = "a call was not polled when its turn came";
            tell(Event::Warning { layer: T::LAYER, name, what, took: Some(late) });
        }
    }
}

impl<T: Turns> Drop for Standing<'_, T> {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            if self.guard.turnstile.leave(place).calls == 0 {
                let now = clock::now();
                self.guard.turns.line_emptied(now);
                self.guard.tell_changes(now);
            }
        }
        self.spot = None; // which wakes the next
    }
}
