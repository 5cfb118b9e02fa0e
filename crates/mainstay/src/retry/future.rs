//! The life of a call: its first attempt, and where that failed, the rest.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use mainstay_policy::retry::Stop;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::LAYER;
use super::course::{Again, Course, Pause, Shared, number, stopped};
use crate::budget::{self, Account, Budgets};
use crate::clock;
use crate::http::Copies;
use crate::http::body::DRAIN_TIME;
use crate::observe::{Event, tell};
use crate::protocol::{Discard, Ending, Protocol};
use crate::scope::Scope;

pin_project! {
    /// The response future of [`Retried`](super::Retried).
    #[must_use = "futures do nothing unless polled"]
    pub struct RetriedFuture<Req, S, P, B>
    where
        S: Service<Req>,
        P: Protocol<Req, S::Response, S::Error>,
        B: Budgets<Req>,
    {
        #[pin]
        state: State<Req, S, P, B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<Req, S, P, B>
    where
        S: Service<Req>,
        P: Protocol<Req, S::Response, S::Error>,
        B: Budgets<Req>,
    {
        First { #[pin] future: S::Future, call: Option<Call<Req, S, P, B>> },
        Rest { rest: Rest<S::Response, S::Error> },
    }
}

/// What comes after the first attempt is boxed: few calls come so far.
type Rest<Res, E> = Pin<Box<dyn Future<Output = Result<Res, E>> + Send>>;

/// What a call withdraws from its account.
type PaidBy<Req, B> = <<B as Budgets<Req>>::Account as Account>::Paid;

/// A call on its first attempt.
struct Call<Req, S, P, B>
where
    S: Service<Req>,
    P: Protocol<Req, S::Response, S::Error>,
    B: Budgets<Req>,
{
    shared: Arc<Shared<P, B>>,
    about: P::About,
    scope: Scope,
    /// Only what may be repeated has it, and pays one allocation for it.
    kept: Option<Box<Kept<Req, S, B::Account>>>,
}

/// What another attempt takes.
struct Kept<Req, S, A> {
    /// Taken by the last attempt.
    request: Option<Req>,
    service: S,
    account: A,
    course: Course,
}

impl<Req, S, P, B> RetriedFuture<Req, S, P, B>
where
    S: Service<Req> + Clone,
    P: Protocol<Req, S::Response, S::Error>,
    B: Budgets<Req>,
{
    /// Starts the first attempt; the service is ready.
    pub(super) fn starts(service: &mut S, mut request: Req, shared: Arc<Shared<P, B>>) -> Self {
        let protocol = &*shared.protocol;
        protocol.prepare(&mut request);
        let (account, scope) = budget::begin(&shared.budgets, &request);
        let about = protocol.about(&request);
        let course = Course::default();
        let may_be_kept = shared.settings.attempts_left(&course.tries) > 1
            && protocol.may_repeat(&about)
            && protocol.copies(&request) != Copies::Never;
        let copy = if may_be_kept { protocol.copy(&request) } else { None };
        let future = scope.around(|| service.call(request));
        let kept = copy.map(|copy| {
            Box::new(Kept { request: Some(copy), service: service.clone(), account, course })
        });
        let call = Call { shared, about, scope, kept };
        Self { state: State::First { future, call: Some(call) } }
    }
}

impl<Req, S, P, B> Call<Req, S, P, B>
where
    S: Service<Req> + Send + 'static,
    S::Response: Send,
    S::Error: Send,
    S::Future: Send,
    Req: Send + 'static,
    P: Protocol<Req, S::Response, S::Error> + Discard<S::Response> + Send + Sync + 'static,
    P::About: Send,
    B: Budgets<Req> + Send + Sync + 'static,
{
    /// The first attempt has ended.
    fn goes_on(self, end: Result<S::Response, S::Error>) -> Next<S::Response, S::Error> {
        let Self { shared, about, scope, kept } = self;
        let ending = shared.protocol.end(&about, end.as_ref());
        let Some(mut kept) = kept else {
            shared.explains(scope, &ending);
            return Next::Ends(end);
        };
        match kept.next(&shared, scope, &ending) {
            None => Next::Ends(end),
            Some(again) => Next::GoesOn(Box::pin(rest(kept, shared, about, scope, end, again))),
        }
    }
}

/// What becomes of a call after its first attempt.
enum Next<Res, E> {
    Ends(Result<Res, E>),
    GoesOn(Rest<Res, E>),
}

impl<Req, S, A: Account> Kept<Req, S, A> {
    fn next<P, B>(
        &mut self,
        shared: &Shared<P, B>,
        scope: Scope,
        ending: &Ending,
    ) -> Option<Again<A::Paid>>
    where
        S: Service<Req>,
        P: Protocol<Req, S::Response, S::Error>,
    {
        let Self { request, account, course, .. } = self;
        shared.next::<Req, S::Response, S::Error, A>(
            course,
            scope,
            account,
            request.as_ref(),
            ending,
        )
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
async fn rest<Req, S, P, B>(
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
    P: Protocol<Req, S::Response, S::Error> + Discard<S::Response>,
    B: Budgets<Req>,
{
    loop {
        let ended = kept.course.tries.ended();
        pause(&shared, outside, end, again.pause).await;

        let attempt = number(outside, ended + 1);
        let scope = outside.attempt(attempt);
        let ready = poll_fn(|cx| scope.around(|| kept.service.poll_ready(cx))).await;
        if let Err(error) = ready {
            stopped(ended, Stop::Fatal);
            return Err(error);
        }
        let request = kept.take(&shared).expect("the copy that was asked about");
        tell(Event::Again { layer: LAYER, attempt });
        again.spend();
        let mut future = pin!(scope.around(|| kept.service.call(request)));
        end = poll_fn(|cx| scope.around(|| future.as_mut().poll(cx))).await;

        let ending = shared.protocol.end(&about, end.as_ref());
        match kept.next(&shared, outside, &ending) {
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
    let (layer, name) = (LAYER, shared.name.as_deref());
    tell(Event::Waits { layer, name, wait: Some(due.since(decided)) });
    if let Ok(answer) = end {
        let most = DRAIN_TIME.min(scope.until.since(decided));
        within(most, shared.protocol.discard(answer)).await;
    }
    let left = due.since(clock::now());
    if !left.is_zero() {
        clock::sleep(left).await;
    }
    tell(Event::Waited { layer, name, took: clock::now().since(decided) });
}

async fn within(most: Duration, future: impl Future<Output = ()>) {
    let (mut future, mut timer) = (pin!(future), None);
    poll_fn(|cx| {
        if future.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let timer = timer.get_or_insert_with(|| Box::pin(clock::sleep(most)));
        timer.as_mut().poll(cx)
    })
    .await;
}

#[expect(clippy::expect_used, reason = "a future that is polled after its end may panic")]
impl<Req, S, P, B> Future for RetriedFuture<Req, S, P, B>
where
    S: Service<Req> + Send + 'static,
    S::Response: Send,
    S::Error: Send,
    S::Future: Send,
    Req: Send + 'static,
    P: Protocol<Req, S::Response, S::Error> + Discard<S::Response> + Send + Sync + 'static,
    P::About: Send,
    B: Budgets<Req> + Send + Sync + 'static,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProj::First { future, call } => {
                    let scope = call.as_ref().expect("polled after it was ready").scope;
                    let end = ready!(scope.around(|| future.poll(cx)));
                    let call = call.take().expect("polled after it was ready");
                    match call.goes_on(end) {
                        Next::Ends(end) => return Poll::Ready(end),
                        Next::GoesOn(rest) => state.set(State::Rest { rest }),
                    }
                }
                StateProj::Rest { rest } => return rest.as_mut().poll(cx),
            }
        }
    }
}

impl<Req, S, P, B> fmt::Debug for RetriedFuture<Req, S, P, B>
where
    S: Service<Req>,
    P: Protocol<Req, S::Response, S::Error>,
    B: Budgets<Req>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.state {
            State::First { .. } => "RetriedFuture(first attempt)",
            State::Rest { .. } => "RetriedFuture(further attempts)",
        })
    }
}
