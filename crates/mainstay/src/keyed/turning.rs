//! A map that is looked through a few entries at a time.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hash, Hasher};

use crate::http::Key;

/// Entries, and the order in which they are looked at.
///
/// Nothing runs in the background: whoever puts an entry in looks at a few others, and those that
/// are of no use any more leave then.
#[derive(Debug)]
pub(super) struct Turning<K, V> {
    entries: HashMap<K, V, BuildHasherDefault<AsItIs>>,
    /// Every key once. The next to be looked at is in front.
    order: VecDeque<K>,
}

impl<K: Clone + Eq + Hash, V> Turning<K, V> {
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key)
    }

    /// Puts an entry in, in the place of the one that had this key.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let old = self.entries.insert(key.clone(), value);
        if old.is_none() {
            self.order.push_back(key);
        }
        old
    }

    /// Looks at the next so many; of those that may leave, at most `leave` are taken, unless the
    /// taker gives them back.
    pub(super) fn turn<T>(
        &mut self,
        looks: usize,
        leave: usize,
        may_leave: impl Fn(&V) -> bool,
        take: impl Fn(V) -> Result<T, V>,
    ) -> Vec<T> {
        let mut taken = Vec::new();
        for _ in 0..looks.min(self.order.len()) {
            if taken.len() == leave {
                break;
            }
            let next = self.order.front().and_then(|key| self.entries.get(key));
            let leaves = next.is_some_and(&may_leave);
            let Some(key) = self.order.pop_front() else { break };
            if leaves {
                match self.entries.remove(&key).map(&take) {
                    Some(Ok(value)) => {
                        taken.push(value);
                        continue;
                    }
                    Some(Err(value)) => {
                        self.entries.insert(key.clone(), value);
                    }
                    None => continue,
                }
            }
            self.order.push_back(key);
        }
        taken
    }

    /// Those that are looked at next.
    pub(super) fn next(&self, looks: usize) -> impl Iterator<Item = (&K, &V)> {
        self.order.iter().take(looks).filter_map(|key| self.entries.get_key_value(key))
    }

    /// Takes this one, unless the taker gives it back.
    pub(super) fn take<T>(&mut self, key: &K, take: impl Fn(V) -> Result<T, V>) -> Option<T> {
        match take(self.entries.remove(key)?) {
            Ok(value) => {
                if let Some(place) = self.order.iter().position(|other| other == key) {
                    self.order.remove(place);
                }
                Some(value)
            }
            Err(value) => {
                self.entries.insert(key.clone(), value);
                None
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

impl<K, V> Default for Turning<K, V> {
    fn default() -> Self {
        Self { entries: HashMap::default(), order: VecDeque::new() }
    }
}

/// A key and the hash that found its shard.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Hashed {
    pub(super) hash: u64,
    pub(super) key: Key,
}

impl Hash for Hashed {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(self.hash);
    }
}

/// Takes a hash for what it is.
#[derive(Debug, Default)]
pub(super) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = u64>) -> Turning<u64, u64> {
        let mut turning = Turning::default();
        for n in values {
            assert_eq!(turning.insert(n, n), None);
        }
        turning
    }

    fn even(n: &u64) -> bool {
        n % 2 == 0
    }

    #[test]
    fn each_is_looked_at_in_its_turn_and_few_leave_at_a_time() {
        let mut turning = of(0..6);
        assert_eq!(turning.turn(3, 2, even, Ok), [0, 2]);
        assert_eq!(turning.turn(1, 2, even, Ok), [0; 0]); // it is 3's turn
        assert_eq!(turning.turn(9, 2, even, Ok), [4]);
        assert_eq!(turning.len(), 3);
        let mut left: Vec<_> = turning.iter().map(|(key, _)| *key).collect();
        left.sort_unstable();
        assert_eq!(left, [1, 3, 5]);
        assert_eq!(of([]).turn(9, 2, even, Ok), [0; 0]);
        assert_eq!(of([2, 4, 6]).turn(9, 2, even, Ok), [2, 4]);
    }

    #[test]
    fn what_the_taker_gives_back_stays() {
        let mut turning = of([2, 4]);
        assert_eq!(turning.turn::<u64>(1, 2, even, |n| Err(n + 10)), [0; 0]);
        assert_eq!(turning.get(&2), Some(&12));
        assert_eq!(turning.next(2).map(|(key, _)| *key).collect::<Vec<_>>(), [4, 2]);
        assert_eq!(turning.take::<u64>(&2, Err), None);
        assert_eq!(turning.take(&2, Ok), Some(12));
        assert_eq!(turning.take(&2, Ok), None);
        assert_eq!(turning.next(2).map(|(key, _)| *key).collect::<Vec<_>>(), [4]);
    }

    #[test]
    fn who_comes_again_takes_its_own_place() {
        let mut turning = of([1, 2]);
        assert_eq!(turning.insert(1, 7), Some(1));
        assert_eq!((turning.len(), turning.get(&1)), (2, Some(&7)));
        assert_eq!(turning.turn(9, 9, |_| true, Ok), [7, 2]);
    }
}
