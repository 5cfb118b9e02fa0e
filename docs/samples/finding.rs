// `fails` has one finding, whose code is ARGUMENT, and `fits` has none.
#[allow(unused_imports)] use http::{Method, StatusCode};
#[allow(unused_imports)] use mainstay::adaptive::AdaptiveLimit;
#[allow(unused_imports)] use mainstay::breaker::CircuitBreaker;
#[allow(unused_imports)] use mainstay::budget::RetryBudget;
#[allow(unused_imports)] use mainstay::concurrency::Concurrency;
#[allow(unused_imports)] use mainstay::cooldown::CoolDown;
#[allow(unused_imports)] use mainstay::hedge::Hedge;
#[allow(unused_imports)] use mainstay::http::{RetryRules, When};
#[allow(unused_imports)] use mainstay::pipeline::{FixedAnswer, GuardKind, Hold, PipelineSpec};
#[allow(unused_imports)] use mainstay::policy::adaptive::Aimd;
#[allow(unused_imports)] use mainstay::policy::backoff::Backoff;
#[allow(unused_imports)] use mainstay::policy::breaker::Span;
#[allow(unused_imports)] use mainstay::policy::fallback::FallbackOn;
#[allow(unused_imports)] use mainstay::rate_limit::RateLimit;
#[allow(unused_imports)] use mainstay::retry::Retry;
#[allow(unused_imports)] use mainstay::throttle::Throttle;
#[allow(unused_imports)] use std::time::Duration;

let (secs, millis) = (Duration::from_secs, Duration::from_millis);
// the sample
let codes = |spec: &PipelineSpec| spec.lint().iter().map(|it| it.code).collect::<Vec<_>>();
assert_eq!(codes(&fails), ["ARGUMENT"]);
assert!(codes(&fits).is_empty(), "{:?}", fits.lint());
