//! What layers further out tell those further in, whatever the type of the request.
//!
//! A deadline that stands outside of a guard has no place in the request to put the time that is
//! left: an insertion into a request's extensions allocates, and not every request has some. So it
//! is set for the thread around every call and poll of what lies beneath, and set back after. It
//! does not cross a spawned task.
//!
//! The other way round go marks: whoever polls an attempt learns whether it still stands in a queue
//! of ours, how many attempts a driver further in has made of it, and whether any was sent.
//!
//! Nothing tells a call that is made inside of an attempt, such as one for a token, from a further
//! part of the attempt: it has the attempt's number, and beneath a second attempt it pays into no
//! budget.

mod alarm;
mod beneath;

use std::cell::Cell;
use std::ptr;
use std::task::{Context, RawWakerVTable};

use mainstay_policy::{Moment, Outcome};

pub(crate) use alarm::{rings, wakes_at};
pub(crate) use beneath::Beneath;

/// What holds for whatever is called or polled now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Scope {
    /// When the call's time is over.
    pub(crate) until: Moment,
    /// Which attempt of its call it is, from 1.
    pub(crate) attempt: u32,
    /// The account that the nearest driver further out has paid into for the call; 0 for none.
    pub(crate) account: usize,
}

thread_local! {
    static HERE: Cell<Scope> = const { Cell::new(Scope::OUTSIDE) };
    static WATCHED: Cell<Watched> = const { Cell::new(Watched::BY_NOBODY) };
    static TIME_IS_OVER: Cell<bool> = const { Cell::new(false) };
    /// How often something was polled that stands in a queue.
    static QUEUED: Cell<u32> = const { Cell::new(0) };
}

/// When something is ended, and whom the timer for that wakes.
#[derive(Clone, Copy)]
struct Watched {
    until: Moment,
    wakes: Wakes,
}

impl Watched {
    const BY_NOBODY: Self = Self { until: Moment::MAX, wakes: (ptr::null(), ptr::null()) };
}

/// What tells one waker from another; it is compared and never followed.
type Wakes = (*const (), *const RawWakerVTable);

#[inline]
fn wakes(cx: &Context<'_>) -> Wakes {
    (cx.waker().data(), ptr::from_ref(cx.waker().vtable()))
}

/// What is polled here stands in a queue.
pub(crate) fn is_queued() {
    Beneath { is_queued: true, ..Beneath::here() }.learnt();
    QUEUED.set(QUEUED.get().wrapping_add(1));
}

/// A number that is another one after a poll if what was polled stands in a queue of ours. Unlike
/// who polls an [`attempt`], who asks for this leaves it to those further out to learn it too.
#[inline]
pub(crate) fn queued() -> u32 {
    QUEUED.get()
}

/// What is polled here ends, and the ends of so many attempts of it have been told, of which
/// something was sent or nothing at all.
#[inline]
pub(crate) fn has_told(attempts: u32, was_sent: bool) {
    Beneath { told: attempts, was_sent, ..Beneath::here() }.learnt();
}

/// Polls an attempt, and says what was learnt of it. Who stands outside learns none of this: it is
/// for whoever polls here to say.
#[inline]
pub(crate) fn attempt<T>(poll: impl FnOnce() -> T) -> (T, Beneath) {
    let before = Outside::leaves();
    let polled = poll();
    let beneath = Beneath::here();
    drop(before);
    (polled, beneath)
}

/// What had been learnt outside, which nothing further in adds to.
struct Outside(Beneath, u32);

impl Outside {
    #[inline]
    fn leaves() -> Self {
        Self(Beneath::NOTHING.replaces(), QUEUED.get())
    }
}

impl Drop for Outside {
    #[inline]
    fn drop(&mut self) {
        self.0.learnt();
        QUEUED.set(self.1);
    }
}

/// Polls what belongs to none of those who wait for it: no deadline and no timer of theirs holds
/// for it, and nothing is learnt of it.
pub(crate) fn apart<T>(poll: impl FnOnce() -> T) -> T {
    let _before = Unwatched(WATCHED.replace(Watched::BY_NOBODY));
    attempt(|| Scope::OUTSIDE.around(poll)).0
}

