//! What asks nothing of a server that is down.

use std::time::Duration;

use mainstay_policy::SettingsError;
use mainstay_policy::breaker::{CircuitBreaker, Slow};

use crate::pipeline::fields::optional::absent;
use crate::pipeline::fields::part::{Part, Visitor, parts};

parts!(CircuitBreaker, Slow);
absent!(CircuitBreaker = Self::new(), Slow = unset());

impl Part for CircuitBreaker {
    fn kinds() -> Vec<Self> {
        vec![Self::new()]
    }

    fn fields(&mut self, v: &mut dyn Visitor) {
        v.see(
            "consecutive_failures",
            "The row of failures that opens it.",
            &mut self.consecutive_failures,
        );
        v.see(
            "failure_ratio",
            "The part of failures in the window that opens it.",
            &mut self.failure_ratio,
        );
        v.see(
            "slow_calls",
            "Which calls are slow, and the part of them that opens it.",
            &mut self.slow_calls,
        );
        v.see("min_calls", "The fewest results by which a ratio is judged.", &mut self.min_calls);
        v.see(
            "window",
            "The results that a ratio is judged by: those of a time, or so many.",
            &mut self.window,
        );
        v.see(
            "open_time",
            "How long it stays open, each time that it opens without having closed.",
            &mut self.open_time,
        );
        v.see("probes", "How many probes must succeed to close it.", &mut self.probes);
        v.see(
            "probe_time",
            "For how long after the last probe those that are out are waited for.",
            &mut self.probe_time,
        );
        v.see(
            "abandoned_after",
            "From what time on a call that was dropped counts as a failure.",
            &mut self.abandoned_after,
        );
    }

    fn verdict(&self) -> Result<(), SettingsError> {
        self.check()
    }
}

/// Neither of its settings has a default.
fn unset() -> Slow {
    let breaker = CircuitBreaker::new().slow_calls(Duration::ZERO, 0.0);
    breaker.slow_calls.unwrap_or_else(unset)
}

impl Part for Slow {
    fn kinds() -> Vec<Self> {
        vec![unset()]
    }

    fn fields(&mut self, v: &mut dyn Visitor) {
        v.see("longer_than", "From what time on a call is slow.", &mut self.longer_than);
        v.see("ratio", "The part of slow calls in the window that opens it.", &mut self.ratio);
    }

    fn lacks(named: &dyn Fn(&str) -> bool) -> Option<&'static str> {
        let says_all = named("longer_than") && named("ratio");
        (!says_all).then_some(
            "say which calls are slow and how many are too many: \
             `{ longer_than = \"1s\", ratio = 0.5 }`",
        )
    }
}
