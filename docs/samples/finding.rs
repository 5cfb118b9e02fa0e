// `fails` has one finding, whose code is ARGUMENT, and `fits` has none.
use http::{Method, StatusCode};
use mainstay::adaptive::AdaptiveLimit;
use mainstay::breaker::CircuitBreaker;
use mainstay::budget::RetryBudget;
use mainstay::concurrency::Concurrency;
use mainstay::cooldown::CoolDown;
use mainstay::hedge::Hedge;
use mainstay::http::{RetryRules, When};
use mainstay::pipeline::{FixedAnswer, GuardKind, Hold, PipelineSpec};
use mainstay::policy::adaptive::Aimd;
use mainstay::policy::backoff::Backoff;
use mainstay::policy::breaker::Span;
use mainstay::policy::fallback::FallbackOn;
use mainstay::rate_limit::RateLimit;
use mainstay::retry::Retry;
use mainstay::throttle::Throttle;
use std::time::Duration;

let (secs, millis) = (Duration::from_secs, Duration::from_millis);
// the sample
let codes = |spec: &PipelineSpec| spec.lint().iter().map(|it| it.code).collect::<Vec<_>>();
assert_eq!(codes(&fails), ["ARGUMENT"]);
assert!(codes(&fits).is_empty(), "{:?}", fits.lint());
