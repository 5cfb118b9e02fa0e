//! Tells of calls that block: a poll that holds its thread keeps every other call from going on.
//!
//! ```
//! use mainstay::stall::{Stall, StallLayer};
//! use std::time::Duration;
//! use tower::ServiceBuilder;
//!
//! let stack = ServiceBuilder::new().layer(
//!     StallLayer::new(Stall::new().limit(Duration::from_millis(20)))?
//!         .named("billing")
//!         .on_stall(|stalled| eprintln!("{stalled}")),
//! );
//! # let _ = stack;
//! # Ok::<(), mainstay::policy::SettingsError>(())
//! ```
//!
//! Each call and each poll of what lies beneath is timed, by the clock of the machine, which no
//! test can pause: that costs two readings of the clock a poll. What takes as long as the
//! [limit](Stall::limit) is told as a warning, with the place where the layer was made, its name and
//! what is known of the request, so put one around each service that may be to blame; of two around
//! each other both tell. It is told when the poll is over: one that never returns is never told.
//!
//! It refuses nothing, so a service of any error fits beneath it.
//!
//! # What is shared
//!
//! The function that is told.
//!
//! # What ends a call
//!
//! Nothing here: a thread that is held cannot be taken back.

mod future;
mod label;
mod stalled;

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::task::{Context, Poll};

use mainstay_policy::{Moment, SettingsError};
use tower_layer::Layer;
use tower_service::Service;

use crate::clock;
use crate::http::Http;
use crate::observe::{Event, tell};

pub use future::StallFuture;
pub use label::Label;
pub use mainstay_policy::stall::Stall;
pub use stalled::{During, Stalled};

/// What a user wants to be told by.
type OnStall = Arc<dyn Fn(&Stalled<'_>) + Send + Sync>;

/// Tells when what lies beneath holds its thread for too long.
pub struct StallLayer<P = Http> {
    watch: Arc<Watch>,
    protocol: Arc<P>,
}

/// Times what is run, and tells.
#[derive(Clone)]
struct Watch {
    settings: Stall,
    place: &'static Location<'static>,
    name: Option<Arc<str>>,
    on_stall: Option<OnStall>,
    clock: fn() -> Moment,
}

impl StallLayer {
    /// With these settings, for HTTP. The place of this call is told.
    ///
    /// # Errors
    ///
    /// What [`Stall::check`] finds.
    #[track_caller]
    pub fn new(settings: Stall) -> Result<Self, SettingsError> {
        Self::of(settings, Http::new())
    }
}

impl<P> StallLayer<P> {
    /// With these settings, for requests that somebody else has a word for. The place of this call is
    /// told.
    ///
    /// # Errors
    ///
    /// What [`Stall::check`] finds.
    #[track_caller]
    pub fn of(settings: Stall, protocol: P) -> Result<Self, SettingsError> {
        settings.check()?;
        let (place, clock) = (Location::caller(), clock::real as fn() -> Moment);
        let watch = Watch { settings, place, name: None, on_stall: None, clock };
        Ok(Self { watch: Arc::new(watch), protocol: Arc::new(protocol) })
    }

    /// A name that its warnings say.
    #[must_use]
    pub fn named(self, name: impl Into<Arc<str>>) -> Self {
        let name = Some(name.into());
        self.with(|watch| watch.name = name)
    }

    /// Tells this function too, after the thread was held and on that thread: it must not block.
    #[must_use]
    pub fn on_stall(self, tell: impl Fn(&Stalled<'_>) + Send + Sync + 'static) -> Self {
        self.with(|watch| watch.on_stall = Some(Arc::new(tell)))
    }

    #[cfg(test)]
    fn on_clock(self, clock: fn() -> Moment) -> Self {
        self.with(|watch| watch.clock = clock)
    }

    fn with(self, set: impl FnOnce(&mut Watch)) -> Self {
        let mut watch = Watch::clone(&self.watch);
        set(&mut watch);
        Self { watch: Arc::new(watch), ..self }
    }
}

impl Watch {
    fn run<T>(&self, during: During, request: Option<&str>, run: impl FnOnce() -> T) -> T {
        let begun = (self.clock)();
        let done = run();
        let took = (self.clock)().since(begun);
        if self.settings.is_stall(took) {
            let (place, name) = (self.place, self.name.as_deref());
            self.tell(&Stalled { during, took, place, name, request });
        }
        done
    }

    #[cold]
    fn tell(&self, stalled: &Stalled<'_>) {
        let what = stalled.to_string();
        tell(Event::Warning {
            layer: "stall",
            name: stalled.name,
            what: &what,
            took: Some(stalled.took),
        });
        if let Some(on_stall) = &self.on_stall {
            on_stall(stalled);
        }
    }
}

impl<P> Clone for StallLayer<P> {
    fn clone(&self) -> Self {
        Self { watch: Arc::clone(&self.watch), protocol: Arc::clone(&self.protocol) }
    }
}

impl<P> fmt::Debug for StallLayer<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StallLayer")
            .field("settings", &self.watch.settings)
            .field("place", &self.watch.place)
            .field("name", &self.watch.name)
            .finish_non_exhaustive()
    }
}

impl<S, P> Layer<S> for StallLayer<P> {
    type Service = StallService<S, P>;

    fn layer(&self, inner: S) -> Self::Service {
        StallService { inner, layer: self.clone() }
    }
}

/// A service whose polls are timed; made by [`StallLayer`].
#[derive(Debug)]
pub struct StallService<S, P = Http> {
    inner: S,
    layer: StallLayer<P>,
}

impl<S, P> StallService<S, P> {
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

impl<S: Clone, P> Clone for StallService<S, P> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), layer: self.layer.clone() }
    }
}

impl<S, Req, P> Service<Req> for StallService<S, P>
where
    S: Service<Req>,
    P: Label<Req>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = StallFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.layer.watch.run(During::Readiness, None, || self.inner.poll_ready(cx))
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let Self { inner, layer } = self;
        let label = layer.protocol.label(&request);
        let inner = layer.watch.run(During::Call, label.as_deref(), || inner.call(request));
        StallFuture::new(inner, label, Arc::clone(&layer.watch))
    }
}

#[cfg(test)]
mod tests;
