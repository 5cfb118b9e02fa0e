#![expect(clippy::cast_possible_truncation, reason = "there are few inputs")]

use std::collections::{BTreeMap, BTreeSet};

use mainstay_policy::batch::{End, Ended, Held, Schedule, Scheduler, Start, Turn, Until};
use proptest::prelude::*;

use crate::{at, cases, ms};

/// What happens between two rounds of questions.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// One of those that run ends, by its place among them.
    End(usize),
    /// Time passes.
    Pass(u64),
    /// A host is not to be asked for so long.
    Block(u8, u64),
    /// So many of a host may run at once from now on.
    Slots(u8, usize),
    /// The inputs pause, or go on.
    Pause(bool),
    /// A result is given out, if there is one.
    Yield,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => any::<usize>().prop_map(Step::End),
        2 => (0..30_u64).prop_map(Step::Pass),
        1 => (0..4_u8, 1..60_u64).prop_map(|(key, time)| Step::Block(key, time)),
        1 => (0..4_u8, 1..5_usize).prop_map(|(key, slots)| Step::Slots(key, slots)),
        1 => any::<bool>().prop_map(Step::Pause),
        4 => Just(Step::Yield),
    ]
}

/// A batch beside all that is known of it, in plain lists.
struct World {
    batch: Scheduler<u8>,
    keys: std::vec::IntoIter<u8>,
    pauses: bool,
    blocked: BTreeMap<u8, u64>,
    slots: BTreeMap<u8, usize>,
    /// Until when each was said to be blocked, last.
    told: BTreeMap<u8, Until>,
    now: u64,
    key_of: Vec<u8>,
    started: BTreeSet<u64>,
    running: Vec<Start>,
    ended: BTreeSet<u64>,
    yielded: u64,
    /// Of each key, how many were said to wait and to run.
    heard: BTreeMap<u8, (u64, u64)>,
    /// Of keys that could run and have nothing running: how many others were started meanwhile.
    passed_over: BTreeMap<u8, usize>,
}

impl World {
    fn new(settings: Schedule, keys: Vec<u8>) -> Self {
        Self {
            batch: Scheduler::new(settings, at(0)).unwrap(),
            keys: keys.into_iter(),
            pauses: false,
            blocked: BTreeMap::new(),
            slots: BTreeMap::new(),
            told: BTreeMap::new(),
            now: 0,
            key_of: Vec::new(),
            started: BTreeSet::new(),
            running: Vec::new(),
            ended: BTreeSet::new(),
            yielded: 0,
            heard: BTreeMap::new(),
            passed_over: BTreeMap::new(),
        }
    }

    fn runs(&self, key: u8) -> usize {
        self.running.iter().filter(|start| self.key_of[start.input() as usize] == key).count()
    }

    fn waits(&self, key: u8) -> bool {
        let is_waiting = |input: &u64| !self.started.contains(input);
        (0..self.key_of.len() as u64)
            .any(|input| self.key_of[input as usize] == key && is_waiting(&input))
    }

    /// Until when an input of this key would wait.
    fn gate(&self, key: u8) -> Option<Until> {
        match self.blocked.get(&key).filter(|until| **until > self.now) {
            Some(until) => Some(Until::At(at(*until))),
            None if self.runs(key) >= *self.slots.get(&key).unwrap_or(&usize::MAX) => {
                Some(Until::AnEnd)
            }
            None => None,
        }
    }

    /// Whether it knows of no reason not to start the next input of this key.
    fn could_run(&self, key: u8) -> bool {
        let is_told = match self.told.get(&key) {
            Some(Until::At(moment)) => at(self.now) < *moment,
            Some(Until::AnEnd) => true,
            None => false,
        };
        self.waits(key) && !is_told
    }

    /// Asks until there is nothing more to do.
    fn turns(&mut self) -> Result<Turn, TestCaseError> {
        if !self.pauses {
            self.batch.ask_again();
        }
        loop {
            match self.batch.next(at(self.now)) {
                Turn::Pull => match self.pauses {
                    true => self.batch.none_yet(),
                    false => match self.keys.next() {
                        None => self.batch.no_more(),
                        Some(key) => {
                            let input = self.batch.pulled(key);
                            prop_assert_eq!(input, self.key_of.len() as u64);
                            self.key_of.push(key);
                        }
                    },
                },
                Turn::Start(start) => self.start(start)?,
                turn @ (Turn::Wait | Turn::WaitUntil(_) | Turn::Done(_)) => return Ok(turn),
            }
        }
    }

    fn start(&mut self, mut start: Start) -> Result<(), TestCaseError> {
        let input = start.input();
        let key = self.key_of[input as usize];
        let is_next = (0..input)
            .all(|other| self.key_of[other as usize] != key || self.started.contains(&other));
        prop_assert!(is_next, "{input} went past one of its own key");
        if let Some(until) = self.gate(key) {
            start = match self.batch.blocked(start, until) {
                Held::Back => {
                    self.told.insert(key, until);
                    self.passed_over.remove(&key);
                    return Ok(());
                }
                Held::Not(start) => start,
            };
            prop_assert_eq!((until, self.runs(key)), (Until::AnEnd, 0));
        }
        prop_assert!(!self.started.contains(&input), "{input} was started twice");
        self.passed_over.remove(&key);
        for other in 0..4 {
            if other != key && self.runs(other) == 0 && self.could_run(other) {
                *self.passed_over.entry(other).or_default() += 1;
            }
        }
        self.started.insert(input);
        self.running.push(start);
        Ok(())
    }

    /// Hears what is new of each key.
    fn hears(&mut self) {
        let news = self.batch.news().filter_map(|(_, key)| key);
        self.heard.extend(news.map(|key| (key.key, (key.waiting, key.running))));
    }

