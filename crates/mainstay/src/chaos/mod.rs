//! A tool for tests: makes calls go wrong on purpose, always in the same way.
//!
//! It does nothing until it is switched on, and has no business in a program that is not being
//! tested.
//!
//! ```
//! use http::{Request, Response};
//! use mainstay::LiftLayer;
//! use mainstay::chaos::{Chaos, ChaosLayer};
//! use std::convert::Infallible;
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let chaos = ChaosLayer::new(Chaos::seeded(7).answers(50.0))?;
//! let handle = chaos.handle();
//! let well = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(String::new())) });
//! let mut service = ServiceBuilder::new().layer(chaos).layer(LiftLayer::new()).service(well);
//!
//! assert_eq!(service.ready().await?.call(Request::new(())).await?.status(), 200);
//! handle.enable();
//! let mut statuses = Vec::new();
//! for _ in 0..100 {
//!     statuses.push(service.ready().await?.call(Request::new(())).await?.status());
//! }
//! assert!(statuses.iter().filter(|status| **status == 503).count() > 30);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What goes wrong
//!
//! | fault | what the caller sees | what the server sees |
//! |---|---|---|
//! | [errors](Chaos::errors) | a connection that is not made, or an error of yours ([`errors_with`](ChaosLayer::errors_with)) | nothing |
//! | [answers](Chaos::answers) | a 503 without a body, or a head of yours ([`answers_with`](ChaosLayer::answers_with)) | nothing |
//! | [late](Chaos::late) | the answer, or the error, but later | the request, at once |
//! | [hangs](Chaos::hangs) | nothing, ever | nothing |
//! | [cuts](Chaos::cuts) | a body that breaks off ([`cut_after`](ChaosLayer::cut_after)) | the request |
//!
//! The error is a refusal, with [`Reason::Injected`](crate::Reason::Injected), because only that can
//! be made in every type of error. [`Http`](crate::http::Http) takes it for a connection that was not
//! made: a retry sends the call again, whatever its method, and a breaker counts a failure.
//!
//! Calls are numbered in the order in which they are made while it is on, and what goes wrong with
//! a call follows from the seed and its number alone.
//!
//! # What is shared
//!
//! The switch and the numbers: all services that one layer value and its clones make.
//!
//! # What ends a call
//!
//! The head of the answer, as everywhere.

mod body;
mod faults;
mod future;
mod switch;

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use ::http::{Response, StatusCode};
use mainstay_policy::chaos::Fault;
use mainstay_policy::{Draw, SettingsError};
use tower_layer::Layer;
use tower_service::Service;

use crate::observe::{Event, tell};

pub use body::ChaosBody;
pub use faults::{Errors, Faults, InHttp, MakeError, Plain, Refusals};
pub use future::ChaosFuture;
pub use mainstay_policy::chaos::Chaos;
pub use switch::ChaosHandle;

const LAYER: &str = "chaos";

/// Makes calls go wrong on purpose, once it is switched on. A tool for tests.
///
/// In HTTP its answers have a [`ChaosBody`], which can break off.
pub struct ChaosLayer<F = InHttp, M = Refusals> {
    settings: Chaos,
    switch: ChaosHandle,
    faults: Arc<F>,
    errors: Arc<M>,
    name: Option<Arc<str>>,
}

impl ChaosLayer {
    /// Calls of HTTP go wrong like this.
    ///
    /// # Errors
    ///
    /// What [`Chaos::check`] finds.
    pub fn new(settings: Chaos) -> Result<Self, SettingsError> {
        settings.check()?;
        Ok(Self::made(settings, InHttp::default()))
    }
}

impl ChaosLayer<Plain> {
    /// Calls of any kind go wrong like this, and their answers keep their type.
    ///
    /// # Errors
    ///
    /// What [`Chaos::check_plain`] finds: answers that are made or cut off are for HTTP.
    pub fn plain(settings: Chaos) -> Result<Self, SettingsError> {
        settings.check_plain()?;
        Ok(Self::made(settings, Plain::default()))
    }
}

impl<F> ChaosLayer<F> {
    fn made(settings: Chaos, faults: F) -> Self {
        let (faults, errors) = (Arc::new(faults), Arc::new(Refusals::default()));
        Self { settings, switch: ChaosHandle::default(), faults, errors, name: None }
    }
}

