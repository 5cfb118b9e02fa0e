use std::collections::VecDeque;

use mainstay_policy::concurrency::{
    Claim, Concurrency, Entry, Slot, Slots, Vacancy, Waiting, Wake,
};
use proptest::prelude::*;

use crate::cases;

#[derive(Clone, Copy, Debug)]
enum Step {
    Enter,
    TryEnter,
    Leave,
    Claim,
    GiveUp,
    Resize(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Enter),
        1 => Just(Step::TryEnter),
        4 => Just(Step::Leave),
        4 => Just(Step::Claim),
        1 => Just(Step::GiveUp),
        1 => (1..6_u32).prop_map(Step::Resize),
    ]
}

proptest! {
    #![proptest_config(cases(1_000))]

    /// Never more in than the limit lets in, nobody past a waiter, and no free slot that a waiter
    /// has not been woken for.
    #[test]
    fn slots_are_a_count_and_a_queue(
        limit in 1..6_u32,
        max_waiting in 0..5_u32,
        steps in prop::collection::vec(step(), 1..200),
    ) {
        let slots = Slots::new(Concurrency::limit(limit).max_waiting(max_waiting)).unwrap();
        let mut inside: Vec<Slot> = Vec::new();
        let mut queue: VecDeque<Waiting> = VecDeque::new();
        let (mut limit, mut woken) = (limit, false);
        for step in steps {
            let room = inside.len() < limit as usize;
            let waiting = u32::try_from(queue.len()).unwrap();
            let mut told = Wake::Nobody;
            let vacancy = match (room, waiting) {
                (true, 0) => Vacancy::Slot,
                (_, waiting) if waiting < max_waiting => Vacancy::Queue,
                _ => Vacancy::Full,
            };
            prop_assert_eq!(slots.peek(), vacancy);
            match step {
                Step::Enter => match slots.enter() {
                    Entry::Granted(slot) => {
                        prop_assert!(room && waiting == 0);
                        inside.push(slot);
                    }
                    Entry::Queued(place) => {
                        prop_assert!(waiting < max_waiting && (!room || waiting > 0));
                        queue.push_back(place);
                    }
                    Entry::Full => {
                        prop_assert!(waiting == max_waiting && (!room || waiting > 0));
                    }
                },
                Step::TryEnter => {
                    let slot = slots.try_enter();
                    prop_assert_eq!(slot.is_some(), room && waiting == 0);
                    inside.extend(slot);
                }
                Step::Leave => {
                    if let Some(slot) = inside.pop() {
                        told = slots.leave(slot);
                    }
                }
                Step::Claim => match queue.pop_front().map(|first| slots.claim(first)) {
                    Some(Claim::Granted(slot, wake)) => {
                        prop_assert!(room);
                        woken = false;
                        told = wake;
                        inside.push(slot);
                    }
                    Some(Claim::NotYet(first)) => {
                        prop_assert!(!room);
                        queue.push_front(first);
                    }
                    None => {}
                },
                Step::GiveUp => {
                    if let Some(first) = queue.pop_front() {
                        woken = false;
                        told = slots.give_up(first);
                    }
                }
                Step::Resize(new) => {
                    limit = new;
                    told = slots.resize(new).unwrap();
                }
            }
            woken |= told == Wake::First;
            let snapshot = slots.snapshot();
            prop_assert_eq!(snapshot.in_use as usize, inside.len());
            prop_assert_eq!((snapshot.waiting as usize, snapshot.limit), (queue.len(), limit));
            let empty = inside.is_empty() && queue.is_empty();
            prop_assert_eq!(slots.at_rest_from().is_some(), empty);
            let owed = inside.len() < limit as usize && !queue.is_empty();
            prop_assert!(!owed || woken, "a slot is free and the first waiter sleeps");
        }
    }
}
