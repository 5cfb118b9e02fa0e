//! How many calls a limiter lets start within any second, beside how many it promises.
//!
//! Crowds of callers come at odd moments for some seconds of real time, more than the limit lets
//! through; each limiter has a thread of its own. Each start is written down where the call begins.

use std::future::Future;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use futures_util::future::{Ready, ready};
use governor::{Quota, RateLimiter};
use mainstay::guard::GuardLayer;
use mainstay::rate_limit::{RateLimit, RateLimitGuard};
use tokio::task::JoinSet;
use tower::{Layer, Service, ServiceExt};
use tower_resilience::ratelimiter::RateLimiterLayer;

use crate::chance::Chance;
use crate::clock::{Watch, wait};
use crate::overhead::cases::OURS;
use crate::overhead::services::{NoError, Plain};
use crate::report::{Report, Row};

const RATE: u32 = 50;
const BURST: u32 = 10;
const SECOND: Duration = Duration::from_secs(1);
const CROWDS: u32 = 12;
const CROWD: u32 = 45;

/// What is limited, whose it is, and how many starts within a second that promises.
type Limited = (&'static str, &'static str, u32, fn(Log) -> Asks);
/// Asks for one start, and ends when it was made.
type Asks = Box<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>>>;

const ALL: &[Limited] = &[
    ("smooth", OURS, RATE + BURST, smooth),
    ("strict", OURS, RATE, strict),
    ("smooth", "governor", RATE + BURST, governed),
    ("window", "tower", RATE, tower_s),
    ("window", "tower-resilience", RATE, resilience),
];

pub(crate) fn suite(report: Report) {
    report.begins("accuracy", "starts within a second; ratio: of the most to what was promised");
    let running: Vec<_> =
        ALL.iter().map(|limited| (limited, thread::spawn(|| run(limited.3)))).collect();
    for ((case, peer, promised, _), thread) in running {
        let Ok(starts) = thread.join() else { continue };
        let most = most_in_a_second(&starts);
        report.row(&Row {
            ratio: Some(f64::from(most) / f64::from(*promised)),
            more: vec![
                ("promised", f64::from(*promised)),
                ("most", f64::from(most)),
                ("starts", starts.len() as f64),
            ],
            ..Row::new("accuracy", *case, peer)
        });
    }
    report.ends();
}

/// The starts that this limiter allowed while the crowds came.
fn run(limiter: fn(Log) -> Asks) -> Vec<Duration> {
    let log = Log { watch: Arc::new(Watch::starts()), starts: Arc::default() };
    crate::block_on(async {
        let asks = limiter(log.clone());
        let (mut chance, mut callers) = (Chance::seeded(7), JoinSet::new());
        for _ in 0..CROWDS {
            (0..CROWD).for_each(|_| drop(callers.spawn(asks())));
            wait(chance.ms(200, 900)).await;
        }
    });
    log.starts.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// The most that lie in any second that begins with one of them.
fn most_in_a_second(starts: &[Duration]) -> u32 {
    let within = |from: &Duration| {
        let later = starts.iter().filter(|at| *at >= from && **at < *from + SECOND);
        u32::try_from(later.count()).unwrap_or(u32::MAX)
    };
    starts.iter().map(within).max().unwrap_or(0)
}

/// A service that writes down when it is called.
#[derive(Clone)]
struct Log {
    watch: Arc<Watch>,
    starts: Arc<Mutex<Vec<Duration>>>,
}

impl Log {
    fn starts(&self) {
        self.starts.lock().unwrap_or_else(PoisonError::into_inner).push(self.watch.took());
    }
}

impl Service<u64> for Log {
    type Response = u64;
    type Error = NoError;
    type Future = Ready<Result<u64, NoError>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), NoError>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u64) -> Self::Future {
        self.starts();
        ready(Ok(request))
    }
}

#[expect(clippy::unwrap_used, reason = "the settings are written here")]
fn ours(limit: RateLimit, log: Log) -> Asks {
    calls(GuardLayer::of(RateLimitGuard::new(limit).unwrap(), Plain::<false>).layer(log))
}

fn smooth(log: Log) -> Asks {
    ours(RateLimit::per_second(RATE).burst(BURST), log)
}

fn strict(log: Log) -> Asks {
    ours(RateLimit::per_second(RATE).strict(), log)
}

#[expect(clippy::unwrap_used, reason = "the settings are written here")]
fn resilience(log: Log) -> Asks {
    let layer = RateLimiterLayer::builder()
        .limit_for_period(RATE as usize)
        .refresh_period(SECOND)
        .timeout_duration(60 * SECOND);
    calls(layer.build().unwrap().layer(log))
}

fn calls<S>(service: S) -> Asks
where
    S: Service<u64> + Clone + Send + 'static,
    S::Future: Send,
{
    Box::new(move || {
        let call = service.clone().oneshot(1);
        Box::pin(async move { drop(call.await) })
    })
}

/// It is not `Clone`, so callers take turns.
fn tower_s(log: Log) -> Asks {
    let rate = tower::limit::rate::Rate::new(u64::from(RATE), SECOND);
    let service = Arc::new(tokio::sync::Mutex::new(tower::limit::RateLimit::new(log, rate)));
    Box::new(move || {
        let service = Arc::clone(&service);
        Box::pin(async move {
            let mut service = service.lock().await;
            if let Ok(ready) = service.ready().await {
                drop(ready.call(1).await);
            }
        })
    })
}

fn governed(log: Log) -> Asks {
    let of = |count| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
    let quota = Quota::per_second(of(RATE)).allow_burst(of(BURST));
    let limiter = Arc::new(RateLimiter::direct(quota));
    Box::new(move || {
        let (limiter, log) = (Arc::clone(&limiter), log.clone());
        Box::pin(async move {
            limiter.until_ready().await;
            log.starts();
        })
    })
}
