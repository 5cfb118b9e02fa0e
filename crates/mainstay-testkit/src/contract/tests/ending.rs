//! A layer that ends calls in time, or fails to.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::task::coop::unconstrained;
use tokio::time::Sleep;
use tower_layer::Layer;
use tower_service::Service;

use super::Text;
use crate::clock;

/// So long a call may take.
pub(super) const AFTER: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    None,
    /// Its timer has a waker that is nobody's.
    WakesNobody,
    IsEarly,
    AnswersWell,
    /// Its timer does not fire in a task whose budget is spent.
    LooksAtTheBudget,
}

#[derive(Clone, Debug)]
pub(super) struct Ending<S = ()> {
    inner: S,
    fault: Fault,
}

impl Ending {
    pub(super) const fn new(fault: Fault) -> Self {
        Self { inner: (), fault }
    }
}

impl<S> Layer<S> for Ending {
    type Service = Ending<S>;

    fn layer(&self, inner: S) -> Ending<S> {
        Ending { inner, fault: self.fault }
    }
}

impl<S> Service<Text> for Ending<S>
where
    S: Service<Text, Response = Text, Error = Text>,
    S::Future: Unpin,
{
    type Response = Text;
    type Error = Text;
    type Future = EndingFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Text>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Text) -> Self::Future {
        let after = if self.fault == Fault::IsEarly { AFTER * 4 / 5 } else { AFTER };
        let (inner, timer) = (self.inner.call(request), Box::pin(clock::sleep(after)));
        EndingFuture { inner, timer, fault: self.fault }
    }
}

#[derive(Debug)]
pub(super) struct EndingFuture<F> {
    inner: F,
    timer: Pin<Box<Sleep>>,
    fault: Fault,
}

impl<F> Future for EndingFuture<F>
where
    F: Future<Output = Result<Text, Text>> + Unpin,
{
    type Output = Result<Text, Text>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Poll::Ready(end) = Pin::new(&mut this.inner).poll(cx) {
            return Poll::Ready(end);
        }
        let timer = this.timer.as_mut();
        let fired = match this.fault {
            Fault::WakesNobody => {
                pin!(unconstrained(timer)).poll(&mut Context::from_waker(Waker::noop()))
            }
            Fault::LooksAtTheBudget => timer.poll(cx),
            _ => pin!(unconstrained(timer)).poll(cx),
        };
        if fired.is_pending() {
            return Poll::Pending;
        }
        Poll::Ready(if this.fault == Fault::AnswersWell { Ok("late") } else { Err("late") })
    }
}
