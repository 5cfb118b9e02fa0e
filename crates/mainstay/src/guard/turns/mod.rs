//! The turnstile: who waits for a turn stands in a queue, and only its first has a timer.

mod gives;
mod standing;

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use mainstay_policy::Moment;
use mainstay_policy::turn::{Arrival, Turn, Turnstile};

use super::{Admission, Ask, Guard, Now, Queue, Shadow};
use crate::clock;
use crate::error::{Reason, Refused};
use crate::observe::{Event, Wait, tell};
use crate::protocol::Ending;
use standing::Standing;

pub use gives::Turns;

/// A guard whose calls stand in line for turns: first come, first served.
///
/// Only the first in line has a timer, and who has an end that nobody further out watches, as in a
/// task of its own. Who leaves leaves nothing behind: those behind it close up. A call that could
/// not start before its deadline is refused at once.
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
    max_waiting: AtomicU32,
    max_wait: MaxWait,
    /// Changed by hand: who forgets it would forget that.
    by_hand: AtomicBool,
}

impl<T: Turns> TurnGuard<T> {
    /// A line before what gives turns, with nobody in it.
    pub fn of(turns: T) -> Self {
        let (turnstile, queue) = (Turnstile::new(), Queue::default());
        let max_waiting = AtomicU32::new(Turnstile::MOST_CALLS);
        let by_hand = AtomicBool::new(false);
        let max_wait = MaxWait::new(None);
        Self { turns, turnstile, queue, name: None, max_waiting, max_wait, by_hand }
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
        self.max_waiting = AtomicU32::new(calls);
        self
    }

    /// How long a call may stand in line; by default until its deadline, or as long as it takes.
    #[must_use]
    pub fn max_wait(mut self, wait: Duration) -> Self {
        self.max_wait = MaxWait::new(Some(wait));
        self
    }

