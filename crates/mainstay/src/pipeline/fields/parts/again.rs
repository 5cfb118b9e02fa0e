//! When another attempt is made, and what it is paid from.

use std::time::Duration;

use mainstay_policy::SettingsError;
use mainstay_policy::backoff::{Backoff, Growth};
use mainstay_policy::budget::RetryBudget;
use mainstay_policy::hedge::{Hedge, When};
use mainstay_policy::retry::Retry;

use crate::pipeline::fields::optional::absent;
use crate::pipeline::fields::part::{Part, Visitor, parts};
use crate::pipeline::fields::words::Word;

parts!(Retry, Backoff, Hedge, RetryBudget);
absent!(Retry = Self::default(), Hedge = Self::new(), RetryBudget = Self::new());

impl Part for Retry {
    const SHORT: Option<&'static str> = Some("max_attempts");

    fn kinds() -> Vec<Self> {
        vec![Self::default()]
    }

    fn fields(&mut self, v: &mut dyn Visitor) {
        v.see(
            "max_attempts",
            "The most attempts of one call, the first among them.",
            &mut self.max_attempts,
        );
        v.see(
            "backoff",
            "The waits between attempts where the server names none.",
            &mut self.backoff,
        );
        v.see(
            "longest_asked",
            "Where the server asks for a longer wait, the call ends.",
            &mut self.longest_asked,
        );
    }

    fn verdict(&self) -> Result<(), SettingsError> {
        self.check()
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Grows {
    Constant,
    Linear,
    Exponential,
}

impl Word for Grows {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("constant", Self::Constant),
        ("linear", Self::Linear),
        ("exponential", Self::Exponential),
    ];
}

impl Part for Backoff {
    const WHY: &'static str = "`factor` is for `growth = \"exponential\"`";

    fn kinds() -> Vec<Self> {
        vec![Self::standard(), Self::linear(Duration::ZERO)]
    }

    fn fields(&mut self, v: &mut dyn Visitor) {
        let mut grows = match self.growth {
            Growth::Constant => Grows::Constant,
            Growth::Linear => Grows::Linear,
            Growth::Exponential { .. } => Grows::Exponential,
        };
        v.see("growth", "How the envelope grows from one wait to the next.", &mut grows);
        match (grows, self.growth) {
            (Grows::Constant, _) => self.growth = Growth::Constant,
            (Grows::Linear, _) => self.growth = Growth::Linear,
            (Grows::Exponential, Growth::Exponential { .. }) => {}
            (Grows::Exponential, Growth::Constant | Growth::Linear) => {
                self.growth = Growth::Exponential { factor: 2.0 };
            }
        }
        v.see("base", "The envelope of the first wait.", &mut self.base);
        if let Growth::Exponential { factor } = &mut self.growth {
            v.see("factor", "What the envelope is multiplied by each time.", factor);
        }
        v.see(
            "cap",
            "Where the envelope stops; at 30s, or the base if that is longer, unless set.",
            &mut self.cap,
        );
        v.see("jitter", "How chance spreads the waits inside their envelope.", &mut self.jitter);
    }
}

impl Part for Hedge {
    const SHORT: Option<&'static str> = Some("after");
    const APART: &'static [&'static [&'static str]] =
        &[&["after"], &["percentile", "min_observations", "min_delay", "max_delay", "memory"]];
    const WHY: &'static str = "a hedge goes out either `after` a fixed time, or at a `percentile` of \
                               the times observed, to which belong `min_observations`, `min_delay`, \
                               `max_delay` and `memory`";

    fn kinds() -> Vec<Self> {
        vec![Self::after(Duration::ZERO), Self::new()]
    }

    fn fields(&mut self, v: &mut dyn Visitor) {
        match &mut self.when {
            When::After(delay) => {
                v.see("after", "How long after one attempt the next goes out.", delay);
            }
            When::Observed(observed) => {
                v.see(
                    "percentile",
                    "The part in a hundred of the attempts that took no longer than the delay.",
                    &mut observed.percentile,
                );
                v.see(
                    "min_observations",
                    "The fewest observations that are believed.",
                    &mut observed.min_observations,
                );
                v.see("min_delay", "The shortest delay.", &mut observed.min_delay);
                v.see(
                    "max_delay",
                    "The longest delay, and the delay while there are too few observations.",
                    &mut observed.max_delay,
                );
                v.see(
                    "memory",
                    "The longest that an observation counts while there are enough newer ones.",
                    &mut observed.memory,
                );
            }
        }
        v.see(
            "extra_attempts",
            "The most attempts of one call beside the first.",
            &mut self.extra_attempts,
        );
    }

    fn turn(&mut self, named: &dyn Fn(&str) -> bool) {
        match self.when {
            When::Observed(_) if named("after") => self.when = When::After(Duration::ZERO),
            When::After(_) if named("percentile") && !named("after") => {
                self.when = Self::new().when;
            }
            When::Observed(_) | When::After(_) => {}
        }
    }

    fn verdict(&self) -> Result<(), SettingsError> {
        self.check()
    }

    fn name_of(setting: &str) -> &str {
        match setting {
            "delay" => "after",
            other => other,
        }
    }
}

impl Part for RetryBudget {
    fn kinds() -> Vec<Self> {
        vec![Self::new()]
    }

    fn fields(&mut self, v: &mut dyn Visitor) {
        v.see("ratio", "What one call pays in, in extra attempts.", &mut self.ratio);
        v.see(
            "reserve",
            "The most extra attempts that can be saved up; it is full at first.",
            &mut self.reserve,
        );
    }

    fn verdict(&self) -> Result<(), SettingsError> {
        self.check()
    }
}
