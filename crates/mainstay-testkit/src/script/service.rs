//! The service of a script, and the futures of its calls.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::time::Sleep;
use tower_service::Service;

use super::stage::Place;
use super::steps::{Does, Step, Steps};
use super::{Answer, Arrival, End, Lines, PANIC, Reply, Stage};
use crate::clock;

/// A service that follows a [`Script`](super::Script).
///
/// It holds its callers to the contract of tower: a call must come on the very instance whose
/// `poll_ready` gave `Ready`, and once for each time that it did. A clone is a new instance, which
/// is not ready.
///
/// # Panics
///
/// Its `call` does, if the instance is not ready, or if the script is strict and has no step left.
pub struct Scripted<Req, Res, E> {
    stage: Arc<Stage>,
    lines: Arc<Lines<Req, Res, E>>,
    number: u64,
    stuttered: usize,
    /// There while it is ready.
    place: Option<Place>,
}

impl<Req, Res, E> Scripted<Req, Res, E> {
    pub(super) fn new(stage: Arc<Stage>, lines: Arc<Lines<Req, Res, E>>) -> Self {
        let number = stage.enrol();
        Self { stage, lines, number, stuttered: 0, place: None }
    }
}

impl<Req, Res, E> Clone for Scripted<Req, Res, E> {
    /// A new instance; readiness is not cloned.
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.stage), Arc::clone(&self.lines))
    }
}

impl<Req, Res, E> Drop for Scripted<Req, Res, E> {
    fn drop(&mut self) {
        if self.place.take().is_some() {
            self.stage.count(|seen| seen.uncalled += 1);
        }
        self.stage.discharge(self.number);
    }
}

impl<Req, Res, E> Service<Req> for Scripted<Req, Res, E> {
    type Response = Res;
    type Error = E;
    type Future = ScriptedFuture<Req, Res, E>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        self.stage.count(|seen| seen.ready_polls += 1);
        let death = self.lines.lock().death.clone();
        if let Some(death) = death {
            return Poll::Ready(Err(death()));
        }
        if self.place.is_some() {
            return Poll::Ready(Ok(()));
        }
        if self.stuttered < self.stage.stutter() {
            self.stuttered += 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.place = Some(ready!(self.stage.poll_place(self.number, cx)));
        self.stuttered = 0;
        Poll::Ready(Ok(()))
    }

    #[track_caller]
    #[expect(clippy::panic, reason = "a test fails by panicking")]
    fn call(&mut self, request: Req) -> Self::Future {
        let Some(place) = self.place.take() else {
            panic!(
                "instance {} of the scripted service was called and is not ready: its own \
                 `poll_ready` must give `Ready` before each call, that of a clone does not count",
                self.number
            );
        };
        if self.stage.takes_panic_in_call() {
            drop(place);
            panic!("{PANIC} in a call");
        }
        let mut said = self.lines.lock();
        let step = said.steps.as_mut().map(Steps::take).transpose();
        let step = match step {
            Ok(step) => step,
            Err(fault) => {
                drop(said);
                drop(place);
                panic!("{fault}");
            }
        };
        self.stage.count(|seen| {
            seen.calls += 1;
            seen.in_flight += 1;
        });
        let part = match (step, said.answer.clone()) {
            (Some(step), _) => Part::Plays { request, step, timer: None },
            (None, Some(answer)) => Part::Answers { request, answer, stuttered: 0 },
            (None, None) => {
                let reply = Arc::new(Reply::new());
                said.arrived.push_back(Arrival { request, reply: Arc::clone(&reply) });
                Part::Waits { reply }
            }
        };
        let waiting = mem::take(&mut said.waiting);
        drop(said);
        waiting.into_iter().for_each(Waker::wake);
        ScriptedFuture { stage: Arc::clone(&self.stage), running: Some(Running { part, place }) }
    }
}

