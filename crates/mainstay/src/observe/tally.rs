//! How many attempts beyond the first were sent here, for who polls many calls.

use std::cell::Cell;

use mainstay_policy::Outcome;

use super::Event;

thread_local! {
    static AGAIN: Cell<i64> = const { Cell::new(0) };
}

#[inline]
pub(super) fn note(event: &Event<'_>) {
    match event {
        Event::Again { .. } => AGAIN.set(AGAIN.get().wrapping_add(1)),
        // Nothing was sent.
        Event::Ended { attempt: 2.., outcome: Outcome::Refused, .. } => {
            AGAIN.set(AGAIN.get().wrapping_sub(1));
        }
        _ => {}
    }
}

/// A number that has grown by as many as were sent, whenever it is asked for again.
#[inline]
pub(crate) fn again() -> i64 {
    AGAIN.get()
}
