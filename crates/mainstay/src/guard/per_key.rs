//! A guard for every key.

use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;

use mainstay_policy::{Moment, SettingsError};

use super::{Admission, Ask, Guard, Now};
use crate::error::Refused;
use crate::http::{ByHost, Key, KeyBy};
use crate::keyed::Keyed;
use crate::protocol::Ending;

/// A guard for every key: one breaker for every host, say.
///
/// ```
/// use mainstay::breaker::{BreakerGuard, CircuitBreaker};
/// use mainstay::concurrency::{Concurrency, ConcurrencyGuard};
/// use mainstay::guard::{GuardLayer, PerKey};
///
/// let breakers = PerKey::<BreakerGuard>::each(CircuitBreaker::new())?;
/// let slots = PerKey::<ConcurrencyGuard>::each(Concurrency::limit(16))?;
/// let layer = GuardLayer::new((slots, breakers));
/// # let _ = layer;
/// # Ok::<(), mainstay::policy::SettingsError>(())
/// ```
///
/// A guard leaves when no call holds it and it is at rest, as [`keyed`](crate::keyed) says. A refusal
/// says which [key](Refused::key) it is about.
pub struct PerKey<G, K = ByHost> {
    guards: Keyed<Each<G>, K>,
}

/// The guard of one key.
#[derive(Debug)]
pub struct Each<G> {
    key: Key,
    guard: G,
}

impl<G> Each<G> {
    pub(crate) const fn new(key: Key, guard: G) -> Self {
        Self { key, guard }
    }

    /// The key.
    pub const fn key(&self) -> &Key {
        &self.key
    }
}

impl<G> Deref for Each<G> {
    type Target = G;

    fn deref(&self) -> &G {
        &self.guard
    }
}

impl<G> PerKey<G> {
    /// A guard for every host, made so.
    pub fn new(make: impl Fn(&Key) -> G + Send + Sync + 'static) -> Self {
        Self::by(ByHost, make)
    }

    /// A guard for every host, of these settings.
    ///
    /// # Errors
    ///
    /// What is wrong with the settings; found here, and not when the first request comes.
    pub fn each<C>(settings: C) -> Result<Self, SettingsError>
    where
        G: TryFrom<C, Error = SettingsError>,
        C: Clone + Send + Sync + 'static,
    {
        Self::each_by(ByHost, settings)
    }

    /// A guard for every host, made so: for sets of guards, each of which has its settings.
    ///
    /// ```
    /// use mainstay::breaker::{BreakerGuard, CircuitBreaker};
    /// use mainstay::concurrency::{Concurrency, ConcurrencyGuard};
    /// use mainstay::guard::PerKey;
    ///
    /// let both = PerKey::try_each(|| {
    ///     let slots = ConcurrencyGuard::new(Concurrency::limit(16))?;
    ///     Ok((slots, BreakerGuard::new(CircuitBreaker::new())?))
    /// })?;
    /// # let _ = both;
    /// # Ok::<(), mainstay::policy::SettingsError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// What is wrong with the settings. One guard is made at once to find it.
    ///
    /// # Panics
    ///
    /// Not here; a request does that is the first with its key, if the closure fails then.
    pub fn try_each(
        make: impl Fn() -> Result<G, SettingsError> + Send + Sync + 'static,
    ) -> Result<Self, SettingsError> {
        Self::try_each_by(ByHost, make)
    }
}

impl<G, K> PerKey<G, K> {
    /// A guard for every key of this kind, made so.
    pub fn by(key: K, make: impl Fn(&Key) -> G + Send + Sync + 'static) -> Self {
        let make = move |key: &Key| Each::new(key.clone(), make(key));
        Self { guards: Keyed::new(key, make) }
    }

    /// A guard for every key of this kind, of these settings.
    ///
    /// # Errors
    ///
    /// What is wrong with the settings; found here, and not when the first request comes.
    pub fn each_by<C>(key: K, settings: C) -> Result<Self, SettingsError>
    where
        G: TryFrom<C, Error = SettingsError>,
        C: Clone + Send + Sync + 'static,
    {
        Self::try_each_by(key, move || G::try_from(settings.clone()))
    }

    /// A guard for every key of this kind, made so.
    ///
    /// # Errors
    ///
    /// What is wrong with the settings. One guard is made at once to find it.
    ///
    /// # Panics
    ///
    /// Not here; a request does that is the first with its key, if the closure fails then.
    #[expect(clippy::expect_used, reason = "settings are good or not, whichever guard they make")]
    pub fn try_each_by(
        key: K,
        make: impl Fn() -> Result<G, SettingsError> + Send + Sync + 'static,
    ) -> Result<Self, SettingsError> {
        make()?;
        Ok(Self::by(key, move |_| make().expect("the settings have made one before")))
    }

