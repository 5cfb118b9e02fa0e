//! How long to wait before the next attempt.
//!
//! ```
//! use mainstay_policy::{Draw, backoff::Backoff};
//! use std::time::Duration;
//!
//! let backoff = Backoff::exponential(Duration::from_millis(100)).cap(Duration::from_secs(5));
//!
//! // The envelope doubles and stays at the cap; the wait is drawn from inside it.
//! assert_eq!(backoff.envelope(3), Duration::from_millis(400));
//! assert_eq!(backoff.envelope(30), Duration::from_secs(5));
//! assert!(backoff.delay(3, None, Draw::new(0x1234_5678_9abc_def0)) < backoff.envelope(3));
//! ```

mod jitter;
mod live;

use std::time::Duration;

pub use jitter::Jitter;

use crate::draw::Draw;
use crate::moment::nanos;
use crate::settings::{Checks, SettingsError};

/// A schedule of waits, as a value.
///
/// | schedule | envelope of the n-th wait | jitter unless told otherwise |
/// |---|---|---|
/// | [`Backoff::constant`] | the wait | [`Jitter::None`]: you named the wait |
/// | [`Backoff::linear`] | n × base | [`Jitter::Full`]: callers spread as widely as they can |
/// | [`Backoff::exponential`] | base × factorⁿ⁻¹, factor 2 | [`Jitter::Full`] |
///
/// **The envelope is capped, and jitter stays inside it**: no wait is longer than the cap, and
/// waits at the cap still differ, so clients that have all waited long do not come back together.
/// The cap is 30 s unless set, or the base where that is longer.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
#[must_use]
pub struct Backoff {
    /// How the envelope grows from one wait to the next.
    pub growth: Growth,
    /// The envelope of the first wait.
    pub base: Duration,
    /// Where the envelope stops; `None`: at [`Backoff::DEFAULT_CAP`], or the base if that is longer.
    pub cap: Option<Duration>,
    /// How chance spreads the waits inside their envelope.
    pub jitter: Jitter,
}

/// How an envelope grows from one wait to the next.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Growth {
    /// Not at all.
    Constant,
    /// By the base.
    Linear,
    /// To so many times what it was.
    Exponential {
        /// How many times.
        factor: f64,
    },
}

impl Default for Backoff {
    /// 100 ms, doubling up to 5 s, full jitter.
    fn default() -> Self {
        Self::standard()
    }
}

impl Backoff {
    /// Where a growing envelope stops unless [`Backoff::cap`] is set.
    pub const DEFAULT_CAP: Duration = Duration::from_secs(30);

    /// 100 ms, doubling up to 5 s, full jitter: the default.
    pub const fn standard() -> Self {
        Self::exponential(Duration::from_millis(100)).cap(Duration::from_secs(5))
    }

    /// The same wait every time; zero means at once.
    pub const fn constant(wait: Duration) -> Self {
        Self { growth: Growth::Constant, base: wait, cap: None, jitter: Jitter::None }
    }

    /// Waits that grow by `base` each time.
    pub const fn linear(base: Duration) -> Self {
        Self { growth: Growth::Linear, base, cap: None, jitter: Jitter::Full }
    }

    /// Waits that double each time, starting with `base`.
    pub const fn exponential(base: Duration) -> Self {
        let growth = Growth::Exponential { factor: 2.0 };
        Self { growth, base, cap: None, jitter: Jitter::Full }
    }

    /// What an exponential envelope is multiplied by each time. Others do not grow by a factor
    /// and are left as they are.
    pub const fn factor(mut self, factor: f64) -> Self {
        if let Growth::Exponential { .. } = self.growth {
            self.growth = Growth::Exponential { factor };
        }
        self
    }

    /// No wait is longer than this.
    pub const fn cap(mut self, cap: Duration) -> Self {
        self.cap = Some(cap);
        self
    }