    /// Of each key, how many wait and run.
    fn counted(&self) -> impl Iterator<Item = (u8, u64, u64)> + '_ {
        (0..4).map(|key| {
            let of_key = |input: &u64| self.key_of[*input as usize] == key;
            let pulled = 0..self.key_of.len() as u64;
            let waits = pulled.filter(of_key).filter(|input| !self.started.contains(input));
            (key, waits.count() as u64, self.runs(key) as u64)
        })
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::End(index) if !self.running.is_empty() => {
                let start = self.running.swap_remove(index % self.running.len());
                let input = start.input();
                self.ended.insert(input);
                let key = self.key_of[input as usize];
                if self.told.get(&key) == Some(&Until::AnEnd) {
                    self.told.remove(&key);
                }
                self.batch.finished(start, if input % 3 == 0 { Ended::Badly } else { Ended::Well });
            }
            Step::End(_) => {}
            Step::Pass(time) => self.now += time,
            Step::Block(key, time) => _ = self.blocked.insert(key, self.now + time),
            Step::Slots(key, slots) => _ = self.slots.insert(key, slots),
            Step::Pause(pauses) => self.pauses = pauses,
            Step::Yield => self.gives_out(),
        }
    }

    fn gives_out(&mut self) {
        if self.ended.contains(&self.yielded) {
            self.yielded += 1;
            self.batch.yielded();
        }
    }
}

proptest! {
    #![proptest_config(cases(400))]

    /// Whatever ends, blocks and pauses in whatever order: each input is started once, in the order
    /// of its key; the bounds hold; no key is passed over for long that could run; and it ends.
    #[test]
    fn every_input_is_started_once_within_the_bounds_and_nobody_starves(
        concurrency in 1..6_u32,
        look_ahead in 1..12_u32,
        more in 0..8_u32,
        in_order in any::<bool>(),
        keys in prop::collection::vec(0..4_u8, 0..40),
        steps in prop::collection::vec(step(), 0..150),
    ) {
        let window = concurrency + more;
        let settings =
            Schedule::new().concurrency(concurrency).look_ahead(look_ahead).window(window);
        let settings = if in_order { settings.in_order() } else { settings };
        let inputs = keys.len();
        let mut world = World::new(settings, keys);
        // In the end all goes well, and for long enough.
        let rest = (0..2 * inputs).flat_map(|_| {
            [Step::Pause(false), Step::End(0), Step::Yield, Step::Pass(9)]
        });
        for step in steps.into_iter().chain(rest) {
            let turn = world.turns()?;
            let waiting = world.key_of.len() - world.started.len();
            prop_assert!(world.running.len() <= concurrency as usize);
            prop_assert!(waiting <= look_ahead as usize);
            if in_order {
                let held = world.key_of.len() as u64 - world.yielded;
                prop_assert!(held <= u64::from(window), "{held} are held");
            }
            prop_assert!(world.passed_over.values().all(|times| *times < 4), "one starves");
            let snapshot = world.batch.snapshot();
            prop_assert_eq!(snapshot.running as usize, world.running.len());
            prop_assert_eq!(snapshot.waiting as usize, waiting);
            world.hears();
            for (key, waits, runs) in world.counted() {
                let told = world.heard.get(&key).copied().unwrap_or_default();
                prop_assert_eq!(told, (waits, runs), "of key {}", key);
            }
            // No place stays empty that an input could take.
            if world.running.len() < concurrency as usize {
                let could = (0..4).find(|key| world.could_run(*key));
                prop_assert_eq!(could, None);
                let is_wanting = waiting < look_ahead as usize && !snapshot.is_held_up;
                let may_come = !world.pauses && world.keys.len() > 0;
                prop_assert!(!is_wanting || !may_come, "it could look further, {turn:?}");
            }
            world.take(step);
        }
        world.pauses = false;
        for _ in 0..10 * inputs {
            world.now += 9;
            world.gives_out();
            let _ = world.turns()?;
            world.take(Step::End(0));
        }
        prop_assert_eq!(world.turns()?, Turn::Done(End::Complete));
        prop_assert!(world.started.into_iter().eq(0..inputs as u64));
    }

    /// However many inputs there are, and whatever their keys: no more is known than look-ahead and
    /// concurrency.
    #[test]
    fn what_it_knows_does_not_grow_with_the_inputs(
        concurrency in 1..20_u32,
        look_ahead in 1..50_u32,
        hosts in 1..200_u64,
        slow in 1..7_u64,
    ) {
        let settings = Schedule::new().concurrency(concurrency).look_ahead(look_ahead);
        let mut batch = Scheduler::new(settings, at(0)).unwrap();
        let mut running = Vec::new();
        for round in 0..500_u64 {
            loop {
                match batch.next(at(round)) {
                    Turn::Pull => _ = batch.pulled((round * 7 + running.len() as u64) % hosts),
                    Turn::Start(start) if start.input() % 11 == 0 => {
                        match batch.blocked(start, Until::At(at(round) + ms(20))) {
                            Held::Not(start) => running.push(start),
                            Held::Back => {}
                        }
                    }
                    Turn::Start(start) => running.push(start),
                    Turn::Wait | Turn::WaitUntil(_) | Turn::Done(_) => break,
                }
            }
            let snapshot = batch.snapshot();
            prop_assert!(snapshot.running <= u64::from(concurrency));
            prop_assert!(snapshot.waiting <= u64::from(look_ahead));
            if round % slow == 0 && !running.is_empty() {
                batch.finished(running.swap_remove(round as usize % running.len()), Ended::Well);
            }
        }
    }
}
