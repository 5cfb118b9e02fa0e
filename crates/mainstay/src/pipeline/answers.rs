//! What the guards of a host leave in the body of an answer.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::body::{PipelineAnswer, PipelineBody};
use super::spec::Hold;
use crate::error::CallError;
use crate::guard::{Attempt, Guard, Guarded, GuardedFuture, HeldBody};
use crate::protocol::{EndOfBody, Protocol};

/// How the body of an answer is watched.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    pub(super) hold: Hold,
    pub(super) idle: Option<Arc<Idle>>,
}

/// After how long a body that says nothing fails, and in whose name.
#[derive(Debug)]
pub(super) struct Idle {
    pub(super) limit: Duration,
    pub(super) name: Arc<str>,
}

impl Watch {
    /// An answer with whose head all that was held has gone back.
    #[inline]
    pub(super) fn answer<Res, C>(&self, answer: Res) -> Res::Out
    where
        Res: PipelineAnswer<C>,
        Res::Body: Body,
    {
        match self.idle.as_deref() {
            None => answer.pass(),
            idle => answer.watch(|body| PipelineBody::watched(HeldBody::free(body), idle)),
        }
    }
}

/// A guarded service whose answers are those of a pipeline.
#[derive(Debug)]
pub(super) struct Answers<S, G, P, C> {
    inner: Guarded<S, G, P>,
    watch: Watch,
    carries: PhantomData<fn() -> C>,
}

impl<S, G, P, C> Answers<S, G, P, C> {
    pub(super) const fn new(inner: Guarded<S, G, P>, watch: Watch) -> Self {
        Self { inner, watch, carries: PhantomData }
    }
}

/// The future of an attempt of this service.
type FutureOf<Req, S, G, P, A, C> = AnswersFuture<
    <S as Service<Req>>::Future,
    <S as Service<Req>>::Error,
    Attempt<Req, G, P, A>,
    C,
>;

impl<S: Clone, G, P, C> Clone for Answers<S, G, P, C> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), watch: self.watch.clone(), carries: PhantomData }
    }
}

impl<S, Req, G, P, C> Service<Req> for Answers<S, G, P, C>
where
    S: Service<Req> + Clone + Send + 'static,
    S::Response: PipelineAnswer<C>,
    <S::Response as crate::http::ResponseView>::Body: Body,
    S::Error: CallError,
    S::Future: Send,
    Req: Send + 'static,
    G: Guard<Req> + Send + Sync + 'static,
    P: Protocol<Req, S::Response, S::Error> + EndOfBody + Send + Sync + 'static,
    P::About: Send,
{
    type Response = <S::Response as PipelineAnswer<C>>::Out;
    type Error = S::Error;
    type Future = FutureOf<Req, S, G, P, P::About, C>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let (inner, watch) = (self.inner.call(request), self.watch.clone());
        AnswersFuture { inner, watch, carries: PhantomData }
    }
}

pin_project! {
    /// The response future of [`Answers`].
    #[must_use = "futures do nothing unless polled"]
    pub struct AnswersFuture<F, E, A, C> {
        #[pin]
        inner: GuardedFuture<F, E, A>,
        watch: Watch,
        carries: PhantomData<fn() -> C>,
    }
}

impl<Req, F, Res, E, G, P, C> Future for AnswersFuture<F, E, Attempt<Req, G, P, P::About>, C>
where
    F: Future<Output = Result<Res, E>>,
    Res: PipelineAnswer<C>,
    Res::Body: Body,
    E: CallError,
    Req: Send + 'static,
    G: Guard<Req> + Send + Sync + 'static,
    P: Protocol<Req, Res, E> + EndOfBody + Send + Sync + 'static,
{
    type Output = Result<Res::Out, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        Poll::Ready(match this.watch.hold {
            Hold::Head => ready!(this.inner.poll(cx)).map(|answer| this.watch.answer(answer)),
            Hold::Body { idle: unread } => {
                let (answer, holder) = ready!(this.inner.poll_head(cx, unread))?;
                let idle = this.watch.idle.as_deref();
                Ok(answer.watch(|body| PipelineBody::watched(holder.hold(body), idle)))
            }
        })
    }
}
