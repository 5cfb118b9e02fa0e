//! Inputs that wait, a lane for each key, and which lane is next.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Ended;
use super::row::{Rank, Row};
use super::snapshot::KeySnapshot;
use crate::moment::Moment;

/// The lanes of all keys that have an input waiting or running, and of some that had.
#[derive(Debug)]
pub(super) struct Lanes<K> {
    numbers: BTreeMap<K, usize>,
    lanes: Vec<Lane<K>>,
    /// Lanes that nobody has, to be used again.
    free: Vec<usize>,
    /// Those that may start an input.
    ready: Row,
    /// Those that are held back until a moment, the earliest first.
    blocked: BTreeSet<(Moment, usize)>,
    /// Those that have changed since somebody asked.
    untold: Vec<usize>,
    busy: usize,
    turns: u64,
    waiting: usize,
}

#[derive(Debug)]
struct Lane<K> {
    /// None while nobody has the lane.
    key: Option<K>,
    waiting: VecDeque<u64>,
    running: u32,
    /// When it came or had its last turn. A newcomer is stamped too, or an endless row of new keys
    /// would always stand before those that wait.
    turn: u64,
    gate: Gate,
    succeeded: u64,
    failed: u64,
    is_untold: bool,
}

/// Whether inputs of a lane may start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Gate {
    Open,
    Until(Moment),
    /// Until one of its own has ended.
    UntilAnEnd,
}

/// Where a lane stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spot {
    Nowhere,
    Ready(Rank),
    Blocked(Moment),
}

/// How many keys are remembered that have no input any more, for what is told of them.
pub(super) const KEPT: usize = 1_024;

impl<K> Default for Lanes<K> {
    fn default() -> Self {
        Self {
            numbers: BTreeMap::new(),
            lanes: Vec::new(),
            free: Vec::new(),
            ready: Row::default(),
            blocked: BTreeSet::new(),
            untold: Vec::new(),
            busy: 0,
            turns: 0,
            waiting: 0,
        }
    }
}

impl<K: Ord + Clone> Lanes<K> {
    /// How many keys have an input waiting or running.
    pub(super) const fn busy(&self) -> usize {
        self.busy
    }

    /// How many inputs wait.
    pub(super) const fn waiting(&self) -> usize {
        self.waiting
    }

    /// An input with this key comes to wait.
    pub(super) fn join(&mut self, key: K, input: u64) {
        let turn = self.turn();
        let number = match self.numbers.get(&key) {
            Some(number) => *number,
            None => self.open(key),
        };
        self.waiting += 1;
        self.change(number, |lane| {
            if !lane.is_busy() {
                lane.turn = turn;
            }
            lane.waiting.push_back(input);
        });
    }

    /// The lane that is next, and how many of its inputs run.
    pub(super) fn next(&self) -> Option<(usize, u32)> {
        self.ready.first().map(|first| (first.lane, first.running))
    }

    /// Starts the first input of this lane.
    pub(super) fn start(&mut self, number: usize) -> Option<u64> {
        let turn = self.turn();
        let input = self.change(number, |lane| {
            let input = lane.waiting.pop_front()?;
            lane.running += 1;
            lane.turn = turn;
            Some(input)
        });
        self.waiting -= usize::from(input.is_some());
        input
    }

    /// How many inputs of this lane run.
    pub(super) fn running(&self, number: usize) -> u32 {
        self.lanes[number].running
    }

    /// An input that was started has not been: it is the first of its lane again, and the gate of
    /// that is closed.
    pub(super) fn hold_back(&mut self, number: usize, input: u64, gate: Gate) {
        self.waiting += 1;
        self.change(number, |lane| {
            lane.running -= 1;
            lane.waiting.push_front(input);
            lane.gate = gate;
        });
    }

    /// An input of this lane has ended.
    pub(super) fn end(&mut self, number: usize, ended: Ended) {
        self.change(number, |lane| {
            lane.running -= 1;
            match ended {
                Ended::Well => lane.succeeded += 1,
                Ended::Badly => lane.failed += 1,
            }
            if lane.gate == Gate::UntilAnEnd {
                lane.gate = Gate::Open;
            }
        });
    }

