//! What leaves a server alone, or asks less of it.

use mainstay_policy::SettingsError;
use mainstay_policy::cooldown::CoolDown;
use mainstay_policy::throttle::Throttle;

use crate::pipeline::fields::optional::absent;
use crate::pipeline::fields::part::{Part, Visitor, parts};

parts!(CoolDown, Throttle);
absent!(CoolDown = Self::new(), Throttle = Self::new());

impl Part for CoolDown {
    fn kinds() -> Vec<Self> {
        vec![Self::new()]
    }

    fn fields(&mut self, v: &mut dyn Visitor) {
        v.see("max", "The longest that a server is left alone, whatever it asks.", &mut self.max);
        v.see("unasked", "How long where it does not say for how long.", &mut self.unasked);
        v.see("ramp", "In what time calls come back step by step.", &mut self.ramp);
        v.see("step", "The time of one such step.", &mut self.step);
    }

    fn verdict(&self) -> Result<(), SettingsError> {
        self.check()
    }
}

impl Part for Throttle {
    fn kinds() -> Vec<Self> {
        vec![Self::new()]
    }

    fn fields(&mut self, v: &mut dyn Visitor) {
        v.see(
            "per_accepted",
            "The requests that may be made for each that the server accepts.",
            &mut self.per_accepted,
        );
        v.see("window", "The time that is looked back over.", &mut self.window);
        v.see(
            "max_rejection",
            "The largest probability with which a call is refused.",
            &mut self.max_rejection,
        );
        v.see(
            "min_requests",
            "The fewest requests in the window by which any call is refused.",
            &mut self.min_requests,
        );
    }

    fn verdict(&self) -> Result<(), SettingsError> {
        self.check()
    }
}
