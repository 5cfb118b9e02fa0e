//! What a call does after its first attempt: it waits, is made ready, and sends again.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use mainstay_policy::deadline;
use mainstay_policy::retry::Stop;
use tower_service::Service;

use super::LAYER;
use super::course::{Again, Course, Pause, Shared};
use crate::budget::{Account, Budgets, Fare};
use crate::clock::{self, Timer};
use crate::error::{CallError, Reason, Refused};
use crate::http::body::DRAIN_TIME;
use crate::observe::{Event, Wait, tell};
use crate::protocol::{Discard, Ending, Protocol};
use crate::scope::{self, Beneath, Scope};

/// What comes after the first attempt is boxed: few calls come so far.
pub(crate) type Rest<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What another attempt takes.
///
/// Made with nothing in it, so that it lies in its box from the beginning: what is as large as a
/// request is moved there once.
pub(crate) struct Kept<Req, S, A> {
    /// Taken by the last attempt.
    pub(super) request: Option<Req>,
    /// From the beginning to the end.
    pub(super) with: Option<With<S, A>>,
}

/// What is kept beside the request.
pub(super) struct With<S, A> {
    service: S,
    account: A,
    course: Course,
}

/// What a call withdraws from its account.
type PaidBy<Req, B> = <<B as Budgets<Req>>::Account as Account>::Paid;

impl<Req, S, A> Default for Kept<Req, S, A> {
    fn default() -> Self {
        Self { request: None, with: None }
    }
}

impl<S, A> With<S, A> {
    pub(super) fn new((service, account): (S, A)) -> Self {
        Self { service, account, course: Course::default() }
    }
}

impl<Req, S, A> Kept<Req, S, A> {
    /// The same for another service, made of this one.
    pub(crate) fn over<T>(self, over: impl FnOnce(S) -> T) -> Box<Kept<Req, T, A>> {
        let with = self.with.map(|With { service, account, course }| {
            let service = over(service);
            With { service, account, course }
        });
        Box::new(Kept { request: self.request, with })
    }
}

impl<Req, S, A: Account> Kept<Req, S, A> {
    /// The copy of the request, where the last attempt has not taken it.
    pub(crate) const fn request(&self) -> Option<&Req> {
        self.request.as_ref()
    }

    /// The first attempt has ended: whether there is another.
    #[inline]
    pub(crate) fn next<P, B, Res, E>(
        &mut self,
        shared: &Shared<P, B>,
        scope: Scope,
        ending: &Ending,
        beneath: Beneath,
    ) -> Option<Again<A::Paid>>
    where
        P: Protocol<Req, Res, E>,
    {
        let With { account, course, .. } = self.with.as_mut()?;
        let copy = self.request.as_ref();
        shared.next::<Req, Res, E, A>(course, scope, account, copy, ending, beneath)
    }
}

/// The attempts after the first, of which the next has been decided.
#[expect(clippy::expect_used, reason = "there is another attempt only where there is a copy")]
pub(crate) async fn rest<Req, S, P, B>(
    mut kept: Box<Kept<Req, S, B::Account>>,
    shared: Arc<Shared<P, B>>,
    about: P::About,
    outside: Scope,
    mut end: Result<S::Response, S::Error>,
    mut again: Again<PaidBy<Req, B>>,
) -> Result<S::Response, S::Error>
where
    S: Service<Req>,
    S::Response: Send + 'static,
    S::Error: CallError,
    P: Protocol<Req, S::Response, S::Error> + Discard<S::Response>,
    B: Budgets<Req>,
{
    let Kept { request: copy, with } = &mut *kept;
    let With { service, account, course } = with.as_mut().expect("it is set");
    loop {
        pause(&shared, outside, end, again.pause).await;

        let attempt = course.next(outside);
        let scope = outside.attempt(attempt);
        let ready = poll_fn(|cx| scope.around(|| service.poll_ready(cx))).await;
        if let Err(error) = ready {
            shared.stopped(course, Stop::Fatal);
            return Err(error);
        }
        if deadline::left(outside.until, clock::now()).is_none() {
            // Whoever ends the call has not been polled yet: what is sent now could only fail.
            shared.stopped(course, Stop::NoTime { needed: Duration::ZERO });
            let refused = Refused::new(LAYER, Reason::TimedOut).named_if(shared.name.as_ref());
            tell(Event::Refused(&refused));
            return Err(refused.into());
        }
        let request = copy.take().expect("the copy that was asked about");
        if shared.settings.attempts_left(&course.tries) > 1 {
            *copy = shared.protocol.copy(&request); // the last one takes the only copy there is
        }
        tell(Event::Again { layer: LAYER, name: shared.name.as_deref(), attempt });
        let mut fare = Fare::new(again.paid);
        let mut future = pin!(scope.around(|| service.call(request)));
        let beneath;
        (end, beneath) = poll_fn(|cx| {
            fare.stands(false);
            let (polled, beneath) = scope::attempt(|| scope.around(|| future.as_mut().poll(cx)));
            fare.stands(beneath.is_queued);
            polled.map(|end| (end, beneath))
        })
        .await;

        let ending = shared.protocol.end(&about, end.as_ref());
        fare.ends(beneath.was_sent(ending.outcome()));
        let copy = copy.as_ref();
        let next = shared.next::<Req, S::Response, S::Error, _>(
            course, outside, account, copy, &ending, beneath,
        );
        match next {
            None => return end,
            Some(next) => again = next,
        }
    }
}

/// The failed answer goes first, so that its connection can be used again; the wait counts from the
/// decision.
async fn pause<P, B, Res, E>(
    shared: &Shared<P, B>,
    scope: Scope,
    end: Result<Res, E>,
    Pause { decided, due }: Pause,
) where
    P: Discard<Res>,
    Res: Send + 'static,
{
    let _waits = Wait::begins(LAYER, shared.name.as_deref(), Some(due.since(decided)));
    match end {
        Ok(answer) => {
            let until = scope.until.min(decided + DRAIN_TIME);
            let (mut drained, mut timer) =
                (pin!(shared.protocol.discard(answer)), Timer::default());
            poll_fn(|cx| match drained.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(()),
                Poll::Pending => timer.poll(until, cx),
            })
            .await;
        }
        Err(error) => drop(error),
    }
    let mut timer = Timer::default();
    poll_fn(|cx| timer.poll(due, cx)).await;
}
