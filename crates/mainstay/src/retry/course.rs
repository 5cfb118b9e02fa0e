//! What a call remembers between its attempts, and the one place where it is decided on the next.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mainstay_policy::retry::{Ended, Repeat, Retry, Step, Stop, Tries};
use mainstay_policy::{Moment, Outcome};

use super::LAYER;
use super::rest::{Kept, With};
use super::schedule::{Schedule, Waits};
use crate::budget::{self, Account, Fee};
use crate::http::Copies;
use crate::observe::{Event, tell};
use crate::protocol::{Ending, Protocol};
use crate::scope::{self, Beneath, Scope};
use crate::{chance, clock};

/// What all services of a layer share.
#[derive(Debug)]
pub(crate) struct Shared<P, B> {
    pub(super) settings: Retry,
    pub(super) schedule: Option<Schedule>,
    pub(super) protocol: Arc<P>,
    pub(super) budgets: B,
    pub(super) name: Option<Arc<str>>,
}

/// How far a call has come.
#[derive(Default)]
pub(crate) struct Course {
    pub(super) tries: Tries,
    /// How many attempts drivers further in have made beyond ours.
    beneath: u32,
    /// Something of it has been sent, so that whatever follows is extra.
    was_sent: bool,
    /// The waits of a schedule that is not ours, from the first that was asked for.
    waits: Option<Waits>,
}

impl Course {
    /// How many attempts have ended, those that drivers further in have made included.
    pub(super) const fn attempts(&self) -> u32 {
        self.tries.ended().saturating_add(self.beneath)
    }

    /// Which attempt of its call the next one is: a layer further out may have made some.
    pub(super) const fn next(&self, scope: Scope) -> u32 {
        scope.attempt.saturating_add(self.attempts())
    }
}

/// From when until when to wait.
#[derive(Clone, Copy)]
pub(super) struct Pause {
    pub(super) decided: Moment,
    pub(super) due: Moment,
}

/// There is another attempt.
pub(crate) struct Again<T> {
    pub(super) pause: Pause,
    /// What pays for it; nothing does where nothing of the call was sent.
    pub(super) paid: Option<Fee<T>>,
}

impl<P, B> Shared<P, B> {
    /// Whether there may be more than one attempt of a call.
    #[inline]
    pub(crate) fn may_go_on(&self) -> bool {
        self.settings.attempts_left(&Tries::default()) > 1
    }

    /// What a call that begins keeps of its request and takes with it, if there can be another
    /// attempt.
    #[inline]
    pub(crate) fn keep<Req, Res, E, S, A>(
        &self,
        request: &Req,
        about: &P::About,
        with: impl FnOnce() -> (S, A),
    ) -> Option<Box<Kept<Req, S, A>>>
    where
        P: Protocol<Req, Res, E>,
    {
        let may_be_kept = self.may_go_on()
            && self.protocol.may_repeat(about)
            && self.protocol.copies(request) != Copies::Never;
        if !may_be_kept {
            return None;
        }
        let mut kept = Box::<Kept<Req, S, A>>::default();
        kept.with = Some(With::new(with()));
        kept.request = self.protocol.copy(request);
        kept.request.is_some().then_some(kept)
    }

    /// The first attempt of a call that cannot have another has ended.
    #[inline(always)]
    pub(crate) fn explains(&self, scope: Scope, ending: &Ending, beneath: Beneath) {
        let mut course = Course::default();
        self.ended(&mut course, scope, ending, beneath);
        let end = self.end(&course, false, ending);
        if let Some(why) = self.settings.stops(&mut course.tries, end) {
            self.stopped(&course, why);
        }
    }

    /// Tells of the end of an attempt, unless a driver further in has told of so many that it made.
    #[inline]
    fn ended(&self, course: &mut Course, scope: Scope, ending: &Ending, beneath: Beneath) {
        let (outcome, told) = (ending.outcome(), beneath.told);
        if told == 0 {
            tell(Event::Ended { attempt: course.next(scope), outcome, took: None });
        }
        course.was_sent |= beneath.was_sent(outcome);
        course.beneath = course.beneath.saturating_add(told.saturating_sub(1));
    }

    /// What the end of an attempt says, which `tries` has not been told of. Without a copy not even
    /// a refusal can be waited out, since the request went with the attempt; of the last attempt
    /// there never is one.
    #[inline]
    fn end(&self, course: &Course, is_kept: bool, ending: &Ending) -> Ended {
        if ending.for_drivers() == Outcome::Success {
            return Ended::new(Outcome::Success); // the way of nearly every call
        }
        let is_last = self.settings.attempts_left(&course.tries) <= 1;
        if is_kept || is_last { ending.for_retry() } else { without_copy(ending) }
    }

    /// Tells why there is no further attempt, and whoever stands outside that all is told.
    #[inline]
    pub(super) fn stopped(&self, course: &Course, why: Stop) {
        let (layer, name, attempts) = (LAYER, self.name.as_deref(), course.attempts());
        if why != Stop::Succeeded {
            tell(Event::NotRetried { layer, name, attempts, why });
        }
        scope::has_told(attempts, course.was_sent);
    }

    /// An attempt has ended, of which there is this copy, and this was learnt of it: whether there is
    /// another, when, and paid from what.
    #[inline]
    pub(super) fn next<Req, Res, E, A>(
        &self,
        course: &mut Course,
        scope: Scope,
        account: &A,
        copy: Option<&Req>,
        ending: &Ending,
        beneath: Beneath,
    ) -> Option<Again<A::Paid>>
    where
        P: Protocol<Req, Res, E>,
        A: Account,
    {
        self.ended(course, scope, ending, beneath);
        // A copy of a stream may have become useless while the attempt read it.
        let copy = copy.filter(|copy| self.protocol.copies(copy) != Copies::Never);
        let end = self.end(course, copy.is_some(), ending);
        if let Some(why) = self.settings.stops(&mut course.tries, end) {
            self.stopped(course, why);
            return None;
        }
        self.again(course, scope, account, end)
    }

    /// There may be another, if there is time for it, and something to pay with.
    #[cold]
    fn again<A: Account>(
        &self,
        course: &mut Course,
        scope: Scope,
        account: &A,
        end: Ended,
    ) -> Option<Again<A::Paid>> {
        let now = clock::now();
        let wait = match self.wait(course, scope, end, now) {
            Step::Wait(wait) => wait,
            Step::Return(why) => {
                self.stopped(course, why);
                return None;
            }
        };
        // What an attempt was paid with that was refused has been refunded, so the next one pays.
        let paid = if course.was_sent { budget::withdraw(account) } else { None };
        if course.was_sent && paid.is_none() {
            self.stopped(course, Stop::NoBudget);
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

#[inline]
fn without_copy(ending: &Ending) -> Ended {
    ending.for_retry().repeat(Repeat::Forbidden).asked(Duration::ZERO)
}

impl fmt::Debug for Course {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Course").field("tries", &self.tries).finish_non_exhaustive()
    }
}
