//! The service that fails now and then, and the futures of its calls.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::Sleep;
use tower_service::Service;

use super::{Fate, FlakyLayer};
use crate::clock;

/// The service that a [`FlakyLayer`] makes.
#[derive(Debug)]
pub struct Flaky<S, E> {
    pub(super) inner: S,
    pub(super) layer: FlakyLayer<E>,
}

impl<S: Clone, E> Clone for Flaky<S, E> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), layer: self.layer.clone() }
    }
}

impl<S, E, Req> Service<Req> for Flaky<S, E>
where
    S: Service<Req, Error = E> + Clone,
{
    type Response = S::Response;
    type Error = E;
    type Future = FlakyFuture<S::Future, S::Response, E>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        if self.layer.deals_unready() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let fate = self.layer.deals();
        let state = match (fate, &self.layer.plan.error) {
            (Fate::Fails, Some(error)) => State::Fails(error()),
            (Fate::Hangs, _) => State::Hangs,
            (Fate::Panics, _) => State::Panics,
            (Fate::Late(delay), _) => State::Runs(Box::pin(self.inner.call(request)), Some(delay)),
            (Fate::Passes | Fate::Fails, _) => {
                State::Runs(Box::pin(self.inner.call(request)), None)
            }
        };
        if !matches!(state, State::Runs(..)) {
            // Who was made ready and is not called would keep others from their place.
            let clone = self.inner.clone();
            drop(mem::replace(&mut self.inner, clone));
        }
        FlakyFuture { state }
    }
}

/// The response future of [`Flaky`].
#[must_use = "futures do nothing unless polled"]
pub struct FlakyFuture<F, T, E> {
    state: State<F, T, E>,
}

enum State<F, T, E> {
    Runs(Pin<Box<F>>, Option<Duration>),
    Waits(Pin<Box<Sleep>>, Option<Result<T, E>>),
    Fails(E),
    Hangs,
    Panics,
    Over,
}

/// Nothing in it is pinned that is not in a box.
impl<F, T, E> Unpin for FlakyFuture<F, T, E> {}

impl<F, T, E> Future for FlakyFuture<F, T, E>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = Result<T, E>;

    #[expect(clippy::panic, reason = "it is what it is there for")]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match &mut self.state {
                State::Runs(inner, delay) => {
                    let end = ready!(inner.as_mut().poll(cx));
                    let Some(delay) = *delay else {
                        self.state = State::Over;
                        return Poll::Ready(end);
                    };
                    self.state = State::Waits(Box::pin(clock::sleep(delay)), Some(end));
                }
                State::Waits(sleep, end) => {
                    ready!(sleep.as_mut().poll(cx));
                    let end = end.take();
                    self.state = State::Over;
                    if let Some(end) = end {
                        return Poll::Ready(end);
                    }
                }
                State::Hangs => return Poll::Pending,
                State::Fails(_) | State::Panics | State::Over => {
                    match mem::replace(&mut self.state, State::Over) {
                        State::Fails(error) => return Poll::Ready(Err(error)),
                        State::Panics => panic!("a flaky call panics"),
                        _ => panic!("the future of a flaky call was polled after its end"),
                    }
                }
            }
        }
    }
}

impl<F, T, E> fmt::Debug for FlakyFuture<F, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlakyFuture").finish_non_exhaustive()
    }
}
