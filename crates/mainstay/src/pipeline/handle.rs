//! What stands before one host, to look at it and to work it by hand.

use std::sync::Arc;

use mainstay_policy::budget::{Budget, BudgetSnapshot};
use mainstay_policy::hedge::{HedgeSnapshot, Hedger};

use super::host::Host;
use super::turns::HostTurns;
use crate::adaptive::AdaptiveGuard;
use crate::breaker::BreakerGuard;
use crate::concurrency::ConcurrencyGuard;
use crate::http::Key;
use crate::throttle::ThrottleGuard;

/// What stands before one host by the spec that held when this was asked for.
///
/// A reload leaves the guards in place unless their kind changes; then ask for another handle. Who
/// holds on to it keeps the host from being forgotten, and the pipeline from nothing.
#[derive(Clone, Debug)]
pub struct HostHandle {
    key: Key,
    concurrency: Option<Arc<ConcurrencyGuard>>,
    adaptive: Option<Arc<AdaptiveGuard>>,
    turns: Option<Arc<HostTurns>>,
    throttle: Option<Arc<ThrottleGuard>>,
    circuit_breaker: Option<Arc<BreakerGuard>>,
    budget: Option<Arc<Budget>>,
    hedger: Option<Arc<Hedger>>,
    #[expect(dead_code, reason = "it is held, so that the host is not forgotten")]
    holder: Arc<()>,
}

impl HostHandle {
    // The host itself is held by calls only: whoever closes the pipeline waits for them.
    pub(super) fn new(host: &Host) -> Self {
        let (concurrency, adaptive, turns, throttle, breaker) = host.guards();
        Self {
            key: host.key().clone(),
            concurrency: concurrency.guard().cloned(),
            adaptive: adaptive.guard().cloned(),
            turns: turns.guard().cloned(),
            throttle: throttle.guard().cloned(),
            circuit_breaker: breaker.guard().cloned(),
            budget: host.budget().cloned(),
            hedger: host.hedger().cloned(),
            holder: host.holder(),
        }
    }

    /// The key that it is kept for.
    #[must_use]
    pub const fn key(&self) -> &Key {
        &self.key
    }

    /// Its limit of concurrency.
    #[must_use]
    pub fn concurrency(&self) -> Option<&ConcurrencyGuard> {
        self.concurrency.as_deref()
    }

    /// Its adaptive limit.
    #[must_use]
    pub fn adaptive(&self) -> Option<&AdaptiveGuard> {
        self.adaptive.as_deref()
    }

    /// Its rate limit, its cool-down, or both.
    #[must_use]
    pub fn turns(&self) -> Option<&HostTurns> {
        self.turns.as_deref()
    }

    /// Its throttle.
    #[must_use]
    pub fn throttle(&self) -> Option<&ThrottleGuard> {
        self.throttle.as_deref()
    }

    /// Its circuit breaker.
    #[must_use]
    pub fn circuit_breaker(&self) -> Option<&BreakerGuard> {
        self.circuit_breaker.as_deref()
    }

    /// What is left to pay attempts beyond the first with.
    #[must_use]
    pub fn budget(&self) -> Option<BudgetSnapshot> {
        self.budget.as_ref().map(|budget| budget.snapshot())
    }

    /// After how long a slow attempt is given one beside it.
    #[must_use]
    pub fn hedge(&self) -> Option<HedgeSnapshot> {
        self.hedger.as_ref().map(|hedger| hedger.snapshot())
    }
}
