//! What stands before one host, or whatever else state is kept per.

use std::sync::Arc;

use mainstay_policy::budget::Budget;
use mainstay_policy::hedge::Hedger;
use mainstay_policy::retry::Retry;
use mainstay_policy::{Moment, SettingsError};
use tower_layer::Layer;

use super::answers::{Answers, Idle, Watch};
use super::fixed::Fixed;
use super::guards::{Guards, guards};
use super::pattern::Patterns;
use super::spec::{Hold, HostSpec, PipelineSpec};
use crate::deadline::{DeadlineLayer, DeadlineService};
use crate::error::Lift;
use crate::fallback::FallbackLayer;
use crate::guard::{Ask, Each, Guard, GuardLayer};
use crate::hedge::{HedgeLayer, Hedged};
use crate::http::{Http, Key, RequestView};
use crate::keyed::AtRest;
use crate::retry::{Retried, RetryLayer, Shared};
use crate::scope::Scope;
use crate::timeout::{Timeout, TimeoutLayer};

/// What stands before one host.
///
/// Never changed: a reload puts another in its place, which shares what is known of the host.
#[derive(Debug)]
pub(super) struct Host {
    /// Of which spec it was made.
    pub(super) version: u64,
    spec: HostSpec,
    /// All versions have it, and whoever looks at the host: whether anybody holds it.
    holders: Arc<()>,
    budget: HostBudget,
    hedger: Option<Arc<Hedger>>,
    /// What the two were made of.
    fallback: Option<FallbackLayer<Fixed, Arc<Http>>>,
    http: Arc<Http>,
    deadline: DeadlineLayer<Arc<Http>>,
    retry: Retried<(), Arc<Http>, HostBudget>,
    hedge: Hedged<(), Arc<Http>, Option<Arc<Hedger>>, HostBudget>,
    guards: GuardLayer<Each<Guards>, Arc<Http>>,
    timeout: TimeoutLayer,
    watch: Watch,
    /// Whoever closes the pipeline waits until nobody has it any more.
    #[expect(dead_code, reason = "it is held, and its drop is waited for")]
    in_use: Arc<InUse>,
}

/// Dropped when no call is on its way any more.
pub(super) type InUse = tokio::sync::watch::Sender<()>;

pub(super) type HostBudget = Option<Arc<Budget>>;

type Retries = Shared<Arc<Http>, HostBudget>;

/// The pipeline before a service, but for the fallback.
pub(super) type Bounded<S, C, D> =
    DeadlineService<Retried<Attempts<S, C, D>, Arc<Http>, HostBudget>, Arc<Http>>;

/// What every attempt passes.
pub(super) type Attempts<S, C, D> =
    Hedged<Before<S, C, D>, Arc<Http>, Option<Arc<Hedger>>, HostBudget>;

type Before<S, C, D> = Answers<Timeout<Lift<S, C>>, Each<Guards>, Arc<Http>, D>;

/// What all hosts of a version share.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) spec: PipelineSpec,
    /// Those of its hosts.
    pub(super) patterns: Patterns,
    pub(super) version: u64,
    pub(super) http: Arc<Http>,
    pub(super) in_use: Arc<InUse>,
}

impl Host {
    /// A new one, or one that goes on from another.
    pub(super) fn new(
        common: &Common,
        key: &Key,
        before: Option<&Self>,
    ) -> Result<Self, SettingsError> {
        let Common { spec, patterns, version, http, in_use } = common;
        let of_host = spec.host_at(patterns.first(key.as_str()));
        let known = before.map(|before| (&before.spec, before.guards()));
        let guards = guards(of_host, &spec.name, known)?;
        let had = before.and_then(|before| before.budget.as_ref());
        let budget = kept(spec.budget, had, Budget::new, Budget::change)?;
        let had = before.and_then(|before| before.hedger.as_ref());
        let hedger = kept(spec.hedge, had, Hedger::new, Hedger::change)?;
        let name = || Arc::clone(&spec.name);
        let retry = RetryLayer::of(
            spec.retry.unwrap_or(Retry::up_to(1)),
            budget.clone(),
            Arc::clone(http),
        )?
        .named(name())
        .layer(());
        let hedge = HedgeLayer::of(hedger.clone(), budget.clone(), Arc::clone(http))
            .named(name())
            .layer(());
        let timeout = spec.attempt_timeout.unwrap_or(std::time::Duration::MAX);
        Ok(Self {
            version: *version,
            spec: of_host.clone(),
            holders: before.map_or_else(Arc::default, |before| Arc::clone(&before.holders)),
            budget,
            hedger,
            fallback: spec.fallback.as_ref().map(|answer| {
                let fixed = Fixed::new(answer.clone());
                FallbackLayer::of(fixed, Arc::clone(http)).on(answer.on).named(name())
            }),
            http: Arc::clone(http),
            deadline: DeadlineLayer::of(spec.deadline, Arc::clone(http)).named(name()),
            retry,
            hedge,
            guards: GuardLayer::of(Each::new(key.clone(), guards), Arc::clone(http)),
            timeout: TimeoutLayer::new(timeout).named(name()),
            watch: Watch {
                hold: of_host.hold,
                idle: spec.body_idle.map(|limit| Arc::new(Idle { limit, name: name() })),
            },
            in_use: Arc::clone(in_use),
        })
    }

