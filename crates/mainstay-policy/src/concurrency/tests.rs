use super::*;

fn slots(limit: u32) -> Slots {
    Slots::new(Concurrency::limit(limit)).unwrap()
}

fn granted(entry: Entry) -> Slot {
    match entry {
        Entry::Granted(slot) => slot,
        Entry::Queued(_) | Entry::Full => panic!("{entry:?}"),
    }
}

fn queued(entry: Entry) -> Waiting {
    match entry {
        Entry::Queued(waiting) => waiting,
        Entry::Granted(_) | Entry::Full => panic!("{entry:?}"),
    }
}

fn claimed(claim: Claim) -> (Slot, Wake) {
    match claim {
        Claim::Granted(slot, wake) => (slot, wake),
        Claim::NotYet(_) => panic!("{claim:?}"),
    }
}

fn not_yet(claim: Claim) -> Waiting {
    match claim {
        Claim::NotYet(waiting) => waiting,
        Claim::Granted(..) => panic!("{claim:?}"),
    }
}

#[test]
fn a_slot_that_comes_back_is_the_first_waiters_and_no_newcomers() {
    let slots = slots(1);
    let slot = granted(slots.enter());
    let waiting = queued(slots.enter());
    let waiting = not_yet(slots.claim(waiting));
    assert_eq!(slots.leave(slot), Wake::First);
    assert_eq!(slots.try_enter(), None);
    let (slot, wake) = claimed(slots.claim(waiting));
    assert_eq!(wake, Wake::Nobody);
    assert_eq!(slots.leave(slot), Wake::Nobody);
    assert_eq!(slots.at_rest_from(), Some(Moment::MIN));
    assert!(slots.try_enter().is_some());
    assert_eq!(slots.at_rest_from(), None);
}

#[test]
fn a_waiter_that_gives_up_passes_its_waking_on() {
    let slots = slots(1);
    let slot = granted(slots.enter());
    let [first, second, third] = [(); 3].map(|()| queued(slots.enter()));
    assert_eq!(slots.give_up(first), Wake::Nobody); // nothing is free
    assert_eq!(slots.leave(slot), Wake::First);
    assert_eq!(slots.at_rest_from(), None);
    assert_eq!(slots.give_up(second), Wake::First);
    assert_eq!(slots.give_up(third), Wake::Nobody); // nobody waits
    assert_eq!(slots.at_rest_from(), Some(Moment::MIN));
}

#[test]
fn the_queue_has_an_end() {
    let slots = Slots::new(Concurrency::limit(1).max_waiting(2)).unwrap();
    let _slot = granted(slots.enter());
    let [first, _second] = [(); 2].map(|()| queued(slots.enter()));
    assert_eq!(slots.enter(), Entry::Full);
    assert_eq!(slots.give_up(first), Wake::Nobody);
    let _third = queued(slots.enter());
}

#[test]
fn a_look_says_what_a_newcomer_would_find() {
    let slots = Slots::new(Concurrency::limit(1).max_waiting(1)).unwrap();
    assert_eq!(slots.peek(), Vacancy::Slot);
    let slot = granted(slots.enter());
    assert_eq!(slots.peek(), Vacancy::Queue);
    let waiting = queued(slots.enter());
    assert_eq!(slots.peek(), Vacancy::Full);
    assert_eq!(slots.leave(slot), Wake::First);
    assert_eq!(slots.peek(), Vacancy::Full); // the slot is another's
    let _slot = claimed(slots.claim(waiting));
    assert_eq!(slots.peek(), Vacancy::Queue);
}

#[test]
fn a_change_moves_the_end_of_the_queue_and_sends_nobody_away() {
    let slots = Slots::new(Concurrency::limit(1).max_waiting(1)).unwrap();
    let _slot = granted(slots.enter());
    let first = queued(slots.enter());
    assert_eq!(slots.enter(), Entry::Full);
    assert_eq!(slots.change(Concurrency::limit(1).max_waiting(2)), Ok(Wake::Nobody));
    let _second = queued(slots.enter());
    assert_eq!(slots.change(Concurrency::limit(2).max_waiting(0)), Ok(Wake::First));
    assert_eq!(claimed(slots.claim(first)).1, Wake::Nobody);
    let before = SlotsSnapshot { in_use: 2, waiting: 1, limit: 2 };
    assert_eq!(slots.snapshot(), before);

    let error = slots.change(Concurrency::limit(0).max_waiting(7)).unwrap_err().to_string();
    assert_eq!(error, "`limit` is 0, but must be at least 1");
    assert_eq!((slots.snapshot(), slots.enter()), (before, Entry::Full));
}

#[test]
fn a_higher_limit_lets_waiters_in_one_waking_the_next() {
    let slots = slots(1);
    let _slot = granted(slots.enter());
    let [second, third] = [(); 2].map(|()| queued(slots.enter()));
    assert_eq!(slots.resize(3), Ok(Wake::First));
    let (_second, wake) = claimed(slots.claim(second));
    assert_eq!(wake, Wake::First);
    let (_third, wake) = claimed(slots.claim(third));
    assert_eq!(wake, Wake::Nobody);
    let expected = SlotsSnapshot { in_use: 3, waiting: 0, limit: 3 };
    assert_eq!(slots.snapshot(), expected);
}

#[test]
fn a_lower_limit_lets_nobody_in_until_enough_have_left() {
    let slots = slots(3);
    let [one, two, three] = [(); 3].map(|()| granted(slots.enter()));
    assert_eq!(slots.resize(1), Ok(Wake::Nobody));
    let waiting = queued(slots.enter());
    assert_eq!(slots.leave(one), Wake::Nobody);
    assert_eq!(slots.leave(two), Wake::Nobody);
    let waiting = not_yet(slots.claim(waiting));
    assert_eq!(slots.leave(three), Wake::First);
    assert_eq!(claimed(slots.claim(waiting)).1, Wake::Nobody);
}

#[test]
fn a_limit_that_cannot_be_is_refused_and_changes_nothing() {
    let slots = slots(3);
    let error = slots.resize(0).unwrap_err().to_string();
    assert_eq!(error, "`limit` is 0, but must be at least 1");
    assert_eq!(slots.snapshot().limit, 3);
    assert!(Slots::new(Concurrency::limit(0)).is_err());
}
