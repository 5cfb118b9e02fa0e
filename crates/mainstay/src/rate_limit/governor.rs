//! A limiter of the crate `governor`, behind our turnstile.

use std::fmt;
use std::num::NonZeroU32;
use std::ops::Add;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::governor::RateLimiter;
use ::governor::clock::{Clock, Reference};
use ::governor::middleware::NoOpMiddleware;
use ::governor::nanos::Nanos;
use ::governor::state::{InMemoryState, NotKeyed};
use mainstay_policy::Moment;
use mainstay_policy::turn::{Ahead, Turn};
use tower_layer::Layer;

use crate::clock;
use crate::guard::{GuardLayer, Guarded, Shadow, TurnGuard, Turns};
use crate::http::Http;

/// A limiter of governor that is not keyed, on the clock `C`.
pub type Limiting<C> =
    RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// Puts an existing limiter of [`governor`](::governor) before a service.
///
/// Calls that must wait stand at the same turnstile as those of our own limits: first come, first
/// served, one timer in all. governor's own `until_ready` is not used: it wakes in no order, sleeps
/// on a thread of its own, and does not see tokio's paused clock.
///
/// ```
/// use governor::{Quota, RateLimiter};
/// use mainstay::rate_limit::{GovernorLayer, TokioClock};
/// use std::num::NonZeroU32;
/// use std::sync::Arc;
///
/// # const TWENTY: NonZeroU32 = NonZeroU32::new(20).unwrap();
/// let existing = Arc::new(RateLimiter::direct_with_clock(Quota::per_second(TWENTY), TokioClock));
/// let layer = GovernorLayer::new(Arc::clone(&existing));
/// # let _ = layer;
/// ```
///
/// # What to know
///
/// A quota of governor lets its whole burst through at once and the rate goes on beside it:
/// `per_minute(60)` lets 119 through in the first minute. It cannot be changed while it runs, and
/// what a call took does not go back. With a burst of 1 the lateness of timers, up to a millisecond
/// each, is lost to the rate. [`RateLimit`](super::RateLimit) has none of this.
#[derive(Debug)]
pub struct GovernorLayer<C: Clock = TokioClock, P = Http> {
    inner: GuardLayer<Arc<GovernorGuard<C>>, P>,
}

impl<C: Clock + Send + Sync> GovernorLayer<C> {
    /// This limiter, for HTTP. Others may go on using it.
    pub fn new(limiter: Arc<Limiting<C>>) -> Self {
        Self::of(GovernorGuard::of(Governor::new(limiter)), Http::new())
    }
}

impl<C: Clock, P> GovernorLayer<C, P> {
    /// This limiter, for another protocol, or for HTTP with rules of one's own.
    pub fn of(guard: GovernorGuard<C>, protocol: P) -> Self {
        Self { inner: GuardLayer::of(Arc::new(guard), protocol) }
    }

    /// The guard, to look who waits.
    #[must_use]
    pub fn handle(&self) -> Arc<GovernorGuard<C>> {
        Arc::clone(self.inner.guard())
    }
}

impl<C: Clock + Send + Sync, P: Clone> GovernorLayer<C, P> {
    /// The same limiter in shadow: it decides and reports, and refuses or delays nothing.
    #[must_use]
    pub fn shadow(&self) -> GuardLayer<Shadow<Arc<GovernorGuard<C>>>, P> {
        self.inner.shadow_as(TurnGuard::in_shadow)
    }
}

impl<C: Clock, P> Clone for GovernorLayer<C, P> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<S, C: Clock, P> Layer<S> for GovernorLayer<C, P> {
    type Service = Guarded<S, Arc<GovernorGuard<C>>, P>;

    fn layer(&self, service: S) -> Self::Service {
        self.inner.layer(service)
    }
}

/// A limiter of governor as a [`Guard`](crate::guard::Guard), by itself or in a set.
pub type GovernorGuard<C = TokioClock> = TurnGuard<Governor<C>>;

/// A limiter of governor, and what it last said.
pub struct Governor<C: Clock = TokioClock> {
    limiter: Arc<Limiting<C>>,
    /// It cannot be asked without taking, so its last refusal is remembered: from when on a call of
    /// no cost would not have been refused.
    earns_from: AtomicU64,
    /// How long it takes to earn a cost of 1, in nanoseconds; zero before the first refusal.
    interval: AtomicU64,
}

impl<C: Clock> Governor<C> {
    /// This limiter, which others may go on using.
    pub fn new(limiter: Arc<Limiting<C>>) -> Self {
        let [earns_from, interval] = [0; 2].map(AtomicU64::new);
        Self { limiter, earns_from, interval }
    }

    /// The limiter.
    pub const fn limiter(&self) -> &Arc<Limiting<C>> {
        &self.limiter
    }
}

impl<C: Clock + Send + Sync> Turns for Governor<C> {
    const LAYER: &'static str = "rate limit";

    fn take(&self, cost: u32, _: Moment, now: Moment) -> Turn {
        let Some(cost) = NonZeroU32::new(cost) else { return Turn::Now };
        match self.limiter.check_n(cost) {
            Ok(Ok(())) => Turn::Now,
            Ok(Err(not_until)) => {
                // A wait of nothing would be asked about again and again in one poll.
                let wait = not_until
                    .wait_time_from(self.limiter.clock().now())
                    .max(Duration::from_nanos(1));
                let at = now + wait;
                let interval = not_until.quota().replenish_interval();
                let interval = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
                let earned = interval.saturating_mul(cost.get().into());
                self.interval.store(interval, Ordering::Relaxed);
                self.earns_from.store(at.as_nanos().saturating_sub(earned), Ordering::Relaxed);
                Turn::At(at)
            }
            Err(_) => Turn::Never,
        }
    }

