//! Many calls that wait for one limit at the same moment.
//!
//! A limit of as many starts in a second as there are waiters lets all of them in within one; what
//! is told is what each of them computes meanwhile. Who has not let all in after some seconds is
//! told by how many it had let in.

use std::future::Future;
use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use governor::{Quota, RateLimiter};
use mainstay::guard::GuardLayer;
use mainstay::rate_limit::{RateLimit, RateLimitGuard};
use tower::{Layer, Service, ServiceExt};
use tower_resilience::ratelimiter::RateLimiterLayer;

use crate::clock;
use crate::overhead::cases::OURS;
use crate::overhead::services::{Bare, Plain};
use crate::report::{Report, Row};

/// How long somebody has to let all of them in.
const PATIENCE: Duration = Duration::from_secs(4);

pub(crate) fn suite(report: Report) {
    report.begins("waiters", "computing time of one that waits; ratio: to ours of as many");
    for (case, waiters) in [("10^2", 100), ("10^4", 10_000), ("10^5", 100_000)] {
        let ours = [
            (OURS, measured(waiters, ours(waiters))),
            ("governor", measured(waiters, governors(waiters))),
            ("tower-resilience", measured(waiters, resilience(waiters))),
        ];
        let baseline = ours[0].1.nanos();
        for (peer, cost) in ours {
            report.row(&Row {
                nanos: Some(cost.nanos()),
                allocations: Some(cost.allocations / f64::from(waiters)),
                ratio: Some(cost.nanos() / baseline),
                more: vec![
                    ("let in", f64::from(cost.let_in)),
                    ("after ms", cost.took.as_secs_f64() * 1e3),
                ],
                ..Row::new("waiters", case, peer)
            });
        }
    }
    report.ends();
}

/// What all of them cost together.
#[derive(Clone, Copy, Default)]
struct Cost {
    let_in: u32,
    computed: Duration,
    took: Duration,
    allocations: f64,
}

impl Cost {
    fn nanos(&self) -> f64 {
        self.computed.as_secs_f64() * 1e9 / f64::from(self.let_in.max(1))
    }
}

/// Lets all of them wait together.
fn measured<F: Future<Output = bool>>(waiters: u32, each: impl Fn() -> F) -> Cost {
    let mut cost = Cost::default();
    let counted = allocation_counter::measure(|| {
        let (before, watch) = (clock::computed(), clock::Watch::starts());
        crate::block_on(async {
            let mut all: FuturesUnordered<_> = (0..waiters).map(|_| each()).collect();
            let mut given_up = pin!(clock::wait(PATIENCE));
            loop {
                tokio::select! {
                    biased;
                    () = &mut given_up => break,
                    ended = all.next() => match ended {
                        Some(was_let_in) => cost.let_in += u32::from(was_let_in),
                        None => break,
                    },
                }
            }
        });
        (cost.computed, cost.took) = (clock::computed() - before, watch.took());
    });
    cost.allocations = counted.count_total as f64;
    cost
}

#[expect(clippy::unwrap_used, reason = "the settings are written here")]
fn ours(waiters: u32) -> impl Fn() -> std::pin::Pin<Box<dyn Future<Output = bool>>> {
    let guard = RateLimitGuard::new(RateLimit::per_second(waiters).burst(1)).unwrap();
    let service = GuardLayer::of(guard, Plain::<false>).layer(Bare);
    calls(service)
}

#[expect(clippy::unwrap_used, reason = "the settings are written here")]
fn resilience(waiters: u32) -> impl Fn() -> std::pin::Pin<Box<dyn Future<Output = bool>>> {
    let (windows, long) = (10, Duration::from_secs(60));
    let layer = RateLimiterLayer::builder()
        .limit_for_period((waiters / windows) as usize)
        .refresh_period(Duration::from_secs(1) / windows)
        .timeout_duration(long);
    calls(layer.build().unwrap().layer(Bare))
}

fn calls<S>(service: S) -> impl Fn() -> std::pin::Pin<Box<dyn Future<Output = bool>>>
where
    S: Service<u64> + Clone + 'static,
{
    move || {
        let call = service.clone().oneshot(1);
        Box::pin(async move { call.await.is_ok() })
    }
}

fn governors(waiters: u32) -> impl Fn() -> std::pin::Pin<Box<dyn Future<Output = bool>>> {
    let each = NonZeroU32::new(waiters).unwrap_or(NonZeroU32::MIN);
    let quota = Quota::per_second(each).allow_burst(NonZeroU32::MIN);
    let limiter = Arc::new(RateLimiter::direct(quota));
    move || {
        let limiter = Arc::clone(&limiter);
        Box::pin(async move {
            limiter.until_ready().await;
            true
        })
    }
}
