//! What requests and results mean, told to layers that know no protocol.

use std::cmp::Reverse;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use ::http::HeaderMap;
use mainstay_policy::cooldown::Signal;
use mainstay_policy::rate_limit::Told;
use mainstay_policy::retry::{Ended, Repeat};
use mainstay_policy::{Moment, Outcome};

use crate::deadline::Deadline;
use crate::http::{Copies, Hints, Unit};

/// What requests and results mean in a protocol; [`Http`](crate::http::Http) for HTTP.
///
/// By the time an attempt ends its request is gone, so [`about`](Protocol::about) keeps what
/// judging the end will need.
pub trait Protocol<Req, Res, E> {
    /// What is kept of a request while it is sent.
    type About;

    /// When a copy of the request could be sent. By default never: it is sent once.
    fn copies(&self, request: &Req) -> Copies {
        let _ = request;
        Copies::Never
    }

    /// A copy of the request, to be sent later.
    fn copy(&self, request: &Req) -> Option<Req> {
        let _ = request;
        None
    }

    /// Told of a request before its first attempt, so that whatever all attempts must have in common
    /// is put into it here.
    ///
    /// Each layer asks that may send the request more than once: a retry over a hedge, and that once
    /// for each attempt of the retry. So what is there already must stay as it is.
    fn prepare(&self, request: &mut Req) {
        let _ = request;
    }

    /// What the request costs where calls are counted, in the units of a rate limit.
    fn cost(&self, request: &Req) -> u32 {
        let _ = request;
        1
    }

    /// How long its caller waits for it, if the request itself says so.
    fn deadline(&self, request: &Req) -> Option<Deadline> {
        let _ = request;
        None
    }

    /// Leaves in the request until when its call may take, where it has a place for that.
    fn set_deadline(&self, request: &mut Req, deadline: Deadline) {
        let _ = (request, deadline);
    }

    /// What must be known of the request when the attempt has ended.
    fn about(&self, request: &Req) -> Self::About;

    /// Whether some end of an attempt could lead to another; else no copy of the request is kept.
    fn may_repeat(&self, about: &Self::About) -> bool;

    /// Whether the request may be sent a second time while the first attempt is on its way, as a
    /// hedge does; by default never.
    ///
    /// Stricter than to repeat it after an end: the attempts may be processed in any order, at the
    /// same time, and the one that was given up long after the call.
    fn may_send_twice(&self, about: &Self::About) -> bool {
        let _ = about;
        false
    }

    /// What the end of the attempt says.
    fn end(&self, about: &Self::About, end: Result<&Res, &E>) -> Ending;
}

/// What becomes of an answer that nobody will see, because another attempt follows it.
///
/// A protocol that only drops it, as most do, has nothing to write here.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say what becomes of a failed answer of type `{Res}`",
    label = "cannot discard a `{Res}`",
    note = "`Http` reads the body of a failed answer to its end, so it takes answers whose body is a \
            `http_body::Body` and `Send + 'static`",
    note = "a protocol of your own says it with `impl mainstay::Discard<{Res}> for {Self} {{}}`, \
            which drops the answer"
)]
pub trait Discard<Res> {
    /// Ends when the next attempt may be sent; the answer is gone by then.
    fn discard(&self, answer: Res) -> impl Future<Output = ()> + Send + 'static
    where
        Res: Send + 'static,
    {
        drop(answer);
        std::future::ready(())
    }
}

/// What the end of an answer's body says, where layers hold on to it.
pub trait EndOfBody {
    /// The body has come to its end, with these trailers, after a head that said this.
    fn end_of_body(&self, head: &Ending, trailers: Option<&HeaderMap>) -> Ending;
}

/// A shared protocol is the same one.
impl<Req, Res, E, P: Protocol<Req, Res, E> + ?Sized> Protocol<Req, Res, E> for Arc<P> {
    type About = P::About;

    #[inline]
    fn copies(&self, request: &Req) -> Copies {
        (**self).copies(request)
    }

    #[inline]
    fn copy(&self, request: &Req) -> Option<Req> {
        (**self).copy(request)
    }

    #[inline]
    fn prepare(&self, request: &mut Req) {
        (**self).prepare(request);
    }

