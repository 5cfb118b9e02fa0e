//! Inputs that wait, a lane for each key, and which lane is next.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::moment::Moment;

/// The lanes of all keys that have an input waiting or running.
#[derive(Debug)]
pub(super) struct Lanes<K> {
    numbers: BTreeMap<K, usize>,
    lanes: Vec<Lane<K>>,
    /// Lanes that nobody has, to be used again.
    free: Vec<usize>,
    /// Those that may start an input, the next one first: the one with the fewest running, and of
    /// those the one that has been passed over for longest.
    ready: BTreeSet<(u32, u64, usize)>,
    /// Those that are held back until a moment, the earliest first.
    blocked: BTreeSet<(Moment, usize)>,
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
}

/// Whether inputs of a lane may start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Gate {
    Open,
    Until(Moment),
    /// Until one of its own has ended.
    UntilAnEnd,
}

impl<K> Default for Lanes<K> {
    fn default() -> Self {
        Self {
            numbers: BTreeMap::new(),
            lanes: Vec::new(),
            free: Vec::new(),
            ready: BTreeSet::new(),
            blocked: BTreeSet::new(),
            turns: 0,
            waiting: 0,
        }
    }
}

impl<K: Ord + Clone> Lanes<K> {
    /// How many keys have an input waiting or running.
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// How many inputs wait.
    pub(super) const fn waiting(&self) -> usize {
        self.waiting
    }

    /// An input with this key comes to wait.
    pub(super) fn join(&mut self, key: K, input: u64) {
        let number = match self.numbers.get(&key) {
            Some(number) => *number,
            None => self.open(key),
        };
        self.waiting += 1;
        self.change(number, |lane| lane.waiting.push_back(input));
    }

    /// The lane that is next, and how many of its inputs run.
    pub(super) fn next(&self) -> Option<(usize, u32)> {
        self.ready.first().map(|(running, _, number)| (*number, *running))
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
    pub(super) fn end(&mut self, number: usize) {
        self.change(number, |lane| {
            lane.running -= 1;
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

    fn turn(&mut self) -> u64 {
        self.turns += 1;
        self.turns
    }

    fn open(&mut self, key: K) -> usize {
        let turn = self.turn();
        let number = self.free.pop().unwrap_or_else(|| {
            self.lanes.push(Lane::new());
            self.lanes.len() - 1
        });
        let lane = &mut self.lanes[number];
        (lane.key, lane.turn) = (Some(key.clone()), turn);
        self.numbers.insert(key, number);
        number
    }

    /// Changes a lane, and its place among the others with it.
    fn change<T>(&mut self, number: usize, change: impl FnOnce(&mut Lane<K>) -> T) -> T {
        let lane = &mut self.lanes[number];
        match lane.gate {
            Gate::Open => _ = self.ready.remove(&(lane.running, lane.turn, number)),
            Gate::Until(until) => _ = self.blocked.remove(&(until, number)),
            Gate::UntilAnEnd => {}
        }
        let changed = change(lane);
        match (lane.waiting.is_empty(), lane.gate) {
            (false, Gate::Open) => _ = self.ready.insert((lane.running, lane.turn, number)),
            (false, Gate::Until(until)) => _ = self.blocked.insert((until, number)),
            (false, Gate::UntilAnEnd) => {}
            (true, _) if lane.running > 0 => {}
            (true, _) => {
                if let Some(key) = lane.key.take() {
                    self.numbers.remove(&key);
                    self.free.push(number);
                }
            }
        }
        changed
    }
}

impl<K> Lane<K> {
    const fn new() -> Self {
        Self { key: None, waiting: VecDeque::new(), running: 0, turn: 0, gate: Gate::Open }
    }
}
