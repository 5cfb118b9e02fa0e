//! What somebody says of a queue: its name, and whether it was changed by hand.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use mainstay_policy::Moment;

use super::{GivesSlots, SlotQueue};

impl<S: GivesSlots> SlotQueue<S> {
    pub(crate) fn named(self, name: Arc<str>) -> Self {
        Self { name: Some(name), ..self }
    }

    pub(crate) const fn name(&self) -> Option<&Arc<str>> {
        self.name.as_ref()
    }

    /// Somebody has changed it by hand, which must not be forgotten.
    pub(crate) fn changed_by_hand(&self) {
        self.by_hand.store(true, Ordering::Relaxed);
    }

    /// It has the settings that a new one would have.
    pub(crate) fn goes_by_settings(&self) {
        self.by_hand.store(false, Ordering::Relaxed);
    }

    pub(crate) fn at_rest_from(&self) -> Option<Moment> {
        match self.by_hand.load(Ordering::Relaxed) {
            true => None,
            false => self.slots.at_rest_from(),
        }
    }
}
