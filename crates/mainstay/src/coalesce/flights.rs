//! What is on its way, by its key.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::flight::{Door, Flight, Seat};
use crate::http::Key;

/// What is on its way, by its key.
pub(super) struct Flights<T> {
    by_key: Mutex<HashMap<Key, Arc<Flight<T>>>>,
}

/// A place in a flight.
pub(super) enum Boarded<T> {
    /// Of one's own, to be launched.
    First(Seat<T>),
    /// Of another's.
    Joined(Seat<T>),
    /// It is a part of that flight, and must not wait for it.
    Within,
}

impl<T> Default for Flights<T> {
    fn default() -> Self {
        Self { by_key: Mutex::default() }
    }
}

impl<T> Flights<T> {
    /// A place in the flight of this key, or in a new one.
    pub(super) fn board(self: &Arc<Self>, key: Key) -> Boarded<T> {
        let mut by_key = self.lock();
        let mut entry = match by_key.entry(key) {
            Entry::Vacant(vacant) => {
                let seat = Flight::begin(vacant.key().clone(), self);
                vacant.insert(Arc::clone(seat.flight()));
                return Boarded::First(seat);
            }
            Entry::Occupied(entry) => entry,
        };
        match entry.get().board() {
            Door::Open(seat) => return Boarded::Joined(seat),
            Door::Within => return Boarded::Within,
            Door::Closed => {}
        }
        // It has ended, and whoever ended it comes to remove it.
        let seat = Flight::begin(entry.key().clone(), self);
        let ended = entry.insert(Arc::clone(seat.flight()));
        drop(by_key);
        drop(ended);
        Boarded::First(seat)
    }

    /// It has ended, or nobody is left; it may have been followed by another already.
    pub(super) fn remove(&self, flight: &Arc<Flight<T>>) {
        let mut by_key = self.lock();
        let is_there = by_key.get(flight.key()).is_some_and(|there| Arc::ptr_eq(there, flight));
        let removed = if is_there { by_key.remove(flight.key()) } else { None };
        drop(by_key);
        drop(removed);
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Arc<Flight<T>>>> {
        self.by_key.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Without the keys, which may have credentials in them.
impl<T> fmt::Debug for Flights<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flights").field("len", &self.len()).finish()
    }
}
