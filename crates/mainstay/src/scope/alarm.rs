//! The one timer of a call, for whoever stands in a queue within it.
//!
//! Who stands in a queue has an end of its own, and a timer for each would be most of what a short
//! wait costs. So whoever polls a queue and has a timer says so, and is told when to poll again.

use std::cell::Cell;
use std::task::Context;

use mainstay_policy::Moment;

use super::{Watched, wakes};

thread_local! {
    static ALARM: Cell<Watched> = const { Cell::new(Watched::BY_NOBODY) };
}

/// Polls something that is polled again at this moment, or before, if it is told to be by then.
#[inline]
pub(crate) fn rings<T>(
    at: &mut Moment,
    cx: &mut Context<'_>,
    poll: impl FnOnce(&mut Context<'_>) -> T,
) -> T {
    let alarm = Watched { until: *at, wakes: wakes(cx) };
    let _before = Before(ALARM.replace(alarm));
    let polled = poll(cx);
    *at = ALARM.get().until;
    polled
}

/// Whether who is polled here is polled again at this moment; else it needs a timer of its own. As
/// with a time that is [watched](super::watched), that holds for one waker only.
#[inline]
pub(crate) fn wakes_at(moment: Moment, cx: &Context<'_>) -> bool {
    let Watched { until, wakes: who } = ALARM.get();
    let is_heard = who == wakes(cx);
    if is_heard {
        ALARM.set(Watched { until: until.min(moment), wakes: who });
    }
    is_heard
}

struct Before(Watched);

impl Drop for Before {
    #[inline]
    fn drop(&mut self) {
        ALARM.set(self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;
    use std::task::{Wake, Waker};
    use std::time::Duration;

    use super::*;

    struct Other;

    impl Wake for Other {
        fn wake(self: Arc<Self>) {}
    }

    fn at(secs: u64) -> Moment {
        Moment::ORIGIN + Duration::from_secs(secs)
    }

    #[test]
    fn who_has_the_timer_hears_of_the_earliest_who_asks_for_it() {
        let mut cx = Context::from_waker(Waker::noop());
        let mut alarm = Moment::MAX;
        rings(&mut alarm, &mut cx, |cx| {
            assert!(wakes_at(at(5), cx) && wakes_at(at(3), cx) && wakes_at(at(9), cx));
        });
        assert_eq!(alarm, at(3));
        rings(&mut alarm, &mut cx, |_| ());
        assert_eq!(alarm, at(3));
        assert!(!wakes_at(at(5), &cx));
    }

    #[test]
    fn who_is_woken_by_another_waker_needs_a_timer_of_its_own() {
        let (one, other) = (Waker::from(Arc::new(Other)), Waker::from(Arc::new(Other)));
        let mut alarm = Moment::MAX;
        rings(&mut alarm, &mut Context::from_waker(&one), |cx| {
            assert!(!wakes_at(at(5), &Context::from_waker(&other)));
            assert!(wakes_at(at(7), cx));
        });
        assert_eq!(alarm, at(7));
    }

    #[test]
    fn a_panic_leaves_no_alarm_behind() {
        let mut cx = Context::from_waker(Waker::noop());
        let ringing = AssertUnwindSafe(|| rings(&mut { at(5) }, &mut cx, |_| panic!("inside")));
        assert!(catch_unwind(ringing).is_err());
        assert!(!wakes_at(at(5), &cx));
    }
}
