//! A call that may go wrong.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use mainstay_policy::Moment;
use mainstay_policy::chaos::Fault;
use pin_project_lite::pin_project;

use super::Faults;
use crate::clock::{self, Timer};

pin_project! {
    /// The response future of [`ChaosService`](super::ChaosService).
    #[must_use = "futures do nothing unless polled"]
    pub struct ChaosFuture<Fut, Res, E, F>
    where
        F: Faults<Res>,
    {
        #[pin]
        state: State<Fut, Res, E, F, F::Answer>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<Fut, Res, E, F, Answer> {
        Sent { #[pin] inner: Fut, faults: Arc<F>, is_cut: bool, late: Option<Duration> },
        Late { end: Option<Result<Res, E>>, faults: Arc<F>, until: Moment, timer: Timer },
        // None hangs.
        Made { end: Option<Result<Answer, E>> },
    }
}

impl<Fut, Res, E, F: Faults<Res>> ChaosFuture<Fut, Res, E, F> {
    pub(super) fn sent(inner: Fut, faults: &Arc<F>, fault: Fault) -> Self {
        let late = match fault {
            Fault::Late(by) => Some(by),
            _ => None,
        };
        let (faults, is_cut) = (Arc::clone(faults), fault == Fault::Cut);
        Self { state: State::Sent { inner, faults, is_cut, late } }
    }

    pub(super) const fn made(end: Option<Result<F::Answer, E>>) -> Self {
        Self { state: State::Made { end } }
    }
}

impl<Fut, Res, E, F> Future for ChaosFuture<Fut, Res, E, F>
where
    Fut: Future<Output = Result<Res, E>>,
    F: Faults<Res>,
{
    type Output = Result<F::Answer, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProj::Sent { inner, faults, is_cut, late } => {
                    let end = ready!(inner.poll(cx));
                    let Some(late) = *late else {
                        return Poll::Ready(end.map(|answer| faults.hand_on(answer, *is_cut)));
                    };
                    let (faults, until) = (Arc::clone(faults), clock::now() + late);
                    let (end, timer) = (Some(end), Timer::default());
                    state.set(State::Late { end, faults, until, timer });
                }
                StateProj::Late { end, faults, until, timer } => {
                    ready!(timer.poll(*until, cx));
                    return match end.take() {
                        Some(end) => Poll::Ready(end.map(|answer| faults.hand_on(answer, false))),
                        None => Poll::Pending,
                    };
                }
                StateProj::Made { end } => {
                    return end.take().map_or(Poll::Pending, Poll::Ready);
                }
            }
        }
    }
}

impl<Fut, Res, E, F: Faults<Res>> fmt::Debug for ChaosFuture<Fut, Res, E, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.state {
            State::Sent { .. } => "ChaosFuture(sent)",
            State::Late { .. } => "ChaosFuture(late)",
            State::Made { .. } => "ChaosFuture(made)",
        })
    }
}
