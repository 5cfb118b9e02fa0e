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
pub(crate) fn update<T>(
    word: &AtomicU64,
    mut transition: impl FnMut(u64) -> (Option<u64>, T),
) -> T {
    let mut seen = word.load(Acquire);
    loop {
        let (next, answer) = transition(seen);
        let Some(next) = next else { return answer };
        match word.compare_exchange_weak(seen, next, AcqRel, Acquire) {
            Ok(_) => return answer,
            Err(current) => seen = current,
        }
    }
}
