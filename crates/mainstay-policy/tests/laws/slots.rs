use mainstay_policy::concurrency::{Claim, Concurrency, Entry, Slot, Slots, Wake};
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
        let (mut limit, mut waiting, mut woken) = (limit, 0, false);
        for step in steps {
            let room = inside.len() < limit as usize;
            let mut told = Wake::Nobody;
            match step {
                Step::Enter => match slots.enter() {
                    Entry::Granted(slot) => {
                        prop_assert!(room && waiting == 0);
                        inside.push(slot);
                    }
                    Entry::Queued => {
                        prop_assert!(waiting < max_waiting && (!room || waiting > 0));
                        waiting += 1;
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
                Step::Claim if waiting > 0 => match slots.claim() {
                    Claim::Granted(slot, wake) => {
                        prop_assert!(room);
                        waiting -= 1;
                        woken = false;
                        told = wake;
                        inside.push(slot);
                    }
                    Claim::NotYet => prop_assert!(!room),
                },
                Step::GiveUp if waiting > 0 => {
                    waiting -= 1;
                    woken = false;
                    told = slots.give_up();
                }
                Step::Claim | Step::GiveUp => {}
                Step::Resize(new) => {
                    limit = new;
                    told = slots.resize(new).unwrap();
                }
            }
            woken |= told == Wake::First;
            let snapshot = slots.snapshot();
            prop_assert_eq!(snapshot.in_use as usize, inside.len());
            prop_assert_eq!((snapshot.waiting, snapshot.limit), (waiting, limit));
            prop_assert_eq!(slots.is_at_rest(), inside.is_empty() && waiting == 0);
            let owed = inside.len() < limit as usize && waiting > 0;
            prop_assert!(!owed || woken, "a slot is free and the first waiter sleeps");
        }
    }
}
