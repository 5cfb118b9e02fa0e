//! In which order a set is asked that has to wait, where it was not written in that order.
//!
//! First what may have a call wait, then turns, which must be used at once, and last what never has
//! one wait: so no probe of a breaker is held through a queue. A guard of a set may be a set itself,
//! or one for each key, so that what is first in one may come after what is last in another. Hence
//! all are polled in rounds, and each knows from the thread whether the round is its own. A set of
//! single guards that is written in that order needs none of it.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use super::Asked;
use crate::error::Refused;
use crate::guard::live::Given;
use crate::guard::{Admission, Ask, Guard, Now};

/// When a guard of a set is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Waits,
    GivesTurns,
    NeverWaits,
}

impl Class {
    pub(super) const fn of<Req, G: Guard<Req>>() -> Self {
        if G::GIVES_TURNS {
            Self::GivesTurns
        } else if G::WAITS {
            Self::Waits
        } else {
            Self::NeverWaits
        }
    }

    const fn next(self) -> Option<Self> {
        match self {
            Self::Waits => Some(Self::GivesTurns),
            Self::GivesTurns => Some(Self::NeverWaits),
            Self::NeverWaits => None,
        }
    }
}

/// What a round is for, and from within what it has come to.
#[derive(Clone, Copy)]
enum Round {
    /// Those of this class are asked, one after the other.
    Asks(Class),
    /// Those are glanced at that have given nothing yet.
    Glances,
    /// One of them has the call wait; who comes behind is not asked.
    Waits,
    /// One of them gave after a wait. Before the next is asked, all are glanced at.
    HasWaited,
}

thread_local! {
    static ROUND: Cell<Option<Round>> = const { Cell::new(None) };
}

/// Holds for a poll; what held before holds again after, also if it panics.
struct Before(Option<Round>);

impl Drop for Before {
    fn drop(&mut self) {
        ROUND.set(self.0);
    }
}

/// Whether who is polled here is a part of a set that is asked in rounds.
pub(super) fn is_of_a_set() -> bool {
    ROUND.get().is_some()
}

/// Asks two guards, and whatever they are made of, in rounds.
pub(super) async fn both<Req, A, B>(
    one: Asked<'_, Req, A>,
    other: Asked<'_, Req, B>,
    ask: Ask,
) -> Result<(A::Permit, B::Permit), Refused>
where
    A: Guard<Req> + Sync,
    B: Guard<Req> + Sync,
{
    let (mut one, mut other) = (pin!(asked(one, ask)), pin!(asked(other, ask)));
    let (mut first, mut second) = (None, None);
    let asked = pin!(poll_fn(|cx| {
        if first.is_none() {
            if let Poll::Ready(given) = one.as_mut().poll(cx) {
                first = Some(given?);
            }
        }
        if second.is_none() {
            if let Poll::Ready(given) = other.as_mut().poll(cx) {
                second = Some(given?);
            }
        }
        match (first.take(), second.take()) {
            (Some(first), Some(second)) => Poll::Ready(Ok((first.take(), second.take()))),
            (one, other) => {
                (first, second) = (one, other);
                Poll::Pending
            }
        }
    }));
    in_rounds(asked).await
}

/// Polls a set round for round, unless it is a part of one whose rounds these are.
///
/// What is awaited here lies with whoever asks: an async function keeps room for an argument and for
/// what it is moved to, so each set in a set would be twice as large.
async fn in_rounds<T>(
    mut asked: Pin<&mut impl Future<Output = Result<T, Refused>>>,
) -> Result<T, Refused> {
    let mut class = Class::Waits;
    poll_fn(|cx| {
        if ROUND.get().is_some() {
            return asked.as_mut().poll(cx);
        }
        let mut round = Round::Asks(class);
        loop {
            let before = Before(ROUND.replace(Some(round)));
            let end = asked.as_mut().poll(cx);
            let came_to = ROUND.get();
            drop(before);
            if end.is_ready() {
                return end;
            }
            round = match came_to {
                Some(Round::Asks(_)) | None => match class.next() {
                    Some(next) => {
                        class = next;
                        Round::Asks(class)
                    }
                    None => return Poll::Pending, // it waits for something of its own
                },
                Some(Round::Glances) => Round::Asks(class),
                Some(Round::HasWaited) => Round::Glances,
                Some(Round::Waits) => return Poll::Pending,
            };
        }
    })
    .await
}

/// Asks a guard of a set when its round has come.
async fn asked<Req, G: Guard<Req>>(
    Asked(guard, subject): Asked<'_, Req, G>,
    ask: Ask,
) -> Result<Given<'_, Req, G>, Refused> {
    let permit = match G::IS_SET {
        true => guard.admit(subject, ask).await?,
        false => admitted(guard, subject, ask).await?,
    };
    Ok(Given::new(guard, subject, permit))
}

async fn admitted<Req, G: Guard<Req>>(
    guard: &G,
    subject: &G::Subject,
    ask: Ask,
) -> Result<G::Permit, Refused> {
    poll_fn(|_| match ROUND.get() {
        Some(Round::Asks(class)) if class == Class::of::<Req, G>() => Poll::Ready(Ok(())),
        Some(Round::Glances) => match guard.glance(subject, ask, &Now::default()) {
            Ok(()) => Poll::Pending,
            Err(refused) => Poll::Ready(Err(refused)),
        },
        Some(Round::Asks(_) | Round::Waits | Round::HasWaited) | None => Poll::Pending,
    })
    .await?;
    let answer = guard.try_admit(subject, ask, &Now::default());
    match answer {
        Admission::Go(permit) => Ok(permit),
        Admission::Refuse(refused) => Err(refused),
        Admission::Wait => {
            let wait = pin!(guard.admit(subject, ask));
            waits(wait).await
        }
    }
}

/// Nobody else is asked meanwhile. What somebody's guard waits for may be another set.
async fn waits<F: Future>(mut wait: Pin<&mut F>) -> F::Output {
    let mut has_waited = false;
    poll_fn(|cx| {
        let mut before = Before(ROUND.take());
        let end = wait.as_mut().poll(cx);
        if end.is_pending() {
            has_waited = true;
            before.0 = Some(Round::Waits);
        } else if has_waited {
            before.0 = Some(Round::HasWaited);
        }
        end
    })
    .await
}
