//! The same decisions for tower's own retry layer.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use mainstay_policy::Moment;
use pin_project_lite::pin_project;
use tokio::time::Sleep;

use super::LAYER;
use super::course::{Again, Course, Pause, Shared};
use super::layer::RetryLayer;
use crate::budget::{self, Account, Budget, Budgets, Paid};
use crate::clock;
use crate::http::{ByHost, Copies, Http};
use crate::keyed::Keyed;
use crate::observe::{Event, tell};
use crate::protocol::Protocol;
use crate::scope::{Beneath, Scope};

/// A policy for `tower::retry::RetryLayer`, made of the parts of a [`RetryLayer`].
///
/// ```
/// use mainstay::retry::{Retry, RetryLayer};
///
/// let ours = RetryLayer::new(Retry::up_to(3))?;
/// let theirs = tower::retry::RetryLayer::new(ours.as_policy());
/// # let _ = theirs;
/// # Ok::<(), mainstay::policy::SettingsError>(())
/// ```
///
/// It decides as [`RetryLayer`] does, with the same rules, waits, deadline and budget. What it
/// cannot do, because tower's layer leaves no room for it:
///
/// * The failed answer is dropped unread, which costs an HTTP/1.1 connection.
/// * No idempotency key is minted: the first attempt is out of reach.
/// * The budget is charged when the wait is over, also for an attempt that is dropped while the
///   service beneath is made ready for it, or that a guard refuses.
/// * Guards further in do not learn which attempt it is. A driver further in, such as a hedge, takes
///   each attempt for a call: it pays into its budget, also where that is the same one, and the ends
///   of its attempts are told twice. Where the last of them is refused, what it sent before that is
///   not paid for.
/// * Of a request that cannot be copied it is not asked again: it pays into the budget, and no
///   event says why there is no further attempt.
#[derive(Debug)]
pub struct RetryPolicy<P = Http, B = Arc<Keyed<Budget, ByHost>>> {
    shared: Arc<Shared<P, B>>,
    course: Course,
}

impl<P, B: Clone> RetryLayer<P, B> {
    /// The same decisions for tower's own retry layer, from the same budget.
    #[must_use]
    pub fn as_policy(&self) -> RetryPolicy<P, B> {
        RetryPolicy { shared: self.share(), course: Course::default() }
    }
}

/// tower clones a policy for each call, before the call has come any way.
impl<P, B> Clone for RetryPolicy<P, B> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), course: Course::default() }
    }
}

impl<Req, Res, E, P, B> tower::retry::Policy<Req, Res, E> for RetryPolicy<P, B>
where
    P: Protocol<Req, Res, E>,
    B: Budgets<Req>,
{
    type Future = RetryWait<<B::Account as Account>::Paid>;

    fn retry(&mut self, copy: &mut Req, end: &mut Result<Res, E>) -> Option<Self::Future> {
        let Self { shared, course } = self;
        let about = shared.protocol.about(copy);
        let ending = shared.protocol.end(&about, end.as_ref());
        let account = shared.budgets.account(copy);
        let copy = Some(&*copy);
        let scope = Scope::current();
        let beneath = Beneath::NOTHING;
        let again =
            shared.next::<Req, Res, E, _>(course, scope, &account, copy, &ending, beneath)?;
        let Pause { decided, due } = again.pause;
        let wait = due.since(decided);
        let (name, attempt) = (shared.name.clone(), course.next(scope));
        tell(Event::Waits { layer: LAYER, name: name.as_deref(), wait: Some(wait) });
        Some(RetryWait { sleep: clock::sleep(wait), decided, name, attempt, again: Some(again) })
    }

    fn clone_request(&mut self, request: &Req) -> Option<Req> {
        let Self { shared, course } = self;
        if course.tries.ended() == 0 {
            budget::begin(&shared.budgets, request);
        }
        let protocol = &shared.protocol;
        let may_be_kept = shared.settings.attempts_left(&course.tries) > 1
            && protocol.may_repeat(&protocol.about(request))
            && protocol.copies(request) != Copies::Never;
        if may_be_kept { protocol.copy(request) } else { None }
    }
}

pin_project! {
    /// The wait before another attempt of [`RetryPolicy`].
    #[must_use = "futures do nothing unless polled"]
    pub struct RetryWait<T> {
        #[pin]
        sleep: Sleep,
        decided: Moment,
        name: Option<Arc<str>>,
        attempt: u32,
        again: Option<Again<T>>,
    }
}

impl<T: Paid> Future for RetryWait<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        ready!(clock::poll(this.sleep, cx));
        if let Some(again) = this.again.take() {
            let (layer, name) = (LAYER, this.name.as_deref());
            tell(Event::Waited { layer, name, took: clock::now().since(*this.decided) });
            tell(Event::Again { layer, name, attempt: *this.attempt });
            if let Some(paid) = again.paid {
                paid.spend();
            }
        }
        Poll::Ready(())
    }
}

impl<T> fmt::Debug for RetryWait<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryWait").field("sleep", &self.sleep).finish_non_exhaustive()
    }
}