impl<M> ChaosLayer<InHttp, M> {
    /// Answers this status, without a body, where it answers; 503 by default.
    #[must_use]
    pub fn status(self, status: StatusCode) -> Self {
        self.answers_with(move |_| {
            let mut head = Response::new(());
            *head.status_mut() = status;
            head
        })
    }

    /// Answers what the function makes of a draw, without a body, where it answers.
    #[must_use]
    pub fn answers_with(self, head: impl Fn(Draw) -> Response<()> + Send + Sync + 'static) -> Self {
        Self { faults: Arc::new(self.faults.answers_with(head)), ..self }
    }

    /// Cuts bodies off after so many bytes, or where they end if that is sooner; 0 by default. A
    /// piece that would pass it is not handed on at all.
    #[must_use]
    pub fn cut_after(self, bytes: u64) -> Self {
        Self { faults: Arc::new(self.faults.cut_after(bytes)), ..self }
    }
}

impl<F, M> ChaosLayer<F, M> {
    /// Fails with what the function makes of a draw, in place of a connection that is not made: a
    /// reset, say, after which the call may have been processed.
    #[must_use]
    pub fn errors_with<E>(self, make: E) -> ChaosLayer<F, Errors<E>> {
        let Self { settings, switch, faults, name, .. } = self;
        ChaosLayer { settings, switch, faults, errors: Arc::new(Errors::new(make)), name }
    }

    /// A name that its events say.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The switch.
    #[must_use]
    pub fn handle(&self) -> ChaosHandle {
        self.switch.clone()
    }
}

impl<F, M> Clone for ChaosLayer<F, M> {
    fn clone(&self) -> Self {
        Self {
            settings: self.settings,
            switch: self.switch.clone(),
            faults: Arc::clone(&self.faults),
            errors: Arc::clone(&self.errors),
            name: self.name.clone(),
        }
    }
}

impl<F, M> fmt::Debug for ChaosLayer<F, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChaosLayer")
            .field("settings", &self.settings)
            .field("switch", &self.switch)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl<S, F, M> Layer<S> for ChaosLayer<F, M> {
    type Service = ChaosService<S, F, M>;

    fn layer(&self, inner: S) -> Self::Service {
        ChaosService { inner, layer: self.clone() }
    }
}

/// A service whose calls go wrong on purpose; made by [`ChaosLayer`].
#[derive(Debug)]
pub struct ChaosService<S, F = InHttp, M = Refusals> {
    inner: S,
    layer: ChaosLayer<F, M>,
}

impl<S, F, M> ChaosService<S, F, M> {
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

impl<S: Clone, F, M> ChaosService<S, F, M> {
    /// What readiness has reserved must not stay with a call that is not sent.
    fn give_readiness_back(&mut self) {
        let clone = self.inner.clone();
        drop(mem::replace(&mut self.inner, clone));
    }
}

impl<S: Clone, F, M> Clone for ChaosService<S, F, M> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), layer: self.layer.clone() }
    }
}

impl<S, Req, F, M> Service<Req> for ChaosService<S, F, M>
where
    S: Service<Req> + Clone,
    F: Faults<S::Response>,
    M: MakeError<S::Error>,
{
    type Response = F::Answer;
    type Error = S::Error;
    type Future = ChaosFuture<S::Future, S::Response, S::Error, F>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let fault = self.layer.switch.next().map_or(Fault::None, |n| self.layer.settings.fault(n));
        let (what, took) = match fault {
            Fault::None => {
                return ChaosFuture::sent(self.inner.call(request), &self.layer.faults, fault);
            }
            Fault::Error(_) => ("an error was injected", None),
            Fault::Answer(_) => ("an answer was injected", None),
            Fault::Late(by) => ("an answer was delayed", Some(by)),
            Fault::Hang => ("a call was left hanging", None),
            Fault::Cut => ("a body was cut off", None),
        };
        tell(Event::Warning { layer: LAYER, name: self.layer.name.as_deref(), what, took });
        let made = match fault {
            Fault::Error(draw) => Some(Err(self.layer.errors.make(draw))),
            Fault::Answer(draw) => self.layer.faults.answer(draw).map(Ok),
            Fault::Hang => None,
            Fault::None | Fault::Late(_) | Fault::Cut => {
                return ChaosFuture::sent(self.inner.call(request), &self.layer.faults, fault);
            }
        };
        self.give_readiness_back();
        ChaosFuture::made(made)
    }
}

#[cfg(test)]
mod tests;
