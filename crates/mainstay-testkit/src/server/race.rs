//! Which of two comes first.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// The one that came first.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Either<A, B> {
    First(A),
    Second(B),
}

/// Awaits both; where both are there, it is the first.
pub(super) async fn race<A: Future, B: Future>(
    first: A,
    second: B,
) -> Either<A::Output, B::Output> {
    let (mut first, mut second) = (pin!(first), pin!(second));
    poll_fn(|cx| {
        if let Poll::Ready(output) = first.as_mut().poll(cx) {
            return Poll::Ready(Either::First(output));
        }
        second.as_mut().poll(cx).map(Either::Second)
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn the_first_that_is_there_wins() {
        assert_eq!(race(ready(1), ready(2)).await, Either::First(1));
        assert_eq!(race(pending::<()>(), ready(2)).await, Either::Second(2));
    }
}
