//! How many requests a call has sent.
//!
//! Between a call and its transport stand layers that know nothing of it, so the transport counts in
//! the thread: whatever it is asked to send, it is asked while the call is made or polled.

use std::cell::Cell;

thread_local! {
    static SENT: Cell<u32> = const { Cell::new(0) };
}

/// One more is sent.
#[inline]
pub(super) fn one_more() {
    SENT.set(SENT.get().saturating_add(1));
}

/// Runs a part of a call, and adds what it sends. A call within another counts for itself alone.
#[inline]
pub(super) fn counted<T>(sent: &mut u32, run: impl FnOnce() -> T) -> T {
    let within = Within { sent, before: SENT.replace(0) };
    let done = run();
    drop(within);
    done
}

/// Dropped also where something unwinds.
struct Within<'a> {
    sent: &'a mut u32,
    before: u32,
}

impl Drop for Within<'_> {
    #[inline]
    fn drop(&mut self) {
        *self.sent = self.sent.saturating_add(SENT.replace(self.before));
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn each_call_counts_what_it_sends_itself() {
        let (mut outer, mut inner) = (0, 0);
        counted(&mut outer, || {
            one_more();
            counted(&mut inner, || (one_more(), one_more()));
        });
        counted(&mut outer, one_more);
        assert_eq!((outer, inner), (2, 2));
    }

    #[test]
    fn what_was_sent_before_a_panic_counts_and_nothing_is_left_behind() {
        let mut sent = 0;
        let run = || -> () {
            one_more();
            panic!("inside");
        };
        assert!(catch_unwind(AssertUnwindSafe(|| counted(&mut sent, run))).is_err());
        assert_eq!((sent, SENT.get()), (1, 0));
    }
}
