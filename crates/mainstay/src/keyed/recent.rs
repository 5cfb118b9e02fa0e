//! What the last request found: the next mostly goes there too.

use std::fmt;
use std::sync::Arc;

use super::spelling::Spelling;
use super::{AtRest, Keyed};
use crate::http::{KeyBy, Origin};

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

impl<T, K> Keyed<T, K> {
    /// The state that this request shares, for one who asks again and again: where the last request
    /// went is remembered, and nothing is looked up for the next that goes there too.
    ///
    /// Whoever puts other states in the place of these, or forgets all, must be noticed by what the
    /// state itself says.
    #[inline]
    pub(crate) fn recall<Req>(&self, request: &Req, recent: &mut Recent<T>) -> Arc<T>
    where
        K: KeyBy<Req>,
        T: AtRest,
    {
        let origin = self.by.spelled(request);
        if let Some(state) = origin.and_then(|origin| recent.state(origin)) {
            return state;
        }
        self.recall_anew(request, recent)
    }

    #[inline(never)]
    fn recall_anew<Req>(&self, request: &Req, recent: &mut Recent<T>) -> Arc<T>
    where
        K: KeyBy<Req>,
        T: AtRest,
    {
        let Some(origin) = self.by.spelled(request) else { return self.of(request) };
        let (state, spelling) = self.spelled(request, origin, T::at_rest_from);
        *recent = spelling.into();
        state
    }
}
