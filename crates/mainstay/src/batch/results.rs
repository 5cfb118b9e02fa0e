//! The results of a batch as streams.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use mainstay_policy::batch::End;

use super::course::Course;
use super::ended::{Completed, ItemError};
use super::inputs::Naming;
use super::progress::Progress;
use super::readiness::Readiness;
use super::work::Work;

/// Results as they come; made by [`Batch::as_completed`](super::Batch::as_completed).
///
/// Dropped, it drops whatever runs.
#[must_use = "streams do nothing unless polled"]
pub struct AsCompleted<C> {
    course: C,
}

/// Results in the order of their inputs; made by [`Batch::in_order`](super::Batch::in_order).
///
/// Dropped, it drops whatever runs.
#[must_use = "streams do nothing unless polled"]
pub struct InOrder<C, T> {
    course: C,
    /// Those from the next one on, as far as they have ended.
    held: VecDeque<Option<T>>,
    next: u64,
}

/// Nothing in them is pinned: what is lies in boxes of its own.
impl<C> Unpin for AsCompleted<C> {}
impl<C, T> Unpin for InOrder<C, T> {}

impl<C> AsCompleted<C> {
    pub(super) const fn new(course: C) -> Self {
        Self { course }
    }
}

impl<C, T> InOrder<C, T> {
    pub(super) const fn new(course: C) -> Self {
        Self { course, held: VecDeque::new(), next: 0 }
    }

    fn hold(&mut self, index: u64, result: T) {
        let place = usize::try_from(index.saturating_sub(self.next)).unwrap_or(usize::MAX);
        while self.held.len() <= place {
            self.held.push_back(None);
        }
        self.held[place] = Some(result);
    }

    fn is_next_there(&self) -> bool {
        self.held.front().is_some_and(Option::is_some)
    }

    fn take(&mut self) -> Option<T> {
        let result = self.held.front_mut()?.take()?;
        self.held.pop_front();
        self.next += 1;
        Some(result)
    }
}

impl<I, W, R, N, Id, Req, F, T, E> Stream for AsCompleted<Course<I, W, R, N, Id, Req, F, T, E>>
where
    I: Stream,
    N: Naming<I::Item, Id = Id, Request = Req>,
    W: Work<Req, Future = F, Answer = T, Error = E>,
    F: Future<Output = Result<T, ItemError<E>>>,
    R: Readiness<Req>,
{
    type Item = Completed<T, E, Id>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.course.poll_ended(cx)
    }
}

impl<I, W, R, N, Id, Req, F, T, E> Stream
    for InOrder<Course<I, W, R, N, Id, Req, F, T, E>, Completed<T, E, Id>>
where
    I: Stream,
    N: Naming<I::Item, Id = Id, Request = Req>,
    W: Work<Req, Future = F, Answer = T, Error = E>,
    F: Future<Output = Result<T, ItemError<E>>>,
    R: Readiness<Req>,
{
    type Item = Completed<T, E, Id>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_next_there() {
            self.course.yielded();
            // While those that are held are taken, the others go on.
            if let Poll::Ready(Some(ended)) = self.course.poll_ended(cx) {
                self.hold(ended.index, ended);
            }
            return Poll::Ready(self.take());
        }
        while !self.is_next_there() {
            match ready!(self.course.poll_ended(cx)) {
                Some(ended) => self.hold(ended.index, ended),
                None => return Poll::Ready(None),
            }
        }
        self.course.yielded();
        Poll::Ready(self.take())
    }
}

macro_rules! followed {
    ($($results:ident $(<$held:ident>)?),+) => {$(
        impl<I, W, R, N, Id, Req, F, T, E $(, $held)?>
            $results<Course<I, W, R, N, Id, Req, F, T, E> $(, $held)?>
        {
            /// The next result; `None` when there are no more.
            ///
            /// Nothing goes on while this is not awaited: what takes long between two results
            /// belongs into [`map_async`](super::Batch::map_async), or into a task of its own.
            pub async fn next(&mut self) -> Option<<Self as Stream>::Item>
            where
                Self: Stream,
            {
                poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
            }

            /// Follows it from elsewhere.
            #[must_use]
            pub fn progress(&self) -> Progress {
                self.course.progress()
            }

            /// Whether its time was over before all inputs had ended.
            #[must_use]
            pub fn is_cut_short(&self) -> bool {
                self.course.end() == Some(End::Deadline)
            }
        }

        impl<I, W, R, N, Id, Req, F, T, E $(, $held)?> fmt::Debug
            for $results<Course<I, W, R, N, Id, Req, F, T, E> $(, $held)?>
        {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($results)).field(&self.course).finish()
            }
        }
    )+};
}

followed!(AsCompleted, InOrder<Kept>);