    #[inline]
    fn cost(&self, request: &Req) -> u32 {
        (**self).cost(request)
    }

    #[inline]
    fn deadline(&self, request: &Req) -> Option<Deadline> {
        (**self).deadline(request)
    }

    #[inline]
    fn set_deadline(&self, request: &mut Req, deadline: Deadline) {
        (**self).set_deadline(request, deadline);
    }

    #[inline]
    fn about(&self, request: &Req) -> P::About {
        (**self).about(request)
    }

    #[inline]
    fn may_repeat(&self, about: &P::About) -> bool {
        (**self).may_repeat(about)
    }

    #[inline]
    fn may_send_twice(&self, about: &P::About) -> bool {
        (**self).may_send_twice(about)
    }

    #[inline]
    fn end(&self, about: &P::About, end: Result<&Res, &E>) -> Ending {
        (**self).end(about, end)
    }
}

impl<Res, P: Discard<Res>> Discard<Res> for Arc<P> {
    fn discard(&self, answer: Res) -> impl Future<Output = ()> + Send + 'static
    where
        Res: Send + 'static,
    {
        (**self).discard(answer)
    }
}

impl<P: EndOfBody + ?Sized> EndOfBody for Arc<P> {
    fn end_of_body(&self, head: &Ending, trailers: Option<&HeaderMap>) -> Ending {
        (**self).end_of_body(head, trailers)
    }
}

/// What the end of an attempt says: to guards by its outcome, to the driver by whether the request
/// may be sent again, to whoever waits by its hints.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub struct Ending {
    outcome: Outcome,
    repeat: Repeat,
    hints: Hints,
    asked: Option<Duration>,
    is_open: bool,
}

impl Ending {
    /// An end with this outcome. After a failure that may pass, the request may be sent again.
    #[inline]
    pub fn new(outcome: Outcome) -> Self {
        let repeat = match outcome {
            Outcome::Transient | Outcome::Throttled => Repeat::Allowed,
            Outcome::Success
            | Outcome::Fatal
            | Outcome::Invalid
            | Outcome::Refused
            | Outcome::Abandoned => Repeat::Forbidden,
        };
        Self { outcome, repeat, hints: Hints::default(), asked: None, is_open: false }
    }

    /// An end of which all this is known.
    #[inline]
    pub(crate) const fn of(
        outcome: Outcome,
        repeat: Repeat,
        hints: Hints,
        asked: Option<Duration>,
        is_open: bool,
    ) -> Self {
        Self { outcome, repeat, hints, asked, is_open }
    }

    /// The same end with another outcome.
    pub const fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// Says whether the request may be sent again, whatever the outcome: a 404 may be repeated
    /// where its user says so, and is still no failure of the server.
    pub const fn with_repeat(mut self, repeat: Repeat) -> Self {
        self.repeat = repeat;
        self
    }

    /// Adds what the server said of waiting and quotas.
    pub fn with_hints(mut self, hints: Hints) -> Self {
        self.hints = hints;
        self
    }

    /// Wait at least so long before the next attempt, whatever the hints say.
    pub const fn with_wait(mut self, wait: Duration) -> Self {
        self.asked = Some(wait);
        self
    }

    /// Only the head of the answer is there, and how it ends is said behind its body: so gRPC does.
    /// Until then the outcome is what it will be if nothing goes wrong.
    pub const fn still_open(mut self) -> Self {
        self.is_open = true;
        self
    }

