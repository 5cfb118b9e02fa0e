//! How many may start in how long.

use std::time::Duration;

use mainstay_policy::SettingsError;
use mainstay_policy::rate_limit::{RateLimit, Shape};

use super::host::{MAX_WAIT, MAX_WAITING};
use crate::pipeline::fields::optional::{Given, absent};
use crate::pipeline::fields::part::{Part, Visitor, parts};
use crate::pipeline::fields::rate::Rate;

/// A rate limit, and what may be said of its line in the same place.
#[derive(Clone, Copy)]
pub(super) struct Limited {
    pub(super) limit: RateLimit,
    pub(super) max_waiting: Given<u32>,
    pub(super) max_wait: Given<Duration>,
}

impl From<RateLimit> for Limited {
    fn from(limit: RateLimit) -> Self {
        Self { limit, max_waiting: Given(None), max_wait: Given(None) }
    }
}

parts!(Limited);
absent!(Limited = Self::from(RateLimit::per(0, Duration::ZERO)));

impl Part for Limited {
    const SHORT: Option<&'static str> = Some("rate");
    const APART: &'static [&'static [&'static str]] =
        &[&["rate"], &["per_second"], &["per_minute"], &["per_hour"], &["count", "period"]];
    const WHY: &'static str = "a rate is said in one way, and `burst` is for limits that are not \
                               `strict`";

    fn kinds() -> Vec<Self> {
        vec![RateLimit::per_second(1).into(), RateLimit::per_second(1).strict().into()]
    }

    fn fields(&mut self, v: &mut dyn Visitor) {
        let limit = &mut self.limit;
        let mut rate = Rate { count: limit.count, period: limit.period };
        v.see("rate", "How many may start in how long.", &mut rate);
        for (name, doc, period) in [
            ("per_second", "How many may start in a second.", 1),
            ("per_minute", "How many may start in a minute.", 60),
            ("per_hour", "How many may start in an hour.", 3_600),
        ] {
            let mut given = Given(None);
            v.alias(name, doc, &mut given);
            if let Some(count) = given.0 {
                rate = Rate { count, period: Duration::from_secs(period) };
            }
        }
        v.alias("count", "How many may start in a period.", &mut rate.count);
        v.alias("period", "In how long so many may start.", &mut rate.period);
        (limit.count, limit.period) = (rate.count, rate.period);

        let mut is_strict = limit.shape == Shape::Strict;
        v.see(
            "strict",
            "Whether the count holds for any window as long as the period, wherever it begins.",
            &mut is_strict,
        );
        match (is_strict, limit.shape) {
            (true, _) => limit.shape = Shape::Strict,
            (false, Shape::Strict) => limit.shape = Shape::Smooth { burst: 1 },
            (false, Shape::Smooth { .. }) => {}
        }
        if let Shape::Smooth { burst } = &mut limit.shape {
            v.see("burst", "How many may start at once after a pause.", burst);
        }
        v.see(
            "pace",
            "Whether what a server says is left is spread over the time until there is more.",
            &mut limit.pace,
        );
        v.alias("max_waiting", MAX_WAITING, &mut self.max_waiting);
        v.alias("max_wait", MAX_WAIT, &mut self.max_wait);
    }

    fn turn(&mut self, named: &dyn Fn(&str) -> bool) {
        if named("burst") && !named("strict") && self.limit.shape == Shape::Strict {
            self.limit.shape = Shape::Smooth { burst: 1 };
        }
    }

    fn lacks(named: &dyn Fn(&str) -> bool) -> Option<&'static str> {
        let has_rate = ["rate", "per_second", "per_minute", "per_hour"].into_iter().any(named);
        match (has_rate, named("count"), named("period")) {
            (true, ..) | (_, true, true) => None,
            (_, true, false) => Some("say in how long: `period = \"1s\"`"),
            _ => Some("say how many may start in how long: `rate = \"50/s\"`"),
        }
    }

    fn verdict(&self) -> Result<(), SettingsError> {
        self.limit.check()
    }

    fn name_of(setting: &str) -> &str {
        match setting {
            "count" | "period" => "rate",
            other => other,
        }
    }
}
