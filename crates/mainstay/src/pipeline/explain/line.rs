//! A pipeline in one line, for logs.

use std::fmt;

use mainstay_policy::hedge::When;
use mainstay_policy::rate_limit::{RateLimit, Shape};

use crate::pipeline::fields::{Rate, Value};
use crate::pipeline::{GuardKind, HostSpec, PipelineSpec};

/// In one line, from the outermost to the innermost:
/// `github: deadline 20s > retry 4 > per host (concurrency 16 > cool-down + rate 50/s burst 10 >
/// breaker) > attempt timeout 5s`.
impl fmt::Display for PipelineSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        let time = |name: &str, time| format!("{name} {}", Value::Duration(time).bare());
        parts.extend(self.fallback.as_ref().map(|it| format!("fallback {}", it.status.as_u16())));
        parts.extend(self.deadline.map(|it| time("deadline", it)));
        parts.extend(self.retry.map(|it| format!("retry {}", it.max_attempts)));
        parts.extend(self.hedge.map(|hedge| match hedge.when {
            When::After(delay) => time("hedge after", delay),
            When::Observed(observed) => format!("hedge p{}", observed.percentile),
        }));
        if self.budget.is_none() && (self.retry.is_some() || self.hedge.is_some()) {
            parts.push("no budget".to_owned());
        }
        let guards = self.per_host.line();
        if !guards.is_empty() || !self.hosts.is_empty() {
            let others = match self.hosts.len() {
                0 => String::new(),
                1 => ", 1 host otherwise".to_owned(),
                some => format!(", {some} hosts otherwise"),
            };
            let guards = if guards.is_empty() { "nothing" } else { &guards };
            parts.push(format!("per host ({guards}{others})"));
        }
        parts.extend(self.attempt_timeout.map(|it| time("attempt timeout", it)));
        parts.extend(self.body_idle.map(|it| time("body idle", it)));
        if parts.is_empty() {
            parts.push("nothing".to_owned());
        }
        write!(f, "{}: {}", self.name, parts.join(" > "))
    }
}

impl HostSpec {
    fn line(&self) -> String {
        let mut guards = Vec::new();
        let mut add = |guard, text: Option<String>| {
            let shadow = if self.shadow.contains(&guard) { " in shadow" } else { "" };
            guards.extend(text.map(|text| text + shadow));
        };
        add(GuardKind::Concurrency, self.concurrency.map(|it| format!("concurrency {}", it.limit)));
        let adaptive = self.adaptive.map(|it| format!("adaptive {} to {}", it.min, it.max));
        add(GuardKind::Adaptive, adaptive);
        let turns = [self.cool_down.map(|_| "cool-down".to_owned()), self.rate_limit.map(rate)];
        let turns: Vec<_> = turns.into_iter().flatten().collect();
        add(GuardKind::Turns, (!turns.is_empty()).then(|| turns.join(" + ")));
        add(GuardKind::Throttle, self.throttle.map(|_| "throttle".to_owned()));
        add(GuardKind::CircuitBreaker, self.circuit_breaker.map(|_| "breaker".to_owned()));
        guards.join(" > ")
    }
}

fn rate(limit: RateLimit) -> String {
    let rate = Rate { count: limit.count, period: limit.period };
    match limit.shape {
        Shape::Strict => format!("rate {rate} strict"),
        Shape::Smooth { burst: 1 } => format!("rate {rate}"),
        Shape::Smooth { burst } => format!("rate {rate} burst {burst}"),
    }
}
