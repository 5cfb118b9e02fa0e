//! How much is held back from a server that accepts too little of it: the settings.

use std::time::Duration;

use crate::live::Live;
use crate::settings::{Checks, SettingsError};
use crate::window::Counts;

/// How much is held back from a server that accepts too little of it: the settings.
///
/// | setting | default | why |
/// |---|---|---|
/// | [`per_accepted`](Throttle::per_accepted) | 2 | Google's: at most as many again are sent as are accepted, and a server that is well again is found out soon |
/// | [`window`](Throttle::window) | 2 min | Google's: an outage of half a minute is forgotten within seconds, and a slow answer is no old one |
/// | [`max_rejection`](Throttle::max_rejection) | 0.9 | a tenth always goes out, so that coming back takes two windows and not an hour |
/// | [`min_requests`](Throttle::min_requests) | 10 | fewer say nothing about a share; a script whose first call fails may make its second |
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
#[must_use]
pub struct Throttle {
    /// The requests that may be made for each that the server accepts.
    pub per_accepted: f64,
    /// The time that is looked back over.
    pub window: Duration,
    /// The largest probability with which a call is refused.
    pub max_rejection: f64,
    /// The fewest requests in the window by which any call is refused.
    pub min_requests: u32,
}

impl Default for Throttle {
    fn default() -> Self {
        Self::new()
    }
}

impl Throttle {
    /// The longest window.
    pub const LONGEST: Duration = Duration::from_secs(86_400);

    /// The defaults.
    pub const fn new() -> Self {
        Self {
            per_accepted: 2.0,
            window: Duration::from_secs(120),
            max_rejection: 0.9,
            min_requests: 10,
        }
    }

    /// How many requests may be made for each that is accepted: the *K* of the formula. A lower one
    /// wastes fewer requests on a server that refuses them, and takes longer to see that it no
    /// longer does.
    pub const fn per_accepted(mut self, requests: f64) -> Self {
        self.per_accepted = requests;
        self
    }

    /// How far back it looks. A result leaves between nine tenths of this and all of it after it
    /// came.
    pub const fn window(mut self, time: Duration) -> Self {
        self.window = time;
        self
    }

    /// The largest part of the calls that is ever refused. One: whatever the formula says, which
    /// after an outage of a whole window lets hardly anything through to see that it is over.
    pub const fn max_rejection(mut self, part: f64) -> Self {
        self.max_rejection = part;
        self
    }

    /// How many requests the window must hold, refused ones among them, before any is refused.
    pub const fn min_requests(mut self, requests: u32) -> Self {
        self.min_requests = requests;
        self
    }

    /// Says what cannot be used as it is.
    ///
    /// # Errors
    ///
    /// Fewer than one request per accepted one (all being well, some would be refused), a window
    /// shorter than a millisecond or longer than [`Throttle::LONGEST`], a largest part that is not
    /// above 0 and at most 1, a floor of zero.
    pub fn check(&self) -> Result<(), SettingsError> {
        let Self { per_accepted, window, max_rejection, min_requests } = *self;
        Checks::default()
            .require(
                per_accepted >= 1.0 && per_accepted.is_finite(),
                "per_accepted",
                per_accepted,
                "be a number, at least 1",
            )
            .require(
                (Duration::from_millis(1)..=Self::LONGEST).contains(&window),
                "window",
                window,
                "be between 1ms and a day",
            )
            .ratio_above_zero("max_rejection", max_rejection)
            .at_least_one("min_requests", min_requests)
            .done()
    }
}

/// The settings that are in force, but for the window, which knows its own. Who reads them while
/// they are changed may go by a mixture for once, which refuses no more than the one or the other
/// at most does.
#[derive(Debug)]
pub(super) struct InForce {
    per_accepted: Live<f64>,
    max_rejection: Live<f64>,
    min_requests: Live<u32>,
}

impl InForce {
    pub(super) fn new(settings: Throttle) -> Self {
        Self {
            per_accepted: Live::new(settings.per_accepted),
            max_rejection: Live::new(settings.max_rejection),
            min_requests: Live::new(settings.min_requests),
        }
    }

