//! What is measured.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::hint::black_box;
use std::pin::pin;
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use mainstay::breaker::{BreakerGuard, CircuitBreaker};
use mainstay::concurrency::{Concurrency, ConcurrencyGuard};
use mainstay::guard::{Guard, GuardLayer, Guarded};
use mainstay::policy::Outcome;
use mainstay::rate_limit::{RateLimit, RateLimitGuard};
use mainstay::{Ending, Error, Protocol};
use tower::limit::{ConcurrencyLimit, RateLimit as TowerRateLimit};
use tower::{Layer, Service};

use crate::clock;

type NoError = Error<Infallible>;

/// Something to be measured.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Makes so many calls, one after the other.
    pub(crate) run: fn(u64) -> u64,
    /// So many threads make so many calls each, through one stack; how long that took.
    pub(crate) two_threads: Option<fn(usize, u64) -> Duration>,
}

pub(crate) const CASES: &[Case] = &[
    Case { name: "bare", run: |n| calls(Bare, n), two_threads: None },
    Case {
        name: "concurrency",
        run: |n| calls(over(slots()), n),
        two_threads: Some(|t, n| threads(over(slots()), t, n)),
    },
    Case {
        name: "tower ConcurrencyLimit",
        run: |n| calls(tower(), n),
        two_threads: Some(|t, n| threads(tower(), t, n)),
    },
    Case {
        name: "rate limit, smooth",
        run: |n| calls(over(rate()), n),
        two_threads: Some(|t, n| threads(over(rate()), t, n)),
    },
    Case {
        name: "tower RateLimit (not Clone)",
        run: |n| calls(tower_rate(), n),
        two_threads: None,
    },
    Case {
        name: "breaker",
        run: |n| calls(over(breaker()), n),
        two_threads: Some(|t, n| threads(over(breaker()), t, n)),
    },
    Case {
        name: "breaker + concurrency + rate",
        run: |n| calls(over((slots(), rate(), breaker())), n),
        two_threads: Some(|t, n| threads(over((slots(), rate(), breaker())), t, n)),
    },
    Case {
        name: "refused by an open breaker",
        run: |n| calls(over(open()), n),
        two_threads: Some(|t, n| threads(over(open()), t, n)),
    },
];

/// Answers at once.
#[derive(Clone, Debug)]
pub(crate) struct Bare;

impl Service<u64> for Bare {
    type Response = u64;
    type Error = NoError;
    type Future = Ready<Result<u64, NoError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NoError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u64) -> Self::Future {
        ready(Ok(black_box(request)))
    }
}

/// A protocol where every answer is a success.
#[derive(Clone, Debug)]
pub(crate) struct Plain;

impl Protocol<u64, u64, NoError> for Plain {
    type About = ();

    fn about(&self, _: &u64) {}

    fn may_repeat(&self, (): &()) -> bool {
        false
    }

    fn end(&self, (): &(), end: Result<&u64, &NoError>) -> Ending {
        Ending::new(match end {
            Ok(_) => Outcome::Success,
            Err(_) => Outcome::Transient,
        })
    }
}

fn over<G: Guard<u64> + Send + Sync + 'static>(guard: G) -> Guarded<Bare, G, Plain> {
    GuardLayer::of(guard, Plain).layer(Bare)
}

#[expect(clippy::unwrap_used, reason = "the settings are written here")]
fn slots() -> ConcurrencyGuard {
    ConcurrencyGuard::new(Concurrency::limit(64)).unwrap()
}

#[expect(clippy::unwrap_used, reason = "the settings are written here")]
fn rate() -> RateLimitGuard {
    RateLimitGuard::new(RateLimit::per_second(100_000_000).burst(1_000_000)).unwrap()
}

#[expect(clippy::unwrap_used, reason = "the settings are written here")]
fn breaker() -> BreakerGuard {
    BreakerGuard::new(CircuitBreaker::new()).unwrap()
}

fn open() -> BreakerGuard {
    let breaker = breaker();
    breaker.isolate();
    breaker
}

fn tower() -> ConcurrencyLimit<Bare> {
    ConcurrencyLimit::new(Bare, 64)
}

fn tower_rate() -> TowerRateLimit<Bare> {
    TowerRateLimit::new(Bare, tower::limit::rate::Rate::new(u64::MAX, Duration::from_secs(3_600)))
}

#[inline(never)]
fn calls<S: Service<u64, Response = u64>>(mut service: S, n: u64) -> u64 {
    let mut cx = Context::from_waker(Waker::noop());
    let mut sum = 0;
    for i in 0..n {
        let _ = service.poll_ready(&mut cx);
        let call = pin!(service.call(i));
        if let Poll::Ready(Ok(value)) = call.poll(&mut cx) {
            sum += value;
        }
    }
    sum
}

fn threads<S>(service: S, threads: usize, n: u64) -> Duration
where
    S: Service<u64, Response = u64> + Clone + Send + 'static,
{
    let barrier = Arc::new(Barrier::new(threads));
    let running: Vec<_> = (0..threads)
        .map(|_| {
            let (service, barrier) = (service.clone(), Arc::clone(&barrier));
            thread::spawn(move || {
                barrier.wait();
                clock::time(|| {
                    black_box(calls(service, n));
                })
            })
        })
        .collect();
    let taken = running.into_iter().filter_map(|thread| thread.join().ok());
    taken.max().unwrap_or_default()
}
