//! The atomics beneath every shared policy, and the one loop that changes them.
//!
//! Under `--cfg mainstay_loom` they are the model checker's, so that the models in
//! `tests/loom.rs` run the very code that ships.

use std::ops::Deref;

#[cfg(mainstay_loom)]
pub(crate) use loom::{
    sync::{
        Mutex,
        atomic::{AtomicU32, AtomicU64},
    },
    thread::yield_now,
};
#[cfg(not(mainstay_loom))]
pub(crate) use std::{
    sync::{
        Mutex,
        atomic::{AtomicU32, AtomicU64},
    },
    thread::yield_now,
};

pub(crate) use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// A value on cache lines of its own: two cores that use neighbours do not slow each other down.
///
/// 128 bytes and not 64, because x86 fetches lines in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Line<T>(pub(crate) T);

impl<T> Deref for Line<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Applies a pure transition to a word that many calls share.
///
/// `transition` gets what the word holds and says what it shall hold (`None`: leave it) and what
/// to answer. It is asked again whenever another thread was faster.
#[inline]
pub(crate) fn update<T>(
    word: &AtomicU64,
    mut transition: impl FnMut(u64) -> (Option<u64>, T),
) -> T {
    let mut seen = look(word);
    loop {
        let (next, answer) = transition(seen);
        let Some(next) = next else { return answer };
        match word.compare_exchange_weak(seen, next, AcqRel, Acquire) {
            Ok(_) => return answer,
            Err(current) => seen = current,
        }
    }
}

#[cfg(not(mainstay_loom))]
#[inline]
fn look(word: &AtomicU64) -> u64 {
    word.load(Acquire)
}

#[cfg(mainstay_loom)]
use models::look;

#[cfg(mainstay_loom)]
pub(crate) mod models {
    use std::cell::Cell;

    use crate::sync::{AcqRel, Acquire, AtomicU64};

    thread_local! {
        static BY_EXCHANGE: Cell<bool> = const { Cell::new(false) };
    }

    /// Whether every change of a word begins with an exchange that changes nothing, in place of a
    /// load.
    ///
    /// Of the accesses to an atomic loom remembers the last one only, and a load hides an exchange
    /// of the same thread that races with the load of another. So it never tries to change a word
    /// between another thread's last look at something else and its look at this word. By exchange
    /// it does, and never finds anything outdated, which by load it does: models are run both ways.
    pub fn look_by_exchange(by_exchange: bool) {
        BY_EXCHANGE.set(by_exchange);
    }

    pub(super) fn look(word: &AtomicU64) -> u64 {
        if BY_EXCHANGE.get() {
            word.compare_exchange(u64::MAX, u64::MAX, AcqRel, Acquire).unwrap_or_else(|seen| seen)
        } else {
            word.load(Acquire)
        }
    }
}
