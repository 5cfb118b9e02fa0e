//! The only reader of time.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::OnceLock;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mainstay_policy::{Moment, deadline};
use tokio::task::unconstrained;
use tokio::time::Sleep;

use crate::deadline::Deadline;

/// What time it is, by tokio's clock, which a test can pause.
///
/// The origin is of the clock that no test can pause: one taken in a runtime whose paused clock had
/// run ahead would leave all others before it for a long time.
pub(crate) fn now() -> Moment {
    // The origin first: what is read of the clock need not be kept while one is made.
    let origin = origin();
    match tokio::time::Instant::now().into_std().checked_duration_since(*origin) {
        Some(after) => Moment::ORIGIN + after,
        None => now_before_origin(),
    }
}

/// Of a clock that was paused before the origin was taken. It is read once more, because all other
/// readings would pay for keeping it.
#[cold]
fn now_before_origin() -> Moment {
    moment(tokio::time::Instant::now().into_std())
}

/// What time it is, by the clock that nobody can pause: for what a thread does without waiting.
#[expect(clippy::disallowed_methods, reason = "this is the room where clocks are read")]
pub(crate) fn real() -> Moment {
    moment(Instant::now())
}

#[expect(clippy::disallowed_methods, reason = "this is the room where clocks are read")]
#[inline]
fn origin() -> &'static Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    ORIGIN.get_or_init(Instant::now)
}

fn moment(now: Instant) -> Moment {
    let origin = origin();
    match now.checked_duration_since(*origin) {
        Some(after) => Moment::ORIGIN + after,
        None => Moment::ORIGIN - origin.saturating_duration_since(now),
    }
}

/// How long ago the Unix epoch was, by the wall clock; for dates, which are of no other clock.
#[expect(clippy::disallowed_methods, reason = "this is the room where clocks are read")]
pub(crate) fn unix_now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

impl From<tokio::time::Instant> for Deadline {
    fn from(end: tokio::time::Instant) -> Self {
        Self::at(moment(end.into_std()))
    }
}

/// A timer on tokio's clock, which a test can pause.
pub(crate) fn sleep(duration: Duration) -> Sleep {
    tokio::time::sleep(duration)
}

/// A timer for this moment.
fn sleep_until(until: Moment) -> Sleep {
    match origin().checked_add(until.since(Moment::ORIGIN)) {
        Some(instant) => tokio::time::sleep_until(instant.into()),
        None => sleep(Duration::MAX),
    }
}

/// Asks a timer, also in a task that has used up its budget with tokio.
///
/// Such a task is told by every timer that it has not fired, and work beneath that uses the budget
/// up at each poll would never be ended.
pub(crate) fn poll(sleep: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
    pin!(unconstrained(sleep)).poll(cx)
}

/// When so much time will have passed on tokio's clock, to set a timer anew.
pub(crate) fn after(duration: Duration) -> tokio::time::Instant {
    let now = tokio::time::Instant::now();
    // Thirty years are as good as for ever, and can be added to every clock.
    now.checked_add(duration).unwrap_or_else(|| now + Duration::from_secs(86_400 * 365 * 30))
}

/// A timer that is made when it is first waited for, since that is the dearest part of most calls.
#[derive(Debug, Default)]
pub(crate) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    /// Ready once this moment has come. The moment may move on from poll to poll: the timer follows
    /// when it fires, and is not touched before.
    #[inline]
    pub(crate) fn poll(&mut self, until: Moment, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_in_steps(until, Duration::MAX, cx)
    }

    /// The same for a moment that is most likely to come: the timer is made without a look at the
    /// clock, which is a good part of what it costs.
    pub(crate) fn poll_ahead(&mut self, until: Moment, cx: &mut Context<'_>) -> Poll<()> {
        if self.sleep.is_none() {
            self.sleep = Some(Box::pin(sleep_until(until)));
        }
        self.poll(until, cx)
    }

    /// The same, but the timer is never set for longer than this, so that the moment may come nearer
    /// by as much as is left of the step.
    pub(crate) fn poll_in_steps(
        &mut self,
        until: Moment,
        step: Duration,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        loop {
            if let Some(sleep) = &mut self.sleep {
                ready!(poll(sleep.as_mut(), cx));
            }
            let Some(left) = deadline::left(until, now()) else { return Poll::Ready(()) };
            let left = left.min(step);
            match &mut self.sleep {
                Some(sleep) => sleep.as_mut().reset(after(left)),
                None => self.sleep = Some(Box::pin(sleep(left))),
            }
        }
    }

    #[cfg(test)]
    pub(crate) const fn is_made(&self) -> bool {
        self.sleep.is_some()
    }
}

