//! A deadline for the whole call, however many attempts it takes.
//!
//! ```
//! use http::{Request, Response};
//! use mainstay::deadline::{Deadline, DeadlineLayer};
//! use mainstay::{CallError, Error, LiftLayer, Reason};
//! use std::convert::Infallible;
//! use std::time::Duration;
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
//! let hangs = service_fn(|_: Request<()>| std::future::pending::<Result<Response<()>, Infallible>>());
//! let mut service = ServiceBuilder::new()
//!     .layer(DeadlineLayer::new(Duration::from_secs(20)))
//!     // Retry and the guards stand here, and know what time is left.
//!     .layer(LiftLayer::new())
//!     .service(hangs);
//!
//! let mut request = Request::new(());
//! request.extensions_mut().insert(Deadline::within(Duration::from_secs(2))); // this call only
//! let error = service.ready().await?.call(request).await.unwrap_err();
//! assert_eq!(error.refused().map(|refused| refused.reason()), Some(Reason::TimedOut));
//! # Ok::<(), Error<Infallible>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How it is known further in
//!
//! While it calls or polls what lies beneath, the thread knows when the call's time is over, and
//! every layer of ours further in reads that: a guard refuses a wait that could not end in time, a
//! retry does not begin a pause that is too long. It costs no allocation and works for any request.
//! It does not reach another task: behind `tower::buffer::Buffer` or `tokio::spawn` nobody knows.
//! There a second [`DeadlineLayer::per_call`] reads the [`Deadline`] that the request carries, put
//! there by its caller, or by the outer layer with [`in_request`](DeadlineLayer::in_request).
//!
//! # What is shared
//!
//! Nothing but the settings.
//!
//! # What ends a call
//!
//! The head of the answer: its body may take as long as it likes, unless
//! [`BodyIdleLayer`](crate::timeout::BodyIdleLayer) watches over it. Time begins with the call; what
//! readiness took before is not counted.
//!
//! Where the time is over before the call, nothing is sent, and the reason is
//! [`Reason::Deadline`]. Where it ends while the service beneath is at work, the reason is
//! [`Reason::TimedOut`], since the request may have been sent. An answer that is there when the time
//! is over is handed on.

mod future;
mod header;
mod plain;

use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use mainstay_policy::{Moment, deadline};
use tower_layer::Layer;
use tower_service::Service;

use crate::clock;
use crate::error::{CallError, Reason, Refused};
use crate::http::Http;
use crate::protocol::Protocol;
use crate::scope::Scope;

pub use future::DeadlineFuture;
pub(crate) use future::timed_out;
pub use header::{DeadlineHeader, DeadlineHeaderLayer};
pub use plain::Plain;

pub(crate) const LAYER: &str = "deadline";

/// When the time of one call is over: an extension of its request.
///
/// Its caller puts it there; [`DeadlineLayer`] reads it, and the nearer end counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Deadline {
    until: Moment,
}

impl Deadline {
    /// So long from now on, by tokio's clock.
    #[must_use]
    pub fn within(time: Duration) -> Self {
        Self { until: clock::now() + time }
    }

    pub(crate) const fn at(until: Moment) -> Self {
        Self { until }
    }

    #[cfg(feature = "client")]
    pub(crate) const fn moment(&self) -> Moment {
        self.until
    }

    /// What is left of it; nothing once it is over.
    #[must_use]
    pub fn left(&self) -> Duration {
        deadline::left(self.until, clock::now()).unwrap_or_default()
    }
}

/// What is left of the time of the call that is being called or polled on this thread, for layers
/// and services of your own; `None` where no [`DeadlineLayer`] further out says when it is over.
///
/// What spawns a task or keeps a future for others asks before, and hands it on.
///
/// ```
/// use mainstay::deadline::{self, DeadlineLayer};
/// use mainstay::{Error, LiftLayer};
/// use std::convert::Infallible;
/// use std::time::Duration;
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// let query = service_fn(|_: &str| async { Ok::<_, Infallible>(deadline::left()) });
/// let service = ServiceBuilder::new()
///     .layer(DeadlineLayer::plain(Duration::from_secs(20)))
///     .layer(LiftLayer::new())
///     .service(query);
/// assert_eq!(service.oneshot("select 1").await?, Some(Duration::from_secs(20)));
/// assert_eq!(deadline::left(), None);
/// # Ok::<(), Error<Infallible>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn left() -> Option<Duration> {
    let until = Scope::current().until;
    (until < Moment::MAX).then(|| Deadline::at(until).left())
}