    pub(super) fn set(&self, settings: Throttle) {
        self.per_accepted.set(settings.per_accepted);
        self.max_rejection.set(settings.max_rejection);
        self.min_requests.set(settings.min_requests);
    }

    /// With which probability the next request is refused after so many, of which so many hits were
    /// accepted: `(requests - K × accepted) / (requests + 1)`, but no less than nothing and no more
    /// than the most.
    pub(super) fn rejection(&self, window: Counts) -> f64 {
        if window.total < u64::from(self.min_requests.get()) {
            return 0.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "a window counts far below 2^52")]
        let (requests, accepted) = (window.total as f64, window.hits as f64);
        let part = (requests - self.per_accepted.get() * accepted) / (requests + 1.0);
        part.clamp(0.0, self.max_rejection.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejection(settings: Throttle, total: u64, hits: u64) -> f64 {
        InForce::new(settings).rejection(Counts { total, hits })
    }

    #[test]
    fn the_defaults_have_nothing_to_mend() {
        assert_eq!(Throttle::new().check(), Ok(()));
        assert_eq!(Throttle::default(), Throttle::new());
        assert_eq!(Throttle::new().window(Throttle::LONGEST).check(), Ok(()));
        assert_eq!(Throttle::new().window(Duration::from_millis(1)).check(), Ok(()));
        assert_eq!(Throttle::new().per_accepted(1.0).max_rejection(1.0).check(), Ok(()));
    }

    #[test]
    fn settings_that_cannot_work_are_named_with_their_value() {
        let says = |settings: Throttle| settings.check().unwrap_err().to_string();
        for k in [0.999, -2.0, f64::NAN, f64::INFINITY] {
            let expected = format!("`per_accepted` is {k:?}, but must be a number, at least 1");
            assert_eq!(says(Throttle::new().per_accepted(k)), expected);
        }
        for part in [0.0, -0.1, 1.001, f64::NAN] {
            let expected =
                format!("`max_rejection` is {part:?}, but must be above 0 and at most 1");
            assert_eq!(says(Throttle::new().max_rejection(part)), expected);
        }
        for time in [Duration::ZERO, Duration::from_micros(999), Duration::from_secs(86_401)] {
            let expected = format!("`window` is {time:?}, but must be between 1ms and a day");
            assert_eq!(says(Throttle::new().window(time)), expected);
        }
        let both = says(Throttle::new().min_requests(0).max_rejection(0.0));
        assert_eq!(
            both,
            "`max_rejection` is 0.0, but must be above 0 and at most 1; \
             `min_requests` is 0, but must be at least 1"
        );
    }

    #[test]
    fn the_probability_is_that_of_the_formula() {
        let plain = Throttle::new().max_rejection(1.0).min_requests(1);
        assert_eq!(rejection(plain, 0, 0), 0.0);
        assert_eq!(rejection(plain, 1, 0), 0.5);
        assert_eq!(rejection(plain, 99, 0), 0.99);
        assert_eq!(rejection(plain, 99, 25), 0.49);
        assert_eq!(rejection(plain, 100, 50), 0.0);
        assert_eq!(rejection(plain, 100, 100), 0.0);
        assert_eq!(rejection(plain.per_accepted(1.5), 99, 50), 0.24);
        assert_eq!(rejection(plain.per_accepted(f64::MAX), 99, 50), 0.0);
        assert_eq!(rejection(plain.per_accepted(f64::MAX), 99, 0), 0.99);
    }

    #[test]
    fn a_part_always_goes_out_and_few_requests_always_do() {
        assert_eq!(rejection(Throttle::new(), 9, 0), 0.0);
        assert_eq!(rejection(Throttle::new(), 10, 1), 8.0 / 11.0);
        assert_eq!(rejection(Throttle::new(), 1_000, 0), 0.9);
        assert_eq!(rejection(Throttle::new().max_rejection(0.5), 1_000, 0), 0.5);
        assert_eq!(rejection(Throttle::new().min_requests(1), 1, 0), 0.5);
    }
}