    /// Where inside the envelope a wait is drawn from.
    pub const fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// The wait after the attempt with this number; the first attempt has the number 1.
    ///
    /// `previous` is the wait before that attempt, if there was one; only
    /// [`Jitter::Decorrelated`] asks for it.
    #[must_use]
    pub fn delay(&self, attempt: u32, previous: Option<Duration>, draw: Draw) -> Duration {
        match self.jitter {
            Jitter::None => self.envelope(attempt),
            Jitter::Full => draw.between(Duration::ZERO, self.envelope(attempt)),
            Jitter::Equal => {
                let envelope = self.envelope(attempt);
                draw.between(envelope / 2, envelope)
            }
            Jitter::Decorrelated => {
                let least = self.base.min(self.longest());
                let most = previous.unwrap_or(self.base).saturating_mul(3).min(self.longest());
                draw.between(least, most)
            }
        }
    }

    /// The longest that the wait after this attempt can be, before [`Jitter::Decorrelated`], which
    /// goes by the previous wait instead and knows only the cap.
    #[must_use]
    pub fn envelope(&self, attempt: u32) -> Duration {
        let grown = match self.growth {
            Growth::Constant => self.base,
            Growth::Linear => self.base.saturating_mul(attempt.max(1)),
            Growth::Exponential { factor } => grow(self.base, factor, attempt.saturating_sub(1)),
        };
        grown.min(self.longest())
    }

    /// The longest that any wait can be: the cap.
    #[must_use]
    pub fn longest(&self) -> Duration {
        match (self.cap, self.growth) {
            (Some(cap), _) => cap,
            (None, Growth::Constant) => self.base,
            (None, Growth::Linear | Growth::Exponential { .. }) => Self::DEFAULT_CAP.max(self.base),
        }
    }

    /// Says what cannot be used as it is: a base of nothing (which would retry at once for ever;
    /// `constant` may), a cap below the base, a factor that shrinks, jitter that contradicts the
    /// growth.
    ///
    /// # Errors
    ///
    /// Every such setting, with its value.
    pub fn check(&self) -> Result<(), SettingsError> {
        let constant = matches!(self.growth, Growth::Constant);
        let mut checks = Checks::default();
        if !constant {
            checks = checks.above_zero("base", self.base);
        }
        if let Growth::Exponential { factor } = self.growth {
            let grows = factor.is_finite() && factor >= 1.0;
            checks = checks.require(grows, "factor", factor, "be a number of at least 1");
        }
        let (cap, base) = (self.longest(), self.base);
        let decorrelated = self.jitter == Jitter::Decorrelated;
        checks
            .require(
                cap > base || !decorrelated || constant,
                "cap",
                cap,
                format_args!("be above `base` ({base:?}) to leave decorrelated jitter any room"),
            )
            .require(cap >= base, "cap", cap, format_args!("not be below `base` ({base:?})"))
            .require(
                !constant || !decorrelated,
                "jitter",
                self.jitter,
                "be another for constant waits, which do not grow from one to the next",
            )
            .done()
    }
}