    /// Whether how it ends is still to be said, behind the body.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.is_open
    }

    /// How the attempt ended, for guards.
    #[must_use]
    #[inline]
    pub const fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Whether the request may be sent again.
    #[must_use]
    pub const fn may_be_repeated(&self) -> bool {
        matches!(self.repeat, Repeat::Allowed)
    }

    /// The same as a word of the policy.
    pub(crate) const fn repeat(&self) -> Repeat {
        self.repeat
    }

    /// What the server said of waiting and quotas.
    #[must_use]
    pub const fn hints(&self) -> &Hints {
        &self.hints
    }

    /// At least how long to wait before the next attempt, if anybody said so; the longest, if
    /// several did.
    #[must_use]
    #[inline]
    pub fn wait(&self) -> Option<Duration> {
        self.asked.max(self.hints.wait())
    }

    /// Whether there is nothing in it for those who hold calls back: no throttling, no wait that
    /// was asked for, no quota.
    #[must_use]
    #[inline]
    pub fn says_nothing(&self) -> bool {
        self.outcome != Outcome::Throttled && self.asked.is_none() && self.hints.is_empty()
    }

    /// Whether it closes the gate of a [`CoolDown`](mainstay_policy::cooldown::CoolDown), now that
    /// it has ended.
    #[must_use]
    pub fn signal(&self, now: Moment) -> Option<Signal> {
        if self.outcome == Outcome::Throttled {
            return Some(Signal::Throttled { asked: self.wait() });
        }
        let used_up = self.hints.quota().filter(|quota| quota.is_used_up());
        let reset = used_up.and_then(|quota| quota.reset);
        if self.outcome != Outcome::Transient {
            return reset.map(|reset| Signal::Exhausted { reset: now + reset });
        }
        let asked = self.wait().filter(|asked| !asked.is_zero())?;
        Some(match reset {
            Some(_) => Signal::Exhausted { reset: now + asked },
            None => Signal::Overloaded { asked },
        })
    }

    /// What a [`Limiter`](mainstay_policy::rate_limit::Limiter) can learn from it: how many more
    /// requests the server takes until when. Of several limits the one with the fewest left is
    /// told, since that is reached first. A reset is believed for a day; what lies further ahead
    /// is asked for again then.
    #[must_use]
    pub fn told(&self, now: Moment) -> Option<Told> {
        const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

        let quotas = self.hints.quotas().iter();
        let of_requests = quotas.filter(|quota| quota.unit == Unit::Requests);
        let left = of_requests.filter_map(|quota| Some((quota.left, quota.reset?)));
        let (left, reset) = left.min_by_key(|(left, reset)| (*left, Reverse(*reset)))?;
        let left = u32::try_from(left).unwrap_or(u32::MAX);
        Some(Told { left, reset: now + reset.min(LONGEST) })
    }

    /// How the attempt ended, for drivers: what may be sent again is worth another attempt, whatever
    /// it is to guards.
    #[must_use]
    #[inline]
    pub const fn for_drivers(&self) -> Outcome {
        match (self.outcome, self.repeat) {
            (Outcome::Success | Outcome::Fatal | Outcome::Invalid, Repeat::Allowed) => {
                Outcome::Transient
            }
            (outcome, _) => outcome,
        }
    }

    /// How the attempt ended, for [`Retry`](mainstay_policy::retry::Retry).
    ///
    /// What may be sent again is worth another attempt, whatever it is to guards.
    #[inline]
    pub fn for_retry(&self) -> Ended {
        let ended = Ended::new(self.for_drivers()).repeat(self.repeat);
        match self.wait() {
            Some(wait) => ended.asked(wait),
            None => ended,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::headers;

    const NOW: Moment = Moment::ORIGIN;

    const fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn said(outcome: Outcome, fields: &[(&'static str, &str)]) -> Ending {
        Ending::new(outcome).with_hints(Hints::read_at(&headers(fields), Duration::ZERO))
    }

    #[test]
    fn only_a_failure_that_may_pass_is_repeated_unless_somebody_says_otherwise() {
        use Outcome::{Abandoned, Fatal, Invalid, Refused, Success, Throttled, Transient};
        for outcome in [Transient, Throttled] {
            assert!(Ending::new(outcome).may_be_repeated(), "{outcome:?}");
        }
        for outcome in [Success, Fatal, Invalid, Refused, Abandoned] {
            assert!(!Ending::new(outcome).may_be_repeated(), "{outcome:?}");
        }
    }

    #[test]
    fn what_may_be_repeated_is_worth_another_attempt() {
        use Outcome::{Abandoned, Fatal, Invalid, Refused, Success, Throttled, Transient};
        let told = |outcome, repeat| Ending::new(outcome).with_repeat(repeat).for_retry();
        for outcome in [Success, Fatal, Invalid] {
            assert_eq!(told(outcome, Repeat::Allowed), Ended::new(Transient), "{outcome:?}");
        }
        for outcome in [Transient, Throttled, Refused, Abandoned] {
            assert_eq!(told(outcome, Repeat::Allowed), Ended::new(outcome), "{outcome:?}");
        }
        let forbidden = Ended::new(Transient).repeat(Repeat::Forbidden);
        assert_eq!(told(Transient, Repeat::Forbidden), forbidden);
    }

    #[test]
    fn the_longest_wait_that_was_asked_for_counts() {
        let ending = said(Outcome::Throttled, &[("retry-after", "5")]);
        assert_eq!(ending.wait(), Some(secs(5)));
        assert_eq!(ending.for_retry(), Ended::new(Outcome::Throttled).asked(secs(5)));
        assert_eq!(ending.clone().with_wait(secs(1)).wait(), Some(secs(5)));
        assert_eq!(ending.with_wait(secs(7)).wait(), Some(secs(7)));
        assert_eq!(Ending::new(Outcome::Transient).for_retry(), Ended::new(Outcome::Transient));
    }

    #[test]
    fn what_closes_a_gate() {
        let spent = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "30")];
        let with = |outcome, fields: &[_]| said(outcome, fields).signal(NOW);
        let throttled = |asked| Some(Signal::Throttled { asked });
        let exhausted = Some(Signal::Exhausted { reset: NOW + secs(30) });
        let later = [("retry-after", "5")];
        let both = [spent[0], spent[1], later[0]];

        assert_eq!(with(Outcome::Throttled, &[]), throttled(None));
        assert_eq!(with(Outcome::Throttled, &later), throttled(Some(secs(5))));
        assert_eq!(with(Outcome::Throttled, &spent), throttled(Some(secs(30))));
        assert_eq!(with(Outcome::Throttled, &both), throttled(Some(secs(5))));

        let overloaded = Some(Signal::Overloaded { asked: secs(5) });
        assert_eq!(with(Outcome::Transient, &later), overloaded);
        let sooner = Some(Signal::Exhausted { reset: NOW + secs(5) });
        assert_eq!(with(Outcome::Transient, &both), sooner, "it is Retry-After that wins");
        let pushed = Ending::new(Outcome::Transient).with_wait(secs(5));
        assert_eq!(pushed.signal(NOW), overloaded);
        assert_eq!(with(Outcome::Transient, &spent), exhausted);
        assert_eq!(with(Outcome::Transient, &[("retry-after", "0")]), None);
        assert_eq!(with(Outcome::Transient, &[]), None);

        assert_eq!(with(Outcome::Success, &spent), exhausted);
        assert_eq!(with(Outcome::Fatal, &spent), exhausted);
        assert_eq!(with(Outcome::Success, &later), None, "202: come back for the result");
        assert_eq!(with(Outcome::Success, &spent[..1]), None, "nobody knows until when");
    }

    #[test]
    fn what_a_limiter_learns() {
        let with = |left, reset| {
            let fields = [("x-ratelimit-remaining", left), ("x-ratelimit-reset", reset)];
            said(Outcome::Success, &fields).told(NOW)
        };
        let told = |left, reset| Some(Told { left, reset: NOW + secs(reset) });
        assert_eq!(with("17", "30"), told(17, 30));
        assert_eq!(with("0", "30"), told(0, 30));
        assert_eq!(with("5000000000", "30"), told(u32::MAX, 30));
        assert_eq!(with("17", "90000"), told(17, 86_400));
        assert_eq!(with("17", "soon"), None);
        let of_tokens =
            [("x-ratelimit-remaining-tokens", "9"), ("x-ratelimit-reset-tokens", "6m0s")];
        assert_eq!(said(Outcome::Success, &of_tokens).told(NOW), None);
        let of_both = [
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", "6m0s"),
            ("x-ratelimit-remaining-requests", "1"),
            ("x-ratelimit-reset-requests", "1s"),
        ];
        assert_eq!(said(Outcome::Success, &of_both).told(NOW), told(1, 1));
        let of_two = [("ratelimit", "\"sec\";r=5;t=1, \"day\";r=1000;t=86400")];
        assert_eq!(said(Outcome::Success, &of_two).told(NOW), told(5, 1));
        assert_eq!(Ending::new(Outcome::Success).told(NOW), None);
    }
}
