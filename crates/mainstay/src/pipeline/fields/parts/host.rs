//! What stands before a host.

use std::time::Duration;

use super::rate_limit::Limited;
use crate::pipeline::fields::part::{Part, Visitor, parts};
use crate::pipeline::fields::words::Word;
use crate::pipeline::{Hold, HostSpec, Line};

parts!(HostSpec, Hold, Line);

impl Part for HostSpec {
    fn kinds() -> Vec<Self> {
        vec![Self::default()]
    }

    fn fields(&mut self, v: &mut dyn Visitor) {
        v.see("concurrency", "How many attempts may be in flight.", &mut self.concurrency);
        v.see(
            "adaptive",
            "How many may be in flight, going by how they end; in place of a fixed number.",
            &mut self.adaptive,
        );
        v.see("hold", "How long an attempt counts as in flight.", &mut self.hold);
        let mut limited = self.rate_limit.map(Limited::from);
        v.see("rate_limit", "How many may start in how long.", &mut limited);
        self.rate_limit = limited.map(|limited| limited.limit);
        if let Some(limited) = limited {
            self.line.max_waiting = limited.max_waiting.0.or(self.line.max_waiting);
            self.line.max_wait = limited.max_wait.0.or(self.line.max_wait);
        }
        v.see(
            "line",
            "Who may stand in line for a turn, of the rate limit or the cool-down.",
            &mut self.line,
        );
        v.see("cool_down", "Leaves the server alone when it asks for that.", &mut self.cool_down);
        v.see("throttle", "Asks less of a server that refuses much.", &mut self.throttle);
        v.see(
            "circuit_breaker",
            "Asks nothing of a server that is down.",
            &mut self.circuit_breaker,
        );
        v.see("shadow", "Which of them only say what they would do.", &mut self.shadow);
    }
}

impl Part for Line {
    fn kinds() -> Vec<Self> {
        vec![Self::default()]
    }

    fn fields(&mut self, v: &mut dyn Visitor) {
        v.see("max_waiting", MAX_WAITING, &mut self.max_waiting);
        v.see("max_wait", MAX_WAIT, &mut self.max_wait);
    }
}

pub(super) const MAX_WAITING: &str =
    "The most calls in line for a turn; as many as there may be, unless set.";
pub(super) const MAX_WAIT: &str =
    "The longest that a call stands in line for a turn; until the deadline, unless set.";

#[derive(Clone, Copy, PartialEq)]
enum Until {
    Head,
    Body,
}

impl Word for Until {
    const WORDS: &'static [(&'static str, Self)] = &[("head", Self::Head), ("body", Self::Body)];
}

impl Part for Hold {
    const SHORT: Option<&'static str> = Some("until");
    const WHY: &'static str = "`idle` is for `until = \"body\"`";

    fn kinds() -> Vec<Self> {
        vec![BODY, Self::Head]
    }

    fn fields(&mut self, v: &mut dyn Visitor) {
        let mut until = match self {
            Self::Head => Until::Head,
            Self::Body { .. } => Until::Body,
        };
        v.see("until", "To the head of its answer, or to the end of its body.", &mut until);
        match (until, &*self) {
            (Until::Head, _) => *self = Self::Head,
            (Until::Body, Self::Head) => *self = BODY,
            (Until::Body, Self::Body { .. }) => {}
        }
        if let Self::Body { idle } = self {
            v.see("idle", "After how long without anybody reading it a body is over.", idle);
        }
    }

    fn turn(&mut self, named: &dyn Fn(&str) -> bool) {
        if named("idle") && *self == Self::Head {
            *self = BODY;
        }
    }
}

const BODY: Hold = Hold::Body { idle: Duration::from_secs(30) };
