//! A set that is written in the order in which it is asked when it has to wait: what may have a call
//! wait, then turns, and last what never has one wait.
//!
//! Its guards are simply asked one after the other, and whoever waits polls one of them alone.

use std::future::{Future, poll_fn};
use std::pin::pin;

use super::rounds::Class;
use crate::guard::Guard;

/// Where a guard stands in that order; nowhere, if it is a set, whose guards may stand anywhere.
pub(super) const fn place<Req, G: Guard<Req>>() -> Option<u8> {
    if G::IS_SET {
        return None;
    }
    Some(match Class::of::<Req, G>() {
        Class::Waits => 0,
        Class::GivesTurns => 1,
        Class::NeverWaits => 2,
    })
}

/// Whether none stands before one that is asked earlier.
pub(super) const fn is_in_order(places: &[Option<u8>]) -> bool {
    let (mut at, mut last) = (0, 0);
    while at < places.len() {
        match places[at] {
            Some(place) if place >= last => last = place,
            _ => return false,
        }
        at += 1;
    }
    true
}

/// Waits, and says whether it had to.
pub(super) async fn has_waited<F: Future>(wait: F) -> (F::Output, bool) {
    let (mut wait, mut has_waited) = (pin!(wait), false);
    poll_fn(|cx| {
        let end = wait.as_mut().poll(cx);
        has_waited |= end.is_pending();
        end.map(|end| (end, has_waited))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_single_guards_none_of_which_comes_too_early_are_in_order() {
        assert!(is_in_order(&[Some(0), Some(0), Some(1), Some(2), Some(2)]));
        assert!(is_in_order(&[Some(2), Some(2)]));
        assert!(!is_in_order(&[Some(2), Some(0)]));
        assert!(!is_in_order(&[Some(0), Some(2), Some(1)]));
        assert!(!is_in_order(&[Some(0), None]));
    }
}
