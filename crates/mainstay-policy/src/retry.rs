//! Whether to try again, and when.
//!
//! ```
//! use mainstay_policy::{Draw, Outcome};
//! use mainstay_policy::retry::{Ended, Retry, Step, Stop, Tries};
//! use std::time::Duration;
//!
//! let retry = Retry::up_to(3);
//! let mut tries = Tries::default();
//!
//! // The server said 503 and "Retry-After: 2"; the deadline is ten seconds away.
//! let ended = Ended::new(Outcome::Transient).asked(Duration::from_secs(2));
//! let left = Some(Duration::from_secs(10));
//! match retry.next(&mut tries, ended, left, Draw::new(7)) {
//!     Step::Wait(wait) => assert!(wait >= Duration::from_secs(2)), // never sooner than asked
//!     Step::Return(why) => panic!("{why:?}"),
//! }
//!
//! let step = retry.next(&mut tries, Ended::new(Outcome::Success), left, Draw::new(7));
//! assert_eq!(step, Step::Return(Stop::Succeeded));
//! ```

use std::time::Duration;

use crate::backoff::{Backoff, Jitter};
use crate::draw::Draw;
use crate::outcome::Outcome;
use crate::settings::{Checks, SettingsError};

/// When to try again: the settings.
///
/// | setting | default | why |
/// |---|---|---|
/// | [`max_attempts`](Retry::up_to) | 3 | two failures in a row are often chance, three rarely |
/// | [`backoff`](Retry::backoff) | 100 ms → 5 s, full jitter | [`Backoff::standard`] |
/// | [`longest_asked`](Retry::longest_asked) | 60 s | who is asked to wait longer wants to know it, not to hang |
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
#[must_use]
pub struct Retry {
    /// The most attempts of one call, the first among them.
    pub max_attempts: u32,
    /// The waits between attempts where the server names none.
    pub backoff: Backoff,
    /// Where the server asks for a longer wait, the call ends.
    pub longest_asked: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self::up_to(3)
    }
}

impl Retry {
    /// At most this many attempts, the first included.
    pub const fn up_to(max_attempts: u32) -> Self {
        Self { max_attempts, backoff: Backoff::standard(), longest_asked: Duration::from_secs(60) }
    }

    /// How long to wait between attempts when the server does not say.
    pub const fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// The longest wait that may be asked for; when it is more, there is no further attempt.
    pub const fn longest_asked(mut self, longest: Duration) -> Self {
        self.longest_asked = longest;
        self
    }

    /// Says what cannot be used as it is.
    ///
    /// # Errors
    ///
    /// Zero attempts, and what [`Backoff::check`] finds.
    pub fn check(&self) -> Result<(), SettingsError> {
        Checks::default()
            .at_least_one("max_attempts", self.max_attempts)
            .within("backoff", self.backoff.check())
            .done()
    }

    /// How many more attempts this call may make; at zero the request need not be kept.
    #[must_use]
    pub const fn attempts_left(&self, tries: &Tries) -> u32 {
        self.max_attempts.saturating_sub(tries.ended)
    }

    /// Told how an attempt ended, says what to do next.
    ///
    /// `left` is the time until the call's deadline, if it has one. A wait that could not end
    /// before it is not begun.
    ///
    /// The answer [`Step::Wait`] is still free of charge: who repeats a request draws on the
    /// [`Budget`](crate::budget::Budget) next, unless all attempts so far were
    /// [refused](Outcome::Refused), so that nothing of the call was sent.
    ///
    /// It is [`stops`](Retry::stops) and [`wait`](Retry::wait), for who has both facts at hand.
    pub fn next(
        &self,
        tries: &mut Tries,
        ended: Ended,
        left: Option<Duration>,
        draw: Draw,
    ) -> Step {
        match self.stops(tries, ended) {
            Some(why) => Step::Return(why),
            None => self.wait(tries, ended, left, draw),
        }
    }