/// Gives each call a time in which it must end.
///
/// The service beneath must be `Clone`, because a call whose time is over gives back what readiness
/// has reserved for it, and only a drop does that; `tower::buffer::Buffer` makes any service one.
#[derive(Debug)]
pub struct DeadlineLayer<P = Http> {
    within: Option<Duration>,
    name: Option<Arc<str>>,
    in_request: bool,
    protocol: Arc<P>,
}

impl DeadlineLayer {
    /// So long for each call of HTTP, or less if its request says so.
    #[must_use]
    pub fn new(within: Duration) -> Self {
        Self::of(Some(within), Http::new())
    }

    /// No time but what the request says.
    #[must_use]
    pub fn per_call() -> Self {
        Self::of(None, Http::new())
    }
}

impl DeadlineLayer<Plain> {
    /// So long for each call, whatever its requests are; they say nothing of time themselves.
    #[must_use]
    pub fn plain(within: Duration) -> Self {
        Self::of(Some(within), Plain::default())
    }
}

impl<P> DeadlineLayer<P> {
    /// So long for each call, if anything, of another protocol.
    #[must_use]
    pub fn of(within: Option<Duration>, protocol: P) -> Self {
        Self { within, name: None, in_request: false, protocol: Arc::new(protocol) }
    }

    /// A name that its refusals say.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Puts the [`Deadline`] into the request too, for what runs in another task. Off by default,
    /// because it allocates for every call, and again for every copy of the request.
    #[must_use]
    pub const fn in_request(mut self) -> Self {
        self.in_request = true;
        self
    }
}

impl<P> DeadlineLayer<P> {
    /// A call begins: when it must end, or the refusal of one whose time is over.
    #[inline]
    pub(crate) fn begins<Req, Res, E>(
        &self,
        request: &mut Req,
        around: Moment,
        now: Moment,
    ) -> Result<Moment, Refused>
    where
        P: Protocol<Req, Res, E>,
    {
        let asked = self.protocol.deadline(request).map(|asked| asked.until);
        let until = deadline::until(now, self.within, asked, around);
        if deadline::left(until, now).is_none() {
            return Err(Refused::new(LAYER, Reason::Deadline).named_if(self.name.as_ref()));
        }
        if self.in_request && until < Moment::MAX {
            self.protocol.set_deadline(request, Deadline { until });
        }
        Ok(until)
    }

    pub(crate) const fn name(&self) -> Option<&Arc<str>> {
        self.name.as_ref()
    }
}

impl<P> Clone for DeadlineLayer<P> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), protocol: Arc::clone(&self.protocol), ..*self }
    }
}

impl<S, P> Layer<S> for DeadlineLayer<P> {
    type Service = DeadlineService<S, P>;

    fn layer(&self, inner: S) -> Self::Service {
        DeadlineService { inner, layer: self.clone() }
    }
}

/// A service whose calls end in time; made by [`DeadlineLayer`].
#[derive(Debug)]
pub struct DeadlineService<S, P = Http> {
    inner: S,
    layer: DeadlineLayer<P>,
}

impl<S, P> DeadlineService<S, P> {
    /// The service beneath.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service beneath.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The service beneath.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S: Clone, P> Clone for DeadlineService<S, P> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), layer: self.layer.clone() }
    }
}

impl<S, Req, P> Service<Req> for DeadlineService<S, P>
where
    S: Service<Req> + Clone,
    S::Error: CallError,
    P: Protocol<Req, S::Response, S::Error>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = DeadlineFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Req) -> Self::Future {
        let (scope, now) = (Scope::current(), clock::now());
        let begun = self.layer.begins::<_, S::Response, S::Error>(&mut request, scope.until, now);
        let until = match begun {
            Ok(until) => until,
            Err(refused) => {
                // What readiness has reserved must not stay with one who was refused and is idle.
                let clone = self.inner.clone();
                drop(mem::replace(&mut self.inner, clone));
                return DeadlineFuture::refused(refused);
            }
        };
        let inner = &mut self.inner;
        let future = scope.until(until).around(|| inner.call(request));
        DeadlineFuture::starts(future, until, self.layer.name.clone())
    }
}

#[cfg(test)]
mod tests;
