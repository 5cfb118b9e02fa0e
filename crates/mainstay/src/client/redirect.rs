//! Redirects, each a call of its own.
//!
//! They are followed outside of the pipeline. So every hop asks the guards of the host that it goes
//! to, and a failure is always that of the request that was sent: a `POST` that was answered with a
//! redirect is never sent again because what it led to could not be reached.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tower_service::Service;

use super::answer::Answer;
use super::error::{RedirectError, TransportError};
use super::leads::Leads;
use super::outgoing::{Ended, Outgoing};
use crate::error::Error;
use crate::http::{CallOptions, RequestView};

/// A service whose redirects are followed, as many as the request says.
#[derive(Clone, Debug)]
pub(super) struct Follow<S> {
    inner: S,
}

impl<S> Follow<S> {
    pub(super) const fn new(inner: S) -> Self {
        Self { inner }
    }

    pub(super) const fn get_ref(&self) -> &S {
        &self.inner
    }
}

impl<S> Service<Outgoing> for Follow<S>
where
    S: Service<Outgoing, Response = Answer, Error = Error<TransportError>> + Clone,
{
    type Response = Answer;
    type Error = Error<TransportError>;
    type Future = FollowFuture<S, S::Future>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, outgoing: Outgoing) -> Self::Future {
        let rest = (outgoing.redirects > 0)
            .then(|| Box::new(Rest { service: self.inner.clone(), kept: Kept::of(&outgoing) }));
        FollowFuture { hop: Hop::Sent { future: self.inner.call(outgoing) }, rest }
    }
}

pin_project! {
    /// The response future of [`Follow`].
    #[must_use = "futures do nothing unless polled"]
    pub(super) struct FollowFuture<S, F> {
        #[pin]
        hop: Hop<F>,
        // Only where redirects may be followed.
        rest: Option<Box<Rest<S>>>,
    }
}

pin_project! {
    #[project = HopProj]
    enum Hop<F> {
        Sent { #[pin] future: F },
        // It waits until the service is ready.
        Next { outgoing: Option<Outgoing> },
    }
}

struct Rest<S> {
    service: S,
    kept: Kept,
}

#[expect(clippy::expect_used, reason = "what waits to be sent is there until it is sent")]
impl<S> Future for FollowFuture<S, S::Future>
where
    S: Service<Outgoing, Response = Answer, Error = Error<TransportError>> + Clone,
{
    type Output = Ended;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended> {
        let mut this = self.project();
        loop {
            let next = match this.hop.as_mut().project() {
                HopProj::Sent { future } => {
                    let answer = ready!(future.poll(cx))?;
                    let Some(rest) = this.rest.as_mut() else { return Poll::Ready(Ok(answer)) };
                    match rest.kept.next(&answer) {
                        None => return Poll::Ready(Ok(answer)),
                        Some(Err(error)) => {
                            let error = TransportError::Redirect(error);
                            return Poll::Ready(Err(Error::Inner(error)));
                        }
                        Some(Ok(outgoing)) => Hop::Next { outgoing: Some(outgoing) },
                    }
                }
                HopProj::Next { outgoing } => {
                    let rest = this.rest.as_mut().expect("a hop follows one that was kept");
                    ready!(rest.service.poll_ready(cx))?;
                    let outgoing = outgoing.take().expect("it is sent once");
                    rest.kept = Kept::of(&outgoing);
                    // The one that was readied is called; its clone has yet to be asked.
                    let clone = rest.service.clone();
                    let mut service = mem::replace(&mut rest.service, clone);
                    Hop::Sent { future: service.call(outgoing) }
                }
            };
            this.hop.set(next);
        }
    }
}

impl<S, F> fmt::Debug for FollowFuture<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FollowFuture").finish_non_exhaustive()
    }
}

/// What is kept of a request in case its answer leads elsewhere.
struct Kept {
    /// Without a body, where that cannot be sent again.
    outgoing: Outgoing,
    is_whole: bool,
}

impl Kept {
    fn of(outgoing: &Outgoing) -> Self {
        let (copy, is_whole) = match outgoing.copy() {
            Some(copy) => (copy, true),
            None => (outgoing.without_body(), false),
        };
        Self { outgoing: copy, is_whole }
    }

    /// The request that an answer leads to; none, if it leads nowhere, or only with a body that is
    /// gone.
    fn next(&mut self, answer: &Answer) -> Option<Result<Outgoing, RedirectError>> {
        let request = &self.outgoing.request;
        let response = &answer.response;
        let leads = Leads::of(request.method(), response.status(), response.headers())?;
        if leads.keeps_body() && !self.is_whole {
            return None;
        }
        let Some(left) = self.outgoing.redirects.checked_sub(1) else {
            return Some(Err(RedirectError::TooMany(self.outgoing.followed)));
        };
        let mut next = self.outgoing.without_body();
        if leads.keeps_body() {
            *next.request.body_mut() = self.outgoing.request.body_mut().take();
        }
        if let Err(error) = leads.change(&mut next.request) {
            return Some(Err(error));
        }
        if let Some(then) = next.head_by {
            // Its own deadline would begin anew with each.
            let options = next.extensions.remove::<CallOptions>().unwrap_or_default();
            next.extensions.insert(options.by(then));
        }
        next.redirects = left;
        next.followed = next.followed.saturating_add(1);
        Some(Ok(next))
    }
}
