//! What no single crate can test.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../docs/architecture.md")]
pub struct Architecture;

#[cfg(doctest)]
#[doc = include_str!("../docs/layers/adaptive.md")]
pub struct Adaptive;

#[cfg(doctest)]
#[doc = include_str!("../docs/layers/guards.md")]
pub struct Guards;

#[cfg(doctest)]
#[doc = include_str!("../docs/layers/circuit-breaker.md")]
pub struct CircuitBreaker;

#[cfg(doctest)]
#[doc = include_str!("../docs/layers/concurrency.md")]
pub struct Concurrency;

#[cfg(doctest)]
#[doc = include_str!("../docs/layers/rate-limit.md")]
pub struct RateLimit;

#[cfg(doctest)]
#[doc = include_str!("../docs/layers/cool-down.md")]
pub struct CoolDown;

#[cfg(doctest)]
#[doc = include_str!("../docs/layers/observe.md")]
pub struct Observe;

#[cfg(doctest)]
#[doc = include_str!("../docs/layers/deadline.md")]
pub struct Deadline;

#[cfg(doctest)]
#[doc = include_str!("../docs/layers/timeout.md")]
pub struct Timeout;

#[cfg(doctest)]
#[doc = include_str!("../docs/layers/fallback.md")]
pub struct Fallback;

#[cfg(doctest)]
#[doc = include_str!("../docs/layers/stall.md")]
pub struct Stall;

#[cfg(doctest)]
#[doc = include_str!("../docs/layers/chaos.md")]
pub struct Chaos;

#[cfg(doctest)]
#[doc = include_str!("../docs/layers/retry.md")]
pub struct Retry;

#[cfg(doctest)]
#[doc = include_str!("../docs/layers/hedge.md")]
pub struct Hedge;

#[cfg(doctest)]
#[doc = include_str!("../docs/layers/coalesce.md")]
pub struct Coalesce;

#[cfg(doctest)]
#[doc = include_str!("../docs/layers/per-key.md")]
pub struct PerKey;

#[cfg(doctest)]
#[doc = include_str!("../docs/layers/throttle.md")]
pub struct Throttle;

#[cfg(doctest)]
#[doc = include_str!("../docs/guides/testing.md")]
pub struct Testing;

#[cfg(doctest)]
#[doc = include_str!("../docs/pipelines/README.md")]
pub struct Pipelines;

#[cfg(doctest)]
#[doc = include_str!("../docs/pipelines/files.md")]
pub struct PipelinesInFiles;

#[cfg(doctest)]
#[doc = include_str!("../docs/ordering.md")]
pub struct Ordering;

#[cfg(doctest)]
#[doc = include_str!("../docs/pipelines/lints.md")]
pub struct Lints;

#[cfg(doctest)]
#[doc = include_str!("../docs/pipelines/bounds.md")]
pub struct Bounds;

#[cfg(doctest)]
#[doc = include_str!("../docs/guides/many-calls.md")]
pub struct ManyCalls;

#[cfg(doctest)]
#[doc = include_str!("../docs/guides/from-httpx.md")]
pub struct FromHttpx;

#[cfg(doctest)]
#[doc = include_str!("../docs/guides/from-requests.md")]
pub struct FromRequests;

#[cfg(doctest)]
#[doc = include_str!("../docs/guides/command.md")]
pub struct Command;

#[cfg(doctest)]
#[doc = include_str!("../docs/guides/from-reqwest-middleware.md")]
pub struct FromReqwestMiddleware;

#[cfg(doctest)]
#[doc = include_str!("../docs/guides/from-tower-resilience.md")]
pub struct FromTowerResilience;

#[cfg(doctest)]
#[doc = include_str!("../docs/guides/first-steps.md")]
pub struct FirstSteps;

#[cfg(doctest)]
#[doc = include_str!("../docs/guides/choosing-policies.md")]
pub struct ChoosingPolicies;

#[cfg(doctest)]
#[doc = include_str!("../docs/guides/rate-limited-apis.md")]
pub struct RateLimitedApis;

#[cfg(doctest)]
#[doc = include_str!("../docs/guides/server-side.md")]
pub struct ServerSide;

#[cfg(doctest)]
#[doc = include_str!("../docs/guides/grpc.md")]
pub struct Grpc;

#[cfg(doctest)]
#[doc = include_str!("../docs/guides/observing.md")]
pub struct Observing;

#[cfg(doctest)]
#[doc = include_str!("../docs/guides/operating.md")]
pub struct Operating;

#[cfg(doctest)]
#[doc = include_str!("../docs/guides/anti-patterns.md")]
pub struct AntiPatterns;
