//! A wait that is told of when it begins, and when it ends in whatever way.

use std::time::Duration;

use mainstay_policy::Moment;

use super::{Event, tell};
use crate::clock;

/// Who waits holds it. It ends with the wait: granted, refused or given up.
#[derive(Debug)]
#[must_use = "the wait ends when it is dropped"]
pub(crate) struct Wait<'a> {
    layer: &'static str,
    name: Option<&'a str>,
    since: Moment,
}

impl<'a> Wait<'a> {
    /// A call begins to wait, for so long if that can be said.
    pub(crate) fn begins(
        layer: &'static str,
        name: Option<&'a str>,
        wait: Option<Duration>,
    ) -> Self {
        tell(Event::Waits { layer, name, wait });
        Self { layer, name, since: clock::now() }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let took = clock::now().since(self.since);
        tell(Event::Waited { layer: self.layer, name: self.name, took });
    }
}
