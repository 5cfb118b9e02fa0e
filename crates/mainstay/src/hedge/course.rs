//! The course of a call that may have several attempts at once.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use mainstay_policy::Moment;
use mainstay_policy::hedge::{Finish, Hedger, Race};
use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower_service::Service;

use super::LAYER;
use super::attempt::{Extra, Sent, Waiting};
use super::layer::Hedgers;
use crate::budget::{self, Account, Budgets, Paid};
use crate::clock;
use crate::http::Copies;
use crate::observe::{Event, tell};
use crate::protocol::Protocol;
use crate::scope::Scope;

/// What all services of a layer share.
#[derive(Debug)]
pub(super) struct Shared<P, H, B> {
    pub(super) protocol: Arc<P>,
    pub(super) hedgers: H,
    pub(super) budgets: B,
}

pin_project! {
    /// What a call needs beside its first attempt, in one box.
    pub(super) struct Course<Req, S, P, H, B>
    where
        S: Service<Req>,
        P: Protocol<Req, S::Response, S::Error>,
        B: Budgets<Req>,
    {
        shared: Arc<Shared<P, H, B>>,
        hedger: Arc<Hedger>,
        account: B::Account,
        about: P::About,
        scope: Scope,
        race: Race,
        // The first attempt, until it has ended.
        first: Option<Sent>,
        extras: Vec<Extra<S::Future>>,
        waiting: Option<Waiting<S, Req, Paying<Req, B>>>,
        // What further attempts are made of; the last one takes it with it.
        spare: Option<(S, Req)>,
        next: Next,
        #[pin]
        timer: Option<Sleep>,
        kept: Option<Result<S::Response, S::Error>>,
    }
}

type Paying<Req, B> = <<B as Budgets<Req>>::Account as Account>::Paid;

/// When the next attempt goes out.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// Not asked yet; the last one was sent then.
    After(Moment),
    /// When the timer says so.
    Timed,
    /// There is none.
    Never,
}

impl<Req, S, P, H, B> Course<Req, S, P, H, B>
where
    S: Service<Req>,
    P: Protocol<Req, S::Response, S::Error>,
    B: Budgets<Req>,
{
    /// The course of a call whose request may be sent twice at the same time; it begins now.
    pub(super) fn of(
        service: &S,
        request: &mut Req,
        shared: &Arc<Shared<P, H, B>>,
    ) -> Option<Pin<Box<Self>>>
    where
        S: Clone,
        H: Hedgers<Req>,
    {
        let Shared { protocol, hedgers, budgets } = &**shared;
        if protocol.copies(request) != Copies::Alongside {
            return None;
        }
        protocol.prepare(request);
        let about = protocol.about(request);
        if !protocol.may_send_twice(&about) {
            return None;
        }
        let copy = protocol.copy(request)?;
        let (account, scope) = budget::begin(budgets, request);
        let hedger = hedgers.hedger(request);
        let first = Sent::first(scope.attempt, Arc::clone(&hedger));
        Some(Box::pin(Self {
            shared: Arc::clone(shared),
            account,
            about,
            scope,
            race: Race::new(),
            next: Next::After(first.at),
            first: Some(first),
            extras: Vec::new(),
            waiting: None,
            spare: Some((service.clone(), copy)),
            timer: None,
            kept: None,
            hedger,
        }))
    }

    /// What holds for the first attempt.
    pub(super) const fn scope(&self) -> Scope {
        self.scope
    }

    /// How many attempts have been sent.
    pub(super) const fn sent(&self) -> u32 {
        self.race.sent()
    }
}