    /// It cannot be asked without taking: what it last said must do.
    fn peek(&self, cost: u32, _: Moment, now: Moment) -> Turn {
        self.forecast(Ahead::default(), cost, now)
    }

    fn forecast(&self, ahead: Ahead, cost: u32, now: Moment) -> Turn {
        let earns_from = Moment::from_nanos(self.earns_from.load(Ordering::Relaxed));
        let interval = self.interval.load(Ordering::Relaxed);
        let costs = ahead.cost.saturating_add(cost.into());
        match earns_from + Duration::from_nanos(interval.saturating_mul(costs)) {
            at if at > now => Turn::At(at),
            _ => Turn::Now,
        }
    }
}

impl<C: Clock> fmt::Debug for Governor<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Governor").finish_non_exhaustive()
    }
}

/// Tokio's clock for limiters of governor, so that a test can pause it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TokioClock;

impl Clock for TokioClock {
    type Instant = TokioInstant;

    fn now(&self) -> TokioInstant {
        TokioInstant(clock::now())
    }
}

/// What [`TokioClock`] says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct TokioInstant(Moment);

impl Reference for TokioInstant {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.since(earlier.0).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        Self(self.0 - duration.into())
    }
}

impl Add<Nanos> for TokioInstant {
    type Output = Self;

    fn add(self, other: Nanos) -> Self {
        Self(self.0 + other.into())
    }
}

#[cfg(test)]
mod tests {
    use ::governor::Quota;
    use tokio::task::JoinSet;

    use super::*;
    use crate::error::{Reason, Refused};
    use crate::guard::{Admission, Ask, Guard, Now};

    fn guard(quota: Quota) -> Arc<GovernorGuard> {
        let limiter = RateLimiter::direct_with_clock(quota, TokioClock);
        Arc::new(GovernorGuard::of(Governor::new(Arc::new(limiter))))
    }

    fn quota(per_second: u32, burst: u32) -> Quota {
        let count = |n| NonZeroU32::new(n).unwrap();
        Quota::per_second(count(per_second)).allow_burst(count(burst))
    }

    fn asked(guard: &GovernorGuard, ask: Ask) -> Admission<()> {
        Guard::<()>::try_admit(guard, &(), ask, &Now::default())
    }

    fn refused(admission: Admission<()>) -> Refused {
        match admission {
            Admission::Refuse(refused) => refused,
            Admission::Go(()) | Admission::Wait => panic!("{admission:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn waiters_start_in_their_order_at_the_rate_of_the_limiter() {
        let guard = guard(quota(10, 1));
        let begin = clock::now();
        let mut calls = JoinSet::new();
        for n in 0..50_u64 {
            let guard = Arc::clone(&guard);
            calls.spawn(async move {
                Guard::<()>::admit(&*guard, &(), Ask::default()).await.unwrap();
                (n, clock::now().since(begin))
            });
        }
        let mut starts = Vec::new();
        while let Some(start) = calls.join_next().await {
            starts.push(start.unwrap());
        }
        // One of fifty starts at once, and each timer is up to a millisecond late.
        let last = starts[49].1;
        assert!(starts.iter().map(|(n, _)| *n).eq(0..50), "{starts:?}");
        assert!((4_900..4_950).contains(&last.as_millis()), "{last:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_heavy_call_that_left_the_line_holds_up_no_light_one() {
        let guard = guard(quota(1, 10));
        let costs = |cost| Ask { cost, ..Ask::default() };
        assert_eq!(asked(&guard, costs(10)), Admission::Go(()));
        assert_eq!(asked(&guard, costs(10)), Admission::Wait); // and does not stand in line
        tokio::time::advance(Duration::from_millis(4_500)).await;
        let soon = |cost| Ask { until: clock::now() + Duration::from_secs(1), ..costs(cost) };
        let glance = |ask| Guard::<()>::glance(&*guard, &(), ask, &Now::default());
        assert_eq!((glance(soon(4)), glance(soon(5))), (Ok(()), Ok(())));
        let late = glance(soon(6)).unwrap_err();
        assert_eq!(late.retry_in(), Some(Duration::from_millis(1_500)));
        assert_eq!(asked(&guard, soon(4)), Admission::Go(()));
    }

    #[tokio::test(start_paused = true)]
    async fn in_shadow_it_delays_nobody() {
        let limiter = RateLimiter::direct_with_clock(quota(1, 1), TokioClock);
        let shadow = GovernorLayer::new(Arc::new(limiter)).shadow();
        for _ in 0..2 {
            let (shadow, now) = (shadow.guard(), Now::default());
            let subject = Guard::<()>::subject(shadow, &());
            let asked = Guard::<()>::try_admit(shadow, &subject, Ask::default(), &now);
            assert!(matches!(asked, Admission::Go(_)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_too_late_or_never_is_refused_at_once() {
        let guard = guard(quota(1, 2));
        let costs = |cost| Ask { cost, ..Ask::default() };
        assert_eq!(asked(&guard, costs(2)), Admission::Go(()));
        let soon = Ask { until: clock::now() + Duration::from_millis(900), ..costs(1) };
        let late = refused(asked(&guard, soon));
        assert_eq!(
            (late.reason(), late.retry_in()),
            (Reason::NoTurn, Some(Duration::from_secs(1)))
        );
        assert_eq!(Guard::<()>::glance(&*guard, &(), soon, &Now::default()), Err(late));
        assert_eq!(asked(&guard, costs(1)), Admission::Wait);
        assert_eq!(refused(asked(&guard, costs(3))).retry_in(), None);
        assert_eq!(asked(&guard, costs(0)), Admission::Go(()));
    }
}
