//! What goes wrong on purpose: a tool for tests.
//!
//! ```
//! use mainstay_policy::chaos::{Chaos, Fault};
//!
//! let chaos = Chaos::seeded(7).errors(20.0).hangs(5.0);
//! chaos.check()?;
//! let faults = (0..1000).filter(|n| chaos.fault(*n) != Fault::None).count();
//! assert!((200..300).contains(&faults));
//! assert_eq!(chaos.fault(3), Chaos::seeded(7).errors(20.0).hangs(5.0).fault(3));
//! # Ok::<(), mainstay_policy::SettingsError>(())
//! ```

use std::time::Duration;

use crate::draw::Draw;
use crate::settings::{Checks, SettingsError};

/// How many calls in a hundred go wrong on purpose, and how.
///
/// A call has one fault at most, so the shares add up to 100 at most; stack two layers for calls
/// that are late and fail. Equal seeds give equal sequences of faults.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
#[must_use]
pub struct Chaos {
    /// Where chance begins.
    pub seed: u64,
    /// The percentage of calls that fail.
    pub errors: f64,
    /// The percentage of calls that the fault answers.
    pub answers: f64,
    /// The percentage of calls whose answer is late.
    pub late: f64,
    /// The least and the most by which a late answer is late.
    pub latency: (Duration, Duration),
    /// The percentage of calls that never end.
    pub hangs: f64,
    /// The percentage of answers that break off.
    pub cuts: f64,
}

/// What goes wrong with one call. The draw is for whoever makes the fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Nothing.
    None,
    /// It fails without having been sent.
    Error(Draw),
    /// Something else is answered, and nothing is sent.
    Answer(Draw),
    /// Its answer comes later by this.
    Late(Duration),
    /// It is not sent, and never ends.
    Hang,
    /// The body of its answer breaks off.
    Cut,
}

impl Chaos {
    /// Nothing goes wrong yet; this is where chance begins.
    pub const fn seeded(seed: u64) -> Self {
        Self {
            seed,
            errors: 0.0,
            answers: 0.0,
            late: 0.0,
            latency: (Duration::ZERO, Duration::ZERO),
            hangs: 0.0,
            cuts: 0.0,
        }
    }

    /// So many calls in a hundred fail.
    pub const fn errors(mut self, percent: f64) -> Self {
        self.errors = percent;
        self
    }

    /// So many calls in a hundred are answered by the fault.
    pub const fn answers(mut self, percent: f64) -> Self {
        self.answers = percent;
        self
    }

    /// So many calls in a hundred are answered later, by something between the two.
    pub const fn late(mut self, percent: f64, least: Duration, most: Duration) -> Self {
        self.late = percent;
        self.latency = (least, most);
        self
    }

    /// So many calls in a hundred never end.
    pub const fn hangs(mut self, percent: f64) -> Self {
        self.hangs = percent;
        self
    }

    /// So many answers in a hundred break off in their body.
    pub const fn cuts(mut self, percent: f64) -> Self {
        self.cuts = percent;
        self
    }

    /// Says what cannot be used as it is.
    ///
    /// # Errors
    ///
    /// A share that is not between 0 and 100, shares that add up to more, and a least latency that
    /// is above the most.
    pub fn check(&self) -> Result<(), SettingsError> {
        let (least, most) = self.latency;
        let shares = self.shares();
        let sum: f64 = shares.iter().map(|(_, share)| share).sum();
        let each = shares.iter().fold(Checks::default(), |checks, (name, share)| {
            checks.require((0.0..=100.0).contains(share), name, share, "be between 0 and 100")
        });
        // A share that is no number has been named already.
        each.require(sum.is_nan() || sum <= 100.0, "the sum of all shares", sum, "be at most 100")
            .require(least <= most, "latency", least, format_args!("not be above {most:?}"))
            .done()
    }

    /// The same, for calls whose answers are of a kind that the layer does not know, so that it can
    /// neither make one nor cut one off.
    ///
    /// # Errors
    ///
    /// What [`check`](Chaos::check) finds, and a share of answers or of cuts.
    pub fn check_plain(&self) -> Result<(), SettingsError> {
        Checks::default()
            .also(self.check())
            .require(self.answers <= 0.0, "answers", self.answers, "be 0 for other than HTTP")
            .require(self.cuts <= 0.0, "cuts", self.cuts, "be 0 for other than HTTP")
            .done()
    }

