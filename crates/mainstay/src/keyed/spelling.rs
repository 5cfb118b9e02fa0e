//! How a key was spelled, and which state was found by it.

use std::sync::{Arc, Weak};

use crate::http::Origin;

/// A spelling that was seen, so that the key need not be made again.
#[derive(Debug)]
pub(super) struct Spelling<T> {
    /// Scheme and authority, one behind the other.
    text: Box<str>,
    scheme: usize,
    /// Holds nobody: the state may be forgotten.
    state: Weak<T>,
}

impl<T> Spelling<T> {
    pub(super) fn new(origin: Origin<'_>, state: &Arc<T>) -> Self {
        Self {
            text: [origin.scheme(), origin.authority()].concat().into(),
            scheme: origin.scheme().len(),
            state: Arc::downgrade(state),
        }
    }

    /// The state, if this is the spelling and the state is still there.
    pub(super) fn state(&self, origin: Origin<'_>) -> Option<Arc<T>> {
        let (scheme, authority) = self.text.split_at(self.scheme);
        if (scheme, authority) == (origin.scheme(), origin.authority()) {
            self.state.upgrade()
        } else {
            None
        }
    }

    /// Whether its state is forgotten.
    pub(super) fn is_void(&self) -> bool {
        self.state.strong_count() == 0
    }
}
