//! Guards: what decides whether an attempt may start, and learns how it ended.
//!
//! A breaker, a rate limit, a limit of concurrency: each answers the same few questions, and one
//! service asks them. So does a guard of your own:
//!
//! ```
//! use mainstay::guard::{Admission, Ask, Guard, GuardLayer, Now};
//! use mainstay::{Ending, Reason, Refused};
//! use std::sync::atomic::{AtomicBool, Ordering};
//!
//! /// Lets nothing through while somebody works on the server.
//! #[derive(Debug, Default)]
//! struct Maintenance {
//!     goes_on: AtomicBool,
//! }
//!
//! impl<Req> Guard<Req> for Maintenance {
//!     type Subject = ();
//!     type Permit = ();
//!     type Held = ();
//!
//!     fn subject(&self, _: &Req) {}
//!
//!     fn try_admit(&self, (): &(), _: Ask, _: &Now) -> Admission<()> {
//!         match self.goes_on.load(Ordering::Relaxed) {
//!             true => Admission::Refuse(Refused::new("maintenance", Reason::Closed)),
//!             false => Admission::Go(()),
//!         }
//!     }
//!
//!     fn settle(&self, (): &(), (): (), _: &Ending, _: &Now) {}
//! }
//!
//! let layer = GuardLayer::new(Maintenance::default());
//! # let _ = layer;
//! ```

mod body;
mod future;
mod guarded;
mod live;
mod now;
mod per_key;
mod queue;
mod sets;
mod shadow;
mod slots;
mod turns;
mod waiting;
mod watch;

pub use body::{HeldBody, HoldLayer, Holding, HoldingFuture};
pub(crate) use future::Attempt;
pub use future::GuardedFuture;
pub use guarded::{GuardLayer, Guarded};
pub(crate) use live::{Holds, Live, Watched};
pub use now::Now;
pub use per_key::{Each, PerKey};
use queue::{Queue, Spot};
pub use shadow::Shadow;
pub(crate) use slots::{GivesSlots, SlotQueue};
pub use turns::{TurnGuard, Turns};
pub(crate) use waiting::{Waiter, Waiting};
pub(crate) use watch::{State, Watch, Watchers};

use std::future::Future;

use mainstay_policy::Moment;

use crate::error::{Reason, Refused};
use crate::protocol::Ending;

/// Decides whether an attempt may start, and learns how it ended.
///
/// Each attempt is asked for in this order: [`subject`](Guard::subject), then in a set
/// [`glance`](Guard::glance), [`try_admit`](Guard::try_admit), where that says so
/// [`admit`](Guard::admit), and for each permit that was given, whatever becomes of its attempt,
/// [`settle`](Guard::settle) and [`let_go`](Guard::let_go).
///
/// Tuples of guards, an `Option` of one and an `Arc` of one are guards. A tuple asks in its order,
/// but for turns, which it takes last of what can be had at once. What one gave goes back, as
/// refused, if another refuses or has the call wait; then all are asked anew, so a guard in a set
/// may be asked more than once for an attempt, and each permit that it gives is settled. Where a
/// call has to wait, it is for the guards that may have it wait, then for its turn, and only then
/// those are asked that [never have it wait](Guard::WAITS), whatever the order in which they are
/// written: a probe of a breaker is held through no queue.
pub trait Guard<Req> {
    /// What it must know of a request when that is gone: which of many states is meant.
    type Subject: Send + Sync;

    /// What an attempt gets that may start. Plain data: it goes back through
    /// [`settle`](Guard::settle), and is never just dropped.
    type Permit: Send;

    /// What outlives the head of an answer where bodies are held on to: nothing for most, the slot
    /// of a limit that holds to the end of the body.
    type Held: Send;

    /// Whether it must be glanced at before it is asked. A guard that stands alone need not be: it
    /// is asked anyway. A set must, lest its first guards give what its last one makes useless.
    const IS_SET: bool = false;

    /// Whether what it gives is a moment to start at, which must be used at once: a turn of a rate
    /// limit or a cool-down. In a set it is taken after whatever else can be had at once, and where
    /// the service beneath is long in getting ready, it is let go and asked for again, once. So
    /// what the service beneath can take at once is best said outside, by a limit of concurrency.
    ///
    /// Two that give turns cannot be in one set, since one turn would wait for the other: put them
    /// at one turnstile, as [`TurnGuard`] of a tuple.
    const GIVES_TURNS: bool = false;

