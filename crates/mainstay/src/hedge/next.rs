//! The next attempt of a call: when it goes out, what pays for it, and that it is sent.

use std::pin::Pin;
use std::task::{Context, Poll};

use mainstay_policy::retry::Stop;
use mainstay_policy::{Moment, deadline};
use tower_service::Service;

use super::LAYER;
use super::attempt::{Extra, Sent, Waiting};
use super::course::CourseOf;
use crate::budget::{self, Budgets, Fare};
use crate::clock;
use crate::observe::{Event, tell};
use crate::protocol::Protocol;

/// When the next attempt goes out.
#[derive(Clone, Copy, Debug)]
pub(super) enum Next {
    /// Not asked yet: the first has not been polled.
    Unasked,
    /// Not asked yet; the last one was sent then.
    After(Moment),
    /// Not asked yet; one of them stands in a queue.
    Queued,
    /// When the timer says so.
    Timed,
    /// There is none.
    Never,
}

impl<Req, S, P, H, B> CourseOf<Req, S, P, H, B>
where
    S: Service<Req> + Clone,
    P: Protocol<Req, S::Response, S::Error>,
    B: Budgets<Req>,
{
    /// The call is polled; the delay counts from the first time.
    pub(super) fn begins(self: Pin<&mut Self>) {
        let this = self.project();
        if let (Next::Unasked, Some(first)) = (*this.next, this.first) {
            *this.next = Next::After(first.begins());
        }
    }

    /// An attempt stands in a queue of ours. Beside it none is sent: that would stand behind it. The
    /// delay begins when it has left, by which it is polled.
    pub(super) fn holds(self: Pin<&mut Self>) {
        let mut this = self.project();
        if !matches!(this.next, Next::Never) && this.waiting.is_none() {
            *this.next = Next::Queued;
            this.timer.set(None);
        }
    }

    /// Ready when an extra attempt has been sent.
    pub(super) fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.waiting.is_some() {
                return self.poll_waiting(cx);
            }
            let mut this = self.as_mut().project();
            match *this.next {
                Next::Never | Next::Unasked => return Poll::Pending,
                Next::Queued => *this.next = Next::After(clock::now()),
                Next::After(sent) => match this.hedger.next_of(this.race, sent, this.scope.until) {
                    None => *this.next = Next::Never,
                    Some(at) => {
                        *this.next = Next::Timed;
                        this.timer.set(Some(clock::sleep(at.since(clock::now()))));
                    }
                },
                Next::Timed => {
                    let timer = this.timer.as_mut().as_pin_mut();
                    if timer.is_some_and(|timer| clock::poll(timer, cx).is_pending()) {
                        return Poll::Pending;
                    }
                    this.timer.set(None);
                    *this.next = Next::Never; // until this one is sent
                    if !self.is_late() {
                        self.as_mut().decide();
                    }
                }
            }
        }
    }

    /// The call's time is over, and whoever ends it has not been polled yet.
    fn is_late(&self) -> bool {
        deadline::left(self.scope.until, clock::now()).is_none()
    }

    /// It is time for an extra attempt, if it can be paid for.
    fn decide(self: Pin<&mut Self>) {
        let this = self.project();
        let Some(fee) = budget::withdraw(this.account) else {
            let (name, attempts) = (this.shared.name.as_deref(), this.race.sent());
            tell(Event::NotRetried { layer: LAYER, name, attempts, why: Stop::NoBudget });
            return;
        };
        let made_of = if this.hedger.is_next_the_last(this.race) {
            this.spare.take()
        } else {
            let another = |(service, request): &(S, Req)| {
                Some((service.clone(), this.shared.protocol.copy(request)?))
            };
            this.spare.as_ref().and_then(another)
        };
        if let Some((service, request)) = made_of {
            *this.waiting = Some(Waiting { service, request, fee });
        }
    }

    /// Sends the extra attempt that is decided as soon as its service is ready.
    pub(super) fn poll_waiting(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let is_late = self.waiting.is_some() && self.is_late();
        let this = self.project();
        let number = this.scope.attempt.saturating_add(this.race.sent());
        let scope = this.scope.attempt(number);
        let Some(waiting) = this.waiting.as_mut() else { return Poll::Pending };
        match scope.around(|| waiting.service.poll_ready(cx)) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(())) if !is_late => {}
            Poll::Ready(_) => {
                // Nothing was sent, and what is on its way goes on.
                *this.waiting = None;
                return Poll::Pending;
            }
        }
        let Some(Waiting { mut service, request, fee }) = this.waiting.take() else {
            return Poll::Pending;
        };
        this.race.send();
        if let Some(first) = this.first {
            first.has_company();
        }
        let mut sent = Sent::extra(number, this.shared.name.as_deref());
        *this.next = Next::After(sent.begins());
        let fare = Fare::new(Some(fee));
        let future = Box::pin(scope.around(|| service.call(request)));
        this.extras.push(Extra { sent, fare, future });
        Poll::Ready(())
    }
}
