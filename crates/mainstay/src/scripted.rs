//! A service for tests, whose every call is answered by hand.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use tokio::sync::oneshot;
use tower_service::Service;

use crate::error::Error;
use crate::scope::Scope;

/// What ends badly in a script.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("it went wrong")]
pub(crate) struct Wrong;

pub(crate) type Outcome<Res> = Result<Res, Error<Wrong>>;

/// The side of the test.
pub(crate) struct Script<Req, Res> {
    state: Arc<Mutex<State<Req, Res>>>,
}

/// The side of the caller. Panics where it is called without having been made ready.
pub(crate) struct Scripted<Req, Res> {
    state: Arc<Mutex<State<Req, Res>>>,
    is_ready: bool,
}

struct State<Req, Res> {
    calls: VecDeque<Call<Req, Res>>,
    seen: usize,
    clones: usize,
    polls: usize,
    readiness: Readiness,
    wakers: Vec<Waker>,
}

#[derive(Clone, Copy)]
enum Readiness {
    Ready,
    Busy,
    Dead,
    Panics,
}

/// A call that waits for its answer.
pub(crate) struct Call<Req, Res> {
    pub(crate) request: Req,
    pub(crate) scope: Scope,
    answer: oneshot::Sender<Says<Res>>,
}

enum Says<Res> {
    Ends(Outcome<Res>),
    Panics,
}

pub(crate) fn script<Req, Res>() -> (Script<Req, Res>, Scripted<Req, Res>) {
    let state = Arc::new(Mutex::new(State {
        calls: VecDeque::new(),
        seen: 0,
        clones: 0,
        polls: 0,
        readiness: Readiness::Ready,
        wakers: Vec::new(),
    }));
    (Script { state: Arc::clone(&state) }, Scripted { state, is_ready: false })
}

impl<Req, Res> Script<Req, Res> {
    fn state(&self) -> MutexGuard<'_, State<Req, Res>> {
        self.state.lock().unwrap()
    }

    /// The call that waits longest.
    #[track_caller]
    pub(crate) fn next(&self) -> Call<Req, Res> {
        let call = self.state().calls.pop_front();
        call.expect("somebody should have called")
    }

    /// How many calls there were since this was last asked.
    pub(crate) fn calls(&self) -> usize {
        std::mem::take(&mut self.state().seen)
    }

    /// How many clones of the service were made since this was last asked.
    pub(crate) fn clones(&self) -> usize {
        std::mem::take(&mut self.state().clones)
    }

    /// How often a call was polled since this was last asked.
    pub(crate) fn polls(&self) -> usize {
        std::mem::take(&mut self.state().polls)
    }

    pub(crate) fn is_busy(&self) {
        self.state().readiness = Readiness::Busy;
    }

    pub(crate) fn is_dead(&self) {
        self.state().readiness = Readiness::Dead;
    }

    /// Panics when it is called.
    pub(crate) fn panics(&self) {
        self.state().readiness = Readiness::Panics;
    }

    pub(crate) fn is_ready(&self) {
        let wakers = {
            let mut state = self.state();
            state.readiness = Readiness::Ready;
            std::mem::take(&mut state.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl<Req, Res> Call<Req, Res> {
    #[track_caller]
    pub(crate) fn ends(self, end: Outcome<Res>) {
        assert!(self.answer.send(Says::Ends(end)).is_ok(), "nobody waits for it");
    }

    pub(crate) fn panics(self) {
        assert!(self.answer.send(Says::Panics).is_ok(), "nobody waits for it");
    }

    /// Whether nobody waits for it any more.
    pub(crate) fn is_dropped(&self) -> bool {
        self.answer.is_closed()
    }
}

impl<Req, Res> Clone for Scripted<Req, Res> {
    fn clone(&self) -> Self {
        self.state.lock().unwrap().clones += 1;
        Self { state: Arc::clone(&self.state), is_ready: false }
    }
}

impl<Req, Res> Service<Req> for Scripted<Req, Res> {
    type Response = Res;
    type Error = Error<Wrong>;
    type Future = ScriptedFuture<Req, Res>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Outcome<()>> {
        let mut state = self.state.lock().unwrap();
        match state.readiness {
            Readiness::Ready | Readiness::Panics => {
                self.is_ready = true;
                Poll::Ready(Ok(()))
            }
            Readiness::Dead => Poll::Ready(Err(Error::Inner(Wrong))),
            Readiness::Busy => {
                state.wakers.push(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn call(&mut self, request: Req) -> Self::Future {
        assert!(std::mem::take(&mut self.is_ready), "it was not made ready");
        let mut state = self.state.lock().unwrap();
        let panics = matches!(state.readiness, Readiness::Panics);
        let (answer, end) = oneshot::channel();
        if !panics {
            state.seen += 1;
            state.calls.push_back(Call { request, scope: Scope::current(), answer });
        }
        drop(state);
        assert!(!panics, "as the script says");
        ScriptedFuture { state: Arc::clone(&self.state), end }
    }
}

pub(crate) struct ScriptedFuture<Req, Res> {
    state: Arc<Mutex<State<Req, Res>>>,
    end: oneshot::Receiver<Says<Res>>,
}

impl<Req, Res> Future for ScriptedFuture<Req, Res> {
    type Output = Outcome<Res>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.state.lock().unwrap().polls += 1;
        match Pin::new(&mut self.end).poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(Says::Ends(end))) => Poll::Ready(end),
            Poll::Ready(Ok(Says::Panics)) => panic!("as the script says"),
            Poll::Ready(Err(_)) => panic!("the script has let go of the call"),
        }
    }
}
