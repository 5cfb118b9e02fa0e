//! What one call wants otherwise.

use std::sync::Arc;
use std::time::Duration;

use super::key::Key;
use super::rules::RetryRules;
use super::view::RequestView;
use crate::deadline::Deadline;

/// What one call wants otherwise than the layers that it passes: an extension of its request.
///
/// ```
/// use http::Request;
/// use mainstay::http::CallOptions;
/// use std::time::Duration;
///
/// let mut request = Request::get("https://api.example.com/report").body(())?;
/// let options = CallOptions::new().within(Duration::from_secs(2)).cost(5);
/// request.extensions_mut().insert(options);
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, PartialEq, Debug, Default)]
#[must_use]
pub struct CallOptions {
    pub(super) deadline: Option<Deadline>,
    pub(super) rules: Option<Arc<RetryRules>>,
    pub(crate) cost: Option<u32>,
    pub(crate) key: Option<Key>,
    /// Whether its server knows it if it comes again, by whatever field.
    pub(crate) is_keyed: bool,
}

impl CallOptions {
    /// Nothing otherwise.
    pub const fn new() -> Self {
        Self { deadline: None, rules: None, cost: None, key: None, is_keyed: false }
    }

    /// The call must end within so long from now on; where a layer gives it less, that counts.
    pub fn within(mut self, time: Duration) -> Self {
        self.deadline = Some(Deadline::within(time));
        self
    }

    /// When it must end, if it says so.
    #[cfg(feature = "client")]
    pub(crate) const fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    /// The call must end by then, or as soon as it says itself.
    #[cfg(feature = "client")]
    pub(crate) fn by(mut self, then: Deadline) -> Self {
        self.deadline = Some(self.deadline.map_or(then, |own| own.min(then)));
        self
    }

    /// Other rules for whether it may be sent again.
    pub fn rules(mut self, rules: impl Into<Arc<RetryRules>>) -> Self {
        self.rules = Some(rules.into());
        self
    }

    /// What it costs where calls are counted, in the units of a rate limit; 1 unless set.
    pub const fn cost(mut self, cost: u32) -> Self {
        self.cost = Some(cost);
        self
    }

    /// Whose state it shares in a [`Pipeline`](crate::pipeline::Pipeline), in place of its host's.
    pub fn key(mut self, key: Key) -> Self {
        self.key = Some(key);
        self
    }

    /// Its server knows it if it comes again.
    #[cfg(feature = "client")]
    pub(crate) const fn keyed(mut self) -> Self {
        self.is_keyed = true;
        self
    }

    /// Those of a request.
    #[inline]
    pub(crate) fn of<Req: RequestView>(request: &Req) -> Option<&Self> {
        let extensions = request.extensions()?;
        if extensions.is_empty() { None } else { extensions.get() } // which is not put in place
    }
}
