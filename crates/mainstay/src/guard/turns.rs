//! The turnstile: who waits for a turn stands in a queue, and only its first has a timer.

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use mainstay_policy::Moment;
use mainstay_policy::turn::{Ahead, Arrival, Place, Turn, Turnstile};
use tokio::time::Sleep;

use super::{Admission, Ask, Guard, Now, Queue, Spot};
use crate::clock;
use crate::error::{Reason, Refused};
use crate::observe::{Event, Wait, tell};
use crate::protocol::Ending;

/// Gives turns: a rate limit, a cool-down, or something of your own.
///
/// It says when a call may start; [`TurnGuard`] lets calls stand in line for it. None of these
/// blocks or waits.
pub trait Turns: Send + Sync {
    /// The kind of layer it makes, as refusals name it.
    const LAYER: &'static str;

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

/// A guard whose calls stand in line for turns: first come, first served.
///
/// Only the first in line has a timer. Who leaves leaves nothing behind: those behind it close up.
/// A call that could not start before its deadline is refused at once.
///
/// # Who is not polled
///
/// A call stands in line from its first poll on. When its turn has come it must be polled to take
/// it: one that is not holds up all behind it, since a turn that is not used at once could not be
/// used later without breaking the limit. So do not await something else between the polls of calls
/// that share a limit; a task of its own for each is safe. A turn that was taken a second late or
/// more is warned of.
pub struct TurnGuard<T> {
    turns: T,
    turnstile: Turnstile,
    queue: Queue,
    name: Option<Arc<str>>,
    max_waiting: u32,
    max_wait: Option<Duration>,
    /// Changed by hand: who forgets it would forget that.
    by_hand: AtomicBool,
}

/// A turn that is taken later than this is warned of.
const LATE: Duration = Duration::from_secs(1);

impl<T: Turns> TurnGuard<T> {
    /// A line before what gives turns, with nobody in it.
    pub fn of(turns: T) -> Self {
        let (turnstile, queue) = (Turnstile::new(), Queue::default());
        let max_waiting = Turnstile::MOST_CALLS;
        let by_hand = AtomicBool::new(false);
        Self { turns, turnstile, queue, name: None, max_waiting, max_wait: None, by_hand }
    }

    /// A name that its refusals say.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How many calls may stand in line; by default 16 777 215.
    #[must_use]
    pub const fn max_waiting(mut self, calls: u32) -> Self {
        self.max_waiting = calls;
        self
    }

    /// How long a call may stand in line; by default until its deadline, or as long as it takes.
    #[must_use]
    pub const fn max_wait(mut self, wait: Duration) -> Self {
        self.max_wait = Some(wait);
        self
    }

    /// The name that it was given.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// How many calls stand in line.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        self.turnstile.ahead().calls
    }

    /// What gives the turns.
    pub const fn turns(&self) -> &T {
        &self.turns
    }

    /// The same line before something else.
    pub(crate) fn try_map<U: Turns, E>(
        self,
        map: impl FnOnce(T) -> Result<U, E>,
    ) -> Result<TurnGuard<U>, E> {
        let Self { turns, turnstile, queue, name, max_waiting, max_wait, by_hand } = self;
        Ok(TurnGuard { turns: map(turns)?, turnstile, queue, name, max_waiting, max_wait, by_hand })
    }

    /// To be called when what gives the turns was changed by hand: who stands in line looks again,
    /// and the guard is not forgotten where there is one for every key.
    pub fn changed(&self) {
        self.by_hand.store(true, Ordering::Relaxed);
        self.queue.wake_until(Moment::MAX);
    }

    /// Calls are held back for longer than before, so some may wait for what now comes too late.
    pub(crate) fn holds_back(&self, until: Moment, now: Moment) {
        self.queue.wake_until(until);
        let what = "the server asked to be left alone";
        let (name, took) = (self.name.as_deref(), Some(until.since(now)));
        tell(Event::Warning { layer: T::LAYER, name, what, took });
    }

    /// When a call that comes now is of no use any more.
    fn end(&self, ask: Ask, now: Moment) -> Moment {
        self.max_wait.map_or(ask.until, |wait| ask.until.min(now + wait))
    }

    #[cold]
    fn refused(&self, turn: Turn, ask: Ask, now: Moment) -> Refused {
        let reason = match turn {
            Turn::Never => Reason::NoTurn,
            _ if ask.until <= now => Reason::Deadline,
            _ => self.turns.reason(now),
        };
        let refused = Refused::new(T::LAYER, reason).named_if(self.name.as_ref());
        match turn {
            Turn::At(moment) => refused.with_retry_in(self.turns.retry_in(moment, now)),
            Turn::Now | Turn::Never => refused,
        }
    }
}

