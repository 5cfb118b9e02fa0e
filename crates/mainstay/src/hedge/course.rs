//! The course of a call that may have several attempts at once.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use mainstay_policy::hedge::{Finish, Hedger, Race};
use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower_service::Service;

use super::attempt::{Extra, Sent, Waiting};
use super::layer::Hedgers;
use super::next::Next;
use crate::budget::{self, Account, Budgets, Fare};
use crate::http::Copies;
use crate::protocol::Protocol;
use crate::scope::{self, Beneath, Scope};

/// What all services of a layer share.
#[derive(Debug)]
pub struct Shared<P, H, B> {
    pub(super) protocol: Arc<P>,
    pub(super) hedgers: H,
    pub(super) budgets: B,
    pub(super) name: Option<Arc<str>>,
}

pin_project! {
    /// What a call needs beside its first attempt, in one box.
    pub struct Course<Req, S, F, T, A, L, C: Account> {
        pub(super) shared: Arc<L>,
        pub(super) hedger: Arc<Hedger>,
        pub(super) account: C,
        pub(super) about: A,
        pub(super) scope: Scope,
        pub(super) race: Race,
        // The first attempt, until it has ended.
        pub(super) first: Option<Sent>,
        pub(super) extras: Vec<Extra<F, C::Paid>>,
        pub(super) waiting: Option<Waiting<S, Req, C::Paid>>,
        // What further attempts are made of; the last one takes it with it.
        pub(super) spare: Option<(S, Req)>,
        pub(super) next: Next,
        #[pin]
        pub(super) timer: Option<Sleep>,
        pub(super) kept: Option<T>,
        // How many attempts drivers further in have made beyond these.
        pub(super) told: u32,
        // Something has been sent of those that have ended.
        pub(super) was_sent: bool,
    }
}

/// The course of a call to this service.
pub(super) type CourseOf<Req, S, P, H, B> = Course<
    Req,
    S,
    <S as Service<Req>>::Future,
    End<Req, S>,
    <P as Protocol<Req, <S as Service<Req>>::Response, <S as Service<Req>>::Error>>::About,
    Shared<P, H, B>,
    <B as Budgets<Req>>::Account,
>;

type End<Req, S> = Result<<S as Service<Req>>::Response, <S as Service<Req>>::Error>;

type Paying<Req, B> = <<B as Budgets<Req>>::Account as Account>::Paid;

impl<Req, S, F, T, A, L, C: Account> Course<Req, S, F, T, A, L, C> {
    /// What holds for the first attempt.
    pub(super) const fn scope(&self) -> Scope {
        self.scope
    }

    /// How many attempts have been sent.
    pub(super) const fn sent(&self) -> u32 {
        self.race.sent()
    }
}

impl<Req, S, P, H, B> CourseOf<Req, S, P, H, B>
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
        let Shared { protocol, hedgers, budgets, .. } = &**shared;
        if !hedgers.hedges() || protocol.copies(request) != Copies::Alongside {
            return None;
        }
        protocol.prepare(request);
        let about = protocol.about(request);
        if !protocol.may_send_twice(&about) {
            return None;
        }
        let hedger = hedgers.hedger(request)?;
        let copy = protocol.copy(request)?;
        let (account, scope) = budget::begin(budgets, request);
        let first = Sent::first(scope.attempt, Arc::clone(&hedger));
        Some(Box::pin(Self {
            shared: Arc::clone(shared),
            account,
            about,
            scope,
            race: Race::new(),
            next: Next::Unasked,
            first: Some(first),
            extras: Vec::new(),
            waiting: None,
            spare: Some((service.clone(), copy)),
            timer: None,
            kept: None,
            told: 0,
            was_sent: false,
            hedger,
        }))
    }
}

