mod drivers;
mod guards;

use std::time::Duration;

use mainstay_policy::budget::RetryBudget;
use mainstay_policy::retry::Retry;

use super::*;
use crate::pipeline::HostSpec;

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Nothing but a deadline and an attempt timeout, and a cool-down for whoever retries.
fn plain() -> PipelineSpec {
    let spec = PipelineSpec::named("plain").deadline(secs(30)).attempt_timeout(secs(8));
    spec.per_host(|host| host.cool_down(mainstay_policy::cooldown::CoolDown::new()))
}

/// The same with a retry whose waits fit.
fn retried(attempts: u32) -> PipelineSpec {
    plain().retry(Retry::up_to(attempts).longest_asked(secs(20)))
}

fn with(spec: PipelineSpec, change: impl FnOnce(HostSpec) -> HostSpec) -> PipelineSpec {
    spec.per_host(change)
}

/// This is found, and nothing else.
#[track_caller]
fn finds(
    spec: &PipelineSpec,
    severity: Severity,
    code: &str,
    setting: &str,
    what: &str,
    fix: &str,
) {
    let found = spec.lint();
    let said: Vec<_> =
        found.iter().map(|it| (it.severity, it.code, &*it.setting, &*it.what, &*it.fix)).collect();
    assert_eq!(said, [(severity, code, setting, what, fix)]);
}

#[track_caller]
fn warns(spec: &PipelineSpec, code: &str, setting: &str, what: &str, fix: &str) {
    finds(spec, Severity::Warning, code, setting, what, fix);
    assert_eq!(spec.check(), Ok(()));
}

#[track_caller]
fn errs(spec: &PipelineSpec, code: &str, setting: &str, what: &str, fix: &str) {
    finds(spec, Severity::Error, code, setting, what, fix);
    assert!(spec.check().is_err());
}

#[track_caller]
fn fits(spec: &PipelineSpec) {
    assert_eq!(spec.lint(), []);
}

#[test]
fn nothing_is_found_in_any_preset() {
    for name in PipelineSpec::PRESETS {
        let spec = PipelineSpec::preset(name).expect("it is a preset");
        assert_eq!(spec.lint(), [], "{name}");
    }
    fits(&PipelineSpec::named("empty"));
    fits(&plain());
    fits(&retried(3));
}

#[test]
fn codes_are_words_with_hyphens_and_each_is_there_once() {
    let codes = Finding::codes();
    assert_eq!(codes.len(), OF_PIPELINES.len() + OF_HOSTS.len() - 1, "one is in both");
    for code in codes {
        assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{code}");
    }
}

#[test]
fn errors_come_before_warnings_and_all_are_told_at_once() {
    let spec = PipelineSpec::named("github")
        .deadline(secs(5))
        .attempt_timeout(secs(10))
        .retry(Retry::up_to(3))
        .without_budget();
    let error = spec.check().expect_err("an attempt timeout over the deadline");
    let found: Vec<_> = error.findings().iter().map(|it| (it.severity, it.code)).collect();
    assert_eq!(
        found,
        [
            (Severity::Error, "attempt-timeout-over-deadline"),
            (Severity::Warning, "asked-over-deadline"),
            (Severity::Warning, "no-budget"),
            (Severity::Warning, "throttled-alone"),
        ]
    );
    let text = error.to_string();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("pipeline `github` is not built:"));
    assert_eq!(
        lines.next(),
        Some(
            "error[attempt-timeout-over-deadline] attempt_timeout: 10s, but `deadline` ends the \
             whole call after 5s: it never fires"
        )
    );
    assert_eq!(
        lines.next(),
        Some("  fix: raise `deadline` above 10s, or lower `attempt_timeout` below 5s")
    );
    assert_eq!(lines.count(), 6);
}

#[test]
fn what_holds_for_every_host_is_said_once_and_what_is_another_value_again() {
    use mainstay_policy::concurrency::Concurrency;

    let wait = |time| move |host: HostSpec| host.concurrency(Concurrency::limit(9).max_wait(time));
    let spec = with(plain(), wait(secs(40)))
        .host("a.example", |host| host.max_waiting(5))
        .host("b.example", wait(secs(50)));
    let found: Vec<_> = spec.lint().into_iter().map(|it| (it.setting, it.what)).collect();
    let what = |time| {
        format!("{time}, but `deadline` ends the whole call after 30s: nobody waits that long")
    };
    assert_eq!(
        found,
        [
            ("per_host.concurrency.max_wait".to_owned(), what("40s")),
            ("hosts.\"b.example\".concurrency.max_wait".to_owned(), what("50s")),
        ]
    );
}

#[test]
fn settings_that_are_no_use_by_themselves_are_told_by_their_path_and_once() {
    let spec =
        with(plain(), |host| host.concurrency(0)).host("a.example", |host| host.max_waiting(1));
    let fix = "it must be at least 1";
    errs(&spec, "bad-setting", "per_host.concurrency.limit", "`limit` is 0", fix);
    let spec = plain().host("a.example", |host| host.concurrency(0));
    errs(&spec, "bad-setting", "hosts.\"a.example\".concurrency.limit", "`limit` is 0", fix);
    let spec = retried(3).budget(RetryBudget::new().reserve(0));
    errs(&spec, "bad-setting", "budget.reserve", "`reserve` is 0", fix);
    let spec = PipelineSpec::named("a").deadline(Duration::ZERO);
    let fix = "it must be longer than nothing";
    errs(&spec, "bad-setting", "deadline", "`deadline` is 0ns", fix);
    let body = crate::pipeline::Hold::Body { idle: Duration::ZERO };
    let spec = with(plain(), |host| host.hold(body)).body_idle(Duration::ZERO);
    let settings: Vec<_> = spec.lint().into_iter().map(|it| it.setting).collect();
    assert_eq!(settings, ["body_idle", "per_host.hold.idle"]);
}
