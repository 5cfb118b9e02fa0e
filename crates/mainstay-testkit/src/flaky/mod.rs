//! A service that fails now and then, the same way in every run.

mod service;

pub use service::{Flaky, FlakyFuture};

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tower_layer::Layer;

use crate::Chance;

/// Makes a service fail, hang, panic, come late and be unready now and then, by a seed.
///
/// What becomes of a call depends on the seed and on how many calls came before, so a run can be
/// repeated. Shares are in percent; a call meets one fate at most, so together they are 100 at most.
///
/// ```
/// use mainstay_testkit::{FlakyLayer, Script, instantly};
/// use tower::{Layer, ServiceExt};
///
/// let script = Script::<u32, u32, &str>::new();
/// script.answers(Ok);
/// let flaky = FlakyLayer::seeded(7).fails(10.0, || "ill").unready(20.0);
/// let service = flaky.layer(script.service());
/// instantly(async {
///     for request in 0..1_000 {
///         let _ = service.clone().oneshot(request).await;
///     }
/// });
/// assert_eq!(flaky.dealt().calls, 1_000);
/// assert_eq!(script.seen().calls, 1_000 - flaky.dealt().failed);
/// ```
///
/// A layer and its clones deal from one sequence.
pub struct FlakyLayer<E> {
    plan: Plan<E>,
    hand: Arc<Mutex<Hand>>,
}

struct Plan<E> {
    fails: f64,
    error: Option<Arc<dyn Fn() -> E + Send + Sync>>,
    hangs: f64,
    panics: f64,
    late: f64,
    delay: (Duration, Duration),
    unready: f64,
}

impl<E> Clone for Plan<E> {
    fn clone(&self) -> Self {
        Self { error: self.error.clone(), ..*self }
    }
}

/// What has been dealt out so far.
#[derive(Debug)]
struct Hand {
    calls: Chance,
    readiness: Chance,
    dealt: Dealt,
}

/// What a [`FlakyLayer`] has done so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Dealt {
    /// How many calls there were.
    pub calls: usize,
    /// How many of them failed.
    pub failed: usize,
    /// How many hang.
    pub hung: usize,
    /// How many panicked, or will when they are polled.
    pub panicked: usize,
    /// How many were late.
    pub late: usize,
    /// How often an instance was not ready that could have been.
    pub unready: usize,
}

/// What becomes of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Passes,
    Fails,
    Hangs,
    Panics,
    Late(Duration),
}

impl<E> FlakyLayer<E> {
    /// Does nothing yet.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        let seed = Chance::seeded(seed);
        let hand = Hand { calls: seed.nth(0), readiness: seed.nth(1), dealt: Dealt::default() };
        let (error, delay) = (None, (Duration::ZERO, Duration::ZERO));
        let plan =
            Plan { fails: 0.0, error, hangs: 0.0, panics: 0.0, late: 0.0, delay, unready: 0.0 };
        Self { plan, hand: Arc::new(Mutex::new(hand)) }
    }

    /// This share of the calls fails with this error, and does not reach the service.
    #[must_use]
    pub fn fails(mut self, percent: f64, error: impl Fn() -> E + Send + Sync + 'static) -> Self {
        self.plan.fails = percent;
        self.plan.error = Some(Arc::new(error));
        self
    }

    /// This share of the calls never ends, and does not reach the service.
    #[must_use]
    pub fn hangs(mut self, percent: f64) -> Self {
        self.plan.hangs = percent;
        self
    }

    /// This share of the calls panics when it is polled, and does not reach the service.
    #[must_use]
    pub fn panics(mut self, percent: f64) -> Self {
        self.plan.panics = percent;
        self
    }

    /// This share of the calls reaches the service at once, and ends so much later, by tokio's clock.
    #[must_use]
    pub fn late(mut self, percent: f64, least: Duration, most: Duration) -> Self {
        self.plan.late = percent;
        self.plan.delay = (least, most);
        self
    }

    /// This share of the times that an instance is asked whether it is ready it is not, and has
    /// itself asked again.
    #[must_use]
    pub fn unready(mut self, percent: f64) -> Self {
        self.plan.unready = percent;
        self
    }

    /// What it has done so far.
    #[must_use]
    pub fn dealt(&self) -> Dealt {
        self.lock().dealt
    }

    /// What becomes of the next call.
    fn deals(&self) -> Fate {
        let mut hand = self.lock();
        let fate = self.plan.fate(&mut hand.calls);
        let dealt = &mut hand.dealt;
        dealt.calls += 1;
        match fate {
            Fate::Passes => {}
            Fate::Fails => dealt.failed += 1,
            Fate::Hangs => dealt.hung += 1,
            Fate::Panics => dealt.panicked += 1,
            Fate::Late(_) => dealt.late += 1,
        }
        fate
    }

    /// Whether the next instance that is asked is not ready.
    fn deals_unready(&self) -> bool {
        let mut hand = self.lock();
        let is_unready = hand.readiness.percent(self.plan.unready);
        hand.dealt.unready += usize::from(is_unready);
        is_unready
    }

    fn lock(&self) -> MutexGuard<'_, Hand> {
        self.hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E> Plan<E> {
    fn fate(&self, chance: &mut Chance) -> Fate {
        // Both are drawn in any case, so that one setting does not shift the fates of others.
        let (share, (least, most)) = (chance.bits(), self.delay);
        let delay = chance.between(least, most);
        let fates = [
            (self.fails, Fate::Fails),
            (self.hangs, Fate::Hangs),
            (self.panics, Fate::Panics),
            (self.late, Fate::Late(delay)),
        ];
        #[expect(clippy::cast_precision_loss, reason = "so fine need no share be")]
        let mut share = share as f64 / u64::MAX as f64 * 100.0;
        for (percent, fate) in fates {
            if share < percent {
                return fate;
            }
            share -= percent;
        }
        Fate::Passes
    }
}

impl<E> Clone for FlakyLayer<E> {
    fn clone(&self) -> Self {
        Self { plan: self.plan.clone(), hand: Arc::clone(&self.hand) }
    }
}

impl<E> fmt::Debug for FlakyLayer<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlakyLayer").field("dealt", &self.dealt()).finish_non_exhaustive()
    }
}

impl<S, E> Layer<S> for FlakyLayer<E> {
    type Service = Flaky<S, E>;

    fn layer(&self, inner: S) -> Flaky<S, E> {
        Flaky { inner, layer: self.clone() }
    }
}

#[cfg(test)]
mod tests;