    /// Goes on with other bounds for who stands in line; who stands there stays.
    pub fn change_line(&self, max_waiting: Option<u32>, max_wait: Option<Duration>) {
        let most = max_waiting.unwrap_or(Turnstile::MOST_CALLS);
        self.max_waiting.store(most, Ordering::Relaxed);
        self.max_wait.set(max_wait);
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

    /// The same in shadow: it decides and reports, and refuses or delays nothing.
    pub(crate) fn in_shadow(self: Arc<Self>) -> Shadow<Arc<Self>> {
        let name = self.name.clone();
        Shadow::of_layer(T::LAYER, name.as_ref(), self)
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

    /// It has the settings that a new one would have, so it may be forgotten for one.
    pub(crate) fn goes_by_settings(&self) {
        self.by_hand.store(false, Ordering::Relaxed);
    }

    /// The state may be another.
    #[inline]
    pub(crate) fn tell_changes(&self, now: Moment) {
        if T::IS_WATCHED {
            self.turns.tell_changes(self.name.as_ref(), now);
        }
    }

    /// Calls are held back for longer than before, so some may wait for what now comes too late.
    pub(crate) fn holds_back(&self, until: Moment, now: Moment) {
        self.queue.wake_until(until);
        if T::IS_WATCHED {
            return self.tell_changes(now);
        }
        let what = "the server asked to be left alone";
        let (name, took) = (self.name.as_deref(), Some(until.since(now)));
        tell(Event::Warning { layer: T::LAYER, name, what, took });
    }

    /// When a call that comes now is of no use any more.
    #[inline]
    fn end(&self, until: Moment, now: Moment) -> Moment {
        self.max_wait.get().map_or(until, |wait| until.min(now + wait))
    }

    /// When a call could start that comes now and stands in line.
    #[inline]
    fn forecast(&self, cost: u32, now: Moment) -> Turn {
        self.turns.forecast(self.turnstile.ahead(), cost, now)
    }

    /// Whether its turn would come in time.
    #[inline]
    fn foresees(&self, ask: Ask, now: Moment) -> Result<(), Refused> {
        match self.forecast(ask.cost, now) {
            Turn::Now => Ok(()),
            turn if turn.comes_before(self.end(ask.until, now)) => Ok(()),
            turn => Err(self.refused(turn, ask.until, now)),
        }
    }

    /// It waits if its turn comes in time.
    #[cold]
    fn not_now(&self, turn: Turn, until: Moment, now: Moment) -> Admission<()> {
        match turn.comes_before(self.end(until, now)) {
            true => Admission::Wait,
            false => Admission::Refuse(self.refused(turn, until, now)),
        }
    }

    #[cold]
    fn learn(&self, ending: &Ending, now: &Now) {
        if let Some(until) = self.turns.learn(ending, now) {
            self.holds_back(until, now.get());
        }
    }

    #[cold]
    fn refused(&self, turn: Turn, until: Moment, now: Moment) -> Refused {
        let reason = match turn {
            Turn::Never => Reason::NoTurn,
            _ if until <= now => Reason::Deadline,
            _ => self.turns.reason(now),
        };
        let refused = Refused::new(T::LAYER, reason).named_if(self.name.as_ref());
        match turn {
            Turn::At(moment) => refused.with_retry_in(self.turns.retry_in(moment, now)),
            Turn::Now | Turn::Never => refused,
        }
    }
}

/// How long a call may stand in line, in nanoseconds.
struct MaxWait(AtomicU64);

impl MaxWait {
    const UNSET: u64 = u64::MAX;

    fn new(wait: Option<Duration>) -> Self {
        let new = Self(AtomicU64::new(Self::UNSET));
        new.set(wait);
        new
    }

    fn set(&self, wait: Option<Duration>) {
        let nanos =
            wait.map_or(Self::UNSET, |wait| u64::try_from(wait.as_nanos()).unwrap_or(Self::UNSET));
        self.0.store(nanos, Ordering::Relaxed);
    }

    #[inline]
    fn get(&self) -> Option<Duration> {
        let nanos = self.0.load(Ordering::Relaxed);
        (nanos != Self::UNSET).then(|| Duration::from_nanos(nanos))
    }
}

impl<Req, T: Turns> Guard<Req> for TurnGuard<T> {
    const GIVES_TURNS: bool = true;

    type Subject = ();
    type Permit = ();
    /// Whether the verdict stands behind the body.
    type Held = bool;

    #[inline]
    fn subject(&self, _: &Req) {}

    #[inline]
    fn glance(&self, (): &(), ask: Ask, now: &Now) -> Result<(), Refused> {
        if ask.until == Moment::MAX && self.max_wait.get().is_none() {
            return Ok(()); // it would wait for as long as it takes
        }
        self.foresees(ask, now.get())
    }

    // Always: asked at two places, of which one waits, so that the compiler spares the other too.
    #[inline(always)]
    fn try_admit(&self, (): &(), ask: Ask, now: &Now) -> Admission<()> {
        let now = now.get();
        match self.turnstile.arrive() {
            Arrival::Pass => {
                let turn = self.turns.take(ask.cost, now, now);
                self.tell_changes(now);
                match turn {
                    Turn::Now => Admission::Go(()),
                    later @ (Turn::At(_) | Turn::Never) => self.not_now(later, ask.until, now),
                }
            }
            Arrival::Stand => self.not_now(self.forecast(ask.cost, now), ask.until, now),
        }
    }

    async fn admit(&self, (): &(), ask: Ask) -> Result<(), Refused> {
        let since = clock::now();
        let place = match self.turnstile.join(ask.cost, self.max_waiting.load(Ordering::Relaxed)) {
            Ok(place) => place,
            Err(ahead) => {
                let turn = self.turns.forecast(ahead, ask.cost, since);
                return Err(self.refused(turn, ask.until, since));
            }
        };
        let end = self.end(ask.until, since);
        let ahead = place.ahead();
        let spot = Some(self.queue.join(end));
        let standing = Standing { guard: self, place: Some(place), spot };
        let turn = self.turns.forecast(ahead, ask.cost, since);
        if !turn.comes_before(end) {
            return Err(self.refused(turn, ask.until, since));
        }
        let wait = match turn {
            Turn::At(moment) => Some(moment.since(since)),
            Turn::Now | Turn::Never => None,
        };
        let _waits = Wait::begins(T::LAYER, self.name.as_deref(), wait);
        let mut timer = pin!(None);
        poll_fn(|cx| standing.poll_turn(cx, timer.as_mut(), ask, since, end)).await
    }

    #[inline]
    fn settle(&self, (): &(), (): (), ending: &Ending, now: &Now) -> bool {
        if !ending.is_open() && !ending.says_nothing() {
            self.learn(ending, now);
        }
        ending.is_open()
    }

    #[inline]
    fn let_go(&self, (): &(), was_open: bool, ending: &Ending, now: &Now) {
        if was_open && !ending.says_nothing() {
            self.learn(ending, now);
        }
    }

    fn at_rest_from(&self) -> Option<Moment> {
        match self.turnstile.arrive() {
            Arrival::Pass if !self.by_hand.load(Ordering::Relaxed) => self.turns.at_rest_from(),
            Arrival::Pass | Arrival::Stand => None,
        }
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
