//! What a call remembers between its attempts, and the one place where it is decided on the next.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mainstay_policy::retry::{Ended, Repeat, Retry, Step, Stop, Tries};
use mainstay_policy::{Moment, Outcome};

use super::LAYER;
use super::schedule::{Schedule, Waits};
use crate::budget::{Account, Paid};
use crate::http::Copies;
use crate::observe::{Event, tell};
use crate::protocol::{Ending, Protocol};
use crate::scope::Scope;
use crate::{chance, clock};

/// What all services of a layer share.
#[derive(Debug)]
pub(super) struct Shared<P, B> {
    pub(super) settings: Retry,
    pub(super) schedule: Option<Schedule>,
    pub(super) protocol: Arc<P>,
    pub(super) budgets: B,
    pub(super) name: Option<Arc<str>>,
}

/// How far a call has come.
#[derive(Default)]
pub(super) struct Course {
    pub(super) tries: Tries,
    /// The waits of a schedule that is not ours, from the first that was asked for.
    waits: Option<Waits>,
}

/// From when until when to wait.
#[derive(Clone, Copy)]
pub(super) struct Pause {
    pub(super) decided: Moment,
    pub(super) due: Moment,
}

/// There is another attempt.
pub(super) struct Again<T> {
    pub(super) pause: Pause,
    /// What pays for it; nothing does where nothing was sent.
    pub(super) paid: Option<T>,
}

impl<T: Paid> Again<T> {
    /// The attempt is handed on.
    pub(super) fn spend(self) {
        if let Some(paid) = self.paid {
            paid.spend();
        }
    }
}

impl<P, B> Shared<P, B> {
    /// The first attempt of a call that cannot have another has ended.
    pub(super) fn explains(&self, scope: Scope, ending: &Ending) {
        let mut tries = Tries::default();
        ended(scope, 1, ending);
        if let Some(why) = self.settings.stops(&mut tries, without_copy(ending)) {
            stopped(1, why);
        }
    }

    /// An attempt has ended, of which there is this copy: whether there is another, when, and paid
    /// from what.
    pub(super) fn next<Req, Res, E, A>(
        &self,
        course: &mut Course,
        scope: Scope,
        account: &A,
        copy: Option<&Req>,
        ending: &Ending,
    ) -> Option<Again<A::Paid>>
    where
        P: Protocol<Req, Res, E>,
        A: Account,
    {
        ended(scope, course.tries.ended() + 1, ending);
        // A copy of a stream may have become useless while the attempt read it.
        let copy = copy.filter(|copy| self.protocol.copies(copy) != Copies::Never);
        let end = if copy.is_some() { ending.for_retry() } else { without_copy(ending) };
        let (now, step) = match self.settings.stops(&mut course.tries, end) {
            Some(why) => (Moment::MIN, Step::Return(why)),
            None => {
                let now = clock::now();
                (now, self.wait(course, scope, end, now))
            }
        };
        let attempts = course.tries.ended();
        let wait = match step {
            Step::Wait(wait) => wait,
            Step::Return(why) => {
                stopped(attempts, why);
                return None;
            }
        };
        let was_sent = ending.outcome() != Outcome::Refused;
        let paid = if was_sent { account.withdraw() } else { None };
        if was_sent && paid.is_none() {
            tell(Event::NoBudget { layer: LAYER, attempts });
            return None;
        }
        Some(Again { pause: Pause { decided: now, due: now + wait }, paid })
    }

    fn wait(&self, course: &mut Course, scope: Scope, end: Ended, now: Moment) -> Step {
        let left = (scope.until != Moment::MAX).then(|| scope.until.since(now));
        let Some(schedule) = &self.schedule else {
            return self.settings.wait(&mut course.tries, end, left, chance::draw());
        };
        match course.waits.get_or_insert_with(|| schedule.begin()).next() {
            Some(own) => self.settings.wait_by(&mut course.tries, end, own, left, chance::draw()),
            None => Step::Return(Stop::ScheduleEnded),
        }
    }
}

/// Without a copy not even a refusal can be waited out: the request went with the attempt.
fn without_copy(ending: &Ending) -> Ended {
    ending.for_retry().repeat(Repeat::Forbidden).asked(Duration::ZERO)
}

fn ended(scope: Scope, attempt: u32, ending: &Ending) {
    let attempt = number(scope, attempt);
    tell(Event::Ended { attempt, outcome: ending.outcome(), took: None });
}

pub(super) fn stopped(attempts: u32, why: Stop) {
    if why != Stop::Succeeded {
        tell(Event::NotRetried { attempts, why });
    }
}

/// Which attempt of its call the n-th of ours is: a layer further out may have made some.
pub(super) fn number(scope: Scope, nth: u32) -> u32 {
    scope.attempt.saturating_add(nth).saturating_sub(1)
}

impl fmt::Debug for Course {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Course").field("tries", &self.tries).finish_non_exhaustive()
    }
}