    /// Told how an attempt ended, says whether that was the last one, as far as neither time nor
    /// chance has to be asked.
    ///
    /// Most calls succeed, and need no clock and no dice to know that there is no further attempt.
    #[must_use]
    #[inline]
    pub fn stops(&self, tries: &mut Tries, ended: Ended) -> Option<Stop> {
        tries.ended = tries.ended.saturating_add(1);
        match ended.outcome {
            Outcome::Success => return Some(Stop::Succeeded),
            Outcome::Fatal | Outcome::Invalid => return Some(Stop::Fatal),
            Outcome::Abandoned => return Some(Stop::Abandoned),
            Outcome::Refused if ended.waits().is_none() => return Some(Stop::Refused),
            Outcome::Refused => {} // nothing was sent, so nothing is repeated
            Outcome::Transient | Outcome::Throttled => {
                if ended.repeat == Repeat::Forbidden {
                    return Some(Stop::NotRepeatable);
                }
            }
        }
        if self.attempts_left(tries) == 0 {
            return Some(Stop::AttemptsSpent);
        }
        let too_long = ended.waits().filter(|asked| *asked > self.longest_asked);
        too_long.map(|asked| Stop::AskedTooLong { asked })
    }

    /// How long to wait after an attempt that [`stops`](Retry::stops) has been told of, by the
    /// backoff of these settings.
    pub fn wait(
        &self,
        tries: &mut Tries,
        ended: Ended,
        left: Option<Duration>,
        draw: Draw,
    ) -> Step {
        let own = self.backoff.delay(tries.ended, tries.previous, draw);
        let spread = match self.backoff.jitter {
            Jitter::None => Duration::ZERO,
            Jitter::Full | Jitter::Equal | Jitter::Decorrelated => {
                self.backoff.envelope(tries.ended)
            }
        };
        tries.waits(ended, own, spread, left, draw)
    }

    /// As [`wait`](Retry::wait), by a schedule that is not ours: `own` is its next wait.
    pub fn wait_by(
        &self,
        tries: &mut Tries,
        ended: Ended,
        own: Duration,
        left: Option<Duration>,
        draw: Draw,
    ) -> Step {
        tries.waits(ended, own, own, left, draw)
    }
}

/// What one call has tried so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tries {
    ended: u32,
    previous: Option<Duration>,
}

impl Tries {
    /// How many attempts have ended.
    #[must_use]
    pub const fn ended(&self) -> u32 {
        self.ended
    }

    /// Our own wait, or what was asked and up to `spread` more: all who were told the same second
    /// would come back in the same second.
    fn waits(
        &mut self,
        ended: Ended,
        own: Duration,
        spread: Duration,
        left: Option<Duration>,
        draw: Draw,
    ) -> Step {
        let later = |asked: Duration| draw.between(asked, asked.saturating_add(spread));
        let wait = ended.waits().map_or(own, |asked| own.max(later(asked)));
        if left.is_some_and(|left| wait >= left) {
            return Step::Return(Stop::NoTime { needed: wait });
        }
        self.previous = Some(own);
        Step::Wait(wait)
    }
}

/// How an attempt ended, as far as it matters for another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub struct Ended {
    outcome: Outcome,
    repeat: Repeat,
    asked: Option<Duration>,
    sent_before: bool,
}

impl Ended {
    /// An attempt that ended so and may be repeated.
    pub const fn new(outcome: Outcome) -> Self {
        Self { outcome, repeat: Repeat::Allowed, asked: None, sent_before: false }
    }

    /// Whether the request may be sent again after this end: a POST that may have been processed
    /// may not.
    pub const fn repeat(mut self, repeat: Repeat) -> Self {
        self.repeat = repeat;
        self
    }

    /// How long the server asked to wait, or, after a refusal, the guard. Nothing shorter is ever
    /// waited. Zero says nothing and leaves the wait to the backoff.
    pub const fn asked(mut self, asked: Duration) -> Self {
        self.asked = Some(asked);
        self
    }

    /// Whether something had been sent before this end, though it be a refusal: where a driver
    /// further in has made several attempts, its last one says nothing of those before.
    pub const fn sent_before(mut self, was_sent: bool) -> Self {
        self.sent_before = was_sent;
        self
    }

    /// Whether something was sent.
    #[must_use]
    pub const fn was_sent(&self) -> bool {
        self.sent_before || !matches!(self.outcome, Outcome::Refused | Outcome::Abandoned)
    }

