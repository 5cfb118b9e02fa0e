//! How a key was spelled, and which state was found by it.

use std::sync::{Arc, Weak};

use crate::http::Origin;

/// A spelling that was seen, so that the key need not be made again.
#[derive(Debug)]
pub(crate) struct Spelling<T> {
    scheme: Box<str>,
    authority: Box<str>,
    /// Holds nobody: the state may be forgotten.
    state: Weak<T>,
}

impl<T> Spelling<T> {
    pub(super) fn new(origin: Origin<'_>, state: &Arc<T>) -> Self {
        Self {
            scheme: origin.scheme().into(),
            authority: origin.authority().into(),
            state: Arc::downgrade(state),
        }
    }

    /// The state, if this is the spelling and the state is still there.
    #[inline]
    pub(super) fn state(&self, origin: Origin<'_>) -> Option<Arc<T>> {
        if origin.is_spelled(&self.scheme, &self.authority) { self.state.upgrade() } else { None }
    }

    /// Whether its state is forgotten.
    pub(super) fn is_void(&self) -> bool {
        self.state.strong_count() == 0
    }
}