impl<Req, S, P, H, B> Course<Req, S, P, H, B>
where
    S: Service<Req> + Clone,
    P: Protocol<Req, S::Response, S::Error>,
    B: Budgets<Req>,
{
    /// Polls what is on its way, then the timer.
    pub(super) fn poll(
        mut self: Pin<&mut Self>,
        mut first: Pin<&mut Option<S::Future>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<S::Response, S::Error>> {
        if let Some(future) = first.as_mut().as_pin_mut() {
            if let Poll::Ready(end) = self.scope.around(|| future.poll(cx)) {
                first.set(None);
                let sent = self.as_mut().project().first.take();
                if let Some(end) = self.as_mut().ended(sent, end) {
                    return Poll::Ready(end);
                }
            }
        }
        let mut place = 0;
        loop {
            while place < self.extras.len() {
                let scope = self.scope;
                let Extra { sent, future } = &mut self.as_mut().project().extras[place];
                match scope.attempt(sent.number).around(|| future.as_mut().poll(cx)) {
                    Poll::Pending => place += 1,
                    Poll::Ready(end) => {
                        let Extra { sent, .. } = self.as_mut().project().extras.remove(place);
                        if let Some(end) = self.as_mut().ended(Some(sent), end) {
                            return Poll::Ready(end);
                        }
                    }
                }
            }
            // Whoever is sent now is polled at once.
            if self.as_mut().poll_next(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// What the end of an attempt means for the call: its end, or nothing yet.
    fn ended(
        self: Pin<&mut Self>,
        sent: Option<Sent>,
        end: Result<S::Response, S::Error>,
    ) -> Option<Result<S::Response, S::Error>> {
        let mut this = self.project();
        let ending = this.shared.protocol.end(this.about, end.as_ref());
        if let Some(mut sent) = sent {
            sent.end(ending.outcome());
        }
        // Whatever the end means, nothing more is sent, and what was to be is given back.
        *this.next = Next::Never;
        *this.waiting = None;
        this.timer.set(None);
        match this.race.end(ending.for_drivers()) {
            Finish::This => Some(end),
            Finish::Kept => Some(this.kept.take().unwrap_or(end)),
            Finish::Keep => {
                *this.kept = Some(end);
                None
            }
            Finish::Forget => None,
        }
    }

    /// Ready when an extra attempt has been sent.
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.waiting.is_some() {
                return self.poll_waiting(cx);
            }
            let mut this = self.as_mut().project();
            match *this.next {
                Next::Never => return Poll::Pending,
                Next::After(sent) => match this.hedger.next_of(this.race, sent, this.scope.until) {
                    None => *this.next = Next::Never,
                    Some(at) => {
                        *this.next = Next::Timed;
                        this.timer.set(Some(clock::sleep(at.since(clock::now()))));
                    }
                },
                Next::Timed => {
                    let timer = this.timer.as_mut().as_pin_mut();
                    if timer.is_some_and(|timer| timer.poll(cx).is_pending()) {
                        return Poll::Pending;
                    }
                    this.timer.set(None);
                    *this.next = Next::Never; // until this one is sent
                    self.as_mut().decide();
                }
            }
        }
    }

    /// It is time for an extra attempt, if it can be paid for.
    fn decide(self: Pin<&mut Self>) {
        let this = self.project();
        let Some(paid) = this.account.withdraw() else {
            let attempts = this.race.sent();
            tell(Event::NoBudget { layer: LAYER, attempts });
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
            *this.waiting = Some(Waiting { service, request, paid });
        }
    }

    /// Sends the extra attempt that is decided as soon as its service is ready.
    fn poll_waiting(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let number = this.scope.attempt.saturating_add(this.race.sent());
        let scope = this.scope.attempt(number);
        let Some(waiting) = this.waiting.as_mut() else { return Poll::Pending };
        match scope.around(|| waiting.service.poll_ready(cx)) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(_)) => {
                // Nothing was sent, and what is on its way goes on.
                *this.waiting = None;
                return Poll::Pending;
            }
        }
        let Some(Waiting { mut service, request, paid }) = this.waiting.take() else {
            return Poll::Pending;
        };
        paid.spend();
        this.race.send();
        if let Some(first) = this.first {
            first.has_company();
        }
        let sent = Sent::extra(number);
        *this.next = Next::After(sent.at);
        let future = Box::pin(scope.around(|| service.call(request)));
        this.extras.push(Extra { sent, future });
        Poll::Ready(())
    }
}
