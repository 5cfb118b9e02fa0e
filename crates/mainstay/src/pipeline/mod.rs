//! A pipeline: all layers as one, declared in code or in a file.
//!
//! ```
//! use mainstay::pipeline::Pipeline;
//! use mainstay::rate_limit::RateLimit;
//! use mainstay::retry::Retry;
//! use std::time::Duration;
//! use tower::ServiceBuilder;
//!
//! let pipeline = Pipeline::named("github")
//!     .deadline(Duration::from_secs(20))
//!     .retry(Retry::up_to(4).longest_asked(Duration::from_secs(15)))
//!     .per_host(|host| {
//!         host.concurrency(16)
//!             .rate_limit(RateLimit::per_second(50).burst(10))
//!             .cool_down(Default::default())
//!             .circuit_breaker(Default::default())
//!     })
//!     .attempt_timeout(Duration::from_secs(4))
//!     .build()?;
//!
//! # let client = tower::service_fn(|_: http::Request<String>| async {
//! #     Ok::<_, std::convert::Infallible>(http::Response::new(http_body_util::Empty::<bytes::Bytes>::new()))
//! # });
//! let service = ServiceBuilder::new().layer(pipeline.clone()).service(client);
//! # let _ = service;
//! # Ok::<(), mainstay::pipeline::PipelineError>(())
//! ```
//!
//! Or start from one that is made already: [`Pipeline::standard`], or one of
//! [`PipelineSpec`]'s others.
//!
//! # The order
//!
//! From the outermost to the innermost, whatever of it is on: fallback, deadline, retry, hedge; then
//! for each host concurrency or an adaptive limit, rate limit with cool-down, throttle, circuit
//! breaker; then the attempt timeout, and the service. It cannot be changed: what stands in another
//! order is put together from the single layers by hand.
//!
//! # What is kept per host
//!
//! The guards, the budget and what hedges go by, for each origin that is asked, by
//! [its own settings](PipelineSpec::host) where its name has some; or for whatever
//! [`build_by`](PipelineSpec::build_by) says. [`keyed`](crate::keyed) says what is forgotten.
//!
//! # What one call wants otherwise
//!
//! [`CallOptions`](crate::http::CallOptions) in its extensions: less time, other rules for whether
//! it may be sent again, what it costs, whose state it shares.
//!
//! # What it is not for
//!
//! Requests that are not HTTP; a fallback that thinks, requests that share an answer, faults on
//! purpose: those are layers to be put around it.

mod answers;
mod body;
mod bounds;
mod by_layer;
#[cfg(feature = "config")]
pub mod config;
mod explain;
mod fields;
mod first;
mod fixed;
mod future;
mod guards;
mod handle;
mod host;
mod key;
mod lint;
mod living;
mod pattern;
mod pipelines;
mod presets;
mod queued;
mod readiness;
mod routes;
mod service;
mod spec;
mod switch;
mod turns;
mod waits;

use std::marker::PhantomData;
use std::sync::Arc;

use tower_layer::Layer;

use crate::error::{Lifted, Unchanged};
use crate::http::Key;
use key::PipelineKey;

pub use body::{FromFixed, PipelineAnswer, PipelineBody};
pub use bounds::{Bound, Bounds};
pub use explain::Explanation;
pub use future::PipelineFuture;
pub use handle::HostHandle;
pub use key::RequestHead;
pub use lint::{Finding, PipelineError, Severity};
use living::Living;
pub use pattern::HostPattern;
pub use pipelines::{Pipelines, PipelinesLayer, PipelinesService};
pub use service::PipelineService;
pub use spec::{FixedAnswer, GuardKind, Hold, HostSpec, Line, PipelineSpec};
pub use turns::HostTurns;

/// How it is called in events.
const LAYER: &str = "pipeline";

/// A pipeline that runs: a layer, of one type whatever is switched on in it.
///
/// # What is shared
///
/// Everything: all services that it and its clones make share what is known of each host, and go on
/// by another spec when one of them is [reloaded](Pipeline::reload).
#[derive(Clone, Debug)]
pub struct Pipeline {
    living: Arc<Living>,
}

impl Pipeline {
    /// A spec with this name and nothing else, to be filled and [built](PipelineSpec::build).
    pub fn named(name: impl Into<Arc<str>>) -> PipelineSpec {
        PipelineSpec::named(name)
    }

    /// What most calls of most services want; see [`PipelineSpec::standard`].
    #[must_use]
    pub fn standard() -> Self {
        Self::running(PipelineSpec::standard(), PipelineKey::default())
    }

    fn running(spec: PipelineSpec, key: PipelineKey) -> Self {
        Self { living: Arc::new(Living::new(spec, key)) }
    }

    /// How it is called.
    #[must_use]
    pub fn name(&self) -> Arc<str> {
        self.living.name()
    }

    /// What it is made of by now.
    pub fn spec(&self) -> PipelineSpec {
        self.living.spec()
    }

