//! A wait that is told of when it begins, and when it ends in whatever way.

use std::time::Duration;

use mainstay_policy::Moment;

use super::{Event, is_heard, tell};
use crate::clock;

/// Who waits holds it. It ends with the wait: granted, refused or given up.
#[derive(Debug)]
#[must_use = "the wait ends when it is dropped"]
pub(crate) struct Wait<'a> {
    layer: &'static str,
    name: Option<&'a str>,
    /// None where nobody listens.
    since: Option<Moment>,
}

impl<'a> Wait<'a> {
    /// A call begins to wait, for so long if that can be said.
    pub(crate) fn begins(
        layer: &'static str,
        name: Option<&'a str>,
        wait: Option<Duration>,
    ) -> Self {
        let event = Event::Waits { layer, name, wait };
        let since = is_heard(&event).then(clock::now);
        tell(event);
        Self { layer, name, since }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if let Some(since) = self.since {
            let took = clock::now().since(since);
            tell(Event::Waited { layer: self.layer, name: self.name, took });
        }
    }
}
