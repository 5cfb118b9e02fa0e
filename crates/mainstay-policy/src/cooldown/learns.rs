//! What a closing teaches of a server that has a rate and does not say which.

use super::pace::{Cycle, Pace};
use super::ramp::Ramp;
use super::{CoolDown, Gate, Shared, Signal};
use crate::moment::Moment;
use crate::sync::{AcqRel, Release};

impl Gate {
    /// Whether this is a server with a rate that it does not say: it asks for a short time, or for none.
    pub(super) fn says_no_rate(&self, signal: Signal) -> bool {
        let CoolDown { unasked, ramp, .. } = self.settings.get();
        match signal {
            Signal::Throttled { asked } => asked.unwrap_or(unasked) <= ramp,
            Signal::Overloaded { .. } | Signal::Exhausted { .. } => false,
        }
    }

    /// It has just closed, and nobody else finds it open.
    pub(super) fn learn(&self, before: Ramp, says_no_rate: bool, now: Moment) {
        if !says_no_rate {
            return self.unlearn();
        }
        let Shared { cycle, pace, .. } = &*self.shared;
        let settings = self.settings.get();
        let counted = Cycle::unpack(cycle.swap(Cycle::begins(now).pack(), AcqRel));
        let learnt = before
            .is_remembered(&settings, now)
            .then(|| counted.learns(self.pace(), before.open_for(now), now))
            .flatten()
            .map(|pace| pace.at_least_each(settings.unasked));
        pace.store(Pace::pack(learnt), Release);
    }

    /// What a longer pause says is not how many a server takes, and nothing has started while it
    /// lasted.
    pub(super) fn unlearn(&self) {
        self.shared.cycle.store(0, Release);
        self.shared.pace.store(Pace::pack(None), Release);
    }
}
