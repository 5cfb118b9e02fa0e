//! What is wished of calls: by a client for all of them, and by one call otherwise.

use std::sync::Arc;
use std::time::Duration;

use ::http::Extensions;
use ::http::header::{Entry, HeaderMap};

use crate::http::{CallOptions, Key, RetryRules};
use crate::pipeline::Pipeline;

/// What a client wishes of its calls.
#[derive(Clone, Debug, Default)]
pub(super) struct Defaults {
    pub(super) timeout: Option<Duration>,
    pub(super) read_timeout: Option<Duration>,
    pub(super) write_timeout: Option<Duration>,
    pub(super) redirects: u32,
    pub(super) is_status_an_error: bool,
}

/// What one call wishes otherwise.
#[derive(Clone, Debug, Default)]
pub(super) struct Wishes {
    pub(super) timeout: Option<Duration>,
    pub(super) read_timeout: Option<Duration>,
    pub(super) redirects: Option<u32>,
    pub(super) is_status_an_error: Option<bool>,
    pub(super) is_report: bool,
    pub(super) pipeline: Option<Pipeline>,
    /// What the layers read, if there is something.
    pub(super) options: Option<CallOptions>,
    pub(super) extensions: Extensions,
}

impl Wishes {
    pub(super) fn rules(&mut self, rules: impl Into<Arc<RetryRules>>) {
        self.change(|options| options.rules(rules));
    }

    pub(super) fn cost(&mut self, cost: u32) {
        self.change(|options| options.cost(cost));
    }

    pub(super) fn key(&mut self, key: Key) {
        self.change(|options| options.key(key));
    }

    /// Its server knows it if it comes again.
    pub(super) fn keyed(&mut self) {
        self.change(CallOptions::keyed);
    }

    fn change(&mut self, change: impl FnOnce(CallOptions) -> CallOptions) {
        self.options = Some(change(self.options.take().unwrap_or_default()));
    }

    /// What the layers read, and when the time of the call is over: after so long, unless it says
    /// so itself.
    pub(super) fn options_within(&mut self, timeout: Option<Duration>) -> Option<CallOptions> {
        let left = self.extensions.remove::<CallOptions>();
        let options = self.options.take().or(left);
        let has_end = options.as_ref().is_some_and(|options| options.deadline().is_some());
        match self.timeout.or(timeout.filter(|_| !has_end)) {
            Some(timeout) => Some(options.unwrap_or_default().within(timeout)),
            None => options,
        }
    }
}

/// Adds what the request does not say itself.
pub(super) fn default_headers(headers: &mut HeaderMap, defaults: &HeaderMap) {
    let mut added = None;
    for (name, value) in defaults {
        match headers.entry(name) {
            Entry::Vacant(vacant) => {
                vacant.insert(value.clone());
                added = Some(name);
            }
            // Values of one name stand behind one another.
            Entry::Occupied(mut values) if added == Some(name) => values.append(value.clone()),
            Entry::Occupied(_) => {}
        }
    }
}
