//! What a rule is given, and where it leaves what it finds.

use super::{Finding, Severity};
use crate::pipeline::fields::Path;
use crate::pipeline::{HostPattern, HostSpec, PipelineSpec};

/// Takes what a rule finds.
pub(super) struct Notes<'a> {
    code: &'static str,
    found: &'a mut Vec<Finding>,
}

impl<'a> Notes<'a> {
    /// Findings of this code go there.
    pub(super) const fn new(code: &'static str, found: &'a mut Vec<Finding>) -> Self {
        Self { code, found }
    }

    /// It cannot work as it is meant.
    pub(super) fn error(
        &mut self,
        setting: impl Into<String>,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.add(Severity::Error, setting.into(), what.into(), fix.into());
    }

    /// It works, and probably not as it is meant.
    pub(super) fn warning(
        &mut self,
        setting: impl Into<String>,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.add(Severity::Warning, setting.into(), what.into(), fix.into());
    }

    fn add(&mut self, severity: Severity, setting: String, what: String, fix: String) {
        self.found.push(Finding { code: self.code, severity, setting, what, fix });
    }
}

/// The guards before one host, or before all, and how a file calls them.
pub(super) struct Place<'a> {
    pub(super) spec: &'a PipelineSpec,
    pub(super) host: &'a HostSpec,
    pub(super) at: String,
}

impl<'a> Place<'a> {
    /// What stands before every host.
    pub(super) fn base(spec: &'a PipelineSpec) -> Self {
        Self { spec, host: &spec.per_host, at: "per_host".to_owned() }
    }

    /// What stands before those that match this.
    pub(super) fn of(spec: &'a PipelineSpec, pattern: &HostPattern, host: &'a HostSpec) -> Self {
        Self { spec, host, at: of_pattern(pattern) }
    }

    /// How a file calls a setting of it.
    pub(super) fn name(&self, setting: &str) -> String {
        format!("{}.{setting}", self.at)
    }
}

/// How a file calls the host.
pub(super) fn of_pattern(pattern: &HostPattern) -> String {
    let mut path = Path::default();
    path.push("hosts");
    path.push(pattern.as_str());
    path.to_string()
}