    /// What goes wrong with the call of this number.
    #[must_use]
    pub fn fault(&self, number: u64) -> Fault {
        let seed = Draw::new(self.seed);
        let (which, how) = (seed.nth(number.wrapping_mul(2)), seed.nth(number.wrapping_mul(2) + 1));
        let faults = [
            Fault::Error(how),
            Fault::Answer(how),
            Fault::Late(how.between(self.latency.0, self.latency.1)),
            Fault::Hang,
            Fault::Cut,
        ];
        let mut up_to = 0.0;
        for ((_, share), fault) in self.shares().into_iter().zip(faults) {
            up_to += share; // whole percents add up exactly
            if share > 0.0 && which.happens(up_to / 100.0) {
                return fault;
            }
        }
        Fault::None
    }

    const fn shares(&self) -> [(&'static str, f64); 5] {
        [
            ("errors", self.errors),
            ("answers", self.answers),
            ("late", self.late),
            ("hangs", self.hangs),
            ("cuts", self.cuts),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);
    const SECOND: Duration = Duration::from_secs(1);

    fn of_each() -> Chaos {
        Chaos::seeded(42).errors(10.0).answers(20.0).late(30.0, MILLI, SECOND).hangs(5.0).cuts(15.0)
    }

    #[test]
    fn each_kind_has_its_share() {
        let counted =
            |is: fn(&Fault) -> bool| (0..10_000).map(|n| of_each().fault(n)).filter(is).count();
        for (is, share) in [
            ((|fault| matches!(fault, Fault::Error(_))) as fn(&Fault) -> bool, 1_000),
            (|fault| matches!(fault, Fault::Answer(_)), 2_000),
            (|fault| matches!(fault, Fault::Late(_)), 3_000),
            (|fault| matches!(fault, Fault::Hang), 500),
            (|fault| matches!(fault, Fault::Cut), 1_500),
            (|fault| matches!(fault, Fault::None), 2_000),
        ] {
            let count = counted(is);
            assert!(count.abs_diff(share) < 150, "{count} of {share}");
        }
    }

    #[test]
    fn a_latency_lies_between_the_two() {
        let late = Chaos::seeded(1).late(100.0, MILLI, SECOND);
        let drawn = |n| match late.fault(n) {
            Fault::Late(by) => by,
            other => panic!("{other:?}"),
        };
        assert!((0..1_000).all(|n| (MILLI..=SECOND).contains(&drawn(n))));
        assert!(
            (0..1_000).any(|n| drawn(n) < SECOND / 4) && (0..1_000).any(|n| drawn(n) > SECOND / 2)
        );
    }

    #[test]
    fn the_same_seed_gives_the_same_faults_and_another_gives_others() {
        let faults = |chaos: Chaos| (0..100).map(|n| chaos.fault(n)).collect::<Vec<_>>();
        assert_eq!(faults(of_each()), faults(of_each()));
        assert_ne!(faults(of_each()), faults(Chaos { seed: 43, ..of_each() }));
    }

    #[test]
    fn nothing_goes_wrong_unless_asked_and_everything_if_asked() {
        assert!((0..1_000).all(|n| Chaos::seeded(9).fault(n) == Fault::None));
        assert!((0..1_000).all(|n| Chaos::seeded(9).hangs(100.0).fault(n) == Fault::Hang));
        assert_ne!(Chaos::seeded(9).hangs(100.0).fault(u64::MAX), Fault::None);
    }

    #[test]
    fn shares_that_cannot_be_are_named() {
        let says = |chaos: Chaos| chaos.check().unwrap_err().to_string();
        assert_eq!(of_each().check(), Ok(()));
        assert_eq!(Chaos::seeded(0).errors(100.0).check(), Ok(()));
        assert_eq!(
            says(Chaos::seeded(0).errors(-1.0).hangs(f64::NAN)),
            "`errors` is -1.0, but must be between 0 and 100; \
             `hangs` is NaN, but must be between 0 and 100"
        );
        assert_eq!(
            says(Chaos::seeded(0).errors(60.0).cuts(50.0)),
            "`the sum of all shares` is 110.0, but must be at most 100"
        );
        assert_eq!(
            says(Chaos::seeded(0).late(1.0, SECOND, MILLI)),
            "`latency` is 1s, but must not be above 1ms"
        );
    }

    #[test]
    fn answers_and_cuts_are_for_http_alone() {
        assert_eq!(Chaos::seeded(0).errors(1.0).check_plain(), Ok(()));
        let wrong = Chaos::seeded(0).answers(1.0).cuts(2.0).hangs(101.0).check_plain();
        let names: Vec<_> =
            wrong.unwrap_err().problems().iter().map(|it| it.setting.clone()).collect();
        assert_eq!(names, ["hangs", "the sum of all shares", "answers", "cuts"]);
    }
}