    /// Keeps at most so many guards, and beyond those only what calls hold.
    #[must_use]
    pub fn at_most(self, guards: usize) -> Self {
        Self { guards: self.guards.at_most(guards) }
    }

    /// The guard of this key, if there is one, to look at it or to work it by hand.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<Arc<Each<G>>> {
        self.guards.get(key)
    }

    /// All guards, in no order. Who holds on to them keeps them from being forgotten.
    #[must_use]
    pub fn guards(&self) -> Vec<Arc<Each<G>>> {
        self.guards.states().into_iter().map(|(_, guard)| guard).collect()
    }

    /// How many guards there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.guards.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.guards.is_empty()
    }
}

/// The guard itself, whose refusals say the key.
impl<Req, G: Guard<Req> + Sync> Guard<Req> for Each<G> {
    const IS_SET: bool = G::IS_SET;
    const GIVES_TURNS: bool = G::GIVES_TURNS;
    const WAITS: bool = G::WAITS;

    type Subject = G::Subject;
    type Permit = G::Permit;
    type Held = G::Held;

    #[inline(always)]
    fn subject(&self, request: &Req) -> G::Subject {
        self.guard.subject(request)
    }

    #[inline(always)]
    fn glance(&self, subject: &G::Subject, ask: Ask, now: &Now) -> Result<(), Refused> {
        match self.guard.glance(subject, ask, now) {
            Ok(()) => Ok(()),
            Err(refused) => Err(refused.of_key(&self.key)),
        }
    }

    #[inline(always)]
    fn try_admit(&self, subject: &G::Subject, ask: Ask, now: &Now) -> Admission<G::Permit> {
        match self.guard.try_admit(subject, ask, now) {
            Admission::Refuse(refused) => Admission::Refuse(refused.of_key(&self.key)),
            answer => answer,
        }
    }

    async fn admit(&self, subject: &G::Subject, ask: Ask) -> Result<G::Permit, Refused> {
        self.guard.admit(subject, ask).await.map_err(|refused| refused.of_key(&self.key))
    }

    fn starts(&self, subject: &G::Subject, permit: &mut G::Permit, now: &Now) {
        self.guard.starts(subject, permit, now);
    }

    #[inline(always)]
    fn settle(
        &self,
        subject: &G::Subject,
        permit: G::Permit,
        ending: &Ending,
        now: &Now,
    ) -> G::Held {
        self.guard.settle(subject, permit, ending, now)
    }

    #[inline(always)]
    fn let_go(&self, subject: &G::Subject, held: G::Held, ending: &Ending, now: &Now) {
        self.guard.let_go(subject, held, ending, now);
    }

    fn at_rest_from(&self) -> Option<Moment> {
        self.guard.at_rest_from()
    }
}

/// Every call holds the guard that it was let through by, so that it is told of the end.
impl<Req, G, K> Guard<Req> for PerKey<G, K>
where
    G: Guard<Req> + Send + Sync,
    K: KeyBy<Req>,
{
    const IS_SET: bool = G::IS_SET;
    const GIVES_TURNS: bool = G::GIVES_TURNS;
    const WAITS: bool = G::WAITS;

    type Subject = (Arc<Each<G>>, G::Subject);
    type Permit = G::Permit;
    type Held = G::Held;

    fn subject(&self, request: &Req) -> Self::Subject {
        let each = self.guards.find(request, |each| each.at_rest_from());
        let subject = each.subject(request);
        (each, subject)
    }

    fn glance(&self, (each, subject): &Self::Subject, ask: Ask, now: &Now) -> Result<(), Refused> {
        each.glance(subject, ask, now)
    }

    fn try_admit(
        &self,
        (each, subject): &Self::Subject,
        ask: Ask,
        now: &Now,
    ) -> Admission<G::Permit> {
        each.try_admit(subject, ask, now)
    }

    fn admit(
        &self,
        (each, subject): &Self::Subject,
        ask: Ask,
    ) -> impl Future<Output = Result<G::Permit, Refused>> + Send {
        each.admit(subject, ask)
    }

    fn starts(&self, (each, subject): &Self::Subject, permit: &mut G::Permit, now: &Now) {
        each.starts(subject, permit, now);
    }

    fn settle(
        &self,
        (each, subject): &Self::Subject,
        permit: G::Permit,
        ending: &Ending,
        now: &Now,
    ) -> G::Held {
        each.settle(subject, permit, ending, now)
    }

    fn let_go(&self, (each, subject): &Self::Subject, held: G::Held, ending: &Ending, now: &Now) {
        each.let_go(subject, held, ending, now);
    }

    fn at_rest_from(&self) -> Option<Moment> {
        self.guards.all_at_rest_from(|each| each.at_rest_from())
    }
}

impl<G, K: fmt::Debug> fmt::Debug for PerKey<G, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerKey").field("guards", &self.guards).finish()
    }
}
