//! How a key was spelled, and which state was found by it.

use std::fmt;
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

/// What the last request found of one who asks again and again: the next mostly goes there too.
///
/// It holds nobody, so a state is forgotten as it would be without it.
pub(crate) struct Recent<T> {
    spelling: Option<Arc<Spelling<T>>>,
}

impl<T> Recent<T> {
    pub(crate) const NOTHING: Self = Self { spelling: None };

    #[inline]
    pub(super) fn state(&self, origin: Origin<'_>) -> Option<Arc<T>> {
        self.spelling.as_ref()?.state(origin)
    }
}

impl<T> From<Arc<Spelling<T>>> for Recent<T> {
    fn from(spelling: Arc<Spelling<T>>) -> Self {
        Self { spelling: Some(spelling) }
    }
}

impl<T> Clone for Recent<T> {
    fn clone(&self) -> Self {
        Self { spelling: self.spelling.clone() }
    }
}

impl<T> fmt::Debug for Recent<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recent").finish_non_exhaustive()
    }
}