    /// The pipeline before this service, but for the fallback.
    pub(super) fn before<S, C, D>(&self, service: S) -> Bounded<S, C, D> {
        self.deadline.layer(self.retry.over(self.attempts(service)))
    }

    /// What every attempt passes.
    pub(super) fn attempts<S, C, D>(&self, service: S) -> Attempts<S, C, D> {
        let timed = self.timeout.layer(Lift::of(service));
        self.hedge.over(Answers::new(self.guards.layer(timed), self.watch.clone()))
    }

    /// Whether the first attempt of a call is all there is to it, unless it fails: there is no other
    /// beside it, none after the last, and nothing of it outlives its head.
    pub(super) fn is_plain(&self) -> bool {
        self.hedger.is_none() && self.fallback.is_none() && self.watch.hold == Hold::Head
    }

    /// What is answered instead of a failure, if anything is.
    pub(super) const fn fallback(&self) -> Option<&FallbackLayer<Fixed, Arc<Http>>> {
        self.fallback.as_ref()
    }

    #[inline]
    pub(super) fn http(&self) -> &Http {
        &self.http
    }

    /// What an attempt of this request asks for.
    #[inline]
    pub(super) fn ask<Req: RequestView>(&self, request: &Req, scope: Scope) -> Ask {
        Ask { cost: self.http.cost(request), attempt: scope.attempt, until: scope.until }
    }

    #[inline]
    pub(super) fn guard(&self) -> &Each<Guards> {
        self.guards.guard()
    }

    pub(super) const fn deadline(&self) -> &DeadlineLayer<Arc<Http>> {
        &self.deadline
    }

    pub(super) const fn timeout(&self) -> &TimeoutLayer {
        &self.timeout
    }

    /// How it retries.
    pub(super) const fn retries(&self) -> &Arc<Retries> {
        self.retry.shared()
    }

    /// How the bodies of answers are watched.
    pub(super) const fn watch(&self) -> &Watch {
        &self.watch
    }

    /// What attempts beyond the first are paid from.
    pub(super) const fn account(&self) -> &HostBudget {
        &self.budget
    }

    pub(super) fn key(&self) -> &Key {
        self.guards.guard().key()
    }

    pub(super) fn guards(&self) -> &Guards {
        self.guards.guard()
    }

    pub(super) const fn budget(&self) -> Option<&Arc<Budget>> {
        self.budget.as_ref()
    }

    pub(super) const fn hedger(&self) -> Option<&Arc<Hedger>> {
        self.hedger.as_ref()
    }

    /// While somebody has it, the host is not forgotten.
    pub(super) fn holder(&self) -> Arc<()> {
        Arc::clone(&self.holders)
    }
}

/// What was there before, with these settings; else a new one.
fn kept<S, T>(
    settings: Option<S>,
    before: Option<&Arc<T>>,
    new: impl FnOnce(S) -> Result<T, SettingsError>,
    change: impl FnOnce(&T, S) -> Result<(), SettingsError>,
) -> Result<Option<Arc<T>>, SettingsError> {
    match (settings, before) {
        (None, _) => Ok(None),
        (Some(settings), None) => Ok(Some(Arc::new(new(settings)?))),
        (Some(settings), Some(known)) => {
            change(known, settings)?;
            Ok(Some(Arc::clone(known)))
        }
    }
}

impl AtRest for Host {
    fn at_rest_from(&self) -> Option<Moment> {
        if Arc::strong_count(&self.holders) > 1 {
            return None; // a call of an older version is on its way, or somebody looks
        }
        let guards = Guard::<()>::at_rest_from(self.guards());
        let budget = self.budget.as_ref().map_or(Some(Moment::MIN), |it| it.at_rest_from());
        let hedger = self.hedger.as_ref().map_or(Some(Moment::MIN), |it| it.at_rest_from());
        Some(guards?.max(budget?).max(hedger?))
    }
}