/// A timer for a moment that may move, on or back, from poll to poll.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    at: Option<Moment>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    /// Ready once this moment has come; for the last moment there is, no timer is made.
    pub(crate) fn poll(&mut self, at: Moment, cx: &mut Context<'_>) -> Poll<()> {
        if at == Moment::MAX {
            self.at = None;
            return Poll::Pending;
        }
        if self.at != Some(at) {
            let left = at.since(now());
            match &mut self.sleep {
                Some(sleep) => sleep.as_mut().reset(after(left)),
                None => self.sleep = Some(Box::pin(sleep(left))),
            }
            self.at = Some(at);
        }
        let Some(sleep) = &mut self.sleep else { return Poll::Pending };
        ready!(poll(sleep.as_mut(), cx));
        self.at = None;
        Poll::Ready(())
    }
}

/// Ready after so long; the timer is made, or set anew, by this.
pub(crate) fn poll_at(
    mut timer: Pin<&mut Option<Sleep>>,
    wait: Duration,
    cx: &mut Context<'_>,
) -> Poll<()> {
    match timer.as_mut().as_pin_mut() {
        Some(timer) => timer.reset(after(wait)),
        None => timer.set(Some(sleep(wait))),
    }
    timer.as_pin_mut().map_or(Poll::Pending, |timer| poll(timer, cx))
}

/// How long ago a timer ended, if it has.
pub(crate) fn overdue(timer: &Sleep) -> Duration {
    tokio::time::Instant::now().saturating_duration_since(timer.deadline())
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;
    use tokio_test::{assert_pending, assert_ready, task};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_timer_fires_at_its_moment_and_follows_one_that_moves_on() {
        let mut timer = Timer::default();
        let mut task = task::spawn(());
        let end = now() + SECOND;
        task.enter(|cx, _| assert_pending!(timer.poll(end, cx)));
        advance(SECOND).await;
        assert!(task.is_woken());
        task.enter(|cx, _| assert_pending!(timer.poll(end + SECOND, cx)));
        advance(SECOND).await;
        assert!(task.is_woken());
        task.enter(|cx, _| assert_ready!(timer.poll(end + SECOND, cx)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_timer_that_goes_in_steps_fires_for_a_moment_that_comes_nearer() {
        let (mut timer, begin) = (Timer::default(), now());
        let mut task = task::spawn(());
        task.enter(|cx, _| {
            assert_pending!(timer.poll_in_steps(begin + SECOND * 60, SECOND * 2, cx));
            assert_pending!(timer.poll(begin + SECOND * 3, cx));
        });
        for _ in 0..3 {
            assert!(!task.is_woken());
            advance(SECOND).await;
            task.enter(|cx, _| timer.poll(begin + SECOND * 3, cx).is_ready());
        }
        task.enter(|cx, _| assert_ready!(timer.poll(begin + SECOND * 3, cx)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_timer_fires_also_where_the_task_has_used_its_budget_up() {
        let (mut timer, end) = (Timer::default(), now() + SECOND);
        task::spawn(()).enter(|cx, _| assert_pending!(timer.poll(end, cx)));
        advance(SECOND).await;
        std::future::poll_fn(|cx| {
            while pin!(tokio::task::consume_budget()).poll(cx).is_ready() {}
            assert_ready!(timer.poll(end, cx));
            Poll::Ready(())
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_moment_that_has_passed_needs_no_timer() {
        let mut timer = Timer::default();
        task::spawn(()).enter(|cx, _| assert_ready!(timer.poll(now(), cx)));
        assert!(!timer.is_made());
    }

    #[tokio::test(start_paused = true)]
    async fn a_timer_that_is_made_without_a_clock_fires_at_its_moment_or_never() {
        let (mut timer, end) = (Timer::default(), now() + SECOND);
        let (mut never, mut task) = (Timer::default(), task::spawn(()));
        task.enter(|cx, _| assert_pending!(timer.poll_ahead(end, cx)));
        task.enter(|cx, _| assert_pending!(never.poll_ahead(Moment::MAX, cx)));
        advance(SECOND / 2).await;
        task.enter(|cx, _| assert_pending!(timer.poll_ahead(end, cx)));
        advance(SECOND / 2 + Duration::from_millis(1)).await;
        assert!(task.is_woken());
        task.enter(|cx, _| assert_ready!(timer.poll_ahead(end, cx)));
        advance(SECOND * 3600 * 24 * 365).await;
        task.enter(|cx, _| assert_pending!(never.poll_ahead(Moment::MAX, cx)));
        task.enter(|cx, _| assert_ready!(Timer::default().poll_ahead(end, cx)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_clock_says_that_stands_before_the_origin_is_before_it() {
        let milli = Duration::from_millis(1);
        assert_eq!(moment(*origin() - milli), Moment::ORIGIN - milli);
        assert_eq!(moment(*origin() + milli), Moment::ORIGIN + milli);
        for _ in 0..3 {
            let here = moment(tokio::time::Instant::now().into_std());
            assert_eq!((now(), now_before_origin()), (here, here));
            advance(milli).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_real_clock_does_not_follow_the_paused_one() {
        let (paused, unpaused) = (now(), real());
        advance(Duration::from_secs(1_000_000)).await;
        assert_eq!(now().since(paused), Duration::from_secs(1_000_000));
        assert!(real().since(unpaused) < Duration::from_secs(100_000));
    }
}
