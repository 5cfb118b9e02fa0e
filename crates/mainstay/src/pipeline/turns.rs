//! What gives turns before a host: a rate limit, a cool-down, or both at one turnstile.

use std::sync::Arc;

use mainstay_policy::cooldown::GateSnapshot;
use mainstay_policy::rate_limit::RateSnapshot;
use mainstay_policy::{Moment, SettingsError};

use super::spec::{HostSpec, Line};
use crate::cooldown::{CoolDownGuard, PacedGuard};
use crate::error::Refused;
use crate::guard::{Admission, Ask, Guard, Now, TurnGuard, Turns};
use crate::protocol::Ending;
use crate::rate_limit::RateLimitGuard;

/// What gives turns before a host.
#[derive(Debug)]
#[non_exhaustive]
#[expect(clippy::large_enum_variant, reason = "it lies behind a pointer of its own")]
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
    /// New ones, or those from before, if they are of the same kind; of another kind, they still
    /// know what the server asked.
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
        let new = Self::new(spec, name)?;
        if let (Some(new), Some((_, turns))) = (&new, before) {
            new.goes_on_from(turns);
        }
        Ok(new.map(Arc::new))
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

    fn new(spec: &HostSpec, name: &Arc<str>) -> Result<Option<Self>, SettingsError> {
        let HostSpec { rate_limit, cool_down, line, .. } = spec;
        Ok(Some(match (*rate_limit, *cool_down) {
            (None, None) => return Ok(None),
            (Some(rate), None) => Self::Rate(in_line(RateLimitGuard::new(rate)?, *line, name)),
            (None, Some(gate)) => Self::CoolDown(in_line(CoolDownGuard::new(gate)?, *line, name)),
            (Some(rate), Some(gate)) => {
                Self::Both(in_line(PacedGuard::new(rate, gate)?, *line, name))
            }
        }))
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

    /// What others held back is held back here too.
    fn goes_on_from(&self, before: &Self) {
        let Some(left) = before.gate().and_then(|gate| gate.opens_in) else { return };
        match self {
            Self::CoolDown(guard) => drop(guard.close_for(left)),
            Self::Both(guard) => drop(guard.close_for(left)),
            Self::Rate(_) => {}
        }
    }
}

fn in_line<T: Turns>(guard: TurnGuard<T>, line: Line, name: &Arc<str>) -> TurnGuard<T> {
    let guard = guard.named(Arc::clone(name));
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
