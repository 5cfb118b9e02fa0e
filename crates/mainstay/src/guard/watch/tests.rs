use super::*;
use crate::breaker::BreakerState::{self, Closed, HalfOpen, Open};

fn changed(watch: &Watch<BreakerState>, to: BreakerState) {
    watch.changed("circuit breaker", None, to, || to);
}

#[test]
fn who_watches_sees_the_state_that_is_and_each_that_it_looks_at() {
    let watch = Watch::default();
    changed(&watch, Open);
    let mut seen = watch.receiver(|| Open);
    assert_eq!(*seen.borrow_and_update(), Open);
    assert!(!seen.has_changed().unwrap());
    changed(&watch, HalfOpen);
    assert!(seen.has_changed().unwrap());
    changed(&watch, Closed);
    assert_eq!(*seen.borrow_and_update(), Closed);
    assert_eq!(*watch.receiver(|| Closed).borrow(), Closed);
}

#[test]
fn a_change_that_is_told_late_leaves_the_state_that_is() {
    let watch = Watch::default();
    let mut seen = watch.receiver(|| Closed);
    watch.changed("circuit breaker", None, HalfOpen, || HalfOpen);
    assert_eq!(*seen.borrow_and_update(), HalfOpen);
    watch.changed("circuit breaker", None, Open, || HalfOpen);
    assert!(!seen.has_changed().unwrap(), "it has been open, and was told so too late");
}

#[test]
fn a_change_before_anybody_watches_is_not_lost_to_the_first_who_does() {
    let watch = Watch::default();
    let mut reads = [Open, Closed].into_iter();
    let reads = std::cell::RefCell::new(&mut reads);
    // It closes between the first look, which the sender is made with, and its being there.
    let seen = watch.receiver(|| reads.borrow_mut().next().unwrap());
    assert_eq!(*seen.borrow(), Closed);
}
