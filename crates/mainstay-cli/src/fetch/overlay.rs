//! The pipelines of a run: those of the configuration, changed by what the flags say.

use std::num::NonZeroU32;
use std::time::Duration;

use http::Method;
use mainstay::concurrency::Concurrency;
use mainstay::pipeline::{PipelineError, PipelineSpec, Pipelines, Severity};
use mainstay::rate_limit::RateLimit;
use mainstay::retry::Retry;

use super::flags::Fetch;
use super::summary::seconds;
use crate::check;
use crate::explain::{no_such_pipeline, preset_of};
use crate::out;

/// What the flags say of every pipeline.
#[derive(Clone, Copy, Default)]
pub(crate) struct Overlay {
    pub(crate) per_host: Option<NonZeroU32>,
    pub(crate) rate: Option<RateLimit>,
    pub(crate) attempts: Option<NonZeroU32>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) retry_unsafe: bool,
}

impl Overlay {
    pub(crate) const fn of(fetch: &Fetch) -> Self {
        let Fetch { per_host, rate, attempts, timeout, deadline, retry_unsafe, .. } = *fetch;
        Self { per_host, rate, attempts, timeout, deadline, retry_unsafe }
    }

    /// The same pipeline with what the flags say. What they do not say gives way: a deadline of 5 s
    /// is no fault of who left an attempt timeout of 8 s as it was.
    pub(crate) fn over(&self, mut spec: PipelineSpec) -> PipelineSpec {
        if let Some(attempts) = self.attempts {
            spec.retry = match (attempts.get(), spec.retry) {
                (1, _) => None,
                (_, Some(mut retry)) => {
                    retry.max_attempts = attempts.get();
                    Some(retry)
                }
                (attempts, None) => Some(Retry::up_to(attempts)),
            };
            if attempts.get() == 1 {
                spec.hedge = None;
            }
        }
        // A POST that could not be sent is sent again; beneath a client that follows them it might
        // have been answered.
        spec.rules = spec.rules.without_redirects();
        if self.retry_unsafe {
            spec.rules = spec.rules.idempotent(Method::POST).idempotent(Method::PATCH);
        }
        if let Some(timeout) = self.timeout {
            spec.attempt_timeout = Some(timeout);
            let attempts = spec.retry.as_ref().map_or(1, |retry| retry.max_attempts);
            let least = timeout.saturating_mul(attempts).saturating_add(timeout / 4);
            spec.deadline = spec.deadline.map(|deadline| deadline.max(least));
        }
        if let Some(deadline) = self.deadline {
            spec.deadline = Some(deadline);
            if self.timeout.is_none() {
                spec.attempt_timeout = spec.attempt_timeout.filter(|timeout| *timeout < deadline);
            }
        }
        if let (Some(retry), Some(deadline)) = (&mut spec.retry, spec.deadline) {
            retry.longest_asked = retry.longest_asked.min(deadline);
        }
        let hosts = spec.hosts.iter_mut().map(|(_, host)| host);
        for host in hosts.chain([&mut spec.per_host]) {
            if let Some(slots) = self.per_host {
                host.concurrency = Some(Concurrency::limit(slots.get()));
                host.adaptive = None;
            }
            if let Some(rate) = self.rate {
                host.rate_limit = Some(rate);
            }
        }
        spec
    }
}

/// What is to be mended, without the warnings: they may be of what no flag has named.
fn told(error: PipelineError) -> String {
    let what = error.to_string();
    let mut told = what.lines().next().unwrap_or_default().to_owned();
    for found in error.findings().iter().filter(|found| found.severity == Severity::Error) {
        told.push_str(&format!("\n{found}"));
    }
    told
}

/// The pipelines that the flags and the configuration come to.
pub(crate) fn pipelines(
    fetch: &Fetch,
    change: impl Fn(PipelineSpec) -> PipelineSpec,
) -> Result<Pipelines, String> {
    let overlay = Overlay::of(fetch);
    let change = |spec| change(overlay.over(spec));
    if let (Some(timeout), Some(deadline)) = (fetch.timeout, fetch.deadline) {
        if timeout > deadline {
            let [timeout, deadline] = [timeout, deadline].map(seconds);
            return Err(format!(
                "--timeout gives an attempt {timeout}, and --deadline ends its call after {deadline}: \
                 lower the one or raise the other"
            ));
        }
    }
    let (config, name) = match (&fetch.config, &fetch.pipeline) {
        (None, None) => return Pipelines::new(change(PipelineSpec::standard())).map_err(told),
        (None, Some(name)) => {
            let known = || PipelineSpec::PRESETS.join(", ");
            let spec = preset_of(name).ok_or_else(|| {
                format!("there is no pipeline `{name}` without --config; there are {}", known())
            })?;
            return Pipelines::new(change(spec)).map_err(told);
        }
        (Some(file), name) => {
            let config = check::read(file)?;
            for warning in config.warnings() {
                out::note(out::coloured(&warning.to_string()));
            }
            (config, name.as_ref().map(|name| (name, file)))
        }
    };
    if let Some((name, file)) = name {
        let all = || config.iter().map(|configured| configured.spec.clone());
        let spec = config
            .get(name)
            .cloned()
            .or_else(|| preset_of(name))
            .ok_or_else(|| no_such_pipeline(name, &file.display().to_string(), all()))?;
        return Pipelines::new(change(spec)).map_err(told);
    }
    let others = config.get("default").cloned().unwrap_or_else(PipelineSpec::standard);
    let pipelines = Pipelines::new(change(others)).map_err(told)?;
    pipelines.reload(&config.changed(change)).map_err(told)?;
    Ok(pipelines)
}
