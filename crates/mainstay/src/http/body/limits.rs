//! How much may be kept: of one body, and of all bodies of a layer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The limits of one layer, and what its bodies keep right now.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub(super) per_body: usize,
    pub(super) total: usize,
    kept: Arc<AtomicUsize>,
}

impl Limits {
    pub(super) fn new(per_body: usize, total: usize) -> Self {
        Self { per_body, total, kept: Arc::default() }
    }

    /// The bytes that all bodies together keep right now.
    pub(super) fn kept(&self) -> usize {
        self.kept.load(Ordering::Relaxed)
    }

    /// The share of one body, empty at first.
    pub(super) fn share(&self) -> Share {
        Share { limits: self.clone(), kept: 0 }
    }
}

/// What one body keeps; given back when it is dropped.
pub(super) struct Share {
    limits: Limits,
    kept: usize,
}

impl Share {
    /// The most that this body may keep.
    pub(super) fn limit(&self) -> usize {
        self.limits.per_body
    }

    /// Takes so many bytes more, or none if a limit says no.
    #[must_use]
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        let Some(mine) = self.kept.checked_add(bytes).filter(|kept| *kept <= self.limit()) else {
            return false;
        };
        let within = |all: usize| all.checked_add(bytes).filter(|all| *all <= self.limits.total);
        let (set, get) = (Ordering::Relaxed, Ordering::Relaxed); // a count guards nothing else
        let taken = self.limits.kept.fetch_update(set, get, within).is_ok();
        if taken {
            self.kept = mine;
        }
        taken
    }

    pub(super) fn give_back(&mut self, bytes: usize) {
        self.kept -= bytes;
        self.limits.kept.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(super) fn give_all_back(&mut self) {
        self.give_back(self.kept);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.give_all_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_ends_at_the_bodys_limit_and_at_the_total() {
        let limits = Limits::new(10, 15);
        let (mut one, mut two) = (limits.share(), limits.share());
        assert!(one.take(10));
        assert!(!one.take(1), "the body's limit");
        assert!(two.take(5));
        assert!(!two.take(1), "the total");
        assert!(!one.take(usize::MAX), "no overflow");
        assert_eq!(limits.kept(), 15);
    }

    #[test]
    fn what_was_taken_comes_back() {
        let limits = Limits::new(10, 10);
        let mut share = limits.share();
        assert!(share.take(10));
        share.give_back(4);
        assert_eq!(limits.kept(), 6);
        share.give_all_back();
        assert_eq!(limits.kept(), 0);
        assert!(share.take(7));
        drop(share);
        assert_eq!(limits.kept(), 0);
    }
}
