//! How many may be in flight.

use mainstay_policy::SettingsError;
use mainstay_policy::adaptive::{AdaptiveLimit, Aimd, Gradient2, Rule};
use mainstay_policy::concurrency::Concurrency;

use crate::pipeline::fields::optional::absent;
use crate::pipeline::fields::part::{Part, Visitor, parts};
use crate::pipeline::fields::words::Word;

parts!(Concurrency, AdaptiveLimit, Aimd, Gradient2);
absent!(Concurrency = Self::default(), AdaptiveLimit = Self::aimd(Aimd::new()));

const MAX_WAITING: &str = "The most calls that wait for a slot; who comes then is refused.";
const MAX_WAIT: &str = "The longest that a call waits for a slot before it is refused.";

impl Part for Concurrency {
    const SHORT: Option<&'static str> = Some("limit");

    fn kinds() -> Vec<Self> {
        vec![Self::default()]
    }

    fn fields(&mut self, v: &mut dyn Visitor) {
        v.see("limit", "The most attempts in flight.", &mut self.limit);
        v.see("max_waiting", MAX_WAITING, &mut self.max_waiting);
        v.see("max_wait", MAX_WAIT, &mut self.max_wait);
    }

    fn verdict(&self) -> Result<(), SettingsError> {
        self.check()
    }
}

#[derive(Clone, Copy, PartialEq)]
enum By {
    Aimd,
    Gradient2,
}

impl Word for By {
    const WORDS: &'static [(&'static str, Self)] =
        &[("aimd", Self::Aimd), ("gradient2", Self::Gradient2)];
}

impl Part for AdaptiveLimit {
    const SHORT: Option<&'static str> = Some("rule");
    const APART: &'static [&'static [&'static str]] = &[&["aimd"], &["gradient2"]];
    const WHY: &'static str = "one rule moves the limit, and only its settings count";

    fn kinds() -> Vec<Self> {
        vec![Self::aimd(Aimd::new()), Self::gradient2(Gradient2::new())]
    }

    fn fields(&mut self, v: &mut dyn Visitor) {
        let mut by = match self.rule {
            Rule::Aimd(_) => By::Aimd,
            Rule::Gradient2(_) => By::Gradient2,
        };
        v.see(
            "rule",
            "What moves the limit: the end of each call, or how long they take.",
            &mut by,
        );
        match (by, self.rule) {
            (By::Aimd, Rule::Aimd(_)) | (By::Gradient2, Rule::Gradient2(_)) => {}
            (By::Aimd, Rule::Gradient2(_)) => self.rule = Rule::Aimd(Aimd::new()),
            (By::Gradient2, Rule::Aimd(_)) => self.rule = Rule::Gradient2(Gradient2::new()),
        }
        match &mut self.rule {
            Rule::Aimd(rule) => v.see("aimd", "Rises with what goes well, falls with drops.", rule),
            Rule::Gradient2(rule) => {
                v.see("gradient2", "Follows how long calls take, against the usual.", rule);
            }
        }
        v.see("min", "The lowest limit.", &mut self.min);
        v.see("max", "The highest limit.", &mut self.max);
        v.see(
            "initial",
            "The first limit; 20 or the nearest inside the bounds, unless set.",
            &mut self.initial,
        );
        v.see(
            "backoff_ratio",
            "The part of the limit that a drop leaves.",
            &mut self.backoff_ratio,
        );
        v.see(
            "abandoned_after",
            "From what time on a call that was dropped by its caller counts as a drop.",
            &mut self.abandoned_after,
        );
        v.see("max_waiting", MAX_WAITING, &mut self.max_waiting);
        v.see("max_wait", MAX_WAIT, &mut self.max_wait);
    }

    fn turn(&mut self, named: &dyn Fn(&str) -> bool) {
        match self.rule {
            Rule::Gradient2(_) if named("aimd") => self.rule = Rule::Aimd(Aimd::new()),
            Rule::Aimd(_) if named("gradient2") && !named("aimd") => {
                self.rule = Rule::Gradient2(Gradient2::new());
            }
            Rule::Aimd(_) | Rule::Gradient2(_) => {}
        }
    }

    fn lacks(named: &dyn Fn(&str) -> bool) -> Option<&'static str> {
        let has_rule = ["rule", "aimd", "gradient2"].into_iter().any(named);
        (!has_rule).then_some(
            "say what moves the limit: `rule = \"aimd\"` for a server that refuses when it has \
             enough, \"gradient2\" for one that gets slow",
        )
    }

    fn verdict(&self) -> Result<(), SettingsError> {
        self.check()
    }
}

impl Part for Aimd {
    fn kinds() -> Vec<Self> {
        vec![Self::new()]
    }

    fn fields(&mut self, v: &mut dyn Visitor) {
        v.see("timeout", "The longest that a call may take and not be a drop.", &mut self.timeout);
    }
}

impl Part for Gradient2 {
    fn kinds() -> Vec<Self> {
        vec![Self::new()]
    }

    fn fields(&mut self, v: &mut dyn Visitor) {
        v.see(
            "tolerance",
            "The multiple of the usual time up to which the limit does not fall.",
            &mut self.tolerance,
        );
        v.see("queue", "The calls that may queue at the server.", &mut self.queue);
        v.see(
            "smoothing",
            "The part of the way to its new value that the limit goes in a window.",
            &mut self.smoothing,
        );
        v.see(
            "long_window",
            "The windows that the usual time is averaged over.",
            &mut self.long_window,
        );
        v.see("window", "The shortest time of a window.", &mut self.window);
        v.see("min_calls", "The fewest calls of a window.", &mut self.min_calls);
        v.see(
            "drop_share",
            "The part of a window's calls that must be drops to cut the limit.",
            &mut self.drop_share,
        );
    }
}
