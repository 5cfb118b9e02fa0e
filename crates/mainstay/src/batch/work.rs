//! The work that is done for each input: the service, and what follows on it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tower_service::Service;

use super::ended::ItemError;
use super::steps::Step;

/// What is done for each input of a batch while it holds its place.
pub trait Work<Req>: Clone {
    /// What comes of it.
    type Answer;
    /// What can go wrong.
    type Error;
    /// It takes its time.
    type Future: Future<Output = Result<Self::Answer, ItemError<Self::Error>>>;

    /// Whether it can be done now.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ItemError<Self::Error>>>;

    /// Does it.
    fn call(&mut self, request: Req) -> Self::Future;
}

/// Work whose results may be kept for a while, because they hold on to nothing: not an answer whose
/// body is still to be read.
#[diagnostic::on_unimplemented(
    message = "results that are streams cannot be kept until it is their turn",
    note = "a body that nobody reads holds its connection: take them `as_completed`, or read them in `map_async`"
)]
pub trait MayBeKept {}

/// A call, and nothing more.
#[derive(Clone, Copy, Debug)]
pub struct Call<S>(pub(super) S);

/// The same for answers whose bodies are still to be read.
#[derive(Clone, Copy, Debug)]
pub struct Streamed<S>(pub(super) S);

/// What an asynchronous function does; made by [`Batch::calls`](super::Batch::calls).
#[derive(Clone, Copy)]
pub struct Calls<F>(pub(super) F);

/// Work, and what is made of its answer.
#[derive(Clone, Copy, Debug)]
pub struct Then<W, P> {
    pub(crate) work: W,
    pub(crate) step: P,
}

impl<S> MayBeKept for Call<S> {}
impl<F> MayBeKept for Calls<F> {}
impl<W, P> MayBeKept for Then<W, P> {}

macro_rules! calls {
    ($work:ident) => {
        impl<Req, S: Service<Req> + Clone> Work<Req> for $work<S> {
            type Answer = S::Response;
            type Error = S::Error;
            type Future = CallFuture<S::Future>;

            fn poll_ready(
                &mut self,
                cx: &mut Context<'_>,
            ) -> Poll<Result<(), ItemError<Self::Error>>> {
                self.0.poll_ready(cx).map_err(ItemError::Call)
            }

            fn call(&mut self, request: Req) -> Self::Future {
                CallFuture { inner: self.0.call(request) }
            }
        }
    };
}

calls!(Call);
calls!(Streamed);

impl<Req, F, Fut, T, E> Work<Req> for Calls<F>
where
    F: Fn(Req) -> Fut + Clone,
    Fut: Future<Output = Result<T, E>>,
{
    type Answer = T;
    type Error = E;
    type Future = CallFuture<Fut>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ItemError<E>>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Req) -> Self::Future {
        CallFuture { inner: (self.0)(request) }
    }
}

pin_project! {
    /// A call that is on its way.
    #[must_use = "futures do nothing unless polled"]
    pub struct CallFuture<F> {
        #[pin]
        inner: F,
    }
}

impl<F: Future<Output = Result<T, E>>, T, E> Future for CallFuture<F> {
    type Output = Result<T, ItemError<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().inner.poll(cx).map(|result| result.map_err(ItemError::Call))
    }
}

impl<Req, W, P> Work<Req> for Then<W, P>
where
    W: Work<Req>,
    P: Step<W::Answer, W::Error> + Clone,
{
    type Answer = P::Out;
    type Error = P::Error;
    type Future = ThenFuture<W::Future, P, P::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ItemError<Self::Error>>> {
        self.work.poll_ready(cx).map_err(|error| error.map(P::Error::from))
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let (future, step) = (self.work.call(request), self.step.clone());
        ThenFuture { state: State::Work { future, step } }
    }
}

pin_project! {
    /// Work, and what is made of its answer.
    #[must_use = "futures do nothing unless polled"]
    pub struct ThenFuture<F, P, G> {
        #[pin]
        state: State<F, P, G>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, P, G> {
        Work { #[pin] future: F, step: P },
        Step { #[pin] future: G },
    }
}

impl<F, P, T, E> Future for ThenFuture<F, P, P::Future>
where
    F: Future<Output = Result<T, ItemError<E>>>,
    P: Step<T, E>,
{
    type Output = Result<P::Out, ItemError<P::Error>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Work { future, step } => match ready!(future.poll(cx)) {
                    Ok(answer) => step.take(answer),
                    Err(error) => return Poll::Ready(Err(error.map(P::Error::from))),
                },
                StateProj::Step { future } => return future.poll(cx),
            };
            state.set(State::Step { future: next });
        }
    }
}

pin_project! {
    /// An input that holds its place: first its own clone of the service gets ready.
    #[project = ItemProj]
    #[must_use = "futures do nothing unless polled"]
    pub(super) enum Item<W, Req, F> {
        Waits { work: W, request: Option<Req> },
        Runs { #[pin] future: F },
    }
}

impl<Req, W: Work<Req>> Item<W, Req, W::Future> {
    pub(super) const fn new(work: W, request: Req) -> Self {
        Self::Waits { work, request: Some(request) }
    }
}

#[expect(clippy::expect_used, reason = "a future that is polled after its end may panic")]
impl<Req, W: Work<Req>> Future for Item<W, Req, W::Future> {
    type Output = Result<W::Answer, ItemError<W::Error>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let future = match self.as_mut().project() {
                ItemProj::Waits { work, request } => {
                    ready!(work.poll_ready(cx))?;
                    work.call(request.take().expect("polled after it was ready"))
                }
                ItemProj::Runs { future } => return future.poll(cx),
            };
            self.set(Self::Runs { future });
        }
    }
}

impl<F> fmt::Debug for Calls<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Calls")
    }
}

impl<F> fmt::Debug for CallFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallFuture")
    }
}

impl<F, P, G> fmt::Debug for ThenFuture<F, P, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.state {
            State::Work { .. } => "ThenFuture(the work)",
            State::Step { .. } => "ThenFuture(what follows)",
        })
    }
}
