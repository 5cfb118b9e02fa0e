//! A pipeline as a whole.

use super::hosts::Hosts;
use crate::pipeline::PipelineSpec;
use crate::pipeline::fields::part::{Part, Visitor, parts};

parts!(PipelineSpec);

impl Part for PipelineSpec {
    fn kinds() -> Vec<Self> {
        vec![Self::named("")]
    }

    fn fields(&mut self, v: &mut dyn Visitor) {
        v.see("fallback", "What is answered when a call has failed for good.", &mut self.fallback);
        v.see(
            "deadline",
            "In what time a call must have its answer, however many attempts it takes.",
            &mut self.deadline,
        );
        v.see("retry", "When a failed attempt is followed by another.", &mut self.retry);
        v.see("hedge", "When a slow attempt is given one beside it.", &mut self.hedge);
        v.see(
            "budget",
            "What attempts beyond the first are paid from, of retry and hedge together, for every \
             host; without it nothing bounds them.",
            &mut self.budget,
        );
        v.see("rules", "Which requests may be sent again, and after which ends.", &mut self.rules);
        v.see(
            "idempotency_keys",
            "Whether calls that are not idempotent are given a key, for servers that honour it.",
            &mut self.idempotency_keys,
        );
        v.see("per_host", "What stands before every host.", &mut self.per_host);
        v.see(
            "hosts",
            "What is different before some hosts; the first that matches counts.",
            &mut Hosts { per_host: &self.per_host, rows: &mut self.hosts },
        );
        v.see(
            "attempt_timeout",
            "In what time the head of an attempt's answer must be there.",
            &mut self.attempt_timeout,
        );
        v.see("body_idle", "After how long a body that says nothing fails.", &mut self.body_idle);
    }
}
