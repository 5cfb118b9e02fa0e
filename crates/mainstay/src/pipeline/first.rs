//! The first attempt of a call, with which most calls end: all its layers at once.
//!
//! What is decided is theirs to decide, and they are asked and told in their order. Here the request
//! is handed on once, one look at the clock serves all of them, an end is judged once, one timer is
//! enough, and nothing is made that only later attempts need.

use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use mainstay_policy::deadline::{Watch, watch, watch_attempt};
use mainstay_policy::{Moment, Outcome};

use super::guards::Guards;
use super::host::{Host, HostBudget};
use crate::budget::{self, Account};
use crate::clock::Timer;
use crate::error::CallError;
use crate::guard::{Each, Guard, Holds, Live, Watched};
use crate::http::{About, Http, RequestView, ResponseView};
use crate::protocol::Ending;
use crate::retry::{Again, Kept};
use crate::scope::{self, Before, Beneath, Scope, watched};

/// What stands before a host, held by a call.
#[derive(Clone, Debug)]
pub(super) struct Held(pub(super) Arc<Host>);

impl Deref for Held {
    type Target = Host;

    #[inline]
    fn deref(&self) -> &Host {
        &self.0
    }
}

impl Holds<Each<Guards>> for Held {
    #[inline]
    fn guard(&self) -> &Each<Guards> {
        self.0.guard()
    }
}

/// What the guards must know of a request.
pub(super) type Subject<Req> = <Each<Guards> as Guard<Req>>::Subject;

/// An attempt that was let go.
pub struct Sent<Req> {
    live: Live<Req, Each<Guards>, Held>,
    /// When its own time is over; that of the call stands in the scope.
    until: Moment,
    timer: Timer,
}

/// Whose time is over.
pub(super) enum Over {
    /// It took too long for an attempt.
    Attempt,
    Call,
}

impl<Req> Sent<Req> {
    #[inline]
    pub(super) fn new(
        host: Held,
        subject: Subject<Req>,
        permit: <Each<Guards> as Guard<Req>>::Permit,
        until: Moment,
    ) -> Self {
        let live = Live::new(host, subject, permit);
        Self { live, until, timer: Timer::default() }
    }

    /// An attempt that was let go after a wait.
    pub(super) fn of(live: Live<Req, Each<Guards>, Held>, until: Moment) -> Self {
        Self { live, until, timer: Timer::default() }
    }

    /// Goes on with the timer that was there while it waited.
    pub(super) fn with(self, timer: Timer) -> Self {
        Self { timer, ..self }
    }

    #[inline]
    pub(super) const fn host(&self) -> &Held {
        self.live.holder()
    }

    /// While it is handed on.
    #[inline]
    pub(super) fn sending(&mut self, scope: Scope) -> Sending<'_, Req> {
        Sending { watched: self.live.watched(), _within: scope.holds() }
    }

    /// Polls the attempt, and says what was learnt of it.
    #[inline]
    pub(super) fn poll<F: Future>(
        &mut self,
        future: Pin<&mut F>,
        scope: Scope,
        cx: &mut Context<'_>,
    ) -> (Poll<F::Output>, Beneath) {
        let polling = scope::polling(scope, cx);
        let watched = self.live.watched();
        let polled = future.poll(cx);
        watched.ends();
        let beneath = polling.ends();
        if polled.is_pending() {
            self.live.stands(beneath.is_queued);
            if beneath.is_queued {
                scope::is_queued();
            }
        }
        (polled, beneath)
    }

    /// Waits for the nearer of its ends: one timer is enough for both.
    #[inline(never)]
    pub(super) fn poll_time(&mut self, call: Moment, cx: &mut Context<'_>) -> Poll<Over> {
        let watched = watched(cx);
        if watch_attempt(self.until, watched.min(call)) == Watch::Here {
            return self.timer.poll_ahead(self.until, cx).map(|()| Over::Attempt);
        }
        match watch(call, watched) {
            Watch::Here => self.timer.poll_ahead(call, cx).map(|()| Over::Call),
            Watch::FurtherOut | Watch::Nowhere => Poll::Pending,
        }
    }

    /// The attempt has ended.
    #[inline]
    pub(super) fn settle(&mut self, ending: &Ending) {
        self.live.settle(ending);
    }
}