impl<Req, S, P, H, B> CourseOf<Req, S, P, H, B>
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
        self.as_mut().begins();
        let (mut on_its_way, mut queued) = (0, 0);
        if let Some(future) = first.as_mut().as_pin_mut() {
            let scope = self.scope;
            match scope::attempt(|| scope.around(|| future.poll(cx))) {
                (Poll::Pending, beneath) => {
                    on_its_way += 1;
                    queued += u32::from(beneath.is_queued);
                    if let Some(sent) = self.as_mut().project().first {
                        if beneath.is_queued {
                            sent.waits();
                        } else {
                            sent.begins();
                        }
                    }
                }
                (Poll::Ready(end), beneath) => {
                    first.set(None);
                    let sent = self.as_mut().project().first.take();
                    if let Some(end) = self.as_mut().ended(sent, None, end, beneath) {
                        return Poll::Ready(end);
                    }
                }
            }
        }
        let mut place = 0;
        loop {
            while place < self.extras.len() {
                let scope = self.scope;
                let Extra { sent, fare, future } = &mut self.as_mut().project().extras[place];
                let scope = scope.attempt(sent.number);
                fare.stands(false);
                match scope::attempt(|| scope.around(|| future.as_mut().poll(cx))) {
                    (Poll::Pending, Beneath { is_queued, .. }) => {
                        fare.stands(is_queued);
                        on_its_way += 1;
                        queued += u32::from(is_queued);
                        place += 1;
                    }
                    (Poll::Ready(end), beneath) => {
                        let Extra { sent, fare, .. } = self.as_mut().project().extras.remove(place);
                        let end = self.as_mut().ended(Some(sent), Some(fare), end, beneath);
                        if let Some(end) = end {
                            return Poll::Ready(end);
                        }
                    }
                }
            }
            let is_held = queued > 0;
            if is_held {
                self.as_mut().holds();
            }
            // Whoever is sent now is polled at once.
            let sent = match is_held {
                true => self.as_mut().poll_waiting(cx),
                false => self.as_mut().poll_next(cx),
            };
            if sent.is_ready() {
                continue;
            }
            if is_held && queued == on_its_way {
                // Nothing else has been sent, and after a failure nothing is. Nor can it be where
                // the body of what is kept holds the very slot that is waited for.
                if let Some(end) = self.as_mut().project().kept.take() {
                    self.tells();
                    return Poll::Ready(end);
                }
                scope::is_queued();
            }
            return Poll::Pending;
        }
    }

    /// What the end of an attempt means for the call: its end, or nothing yet.
    fn ended(
        mut self: Pin<&mut Self>,
        sent: Option<Sent>,
        fare: Option<Fare<Paying<Req, B>>>,
        end: Result<S::Response, S::Error>,
        beneath: Beneath,
    ) -> Option<Result<S::Response, S::Error>> {
        let mut this = self.as_mut().project();
        let ending = this.shared.protocol.end(this.about, end.as_ref());
        let (was_sent, told) = (beneath.was_sent(ending.outcome()), beneath.told);
        if let Some(mut sent) = sent {
            if told > 0 {
                sent.is_told();
            }
            sent.end(ending.outcome());
        }
        if let Some(fare) = fare {
            fare.ends(was_sent);
        }
        *this.told = this.told.saturating_add(told.saturating_sub(1));
        *this.was_sent |= was_sent;
        // Whatever the end means, nothing more is sent, and what was to be is given back.
        *this.next = Next::Never;
        *this.waiting = None;
        this.timer.set(None);
        let end = match this.race.end(ending.for_retry().sent_before(beneath.was_sent)) {
            Finish::This => Some(end),
            Finish::Kept => Some(this.kept.take().unwrap_or(end)),
            Finish::Keep => {
                *this.kept = Some(end);
                None
            }
            Finish::Forget => None,
        };
        if end.is_some() && (self.race.sent() > 1 || told > 0) {
            self.tells();
        }
        end
    }

    /// The call ends: whoever stands outside is told how many attempts there were.
    fn tells(&self) {
        scope::has_told(self.race.sent().saturating_add(self.told), self.was_sent);
    }
}

impl<Req, S, F, T, A: fmt::Debug, L, C: Account> fmt::Debug for Course<Req, S, F, T, A, L, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Course").field("about", &self.about).finish_non_exhaustive()
    }
}