    /// How it ended.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Whether the request may be sent again.
    #[must_use]
    pub const fn repeats(&self) -> Repeat {
        self.repeat
    }

    /// How long to wait at least, where that was asked.
    #[must_use]
    pub fn waits(&self) -> Option<Duration> {
        self.asked.filter(|asked| !asked.is_zero())
    }
}

/// Whether a request may be sent again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Repeat {
    /// It may.
    Allowed,
    /// It may not: it cannot be copied, or it may have been processed and must not be twice.
    Forbidden,
}

/// What to do after an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Step {
    /// Give the caller what there is.
    Return(Stop),
    /// Wait so long, then try again.
    Wait(Duration),
}

/// Why there is no further attempt.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Stop {
    /// The last attempt succeeded.
    Succeeded,
    /// It failed in a way that asking again cannot change.
    Fatal,
    /// Nobody waits for it any more.
    Abandoned,
    /// A guard refused it and did not say when it would not.
    Refused,
    /// The request may not be sent again.
    NotRepeatable,
    /// The attempts are spent.
    AttemptsSpent,
    /// The server, or the guard that refused, asked for a longer wait than is allowed.
    AskedTooLong {
        /// How long.
        asked: Duration,
    },
    /// The wait would not have ended before the deadline.
    NoTime {
        /// How long it would have been.
        needed: Duration,
    },
    /// The budget for extra attempts is empty. Said by whoever asked the budget.
    NoBudget,
    /// The schedule of waits has come to its end. Said by whoever asked the schedule.
    ScheduleEnded,
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn plain() -> Retry {
        Retry::up_to(3).backoff(Backoff::exponential(ms(100)).jitter(Jitter::None))
    }

    fn first(retry: Retry, ended: Ended, left: Option<Duration>) -> Step {
        retry.next(&mut Tries::default(), ended, left, Draw::LEAST)
    }

    #[test]
    fn a_transient_failure_is_tried_again_until_the_attempts_are_spent() {
        let (retry, mut tries) = (plain(), Tries::default());
        let mut fails =
            || retry.next(&mut tries, Ended::new(Outcome::Transient), None, Draw::LEAST);
        assert_eq!(fails(), Step::Wait(ms(100)));
        assert_eq!(fails(), Step::Wait(ms(200)));
        assert_eq!(fails(), Step::Return(Stop::AttemptsSpent));
        assert_eq!(tries.ended(), 3);
        assert_eq!(retry.attempts_left(&tries), 0);
    }

    #[test]
    fn what_was_sent_before_a_refusal_was_sent() {
        for outcome in [Outcome::Refused, Outcome::Abandoned] {
            assert!(!Ended::new(outcome).was_sent());
            assert!(Ended::new(outcome).sent_before(true).was_sent());
        }
        assert!(Ended::new(Outcome::Transient).was_sent());
    }

    #[test]
    fn what_asking_again_cannot_change_is_returned() {
        for (outcome, stop) in [
            (Outcome::Success, Stop::Succeeded),
            (Outcome::Fatal, Stop::Fatal),
            (Outcome::Invalid, Stop::Fatal),
            (Outcome::Abandoned, Stop::Abandoned),
            (Outcome::Refused, Stop::Refused),
        ] {
            assert_eq!(first(plain(), Ended::new(outcome), None), Step::Return(stop));
        }
    }

    #[test]
    fn what_must_not_be_repeated_is_not() {
        for outcome in [Outcome::Transient, Outcome::Throttled] {
            let ended = Ended::new(outcome).repeat(Repeat::Forbidden);
            assert_eq!(first(plain(), ended, None), Step::Return(Stop::NotRepeatable));
        }
    }

    #[test]
    fn a_refusal_that_says_when_is_waited_out_even_by_what_must_not_be_repeated() {
        let refused = Ended::new(Outcome::Refused).repeat(Repeat::Forbidden);
        assert_eq!(first(plain(), refused.asked(ms(700)), None), Step::Wait(ms(700)));
        assert_eq!(
            first(plain(), refused.asked(Duration::ZERO), None),
            Step::Return(Stop::Refused)
        );
        assert_eq!(
            first(plain(), refused.asked(ms(700)), Some(ms(700))),
            Step::Return(Stop::NoTime { needed: ms(700) })
        );
    }

    #[test]
    fn no_wait_is_shorter_than_asked_nor_than_the_backoff() {
        let asks = |asked| Ended::new(Outcome::Throttled).asked(asked);
        assert_eq!(first(plain(), asks(ms(2500)), None), Step::Wait(ms(2500)));
        assert_eq!(first(plain(), asks(ms(30)), None), Step::Wait(ms(100)));
        assert_eq!(first(plain(), asks(Duration::ZERO), None), Step::Wait(ms(100)));
    }

    #[test]
    fn jitter_is_added_to_what_was_asked_and_never_taken_from_it() {
        let retry = Retry::up_to(3).backoff(Backoff::exponential(ms(100)));
        let asks = Ended::new(Outcome::Throttled).asked(ms(2500));
        let with = |draw| retry.next(&mut Tries::default(), asks, None, draw);
        assert_eq!(with(Draw::LEAST), Step::Wait(ms(2500)));
        assert_eq!(with(Draw::MOST), Step::Wait(ms(2600)));
    }

    #[test]
    fn by_another_schedule_no_wait_is_shorter_than_that_or_than_asked() {
        let by = |ended: Ended, own, left, draw| {
            plain().wait_by(&mut Tries::default(), ended, own, left, draw)
        };
        let asks = |asked| Ended::new(Outcome::Throttled).asked(asked);
        assert_eq!(by(Ended::new(Outcome::Transient), ms(7), None, Draw::MOST), Step::Wait(ms(7)));
        assert_eq!(by(asks(ms(2500)), ms(7), None, Draw::LEAST), Step::Wait(ms(2500)));
        assert_eq!(by(asks(ms(2500)), ms(7), None, Draw::MOST), Step::Wait(ms(2507)));
        assert_eq!(by(asks(ms(3)), ms(7), None, Draw::LEAST), Step::Wait(ms(7)));
        let no_time = Step::Return(Stop::NoTime { needed: ms(7) });
        assert_eq!(by(asks(ms(3)), ms(7), Some(ms(7)), Draw::LEAST), no_time);
    }

    #[test]
    fn a_server_that_asks_for_too_long_gets_no_further_attempt() {
        let asks = |asked| Ended::new(Outcome::Throttled).asked(asked);
        let minute = Duration::from_secs(60);
        assert_eq!(first(plain(), asks(minute), None), Step::Wait(minute));
        let asked = minute + Duration::from_nanos(1);
        let too_long = Step::Return(Stop::AskedTooLong { asked });
        assert_eq!(first(plain(), asks(asked), None), too_long);
        assert_eq!(first(plain().longest_asked(asked), asks(asked), None), Step::Wait(asked));
    }

    #[test]
    fn a_wait_that_would_not_end_before_the_deadline_is_not_begun() {
        let ended = Ended::new(Outcome::Transient);
        let no_time = Step::Return(Stop::NoTime { needed: ms(100) });
        assert_eq!(first(plain(), ended, Some(ms(100))), no_time);
        let just = ms(100) + Duration::from_nanos(1);
        assert_eq!(first(plain(), ended, Some(just)), Step::Wait(ms(100)));
    }

    #[test]
    fn decorrelated_waits_grow_from_our_own_waits_and_not_from_the_servers() {
        let backoff = Backoff::exponential(ms(100)).jitter(Jitter::Decorrelated);
        let (retry, mut tries) = (Retry::up_to(9).backoff(backoff), Tries::default());
        let asks = Ended::new(Outcome::Throttled).asked(ms(20_000));
        let step = retry.next(&mut tries, asks, None, Draw::LEAST);
        assert_eq!(step, Step::Wait(ms(20_000)));
        let step = retry.next(&mut tries, Ended::new(Outcome::Transient), None, Draw::MOST);
        assert_eq!(step, Step::Wait(ms(300)));
    }

    #[test]
    fn settings_that_cannot_work_are_named_with_their_value() {
        let says = Retry::up_to(0).check().unwrap_err().to_string();
        assert_eq!(says, "`max_attempts` is 0, but must be at least 1");
        assert_eq!(Retry::up_to(1).check(), Ok(()));
        assert_eq!(Retry::default(), Retry::up_to(3));
    }
}