/// When somebody who polls this ends it, by a timer of their own: further in none is needed for the
/// same end or a later one.
///
/// It is apart from [`Scope`], because who captures a scope and sets it elsewhere sets no timer. What
/// is polled with a waker of its own, as what many calls share or what blocks a thread is, may be
/// woken and go on where nobody watches any more.
#[inline]
pub(crate) fn watched(cx: &Context<'_>) -> Moment {
    let watched = WATCHED.get();
    if watched.wakes == wakes(cx) { watched.until } else { Moment::MAX }
}

/// Polls something that is ended then, if it is pending.
#[inline]
pub(crate) fn watching<T>(
    until: Moment,
    cx: &mut Context<'_>,
    poll: impl FnOnce(&mut Context<'_>) -> T,
) -> T {
    let watched = Watched { until: watched(cx).min(until), wakes: wakes(cx) };
    let _before = Unwatched(WATCHED.replace(watched));
    poll(cx)
}

struct Unwatched(Watched);

impl Drop for Unwatched {
    #[inline]
    fn drop(&mut self) {
        WATCHED.set(self.0);
    }
}

/// All that holds while an attempt is polled: its scope, somebody who watches its time, and nothing
/// learnt of it yet.
#[inline]
pub(crate) fn polling(scope: Scope, cx: &Context<'_>) -> Polling {
    let watched = Watched { until: watched(cx).min(scope.until), wakes: wakes(cx) };
    Polling {
        _watched: Unwatched(WATCHED.replace(watched)),
        _outside: Outside::leaves(),
        _before: scope.holds(),
    }
}

/// What held before holds again after its drop.
pub(crate) struct Polling {
    _watched: Unwatched,
    _outside: Outside,
    _before: Before,
}

impl Polling {
    /// The poll is over, and this was learnt.
    #[inline]
    pub(crate) fn ends(self) -> Beneath {
        Beneath::here()
    }
}

/// Drops what has run out of time: whoever is dropped with it was not given up, but timed out.
pub(crate) fn run_out(drop: impl FnOnce()) {
    let _before = TimeIsOver(TIME_IS_OVER.replace(true));
    drop();
}

/// What the drop of an attempt says: that it timed out, where one of our timers drops it and it does
/// not stand in a queue of ours.
pub(crate) fn dropped(is_queued: bool) -> Outcome {
    match TIME_IS_OVER.get() && !is_queued {
        true => Outcome::Transient,
        false => Outcome::Abandoned,
    }
}

struct TimeIsOver(bool);

impl Drop for TimeIsOver {
    fn drop(&mut self) {
        TIME_IS_OVER.set(self.0);
    }
}

impl Scope {
    /// Beneath no layer of ours: all the time there is, and the first attempt.
    pub(crate) const OUTSIDE: Self = Self { until: Moment::MAX, attempt: 1, account: 0 };

    /// What holds here.
    #[inline]
    pub(crate) fn current() -> Self {
        HERE.get()
    }

    /// The same, but with an end that is no later than this.
    #[inline]
    pub(crate) fn until(self, until: Moment) -> Self {
        Self { until: self.until.min(until), ..self }
    }

    /// The same for another attempt.
    pub(crate) const fn attempt(self, attempt: u32) -> Self {
        Self { attempt, ..self }
    }

    /// The same for a call that has paid into this account.
    pub(crate) const fn account(self, account: usize) -> Self {
        Self { account, ..self }
    }

    /// Runs something for which this holds; what held before holds again after, also if it panics.
    #[inline]
    pub(crate) fn around<T>(self, run: impl FnOnce() -> T) -> T {
        let _before = self.holds();
        run()
    }

    /// Until the drop of this it holds.
    #[inline]
    pub(crate) fn holds(self) -> Before {
        Before(HERE.replace(self))
    }
}

/// What held before holds again after its drop.
#[must_use = "dropped at once, it holds for nothing"]
pub(crate) struct Before(Scope);

impl Drop for Before {
    #[inline]
    fn drop(&mut self) {
        HERE.set(self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;
    use std::task::{Wake, Waker};
    use std::time::Duration;

    use super::*;

    fn at(secs: u64) -> Moment {
        Moment::ORIGIN + Duration::from_secs(secs)
    }

    #[test]
    fn what_is_further_in_sees_the_nearer_end_and_what_comes_after_sees_the_old_one() {
        Scope::current().until(at(5)).around(|| {
            assert_eq!(Scope::current().until, at(5));
            Scope::current().until(at(9)).attempt(2).account(7).around(|| {
                assert_eq!(Scope::current(), Scope { until: at(5), attempt: 2, account: 7 });
            });
            assert_eq!(Scope::current(), Scope::OUTSIDE.until(at(5)));
        });
        assert_eq!(Scope::current(), Scope::OUTSIDE);
    }

    #[test]
    fn a_panic_leaves_nothing_behind() {
        let scope = Scope::current().until(at(5));
        assert!(catch_unwind(|| scope.around(|| panic!("inside"))).is_err());
        assert_eq!(Scope::current(), Scope::OUTSIDE);
        let mut cx = Context::from_waker(Waker::noop());
        let watching = AssertUnwindSafe(|| watching(at(5), &mut cx, |_| panic!("inside")));
        assert!(catch_unwind(watching).is_err());
        assert_eq!(watched(&cx), Moment::MAX);
        assert!(catch_unwind(|| run_out(|| panic!("inside"))).is_err());
        assert_eq!(dropped(false), Outcome::Abandoned);
    }

    #[test]
    fn a_scope_that_is_set_elsewhere_brings_no_timer_along() {
        let mut cx = Context::from_waker(Waker::noop());
        watching(at(5), &mut cx, |cx| {
            watching(at(9), cx, |cx| assert_eq!(watched(cx), at(5)));
            assert_eq!(Scope::current(), Scope::OUTSIDE);
        });
        Scope::current().until(at(5)).around(|| assert_eq!(watched(&cx), Moment::MAX));
    }

    #[test]
    fn what_wakes_somebody_else_is_watched_by_nobody() {
        struct Other;
        impl Wake for Other {
            fn wake(self: Arc<Self>) {}
        }
        let (one, other) = (Waker::from(Arc::new(Other)), Waker::from(Arc::new(Other)));
        watching(at(5), &mut Context::from_waker(&one), |cx| {
            assert_eq!(watched(&Context::from_waker(&one.clone())), at(5));
            assert_eq!(watched(&Context::from_waker(&other)), Moment::MAX);
            watching(at(9), &mut Context::from_waker(&other), |cx| assert_eq!(watched(cx), at(9)));
            assert_eq!(watched(cx), at(5));
        });
    }

    #[test]
    fn who_is_dropped_for_want_of_time_has_timed_out_unless_nothing_was_sent() {
        assert_eq!([false, true].map(dropped), [Outcome::Abandoned; 2]);
        run_out(|| {
            assert_eq!([false, true].map(dropped), [Outcome::Transient, Outcome::Abandoned]);
        });
        assert_eq!(dropped(false), Outcome::Abandoned);
    }

    #[test]
    fn that_something_stands_in_a_queue_is_learnt_by_all_further_out_and_by_nobody_beside() {
        let ((), beneath) = attempt(|| {
            let before = queued();
            is_queued();
            let beside = queued();
            assert_ne!(beside, before);
            attempt(is_queued);
            assert_eq!(queued(), beside, "it is for whoever polls it to say");
        });
        assert!(beneath.is_queued);
    }

    #[test]
    fn what_belongs_to_nobody_has_no_end_and_no_timer() {
        let within = || {
            is_queued();
            has_told(3, true);
            (Scope::current(), watched(&Context::from_waker(Waker::noop())))
        };
        let scope = Scope::current().until(at(5)).attempt(2);
        let mut cx = Context::from_waker(Waker::noop());
        let (seen, learnt) =
            attempt(|| scope.around(|| watching(at(5), &mut cx, |_| apart(within))));
        assert_eq!(seen, (Scope::OUTSIDE, Moment::MAX));
        assert_eq!(learnt, Beneath::NOTHING);
        assert_eq!(watched(&cx), Moment::MAX);
    }

    #[test]
    fn who_polls_an_attempt_learns_of_it_and_nobody_else_does() {
        let (inner, outer) = attempt(|| {
            let ((), inner) = attempt(is_queued);
            has_told(2, true);
            inner
        });
        assert_eq!(inner, Beneath { is_queued: true, ..Beneath::NOTHING });
        assert_eq!(outer, Beneath { told: 2, was_sent: true, ..Beneath::NOTHING });
        assert_eq!(attempt(|| ()).1, Beneath::NOTHING);

        let panics = || -> () {
            is_queued();
            panic!("inside")
        };
        assert!(catch_unwind(|| attempt(panics)).is_err());
        assert_eq!(Beneath::here(), Beneath::NOTHING);
    }
}