    /// Whether it ever says [`Admission::Wait`]. A guard that never does is asked last where a call
    /// has to wait for others of its set, and holds nothing meanwhile.
    const WAITS: bool = true;

    /// Looks at a request, before anything else.
    fn subject(&self, request: &Req) -> Self::Subject;

    /// Would it refuse right now? Takes nothing. Asked of a guard in a set: before any queue, and
    /// again after the wait for a guard before it, so that nobody waits for what will be refused.
    /// Never asked while its own permit is held.
    ///
    /// # Errors
    ///
    /// The refusal.
    fn glance(&self, subject: &Self::Subject, ask: Ask, now: &Now) -> Result<(), Refused> {
        let _ = (subject, ask, now);
        Ok(())
    }

    /// May this attempt start? Neither blocks nor allocates.
    fn try_admit(&self, subject: &Self::Subject, ask: Ask, now: &Now) -> Admission<Self::Permit>;

    /// Waits for what [`try_admit`](Guard::try_admit) could not give at once. Only called after it
    /// said [`Admission::Wait`]; a guard that never says so has nothing to write here.
    ///
    /// A future that is dropped gives back whatever it took.
    fn admit(
        &self,
        subject: &Self::Subject,
        ask: Ask,
    ) -> impl Future<Output = Result<Self::Permit, Refused>> + Send {
        let answer = self.try_admit(subject, ask, &Now::default());
        std::future::ready(match answer {
            Admission::Go(permit) => Ok(permit),
            Admission::Refuse(refused) => Err(refused),
            Admission::Wait => Err(Refused::new("guard", Reason::Other("it cannot wait"))),
        })
    }

    /// The attempt that waited for its permit starts now: what it took until here was the wait.
    fn starts(&self, subject: &Self::Subject, permit: &mut Self::Permit, now: &Now) {
        let _ = (subject, permit, now);
    }

    /// How the attempt ended that the permit was for: an answer, an error, a refusal further in, a
    /// future that was dropped, a panic.
    fn settle(
        &self,
        subject: &Self::Subject,
        permit: Self::Permit,
        ending: &Ending,
        now: &Now,
    ) -> Self::Held;

    /// How what outlived the head has ended. Follows [`settle`](Guard::settle) at once, with the
    /// same ending, unless the layer holds on to bodies and there is one. A guard whose `Held` is
    /// `()` has nothing to write here.
    fn let_go(&self, subject: &Self::Subject, held: Self::Held, ending: &Ending, now: &Now) {
        let _ = (subject, ending, now);
        drop(held);
    }

    /// From when on its state may be forgotten, if nothing more is asked of it; `None` while it may
    /// not. Asked where there is a guard for every key.
    fn at_rest_from(&self) -> Option<Moment> {
        None
    }
}

/// What an attempt asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Ask {
    /// What it costs, in the units of a rate limit; mostly 1.
    pub cost: u32,
    /// Which attempt of its call it is, from 1.
    pub attempt: u32,
    /// When the call's time is over. Nobody waits beyond it, and a guard that knows that a wait
    /// could not end before refuses at once.
    pub until: Moment,
}

impl Default for Ask {
    /// A first attempt that costs 1 and has all the time there is.
    fn default() -> Self {
        Self { cost: 1, attempt: 1, until: Moment::MAX }
    }
}

/// Whether an attempt may start.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub enum Admission<Permit> {
    /// It may; the permit must be settled.
    Go(Permit),
    /// Not at once.
    Wait,
    /// It may not.
    Refuse(Refused),
}

/// Asks a guard that stands alone, or a set that is glanced at before.
#[inline]
pub(crate) fn ask_at_once<Req, G: Guard<Req>>(
    guard: &G,
    subject: &G::Subject,
    ask: Ask,
    now: &Now,
) -> Admission<G::Permit> {
    if G::IS_SET {
        if let Err(refused) = guard.glance(subject, ask, now) {
            return Admission::Refuse(refused);
        }
    }
    guard.try_admit(subject, ask, now)
}

#[cfg(test)]
mod tests;
