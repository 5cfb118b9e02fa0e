//! The guards of one host.

use std::sync::Arc;

use mainstay_policy::SettingsError;

use super::spec::{GuardKind, HostSpec};
use super::switch::Switch;
use super::turns::HostTurns;
use crate::adaptive::AdaptiveGuard;
use crate::breaker::BreakerGuard;
use crate::concurrency::ConcurrencyGuard;
use crate::guard::Shadow;
use crate::throttle::ThrottleGuard;

/// The guards of one host, in the order in which they are asked. What waits without a turn stands
/// first, turns next, and what never waits last, so that no probe is held through a queue.
pub(super) type Guards = (
    Switch<Arc<ConcurrencyGuard>>,
    Switch<Arc<AdaptiveGuard>>,
    Switch<Arc<HostTurns>>,
    Switch<Arc<ThrottleGuard>>,
    Switch<Arc<BreakerGuard>>,
);

/// New ones, or those from before where there were some: they keep what they know.
pub(super) fn guards(
    spec: &HostSpec,
    name: &Arc<str>,
    before: Option<(&HostSpec, &Guards)>,
) -> Result<Guards, SettingsError> {
    let (had, old) = before.unzip();
    let named = || Arc::clone(name);
    let concurrency = kept(
        spec.concurrency,
        had.and_then(|had| had.concurrency).zip(old.and_then(|old| old.0.guard())),
        |settings| Ok(ConcurrencyGuard::new(settings)?.named(named())),
        |guard, settings| guard.change(settings).map(|()| guard.goes_by_settings()),
    )?;
    let adaptive = kept(
        spec.adaptive,
        had.and_then(|had| had.adaptive).zip(old.and_then(|old| old.1.guard())),
        |settings| Ok(AdaptiveGuard::new(settings)?.named(named())),
        |guard, settings| guard.change(settings).map(|()| guard.goes_by_settings()),
    )?;
    let turns = HostTurns::next(spec, name, had.zip(old.and_then(|old| old.2.guard())))?;
    let throttle = kept(
        spec.throttle,
        had.and_then(|had| had.throttle).zip(old.and_then(|old| old.3.guard())),
        |settings| Ok(ThrottleGuard::new(settings)?.named(named())),
        |guard, settings| guard.change(settings).map(|()| guard.goes_by_settings()),
    )?;
    let breaker = kept(
        spec.circuit_breaker,
        had.and_then(|had| had.circuit_breaker).zip(old.and_then(|old| old.4.guard())),
        |settings| Ok(BreakerGuard::new(settings)?.named(named())),
        |guard, settings| guard.change(settings).map(|()| guard.goes_by_settings()),
    )?;
    Ok((
        switched(spec, GuardKind::Concurrency, name, concurrency),
        switched(spec, GuardKind::Adaptive, name, adaptive),
        switched(spec, GuardKind::Turns, name, turns),
        switched(spec, GuardKind::Throttle, name, throttle),
        switched(spec, GuardKind::CircuitBreaker, name, breaker),
    ))
}

/// The guard from before, with these settings if it can have them; else a new one.
fn kept<T: Copy + PartialEq, G>(
    settings: Option<T>,
    before: Option<(T, &Arc<G>)>,
    new: impl FnOnce(T) -> Result<G, SettingsError>,
    change: impl FnOnce(&G, T) -> Result<(), SettingsError>,
) -> Result<Option<Arc<G>>, SettingsError> {
    let Some(settings) = settings else { return Ok(None) };
    if let Some((had, guard)) = before {
        if had == settings || change(guard, settings).is_ok() {
            return Ok(Some(Arc::clone(guard)));
        }
    }
    Ok(Some(Arc::new(new(settings)?)))
}

fn switched<G>(
    spec: &HostSpec,
    kind: GuardKind,
    name: &Arc<str>,
    guard: Option<Arc<G>>,
) -> Switch<Arc<G>> {
    match guard {
        Some(guard) if spec.is_shadow(kind) => {
            Switch::in_shadow(Shadow::of_layer(kind.layer(), Some(name), guard))
        }
        guard => Switch::of(guard),
    }
}
