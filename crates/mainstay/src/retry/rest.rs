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
pub(crate) struct Kept<Req, S, A> {
    /// Taken by the last attempt.
    pub(super) request: Option<Req>,
    pub(super) service: S,
    pub(super) account: A,
    pub(super) course: Course,
}

/// What a call withdraws from its account.
type PaidBy<Req, B> = <<B as Budgets<Req>>::Account as Account>::Paid;

impl<Req, S, A> Kept<Req, S, A> {
    #[inline]
    pub(crate) fn new(request: Req, service: S, account: A) -> Box<Self> {
        Box::new(Self { request: Some(request), service, account, course: Course::default() })
    }

    /// The same for another service, made of this one.
    pub(crate) fn over<T>(self, over: impl FnOnce(S) -> T) -> Box<Kept<Req, T, A>> {
        let Self { request, service, account, course } = self;
        Box::new(Kept { request, service: over(service), account, course })
    }
}

impl<Req, S, A: Account> Kept<Req, S, A> {
    /// An attempt has ended: whether there is another.
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
        let Self { request, account, course, .. } = self;
        let copy = request.as_ref();
        shared.next::<Req, Res, E, A>(course, scope, account, copy, ending, beneath)
    }

    /// The request for the next attempt: the last one takes the only copy there is.
    fn take<P, B>(&mut self, shared: &Shared<P, B>) -> Option<Req>
    where
        S: Service<Req>,
        P: Protocol<Req, S::Response, S::Error>,
    {
        let last = self.request.take()?;
        if shared.settings.attempts_left(&self.course.tries) > 1 {
            self.request = shared.protocol.copy(&last);
        }
        Some(last)
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
    loop {
        pause(&shared, outside, end, again.pause).await;

        let attempt = kept.course.next(outside);
        let scope = outside.attempt(attempt);
        let ready = poll_fn(|cx| scope.around(|| kept.service.poll_ready(cx))).await;
        if let Err(error) = ready {
            shared.stopped(&kept.course, Stop::Fatal);
            return Err(error);
        }
        if deadline::left(outside.until, clock::now()).is_none() {
            // Whoever ends the call has not been polled yet: what is sent now could only fail.
            shared.stopped(&kept.course, Stop::NoTime { needed: Duration::ZERO });
            let refused = Refused::new(LAYER, Reason::TimedOut).named_if(shared.name.as_ref());
            tell(Event::Refused(&refused));
            return Err(refused.into());
        }
        let request = kept.take(&shared).expect("the copy that was asked about");
        tell(Event::Again { layer: LAYER, name: shared.name.as_deref(), attempt });
        let mut fare = Fare::new(again.paid);
        let mut future = pin!(scope.around(|| kept.service.call(request)));
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
        match kept.next::<_, _, S::Response, S::Error>(&shared, outside, &ending, beneath) {
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