/// An attempt while it is handed on: a panic ends it, and what is called sees the scope.
#[must_use = "its drop says that the attempt has failed"]
pub(super) struct Sending<'a, Req> {
    watched: Watched<'a, Req, Each<Guards>, Held>,
    _within: Before,
}

impl<Req> Sending<'_, Req> {
    /// It was handed on.
    #[inline]
    pub(super) fn ends(self) {
        self.watched.ends();
    }
}

/// What a call keeps for further attempts through such a service.
type KeptBefore<Req, S> = Box<Kept<Req, S, HostBudget>>;

/// What a call keeps for the end of its first attempt, and for further ones.
pub struct Call<Req, S> {
    about: About,
    pub(super) scope: Scope,
    /// Only what may be repeated has it, and pays one allocation for it.
    kept: Option<KeptBefore<Req, S>>,
}

impl<Req: RequestView, S: Clone> Call<Req, S> {
    /// A call begins.
    #[inline]
    pub(super) fn begins<Res, E>(host: &Host, request: &mut Req, service: &S, scope: Scope) -> Self
    where
        Res: ResponseView,
        E: CallError,
    {
        let http = host.http();
        http.prepare(request);
        let scope = budget::pays_in(host.account(), scope);
        let mut about = http.about_but_keys(request);
        let retries = host.retries();
        let with = || (service.clone(), host.account().clone());
        let kept = retries.keep::<Req, Res, E, S, HostBudget>(request, &about, with);
        // Else it is found in the copy once it matters, or does not matter.
        if http.keys_matter(&about) || !retries.may_go_on() {
            http.look_for_key(&mut about, request);
        }
        Self { about, scope, kept }
    }

    /// What the end of its first attempt says.
    #[inline]
    pub(super) fn answered<Res: ResponseView>(&mut self, http: &Http, answer: &Res) -> Ending {
        let ending = http.answer(&self.about, answer);
        match ending.outcome() {
            Outcome::Success => ending,
            _ => self.has_failed(http, answer, ending),
        }
    }

    /// The same of an answer that is no success.
    #[cold]
    fn has_failed<Res: ResponseView>(
        &mut self,
        http: &Http,
        answer: &Res,
        ending: Ending,
    ) -> Ending {
        if self.finds_key(http) { http.answer(&self.about, answer) } else { ending }
    }

    pub(super) fn failed<E: CallError>(&mut self, http: &Http, error: &E) -> Ending {
        self.finds_key(http);
        http.end(&self.about, Err::<&::http::Response<()>, _>(error))
    }

    /// Looks for the key that was not looked for in the beginning; says whether that changes
    /// anything.
    fn finds_key(&mut self, http: &Http) -> bool {
        let was_idempotent = self.about.is_idempotent();
        if let Some(copy) = self.kept.as_ref().and_then(|kept| kept.request()) {
            http.look_for_key(&mut self.about, copy);
        }
        self.about.is_idempotent() != was_idempotent
    }

    /// The first attempt has ended: whether there is another.
    #[inline(always)]
    pub(super) fn next<Res, E>(
        &mut self,
        host: &Host,
        ending: &Ending,
        beneath: Beneath,
    ) -> Option<Again<<HostBudget as Account>::Paid>>
    where
        Res: ResponseView,
        E: CallError,
    {
        let retries = host.retries();
        let Some(kept) = &mut self.kept else {
            retries.explains(self.scope, ending, beneath);
            return None;
        };
        let next = kept.next::<_, _, Res, E>(retries, self.scope, ending, beneath);
        if next.is_none() {
            self.kept = None;
        }
        next
    }

    /// What is left of it when its first attempt has ended.
    pub(super) fn take(&mut self) -> Self {
        Self { about: self.about.clone(), scope: self.scope, kept: self.kept.take() }
    }

    /// What it keeps, for another service that is made of its own.
    pub(super) fn over<T>(self, over: impl FnOnce(S) -> T) -> (Option<KeptBefore<Req, T>>, About) {
        (self.kept.map(|kept| kept.over(over)), self.about)
    }
}

impl<Req> fmt::Debug for Sent<Req> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sent").field("until", &self.until).finish_non_exhaustive()
    }
}

impl<Req, S> fmt::Debug for Call<Req, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("about", &self.about).finish_non_exhaustive()
    }
}