impl<Req, Res, E> fmt::Debug for Scripted<Req, Res, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_ready = self.place.is_some();
        let mut debug = f.debug_struct("Scripted");
        debug.field("instance", &self.number).field("is_ready", &is_ready).finish()
    }
}

/// The response future of [`Scripted`].
#[must_use = "futures do nothing unless polled"]
pub struct ScriptedFuture<Req, Res, E> {
    stage: Arc<Stage>,
    /// None when it has ended.
    running: Option<Running<Req, Res, E>>,
}

struct Running<Req, Res, E> {
    part: Part<Req, Res, E>,
    /// Goes back when the call has ended.
    place: Place,
}

enum Part<Req, Res, E> {
    Answers { request: Req, answer: Arc<Answer<Req, Res, E>>, stuttered: usize },
    Waits { reply: Arc<Reply<Res, E>> },
    Plays { request: Req, step: Step<Req, Res, E>, timer: Option<Pin<Box<Sleep>>> },
}

/// Nothing in it is pinned.
impl<Req, Res, E> Unpin for ScriptedFuture<Req, Res, E> {}

impl<Req, Res, E> ScriptedFuture<Req, Res, E> {
    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(Running { part, .. }) = &mut self.running else { return Poll::Ready(()) };
        match part {
            Part::Answers { stuttered, .. } if *stuttered < self.stage.stutter() => {
                *stuttered += 1;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Part::Answers { .. } => Poll::Ready(()),
            Part::Plays { step: Step { does: Does::Hangs, .. }, .. } => Poll::Pending,
            Part::Plays { step: Step { after: Duration::ZERO, .. }, .. } => Poll::Ready(()),
            Part::Plays { step, timer, .. } => {
                timer.get_or_insert_with(|| Box::pin(clock::sleep(step.after))).as_mut().poll(cx)
            }
            Part::Waits { reply } => {
                let waker = cx.waker().clone();
                let mut replied = reply.lock();
                replied.polls += 1;
                let old = replied.waker.replace(waker);
                let has_ended = replied.end.is_some();
                drop(replied);
                drop(old);
                if has_ended { Poll::Ready(()) } else { Poll::Pending }
            }
        }
    }

    fn take(&mut self) -> Option<Part<Req, Res, E>> {
        let Running { part, place } = self.running.take()?;
        self.stage.count(|seen| seen.in_flight -= 1);
        drop(place);
        Some(part)
    }
}

impl<Req, Res, E> Future for ScriptedFuture<Req, Res, E> {
    type Output = Result<Res, E>;

    #[track_caller]
    #[expect(clippy::panic, reason = "a test fails by panicking")]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.stage.count(|seen| seen.polls += 1);
        if self.stage.takes_panic_in_poll() {
            drop(self.take());
            panic!("{PANIC} in a poll");
        }
        self.stage.takes_budget(cx);
        ready!(self.poll_part(cx));
        let end = match self.take() {
            Some(Part::Answers { request, answer, .. }) => Some(End::Result(answer(request))),
            Some(Part::Waits { reply }) => reply.lock().end.take(),
            Some(Part::Plays { request, step, .. }) => match step.does {
                Does::Ends(end) => Some(End::Result(end(request))),
                Does::Panics(text) => Some(End::Panic(text)),
                Does::Hangs => None,
            },
            None => None,
        };
        match end {
            Some(End::Result(result)) => Poll::Ready(result),
            Some(End::Panic(text)) => panic!("{text}"),
            None => panic!("the future of a scripted call was polled after its end"),
        }
    }
}

impl<Req, Res, E> Drop for ScriptedFuture<Req, Res, E> {
    fn drop(&mut self) {
        if let Some(part) = self.take() {
            self.stage.count(|seen| seen.abandoned += 1);
            if let Part::Waits { reply } = part {
                reply.lock().is_gone = true;
            }
        }
    }
}

impl<Req, Res, E> fmt::Debug for ScriptedFuture<Req, Res, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_running = self.running.is_some();
        f.debug_struct("ScriptedFuture").field("is_running", &is_running).finish()
    }
}
