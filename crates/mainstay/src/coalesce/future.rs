//! The response future: alone, or aboard with others.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use mainstay_policy::Moment;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::LAYER;
use super::flight::{Found, Seat, Work};
use crate::clock;
use crate::error::{CallError, Reason, Refused};
use crate::observe::{Event, tell};

pin_project! {
    /// The response future of [`Coalesce`](super::Coalesce).
    #[must_use = "futures do nothing unless polled"]
    pub struct CoalesceFuture<F, C> {
        #[pin]
        state: State<F, C>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, C> {
        Alone { #[pin] future: F },
        Aboard { aboard: Option<C> },
    }
}

/// A call in a flight.
#[derive(Debug)]
pub struct Aboard<Req, S, T> {
    pub(super) seat: Seat<T>,
    /// To begin anew with, if the flight breaks; who began it has none.
    pub(super) spare: Option<(S, Req)>,
    /// Since when it waits.
    pub(super) since: Moment,
    pub(super) name: Option<Arc<str>>,
}

impl<F, C> CoalesceFuture<F, C> {
    pub(super) const fn alone(future: F) -> Self {
        Self { state: State::Alone { future } }
    }

    pub(super) const fn aboard(aboard: C) -> Self {
        Self { state: State::Aboard { aboard: Some(aboard) } }
    }
}

#[expect(clippy::expect_used, reason = "a future that is polled after its end may panic")]
impl<Req, S> Future for CoalesceFuture<S::Future, Aboard<Req, S, Result<S::Response, S::Error>>>
where
    S: Service<Req> + Send + 'static,
    S::Response: Clone + Send + Sync + 'static,
    S::Error: CallError + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    Req: Send + 'static,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Alone { future } => future.poll(cx),
            StateProj::Aboard { aboard } => {
                let end = ready!(aboard.as_mut().expect("polled after it was ready").poll(cx));
                *aboard = None;
                Poll::Ready(end)
            }
        }
    }
}

impl<Req, S> Aboard<Req, S, Result<S::Response, S::Error>>
where
    S: Service<Req> + Send + 'static,
    S::Response: Clone + Send + Sync + 'static,
    S::Error: CallError + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    Req: Send + 'static,
{
    fn poll(&mut self, cx: &Context<'_>) -> Poll<Result<S::Response, S::Error>> {
        loop {
            let end = match ready!(self.seat.poll(cx)) {
                Found::Landed(end) => end,
                Found::Broken => {
                    if let Some((service, request)) = self.spare.take() {
                        self.seat.launch(|| anew(service, request));
                    }
                    continue;
                }
                Found::Stranded => {
                    let refused = Refused::new(LAYER, Reason::Panicked);
                    let refused = refused.named_if(self.name.as_ref());
                    tell(Event::Refused(&refused));
                    Err(refused.into())
                }
            };
            let took = clock::now().since(self.since);
            tell(Event::Waited { layer: LAYER, name: self.name.as_deref(), took });
            return Poll::Ready(end);
        }
    }
}

/// The same once more, through a service that is made ready first.
fn anew<Req, S>(mut service: S, request: Req) -> Work<Result<S::Response, S::Error>>
where
    S: Service<Req> + Send + 'static,
    S::Error: Send,
    S::Future: Send + 'static,
    Req: Send + 'static,
{
    Box::pin(async move {
        poll_fn(|cx| service.poll_ready(cx)).await?;
        service.call(request).await
    })
}

impl<F, C> fmt::Debug for CoalesceFuture<F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.state {
            State::Alone { .. } => "CoalesceFuture(alone)",
            State::Aboard { .. } => "CoalesceFuture(aboard)",
        })
    }
}