    /// Opens whatever was held back until now.
    pub(super) fn open_until(&mut self, now: Moment) {
        while let Some((_, number)) = self.blocked.first().filter(|(until, _)| *until <= now) {
            self.change(*number, |lane| lane.gate = Gate::Open);
        }
    }

    /// When the next lane opens by itself.
    pub(super) fn opens(&self) -> Option<Moment> {
        self.blocked.first().map(|(until, _)| *until)
    }

    /// The lanes that have changed since this was asked last, by their numbers; `None` of one that
    /// is forgotten.
    pub(super) fn news(&mut self) -> impl Iterator<Item = (usize, Option<KeySnapshot<K>>)> + '_ {
        let lanes = &mut self.lanes;
        self.untold.drain(..).map(|number| {
            lanes[number].is_untold = false;
            (number, lanes[number].snapshot())
        })
    }

    fn turn(&mut self) -> u64 {
        self.turns += 1;
        self.turns
    }

    fn open(&mut self, key: K) -> usize {
        let number = self.free.pop().unwrap_or_else(|| {
            self.lanes.push(Lane::default());
            self.lanes.len() - 1
        });
        let lane = &mut self.lanes[number];
        lane.key = Some(key.clone());
        (lane.succeeded, lane.failed) = (0, 0);
        self.numbers.insert(key, number);
        number
    }

    /// Changes a lane, and where it stands among the others with it.
    fn change<T>(&mut self, number: usize, change: impl FnOnce(&mut Lane<K>) -> T) -> T {
        let lane = &mut self.lanes[number];
        let (stood, was_busy) = (lane.spot(number), lane.is_busy());
        let changed = change(lane);
        let (stands, is_busy) = (lane.spot(number), lane.is_busy());
        if !std::mem::replace(&mut lane.is_untold, true) {
            self.untold.push(number);
        }
        if stood != stands {
            match stood {
                Spot::Ready(rank) => self.ready.remove(rank),
                Spot::Blocked(until) => _ = self.blocked.remove(&(until, number)),
                Spot::Nowhere => {}
            }
            match stands {
                Spot::Ready(rank) => self.ready.insert(rank),
                Spot::Blocked(until) => _ = self.blocked.insert((until, number)),
                Spot::Nowhere => {}
            }
        }
        match (was_busy, is_busy) {
            (false, true) => self.busy += 1,
            (true, false) => {
                self.busy -= 1;
                self.rests(number);
            }
            (true, true) | (false, false) => {}
        }
        changed
    }

    /// Nothing of this lane waits or runs. It is kept if there are few.
    fn rests(&mut self, number: usize) {
        if self.numbers.len() <= KEPT {
            return;
        }
        if let Some(key) = self.lanes[number].key.take() {
            self.numbers.remove(&key);
            self.free.push(number);
        }
    }
}

impl<K> Lane<K> {
    fn is_busy(&self) -> bool {
        self.running > 0 || !self.waiting.is_empty()
    }

    fn spot(&self, number: usize) -> Spot {
        match self.gate {
            _ if self.waiting.is_empty() => Spot::Nowhere,
            Gate::Open => {
                Spot::Ready(Rank { running: self.running, turn: self.turn, lane: number })
            }
            Gate::Until(until) => Spot::Blocked(until),
            Gate::UntilAnEnd => Spot::Nowhere,
        }
    }
}

impl<K: Clone> Lane<K> {
    fn snapshot(&self) -> Option<KeySnapshot<K>> {
        Some(KeySnapshot {
            key: self.key.clone()?,
            waiting: self.waiting.len() as u64,
            running: u64::from(self.running),
            succeeded: self.succeeded,
            failed: self.failed,
            opens: match self.gate {
                Gate::Until(until) => Some(until),
                Gate::Open | Gate::UntilAnEnd => None,
            },
        })
    }
}

impl<K> Default for Lane<K> {
    fn default() -> Self {
        Self {
            key: None,
            waiting: VecDeque::new(),
            running: 0,
            turn: 0,
            gate: Gate::Open,
            succeeded: 0,
            failed: 0,
            is_untold: false,
        }
    }
}
