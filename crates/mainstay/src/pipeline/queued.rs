//! The first attempt of a call while it waits for a guard: one box, and the timer of the call.

use std::fmt;
use std::mem;
use std::task::{Context, Poll, ready};

use mainstay_policy::Moment;
use mainstay_policy::deadline::{Watch, watch};
use tower_service::Service;

use super::first::{Held, Sent};
use super::guards::Guards;
use crate::clock::Timer;
use crate::error::{CallError, Carry};
use crate::guard::{Each, Waiter, Waiting};
use crate::http::{RequestView, ResponseView};
use crate::protocol::Protocol;
use crate::scope::{self, Beneath, Scope, rings, watched};

/// A first attempt that waits.
pub(super) type First<Req, S> = Waiter<Req, S, Each<Guards>, Held>;

/// A first attempt that waits, and then is sent: its future and what is known of it, or why not.
pub(super) struct Queued<F, A, E> {
    waiting: Waiting<(F, A), E>,
    /// When it must look whether it has waited too long.
    looks: Moment,
    timer: Timer,
}

/// What has become of it.
pub(super) enum Left<F, A, E> {
    Sent(F, A),
    NotSent(E, Beneath),
    /// The time of the call is over.
    TooLate,
}

impl<F, Req: RequestView + Send + 'static, E: CallError> Queued<F, Sent<Req>, E> {
    pub(super) fn new<S, C>(waiter: First<Req, S>) -> Self
    where
        S: Service<Req, Future = F> + Clone + Send + 'static,
        S::Response: ResponseView,
        S::Error: 'static,
        F: Send,
        C: Carry<S::Error, Error = E> + 'static,
        E: 'static,
    {
        let waiting = waiter.waits(
            |host: &Held, request: &Req, error| {
                let (http, error) = (host.http(), C::inner(error));
                let about = Protocol::<Req, S::Response, E>::about(http, request);
                (Protocol::<Req, S::Response, E>::end(http, &about, Err(&error)), error)
            },
            |service: &mut S, request, live, now| {
                let until = live.holder().timeout().until(now.get());
                let mut sent = Sent::of(live, until);
                let sending = sent.sending(Scope::current());
                let future = service.call(request);
                sending.ends();
                (future, sent)
            },
        );
        Self { waiting, looks: Moment::MAX, timer: Timer::default() }
    }

    /// Waits on, and looks when the guard it waits for says so, by the same timer that ends the call,
    /// and later the attempt.
    pub(super) fn poll(
        &mut self,
        host: &Held,
        scope: Scope,
        cx: &mut Context<'_>,
    ) -> Poll<Left<F, Sent<Req>, E>> {
        loop {
            let polling = scope::polling(scope, cx);
            let polled = rings(&mut self.looks, cx, |cx| self.waiting.as_mut().poll(cx));
            let beneath = polling.ends();
            if let Poll::Ready(end) = polled {
                return Poll::Ready(match end {
                    Ok((future, sent)) => Left::Sent(future, sent.with(mem::take(&mut self.timer))),
                    Err(error) => Left::NotSent(error, beneath),
                });
            }
            scope::is_queued();
            let ends = match watch(scope.until, watched(cx)) {
                Watch::Here => scope.until,
                Watch::FurtherOut | Watch::Nowhere => Moment::MAX,
            };
            let next = self.looks.min(ends);
            if next == Moment::MAX {
                return Poll::Pending;
            }
            // Never for longer than an attempt has: one that is sent now goes on with it.
            let step = host.timeout().limit();
            ready!(self.timer.poll_in_steps(next.min(scope.until), step, cx));
            if ends < self.looks {
                return Poll::Ready(Left::TooLate);
            }
            self.looks = Moment::MAX;
        }
    }
}

impl<F, A, E> fmt::Debug for Queued<F, A, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queued").field("looks", &self.looks).finish_non_exhaustive()
    }
}
