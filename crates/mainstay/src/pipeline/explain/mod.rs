//! What a pipeline is made of and what that means, for people and for programs.

mod json;
mod line;
mod parts;
mod text;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fields::{Entry, Value};
use super::{Bounds, Finding, GuardKind, HostSpec, PipelineSpec};
use parts::Part;

/// What a pipeline is made of, what each part does, what it can cost at worst and what does not fit
/// together.
///
/// `Display` is for people and may change from version to version; [`to_json`](Self::to_json) is for
/// programs, and its keys do not.
///
/// ```
/// use mainstay::pipeline::PipelineSpec;
///
/// let spec = PipelineSpec::standard();
/// println!("{}", spec.explain());
/// assert_eq!(
///     spec.to_string(), // in one line, for a log
///     "standard: deadline 30s > retry 3 > per host (concurrency 64 > cool-down > breaker) > attempt \
///      timeout 8s",
/// );
/// ```
#[derive(Clone, Debug)]
pub struct Explanation {
    name: Arc<str>,
    steps: Vec<Step>,
    off: Vec<&'static Part>,
    hosts: Vec<Other>,
    bounds: Bounds,
    findings: Vec<Finding>,
}

/// A part that is on.
#[derive(Clone, Debug)]
struct Step {
    part: &'static Part,
    is_shadow: bool,
    /// Rules that no setting can say: a function.
    is_beyond: bool,
    /// What it is set to; the name of each is what stands behind that of the part.
    settings: Vec<(String, Entry)>,
}

/// A host before which something else stands, and what.
#[derive(Clone, Debug)]
struct Other {
    pattern: String,
    settings: Vec<(String, Entry)>,
}

impl Explanation {
    /// What a call can cost at worst.
    #[must_use]
    pub const fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// What does not fit together.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }
}

impl PipelineSpec {
    /// What it is made of, what each part does, what a call can cost and what does not fit together.
    #[must_use]
    pub fn explain(&self) -> Explanation {
        let settings = self.settings();
        let (on, off) = parts::ALL.iter().partition::<Vec<&Part>, _>(|part| self.has(part));
        let step = |part: &'static Part| Step {
            part,
            is_shadow: part.guard.is_some_and(|guard| self.per_host.is_shadow(guard)),
            is_beyond: part.key == "rules" && self.rules.has_a_function(),
            settings: self.of_part(part, &settings),
        };
        let mut differing = differing(&settings);
        let hosts = self.hosts.iter().map(|(pattern, _)| Other {
            pattern: pattern.as_str().to_owned(),
            settings: differing.remove(pattern.as_str()).unwrap_or_default(),
        });
        Explanation {
            name: Arc::clone(&self.name),
            steps: on.into_iter().map(step).collect(),
            off: off.into_iter().filter(|part| self.is_missed(part)).collect(),
            hosts: hosts.collect(),
            bounds: self.bounds(),
            findings: self.lint(),
        }
    }

    fn sends_again(&self) -> bool {
        self.retry.is_some() || self.hedge.is_some()
    }

    fn has(&self, part: &Part) -> bool {
        let host = &self.per_host;
        match part.key {
            "fallback" => self.fallback.is_some(),
            "deadline" => self.deadline.is_some(),
            "retry" => self.retry.is_some(),
            "hedge" => self.hedge.is_some(),
            "budget" => self.budget.is_some() && self.sends_again(),
            "rules" => self.sends_again(),
            "idempotency_keys" => self.idempotency_keys.is_some(),
            "attempt_timeout" => self.attempt_timeout.is_some(),
            "body_idle" => self.body_idle.is_some(),
            _ => part.guard.is_some_and(|guard| is_on(host, part.key, guard)),
        }
    }

    /// Whether it is worth saying that it is off: not what nothing would come of, nor one limit
    /// where there is another.
    fn is_missed(&self, part: &Part) -> bool {
        match part.key {
            "budget" | "idempotency_keys" => self.sends_again(),
            "rules" => false,
            "concurrency" => self.per_host.adaptive.is_none(),
            "adaptive" => false,
            _ => true,
        }
    }

    /// Its settings, and those of what belongs to it.
    fn of_part(&self, part: &Part, settings: &[Entry]) -> Vec<(String, Entry)> {
        let mut found = Vec::new();
        for entry in settings {
            let keys = match entry.path.keys() {
                [first, keys @ ..] if part.guard.is_some() && first == "per_host" => keys,
                keys if part.guard.is_none() => keys,
                _ => continue,
            };
            let Some((first, rest)) = keys.split_first() else { continue };
            let belongs = match &**first {
                "hold" => matches!(part.key, "concurrency" | "adaptive"),
                // At the last of the two, since they share it.
                "line" => match part.key {
                    "rate_limit" => true,
                    "cool_down" => self.per_host.rate_limit.is_none(),
                    _ => false,
                },
                key => key == part.key,
            };
            // What is said of a list that is empty, or as the table has it, would only be noise.
            let is_noise = part.key == "rules" && entry.is_default;
            if !belongs || is_noise || entry.value == Value::On {
                continue;
            }
            let name = match first == part.key {
                true => rest.join("."),
                false => keys.join("."),
            };
            found.push((name, entry.clone()));
        }
        // What belongs to it comes behind what is its own.
        found.sort_by_key(|(name, _)| name.starts_with("hold.") || name.starts_with("line."));
        found
    }
}

fn is_on(host: &HostSpec, key: &str, guard: GuardKind) -> bool {
    match (guard, key) {
        (GuardKind::Concurrency, _) => host.concurrency.is_some(),
        (GuardKind::Adaptive, _) => host.adaptive.is_some(),
        (GuardKind::Turns, "rate_limit") => host.rate_limit.is_some(),
        (GuardKind::Turns, _) => host.cool_down.is_some(),
        (GuardKind::Throttle, _) => host.throttle.is_some(),
        (GuardKind::CircuitBreaker, _) => host.circuit_breaker.is_some(),
    }
}

/// The settings of each host by its pattern, that are others there than before all others.
fn differing(settings: &[Entry]) -> BTreeMap<&str, Vec<(String, Entry)>> {
    let (mut base, mut hosts) = (BTreeMap::new(), BTreeMap::<_, Vec<_>>::new());
    for entry in settings {
        match entry.path.keys() {
            [first, rest @ ..] if first == "per_host" => {
                base.insert(rest, &entry.value);
            }
            [first, host, rest @ ..] if first == "hosts" => {
                hosts.entry(&**host).or_default().push((rest, entry));
            }
            _ => {}
        }
    }
    let differs = |(rest, entry): &(&[String], &Entry)| {
        entry.value != Value::On && base.get(rest).is_none_or(|base| **base != entry.value)
    };
    let named = |(rest, entry): (&[String], &Entry)| (rest.join("."), entry.clone());
    let own = |own: Vec<_>| own.into_iter().filter(differs).map(named).collect();
    hosts.into_iter().map(|(host, settings)| (host, own(settings))).collect()
}

#[cfg(test)]
mod tests;
