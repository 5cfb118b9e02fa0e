//! What is forgotten, and what takes its place.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use mainstay_policy::Moment;

use super::turning::Hashed;
use super::{CANDIDATES, Keyed, SHARDS, place, read, unless_held, write};
use crate::http::Key;
use crate::observe::{Event, tell};

impl<T, K> Keyed<T, K> {
    /// Puts another state in the place of each for which there is one, made of the one before.
    pub(crate) fn renew(&self, renew: impl Fn(&Key, &T) -> Option<T>) {
        for (key, old) in self.states() {
            let Some(new) = renew(&key, &old).map(Arc::new) else { continue };
            let key = self.hashed(key);
            let mut states = write(&self.shard(key.hash).states);
            let is_there = states.get(&key).is_some_and(|state| Arc::ptr_eq(state, &old));
            let replaced = if is_there { states.insert(key, new) } else { None };
            drop(states);
            drop(replaced);
        }
        self.forget_spellings();
    }

    /// Forgets all states; those that somebody holds live on with them.
    pub(crate) fn clear(&self) {
        for shard in &self.shards {
            let states = std::mem::take(&mut *write(&shard.states));
            self.len.fetch_sub(states.len(), Relaxed);
            drop(states);
        }
        self.forget_spellings();
    }

    fn forget_spellings(&self) {
        for shard in &self.shards {
            let spellings = std::mem::take(&mut *write(&shard.spellings));
            drop(spellings);
        }
    }

    /// One that nobody holds leaves, at rest or not: of those that stand nearest to this hash.
    #[cold]
    pub(super) fn make_room(&self, hash: u64, rest: impl Fn(&T) -> Option<Moment>, now: Moment) {
        let mut soonest: Option<(Moment, Hashed)> = None;
        let mut looks = CANDIDATES;
        for shard in self.shards.iter().cycle().skip(place(hash)).take(SHARDS) {
            let states = read(&shard.states);
            for (key, state) in states.next(looks) {
                looks -= 1;
                let from = rest(state).unwrap_or(Moment::MAX);
                let is_sooner = soonest.as_ref().is_none_or(|(before, _)| from < *before);
                if Arc::strong_count(state) == 1 && is_sooner {
                    soonest = Some((from, key.clone()));
                }
            }
        }
        let Some((from, key)) = soonest else { return };
        let mut states = write(&self.shard(key.hash).states);
        let left = states.take(&key, |state| unless_held(state, |_| true));
        drop(states);
        if left.is_none() {
            return;
        }
        self.len.fetch_sub(1, Relaxed);
        drop(left);
        if from > now {
            let what = "more keys than are kept: a state was forgotten that was not at rest";
            let took = (from < Moment::MAX).then(|| from.since(now));
            tell(Event::Warning { layer: "keyed state", name: None, what, took });
        }
    }
}
