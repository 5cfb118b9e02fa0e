//! Hears what is told, in tests.

use std::cell::RefCell;

use super::Event;

thread_local! {
    static HEARD: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

pub(super) fn note(event: &Event<'_>) {
    HEARD.with_borrow_mut(|heard| heard.push(format!("{event:?}")));
}

/// What has been told on this thread since somebody last asked.
pub(crate) fn heard() -> Vec<String> {
    HEARD.take()
}