    /// How long a call may take by now.
    #[cfg(feature = "client")]
    pub(crate) fn deadline(&self) -> Option<std::time::Duration> {
        self.living.deadline()
    }

    /// Goes on by another spec, under another name if that says so.
    ///
    /// What is known of each host stays: changed numbers are applied to the guards that live, slots
    /// and turns stay with whom they were given to, an open breaker stays open. Only what is of
    /// another kind begins anew. Calls that are on their way end by the spec with which they began.
    ///
    /// # Errors
    ///
    /// What [`PipelineSpec::check`] finds, or that it was [closed](Self::close); then it goes on as
    /// it was, and says so as an event.
    pub fn reload(&self, spec: PipelineSpec) -> Result<(), PipelineError> {
        self.living.reload(spec)
    }

    /// Goes on by this spec, unless it is the one that it has.
    fn goes_on_by(&self, spec: &PipelineSpec) -> Result<(), PipelineError> {
        if self.spec() == *spec { Ok(()) } else { self.reload(spec.clone()) }
    }

    /// Takes no calls any more, and ends when none is on its way. Calls that come are refused with
    /// [`Reason::Closed`](crate::Reason::Closed). The bodies of answers that were given are not
    /// waited for.
    pub async fn close(&self) {
        self.living.close().await;
    }

    /// Whether it is this very one.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.living, &other.living)
    }

    /// Takes no calls from now on.
    fn stop(&self) {
        self.living.take_none();
    }

    /// What stands before the host of this key, if it has been asked: to look at it, or to work it
    /// by hand.
    #[must_use]
    pub fn host(&self, key: &Key) -> Option<HostHandle> {
        self.living.known(key).map(|host| HostHandle::new(&host))
    }

    /// All hosts that are remembered, in no order. Who holds on to them keeps them from being
    /// forgotten.
    #[must_use]
    pub fn hosts(&self) -> Vec<HostHandle> {
        self.living.all_known().iter().map(|host| HostHandle::new(host)).collect()
    }

    /// The same for services whose error can carry a refusal, as tower's `BoxError` can: it stays
    /// what it is.
    #[must_use]
    pub fn keep_error(&self) -> PipelineLayer<Unchanged, Lifted> {
        PipelineLayer::new(self.clone())
    }

    /// The same for answers whose body has an error that can carry a refusal: it stays what it is.
    #[must_use]
    pub fn keep_body_error(&self) -> PipelineLayer<Lifted, Unchanged> {
        PipelineLayer::new(self.clone())
    }
}

impl<S> Layer<S> for Pipeline {
    type Service = PipelineService<S>;

    fn layer(&self, inner: S) -> PipelineService<S> {
        PipelineService::new(inner, Arc::clone(&self.living))
    }
}

/// A pipeline that leaves errors as they are; made by [`Pipeline::keep_error`] and
/// [`Pipeline::keep_body_error`].
#[derive(Debug)]
pub struct PipelineLayer<C, D> {
    pipeline: Pipeline,
    carries: PhantomData<fn() -> (C, D)>,
}

impl<C, D> PipelineLayer<C, D> {
    const fn new(pipeline: Pipeline) -> Self {
        Self { pipeline, carries: PhantomData }
    }

    /// The same for services whose error can carry a refusal: it stays what it is.
    #[must_use]
    pub fn keep_error(self) -> PipelineLayer<Unchanged, D> {
        PipelineLayer::new(self.pipeline)
    }

    /// The same for answers whose body has an error that can carry a refusal: it stays what it is.
    #[must_use]
    pub fn keep_body_error(self) -> PipelineLayer<C, Unchanged> {
        PipelineLayer::new(self.pipeline)
    }
}

impl<C, D> Clone for PipelineLayer<C, D> {
    fn clone(&self) -> Self {
        Self::new(self.pipeline.clone())
    }
}

impl<S, C, D> Layer<S> for PipelineLayer<C, D> {
    type Service = PipelineService<S, C, D>;

    fn layer(&self, inner: S) -> Self::Service {
        PipelineService::new(inner, Arc::clone(&self.pipeline.living))
    }
}

impl PipelineSpec {
    /// Makes it run, with state for every host.
    ///
    /// # Errors
    ///
    /// What [`check`](Self::check) finds.
    pub fn build(self) -> Result<Pipeline, PipelineError> {
        self.built(PipelineKey::default())
    }

    /// Makes it run, with state for whatever this says: a tenant, a route.
    ///
    /// # Errors
    ///
    /// What [`check`](Self::check) finds.
    pub fn build_by(
        self,
        key: impl Fn(&RequestHead<'_>) -> Key + Send + Sync + 'static,
    ) -> Result<Pipeline, PipelineError> {
        self.built(PipelineKey::by(key))
    }

    fn built(self, key: PipelineKey) -> Result<Pipeline, PipelineError> {
        self.check()?;
        Ok(Pipeline::running(self, key))
    }
}

#[cfg(test)]
mod tests;