impl<Req, T: Turns> Guard<Req> for TurnGuard<T> {
    const GIVES_TURNS: bool = true;

    type Subject = ();
    type Permit = ();
    type Held = ();

    fn subject(&self, _: &Req) {}

    #[inline]
    fn glance(&self, (): &(), ask: Ask, now: &Now) -> Result<(), Refused> {
        if ask.until == Moment::MAX && self.max_wait.is_none() {
            return Ok(()); // it would wait for as long as it takes
        }
        let now = now.get();
        let turn = self.turns.forecast(self.turnstile.ahead(), ask.cost, now);
        match turn.comes_before(self.end(ask, now)) {
            true => Ok(()),
            false => Err(self.refused(turn, ask, now)),
        }
    }

    #[inline]
    fn try_admit(&self, (): &(), ask: Ask, now: &Now) -> Admission<()> {
        let now = now.get();
        let turn = match self.turnstile.arrive() {
            Arrival::Pass => match self.turns.take(ask.cost, now, now) {
                Turn::Now => return Admission::Go(()),
                later @ (Turn::At(_) | Turn::Never) => later,
            },
            Arrival::Stand => self.turns.forecast(self.turnstile.ahead(), ask.cost, now),
        };
        match turn {
            _ if turn.comes_before(self.end(ask, now)) => Admission::Wait,
            _ => Admission::Refuse(self.refused(turn, ask, now)),
        }
    }

    async fn admit(&self, (): &(), ask: Ask) -> Result<(), Refused> {
        let since = clock::now();
        let place = match self.turnstile.join(ask.cost, self.max_waiting) {
            Ok(place) => place,
            Err(ahead) => {
                let turn = self.turns.forecast(ahead, ask.cost, since);
                return Err(self.refused(turn, ask, since));
            }
        };
        let end = self.end(ask, since);
        let ahead = place.ahead();
        let standing =
            Standing { guard: self, place: Some(place), spot: Some(self.queue.join(end)) };
        let wait = match self.turns.forecast(ahead, ask.cost, since) {
            Turn::At(moment) => Some(moment.since(since)),
            Turn::Now | Turn::Never => None,
        };
        let waits = Wait::begins(T::LAYER, self.name.as_deref(), wait);
        let mut timer = pin!(None);
        poll_fn(|cx| standing.poll_turn(cx, timer.as_mut(), ask, since, end)).await?;
        drop((standing, waits));
        Ok(())
    }

    #[inline]
    fn settle(&self, (): &(), (): (), ending: &Ending, now: &Now) {
        if ending.says_nothing() {
            return;
        }
        if let Some(until) = self.turns.learn(ending, now) {
            self.holds_back(until, now.get());
        }
    }

    fn at_rest_from(&self) -> Option<Moment> {
        match self.turnstile.arrive() {
            Arrival::Pass if !self.by_hand.load(Ordering::Relaxed) => self.turns.at_rest_from(),
            Arrival::Pass | Arrival::Stand => None,
        }
    }
}

/// One who stands in line. Who drops it leaves nothing behind.
struct Standing<'a, T: Turns> {
    guard: &'a TurnGuard<T>,
    place: Option<Place>,
    spot: Option<Spot<'a>>,
}

impl<T: Turns> Standing<'_, T> {
    /// Waits for the turn, with a timer if it is the first.
    fn poll_turn(
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
                return Poll::Ready(Err(guard.refused(turn, ask, now)));
            }
            let turn = match is_first {
                true => guard.turns.take(ask.cost, since, now),
                // At least as late as if nobody stood before it.
                false => guard.turns.forecast(Ahead::default(), ask.cost, now),
            };
            let moment = match turn {
                Turn::Now if is_first => {
                    self.warn_if_late(timer.as_ref().get_ref().as_ref());
                    return Poll::Ready(Ok(()));
                }
                _ if !turn.comes_before(end) => {
                    return Poll::Ready(Err(guard.refused(turn, ask, now)));
                }
                Turn::At(moment) if is_first => moment,
                // Who stands behind others has a timer only for an end that nobody else watches.
                _ if guard.max_wait.is_some() => end,
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
                self.guard.turns.line_emptied(clock::now());
            }
        }
        self.spot = None; // which wakes the next
    }
}

impl<T: fmt::Debug> fmt::Debug for TurnGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TurnGuard")
            .field("turns", &self.turns)
            .field("waiting", &self.turnstile.ahead().calls)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
