//! What gives turns before a host: a rate limit, a cool-down, or both at one turnstile.

use std::sync::Arc;

use mainstay_policy::cooldown::GateSnapshot;
use mainstay_policy::rate_limit::{Limiter, RateLimit, RateSnapshot};
use mainstay_policy::{Moment, SettingsError};

use super::spec::{HostSpec, Line};
use crate::clock;
use crate::cooldown::{CoolDownGuard, Paced, PacedGuard, WatchedGate};
use crate::error::Refused;
use crate::guard::{Admission, Ask, Guard, Now, TurnGuard, Turns};
use crate::protocol::Ending;
use crate::rate_limit::RateLimitGuard;

/// What gives turns before a host.
#[derive(Debug)]
#[non_exhaustive]
pub enum HostTurns {
    /// A rate limit.
    Rate(RateLimitGuard),
    /// A cool-down.
    CoolDown(CoolDownGuard),
    /// Both, at one turnstile.
    Both(PacedGuard),
}

/// The same for each of them.
macro_rules! each {
    ($turns:expr, $guard:ident => $then:expr) => {
        match $turns {
            HostTurns::Rate($guard) => $then,
            HostTurns::CoolDown($guard) => $then,
            HostTurns::Both($guard) => $then,
        }
    };
}

impl HostTurns {
    /// New ones, or those from before, if they are of the same kind. Those of another kind share
    /// with them what both have, so that what one is told of, or has given, the other knows: calls
    /// still stand in the line from before, and attempts that began there end later.
    pub(super) fn next(
        spec: &HostSpec,
        name: &Arc<str>,
        before: Option<(&HostSpec, &Arc<Self>)>,
    ) -> Result<Option<Arc<Self>>, SettingsError> {
        if let Some((had, turns)) = before {
            if turns.change(had, spec) {
                return Ok(Some(Arc::clone(turns)));
            }
        }
        Ok(Self::new(spec, name, before)?.map(Arc::new))
    }

    /// Whether they can go on with these settings, and do.
    fn change(&self, had: &HostSpec, spec: &HostSpec) -> bool {
        let is_new = had.rate_limit != spec.rate_limit;
        let is_changed = match (self, spec.rate_limit, spec.cool_down) {
            (Self::Rate(guard), Some(rate), None) => !is_new || guard.change(rate).is_ok(),
            (Self::CoolDown(guard), None, Some(gate)) => {
                had.cool_down == Some(gate) || guard.change(gate).is_ok()
            }
            (Self::Both(guard), Some(rate), Some(gate)) => {
                (!is_new || guard.change(rate).is_ok())
                    && (had.cool_down == Some(gate) || guard.change_cool_down(gate).is_ok())
            }
            _ => false,
        };
        if is_changed && had.line != spec.line {
            let Line { max_waiting, max_wait } = spec.line;
            each!(self, guard => guard.change_line(max_waiting, max_wait));
        }
        // Else what was changed by hand stays so, and is not forgotten.
        if had.rate_limit != spec.rate_limit || had.cool_down != spec.cool_down {
            each!(self, guard => guard.goes_by_settings());
        }
        is_changed
    }

    fn new(
        spec: &HostSpec,
        name: &Arc<str>,
        before: Option<(&HostSpec, &Arc<Self>)>,
    ) -> Result<Option<Self>, SettingsError> {
        let limiter = |rate| match before.and_then(|(had, turns)| Some((had, turns.limiter()?))) {
            Some((had, limiter)) if goes_on(had.rate_limit, rate, limiter) => {
                Ok(Arc::clone(limiter))
            }
            _ => Limiter::new(rate).map(Arc::new),
        };
        let gate = |settings| match before.and_then(|(had, turns)| Some((had, turns.gated()?))) {
            Some((had, gate)) => {
                // What was set by hand stays so.
                if had.cool_down != Some(settings) {
                    gate.gate().change(settings, clock::now())?;
                }
                Ok(Arc::clone(gate))
            }
            None => WatchedGate::new(settings).map(Arc::new),
        };
        Ok(Some(match (spec.rate_limit, spec.cool_down) {
            (None, None) => return Ok(None),
            (Some(rate), None) => Self::Rate(in_line(limiter(rate)?, spec.line, name)),
            (None, Some(cool_down)) => Self::CoolDown(in_line(gate(cool_down)?, spec.line, name)),
            (Some(rate), Some(cool_down)) => {
                let both = Paced::of(limiter(rate)?, gate(cool_down)?);
                Self::Both(in_line(both, spec.line, name))
            }
        }))
    }

