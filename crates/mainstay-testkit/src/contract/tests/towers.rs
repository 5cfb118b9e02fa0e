//! Layers of tower's own.

use std::time::Duration;

use tower::limit::GlobalConcurrencyLimitLayer;
use tower::retry::{Policy, RetryLayer};
use tower::timeout::TimeoutLayer;

use super::*;

type Failed = std::io::Error;

fn subject<L>(
    name: &str,
    layer: impl Fn() -> L + 'static,
) -> SubjectBuilder<L, Text, Text, Failed> {
    let dead = || Failed::other("dead");
    Subject::of(name, layer, || "ask", || Ok("answer"), dead).lets_all_through()
}

#[test]
fn a_timeout_keeps_the_contract() {
    check(&subject("timeout", || TimeoutLayer::new(Duration::from_secs(5))).build_unshared());
}

#[test]
fn a_timeout_of_towers_never_ends_what_uses_its_task_s_budget_up() {
    let after = Duration::from_secs(5);
    let timeout = subject("toy", move || TimeoutLayer::new(after)).times_out(after);
    let text = caught(ends, "ends", &timeout.build_unshared());
    assert_says(&text, "uses up tokio's budget at each poll is never ended");
}

/// Once more.
#[derive(Clone, Debug)]
struct Once(bool);

impl Policy<Text, Text, Failed> for Once {
    type Future = std::future::Ready<()>;

    fn retry(&mut self, _: &mut Text, end: &mut Result<Text, Failed>) -> Option<Self::Future> {
        (std::mem::take(&mut self.0) && end.is_err()).then(|| std::future::ready(()))
    }

    fn clone_request(&mut self, request: &Text) -> Option<Text> {
        Some(request)
    }
}

#[test]
fn a_retry_keeps_the_contract() {
    let again = || Err(Failed::other("again"));
    check(
        &subject("retry", || RetryLayer::new(Once(true))).tries_again_after(again).build_unshared(),
    );
}

#[test]
fn a_limit_that_takes_its_places_in_readiness_does_not() {
    let limit = subject("toy", || GlobalConcurrencyLimitLayer::new(2)).build_unshared();
    let text = caught(readiness, "readiness", &limit);
    assert_says(&text, "`poll_ready` is pending, nobody wakes it, and the inner one is ready");
}
