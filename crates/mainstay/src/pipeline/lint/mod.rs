//! What does not fit together in a pipeline.

mod breaker;
mod budget;
mod guards;
mod hedge;
mod hosts;
mod notes;
mod retry;
mod settings;
mod time;

use std::fmt;

use super::PipelineSpec;
use notes::{Notes, Place};

/// Something in a pipeline that cannot be meant so.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Finding {
    /// Stays the same from version to version; it is also the heading of the page that says more.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Which setting it is about, as a file spells it: `retry.backoff.cap`.
    pub setting: String,
    /// What is wrong, with the values that do not fit; it begins with the value of the setting. Other
    /// settings of the same host are called without the host.
    pub what: String,
    /// How to mend it.
    pub fix: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Severity {
    /// It works, and probably not as it is meant.
    Warning,
    /// It is not built.
    Error,
}

impl Finding {
    /// All codes that there are, in the order of the alphabet; each has a section in
    /// `docs/pipelines/lints.md`.
    #[must_use]
    pub fn codes() -> Vec<&'static str> {
        let (of_pipelines, of_hosts) = (OF_PIPELINES.iter(), OF_HOSTS.iter());
        let mut codes: Vec<_> =
            of_pipelines.map(|rule| rule.0).chain(of_hosts.map(|rule| rule.0)).collect();
        codes.sort_unstable();
        codes.dedup();
        codes
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, severity, setting, what, fix } = self;
        write!(f, "{severity}[{code}] {setting}: {what}\n  fix: {fix}")
    }
}

/// A pipeline that is not built: what is wrong with it, all at once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PipelineError {
    name: String,
    findings: Vec<Finding>,
}

impl PipelineError {
    /// A pipeline that was closed goes on by no other spec.
    pub(super) fn closed(name: &str) -> Self {
        let closed = Finding {
            code: "closed",
            severity: Severity::Error,
            setting: "name".to_owned(),
            what: "the pipeline was closed, and takes no calls".to_owned(),
            fix: "build another one".to_owned(),
        };
        Self { name: name.to_owned(), findings: vec![closed] }
    }

    /// Everything that was found, the errors first.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }
}

impl fmt::Display for PipelineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pipeline `{}` is not built:", self.name)?;
        for finding in &self.findings {
            write!(f, "\n{finding}")?;
        }
        Ok(())
    }
}

impl std::error::Error for PipelineError {}

impl PipelineSpec {
    /// What does not fit together, the worst first; nothing, if all does.
    ///
    /// ```
    /// use mainstay::pipeline::PipelineSpec;
    /// use std::time::Duration;
    ///
    /// let spec = PipelineSpec::standard().deadline(Duration::from_secs(5));
    /// let found = spec.lint();
    /// assert_eq!(
    ///     found[0].to_string(),
    ///     "error[attempt-timeout-over-deadline] attempt_timeout: 8s, but `deadline` ends the whole \
    ///      call after 5s: it never fires\n  \
    ///      fix: raise `deadline` above 8s, or lower `attempt_timeout` below 5s",
    /// );
    /// assert_eq!(PipelineSpec::standard().lint(), []);
    /// ```
    ///
    /// What each code means is in `docs/pipelines/lints.md`.
    #[must_use]
    pub fn lint(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        for (code, rule) in OF_PIPELINES {
            rule(self, &mut Notes::new(code, &mut found));
        }
        let base = Place::base(self);
        let of_base = of_host(&base);
        let overrides = self.hosts.iter().flat_map(|(pattern, host)| {
            let own = of_host(&Place::of(self, pattern, host));
            // What holds for every host is said once: it reads the same where it has the same values.
            let as_base = of_host(&Place { host, ..Place::base(self) });
            own.into_iter().zip(as_base).filter(|(_, as_base)| !of_base.contains(as_base))
        });
        let of_overrides: Vec<_> = overrides.map(|(own, _)| own).collect();
        found.extend(of_base);
        found.extend(of_overrides);
        found.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        found
    }

    /// Nothing that is an error, or all that was found.
    ///
    /// # Errors
    ///
    /// What [`lint`](Self::lint) finds, if there is an error in it.
    pub fn check(&self) -> Result<(), PipelineError> {
        let findings = self.lint();
        match findings.iter().any(|finding| finding.severity == Severity::Error) {
            true => Err(PipelineError { name: self.name.to_string(), findings }),
            false => Ok(()),
        }
    }
}

fn of_host(place: &Place<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (code, rule) in OF_HOSTS {
        rule(place, &mut Notes::new(code, &mut found));
    }
    found
}

/// A rule about a pipeline as a whole, and the code of what it finds.
type OfPipeline = (&'static str, fn(&PipelineSpec, &mut Notes<'_>));

/// A rule about the guards before one host, or before all.
type OfHost = (&'static str, fn(&Place<'_>, &mut Notes<'_>));

const OF_PIPELINES: [OfPipeline; 18] = [
    ("bad-setting", settings::of_pipeline),
    ("attempt-timeout-over-deadline", time::attempt_timeout_over_deadline),
    ("no-timeout", time::no_timeout),
    ("no-attempt-timeout", time::no_attempt_timeout),
    ("attempts-not-reached", time::attempts_not_reached),
    ("asked-over-deadline", time::asked_over_deadline),
    ("retry-of-nothing", retry::of_nothing),
    ("repeats-what-stays", retry::what_stays),
    ("backoff-does-not-grow", retry::backoff_does_not_grow),
    ("hedge-of-nothing", hedge::of_nothing),
    ("hedge-never-fires", hedge::never_fires),
    ("hedges-not-reached", hedge::not_reached),
    ("hedges-multiply", hedge::multiply),
    ("no-budget", budget::none),
    ("budget-too-small", budget::too_small),
    ("fallback-never-given", settings::fallback_never_given),
    ("host-not-reached", hosts::not_reached),
    ("host-like-base", hosts::like_base),
];

const OF_HOSTS: [OfHost; 13] = [
    ("bad-setting", settings::of_host),
    ("two-limits", guards::two_limits),
    ("queue-wait-over-deadline", time::queue_wait_over_deadline),
    ("line-without-turns", guards::line_without_turns),
    ("rate-limits-nothing", guards::rate_limits_nothing),
    ("throttled-alone", guards::throttled_alone),
    ("breaker-window-too-short", breaker::window_too_short),
    ("min-calls-not-reached", breaker::min_calls_not_reached),
    ("slow-calls-not-counted", breaker::slow_calls_not_counted),
    ("probe-given-up-early", breaker::probe_given_up_early),
    ("shadow-of-nothing", guards::shadow_of_nothing),
    ("hold-without-guards", guards::hold_without_guards),
    ("silent-bodies-hang", guards::silent_bodies_hang),
];

#[cfg(test)]
mod tests;