    fn limiter(&self) -> Option<&Arc<Limiter>> {
        match self {
            Self::Rate(guard) => Some(guard.turns()),
            Self::Both(guard) => Some(guard.turns().parts().0),
            Self::CoolDown(_) => None,
        }
    }

    fn gated(&self) -> Option<&Arc<WatchedGate>> {
        match self {
            Self::CoolDown(guard) => Some(guard.turns()),
            Self::Both(guard) => Some(guard.turns().parts().1),
            Self::Rate(_) => None,
        }
    }

    /// What the rate limit holds, if there is one.
    #[must_use]
    pub fn rate(&self) -> Option<RateSnapshot> {
        match self {
            Self::Rate(guard) => Some(guard.snapshot()),
            Self::Both(guard) => Some(guard.rate()),
            Self::CoolDown(_) => None,
        }
    }

    /// What the gate holds, if there is one.
    #[must_use]
    pub fn gate(&self) -> Option<GateSnapshot> {
        match self {
            Self::CoolDown(guard) => Some(guard.snapshot()),
            Self::Both(guard) => Some(guard.gate()),
            Self::Rate(_) => None,
        }
    }

    /// How many calls stand in line.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        each!(self, guard => guard.waiting())
    }
}

/// Whether a limit can go on with these settings, and does; what was set by hand stays so.
fn goes_on(had: Option<RateLimit>, rate: RateLimit, limiter: &Limiter) -> bool {
    had == Some(rate) || limiter.change(rate, clock::now()).is_ok()
}

fn in_line<T: Turns>(turns: T, line: Line, name: &Arc<str>) -> TurnGuard<T> {
    let guard = TurnGuard::of(turns).named(Arc::clone(name));
    let guard = match line.max_waiting {
        Some(calls) => guard.max_waiting(calls),
        None => guard,
    };
    match line.max_wait {
        Some(time) => guard.max_wait(time),
        None => guard,
    }
}

impl<Req> Guard<Req> for HostTurns {
    const GIVES_TURNS: bool = true;

    type Subject = ();
    type Permit = ();
    type Held = bool;

    #[inline(always)]
    fn subject(&self, _: &Req) {}

    #[inline(always)]
    fn glance(&self, (): &(), ask: Ask, now: &Now) -> Result<(), Refused> {
        each!(self, guard => Guard::<Req>::glance(guard, &(), ask, now))
    }

    #[inline(always)]
    fn try_admit(&self, (): &(), ask: Ask, now: &Now) -> Admission<()> {
        each!(self, guard => Guard::<Req>::try_admit(guard, &(), ask, now))
    }

    async fn admit(&self, (): &(), ask: Ask) -> Result<(), Refused> {
        each!(self, guard => Guard::<Req>::admit(guard, &(), ask).await)
    }

    #[inline(always)]
    fn settle(&self, (): &(), (): (), ending: &Ending, now: &Now) -> bool {
        each!(self, guard => Guard::<Req>::settle(guard, &(), (), ending, now))
    }

    #[inline(always)]
    fn let_go(&self, (): &(), held: bool, ending: &Ending, now: &Now) {
        each!(self, guard => Guard::<Req>::let_go(guard, &(), held, ending, now));
    }

    fn at_rest_from(&self) -> Option<Moment> {
        each!(self, guard => Guard::<Req>::at_rest_from(guard))
    }
}
