//! Every wait has an end that names its line.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Sleep;

use crate::clock;

/// How long [`finishes`] waits.
const LIMIT: Duration = Duration::from_secs(60 * 60);

/// Awaits a future that must end within an hour of paused time; if it does not, the test fails and
/// names the line of this call.
///
/// With paused time the hour is over as soon as nothing else is left to do. Where time is not
/// paused, use [`finishes_within`].
///
/// ```
/// use mainstay_testkit::finishes;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let slow = async {
///     tokio::time::sleep(Duration::from_secs(60)).await;
///     "done"
/// };
/// assert_eq!(finishes(slow).await, "done");
/// # }
/// ```
#[track_caller]
pub fn finishes<F: Future>(future: F) -> Finishes<F> {
    finishes_within(LIMIT, future)
}

/// Awaits a future that must end within this time; if it does not, the test fails and names the
/// line of this call.
#[track_caller]
pub fn finishes_within<F: Future>(limit: Duration, future: F) -> Finishes<F> {
    Finishes { future: Box::pin(future), limit, timer: None, line: Location::caller() }
}

/// What [`finishes`] makes of a future.
///
/// # Panics
///
/// Its poll does when the time is over.
#[must_use = "futures do nothing unless polled"]
pub struct Finishes<F> {
    future: Pin<Box<F>>,
    limit: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    line: &'static Location<'static>,
}

impl<F: Future> Future for Finishes<F> {
    type Output = F::Output;

    #[expect(clippy::panic, reason = "a test fails by panicking")]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        if let Poll::Ready(output) = self.future.as_mut().poll(cx) {
            return Poll::Ready(output);
        }
        let (limit, line) = (self.limit, self.line);
        let timer = self.timer.get_or_insert_with(|| Box::pin(clock::sleep(limit)));
        match timer.as_mut().poll(cx) {
            Poll::Ready(()) => panic!("{line}: not finished within {limit:?}"),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<F> fmt::Debug for Finishes<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Finishes({}, within {:?})", self.line, self.limit)
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn what_ends_in_time_is_handed_on() {
        assert_eq!(finishes(async { 7 }).await, 7);
        finishes_within(SECOND * 2, clock::sleep(SECOND)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_end_fails_with_the_line_of_the_call() {
        let line = line!() + 1;
        let endless = finishes_within(SECOND, pending::<()>());
        let panic = tokio::spawn(endless).await.unwrap_err().into_panic();
        let text = panic.downcast_ref::<String>().unwrap();
        let expected = format!("{}:{line}:23: not finished within 1s", file!());
        assert_eq!(*text, expected);
    }
}