/// `base × factor^times`, saturating.
fn grow(base: Duration, factor: f64, times: u32) -> Duration {
    let factor = factor.powi(i32::try_from(times).unwrap_or(i32::MAX));
    #[expect(clippy::cast_precision_loss, reason = "exact to 2^53 ns, which is 104 days")]
    let grown = nanos(base) as f64 * factor;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast from float to integer saturates, and NaN becomes zero"
    )]
    Duration::from_nanos(grown as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn the_envelope_grows_as_its_name_says() {
        let of = |backoff: Backoff| [1, 2, 3, 4].map(|n| backoff.envelope(n).as_millis());
        assert_eq!(of(Backoff::constant(ms(70))), [70, 70, 70, 70]);
        assert_eq!(of(Backoff::linear(ms(70))), [70, 140, 210, 280]);
        assert_eq!(of(Backoff::exponential(ms(70))), [70, 140, 280, 560]);
        assert_eq!(of(Backoff::exponential(ms(70)).factor(10.0)), [70, 700, 7000, 30_000]);
        assert_eq!(of(Backoff::linear(ms(70)).factor(10.0)), [70, 140, 210, 280]);
    }

    #[test]
    fn the_wait_before_the_first_attempt_is_that_after_it() {
        for backoff in [Backoff::constant(ms(7)), Backoff::linear(ms(7)), Backoff::default()] {
            assert_eq!(backoff.envelope(0), backoff.envelope(1));
        }
    }

    #[test]
    fn the_envelope_stops_at_the_cap_however_far_it_would_have_grown() {
        let capped = Backoff::exponential(ms(100)).cap(ms(350)).jitter(Jitter::None);
        let waits = [1, 2, 3, 1000, u32::MAX].map(|n| capped.delay(n, None, Draw::LEAST));
        assert_eq!(waits, [ms(100), ms(200), ms(350), ms(350), ms(350)]);
        assert_eq!(Backoff::exponential(ms(100)).envelope(40), Backoff::DEFAULT_CAP);
        assert_eq!(Backoff::linear(ms(100)).envelope(u32::MAX), Backoff::DEFAULT_CAP);
        assert_eq!(Backoff::linear(Duration::from_secs(40)).longest(), Duration::from_secs(40));
        assert_eq!(Backoff::constant(Duration::from_secs(40)).longest(), Duration::from_secs(40));
    }

    #[test]
    fn full_jitter_reaches_from_nothing_to_the_envelope() {
        let backoff = Backoff::exponential(ms(100));
        assert_eq!(backoff.delay(2, None, Draw::LEAST), Duration::ZERO);
        assert_eq!(backoff.delay(2, None, Draw::MOST), ms(200));
    }

    #[test]
    fn equal_jitter_reaches_from_half_the_envelope_to_all_of_it() {
        let backoff = Backoff::exponential(ms(100)).jitter(Jitter::Equal);
        assert_eq!(backoff.delay(2, None, Draw::LEAST), ms(100));
        assert_eq!(backoff.delay(2, None, Draw::MOST), ms(200));
    }

    #[test]
    fn decorrelated_jitter_reaches_from_the_base_to_three_times_the_wait_before() {
        let backoff = Backoff::exponential(ms(100)).cap(ms(1000)).jitter(Jitter::Decorrelated);
        assert_eq!(backoff.delay(1, None, Draw::LEAST), ms(100));
        assert_eq!(backoff.delay(1, None, Draw::MOST), ms(300));
        assert_eq!(backoff.delay(9, Some(ms(200)), Draw::MOST), ms(600));
        assert_eq!(backoff.delay(9, Some(ms(900)), Draw::LEAST), ms(100));
        assert_eq!(backoff.delay(9, Some(ms(900)), Draw::MOST), ms(1000));
    }

    #[test]
    fn settings_that_cannot_work_are_named_with_their_value() {
        let says = |backoff: Backoff| backoff.check().unwrap_err().to_string();
        assert_eq!(
            says(Backoff::exponential(Duration::ZERO)),
            "`base` is 0ns, but must be longer than nothing"
        );
        assert_eq!(
            says(Backoff::linear(ms(100)).cap(ms(99))),
            "`cap` is 99ms, but must not be below `base` (100ms)"
        );
        for factor in [0.5, f64::NAN, f64::INFINITY, -2.0] {
            assert_eq!(
                says(Backoff::exponential(ms(1)).factor(factor)),
                format!("`factor` is {factor:?}, but must be a number of at least 1")
            );
        }
        assert_eq!(
            says(Backoff::constant(ms(1)).jitter(Jitter::Decorrelated)),
            "`jitter` is Decorrelated, but must be another for constant waits, \
             which do not grow from one to the next"
        );
        let no_room = Backoff::linear(ms(100)).cap(ms(100)).jitter(Jitter::Decorrelated);
        assert_eq!(
            says(no_room),
            "`cap` is 100ms, but must be above `base` (100ms) to leave decorrelated jitter any room"
        );
        let hour = Backoff::exponential(Duration::from_secs(3_600));
        assert!(says(hour.jitter(Jitter::Decorrelated)).starts_with("`cap` is 3600s"));
        assert_eq!(Backoff::constant(Duration::ZERO).check(), Ok(()));
        assert_eq!(Backoff::exponential(ms(1)).factor(1.0).cap(ms(1)).check(), Ok(()));
        assert_eq!(Backoff::linear(ms(1)).jitter(Jitter::Decorrelated).check(), Ok(()));
        assert_eq!(Backoff::default().check(), Ok(()));
    }
}
