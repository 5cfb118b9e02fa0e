//! Seeing what happens: every decision that a caller would want explained is told here, once.
//!
//! What layers decide is told to `tracing` as it happens. [`ObserveLayer`], the outermost layer,
//! makes one span of each call, and a [`CallReport`] of it where somebody asks for one:
//!
//! ```
//! use http::{Request, Response};
//! use mainstay::observe::{CallReport, ObserveLayer};
//! use mainstay::{Error, LiftLayer};
//! use std::convert::Infallible;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let server = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new("well")) });
//! let service = ServiceBuilder::new()
//!     .layer(ObserveLayer::new().named("users").report(true))
//!     .layer(LiftLayer::new())
//!     .service(server);
//!
//! let answer = service.oneshot(Request::new(())).await?;
//! let report = answer.extensions().get::<CallReport>();
//! assert!(report.is_some_and(|report| report.attempts() == 1));
//! # Ok::<(), Error<Infallible>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! With the feature `metrics` the same is counted, once `metrics::turn_on` was called.
//!
//! # What it costs
//!
//! Where nobody listens, a load and a branch or two for each event; nothing is allocated.
//!
//! # What is shared
//!
//! Nothing but the settings: a span and a report belong to one call. What is told by whatever a
//! call runs in its own task stands in its report; what runs in a spawned task does not, nor what
//! several calls [share](crate::coalesce): of that each has only waited.
//!
//! A call that is made inside of an attempt, such as one for a token, is told as a part of the
//! attempt, and has its number.

mod describe;
mod future;
mod layer;
mod log;
mod report;
mod tally;
mod trace;
mod wait;
mod words;

#[cfg(feature = "metrics")]
#[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
pub mod metrics;

pub use describe::{Describe, Described, WithReport};
pub use future::ObserveFuture;
pub use layer::{Observe, ObserveLayer};
pub(crate) use log::apart;
pub use report::{CallReport, Entry, What};
pub(crate) use tally::again;
pub(crate) use wait::Wait;

use std::time::Duration;

use mainstay_policy::Outcome;
use mainstay_policy::retry::Stop;

use crate::error::Refused;

#[cfg(test)]
pub(crate) mod testing;

/// Something that happened to a call, or to a state that calls share.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// An attempt beyond the first begins; a layer further in may refuse it still.
    Again {
        /// The layer that sends it: retry or hedge.
        layer: &'static str,
        /// The name of the layer, if it was given one.
        name: Option<&'a str>,
        /// Which attempt of the call it is, from 2.
        attempt: u32,
    },
    /// An attempt has ended. It is told by the innermost driver that made it.
    Ended {
        /// Which attempt of the call it was, from 1.
        attempt: u32,
        /// How.
        outcome: Outcome,
        /// How long it took, where a layer knows.
        took: Option<Duration>,
    },
    /// A call begins to wait.
    Waits {
        /// The layer in which it waits.
        layer: &'static str,
        /// The name of the layer, if it was given one.
        name: Option<&'a str>,
        /// For how long, where that can be said.
        wait: Option<Duration>,
    },
    /// A call has waited.
    Waited {
        /// The layer in which it waited.
        layer: &'static str,
        /// The name of the layer, if it was given one.
        name: Option<&'a str>,
        /// For how long.
        took: Duration,
    },
    /// A layer did not let an attempt start, or gave it up.
    Refused(&'a Refused),
    /// A guard in shadow would have refused.
    WouldRefuse(&'a Refused),
    /// A guard in shadow would have had the call wait, and perhaps refused it in the end.
    WouldWait {
        /// The layer.
        layer: &'static str,
        /// The name of the layer, if it was given one.
        name: Option<&'a str>,
    },
    /// There is no further attempt.
    NotRetried {
        /// The layer that would have sent it: retry or hedge.
        layer: &'static str,
        /// The name of the layer, if it was given one.
        name: Option<&'a str>,
        /// How many attempts there were.
        attempts: u32,
        /// Why there is none after them.
        why: Stop,
    },
    /// A call failed, and something else is answered instead.
    FellBack {
        /// The name of the layer, if it was given one.
        name: Option<&'a str>,
        /// How the call ended.
        outcome: Outcome,
    },
    /// The state of a layer has changed.
    Changed {
        /// The layer.
        layer: &'static str,
        /// The name of the layer, if it was given one.
        name: Option<&'a str>,
        /// What it is now.
        to: &'static str,
    },
    /// Something that its user should look into.
    Warning {
        /// The layer.
        layer: &'static str,
        /// The name of the layer, if it was given one.
        name: Option<&'a str>,
        /// What.
        what: &'a str,
        /// How long it took or will take, where that says something.
        took: Option<Duration>,
    },
}

/// Tells of it.
///
/// A subscriber or a recorder is somebody else's code: nobody tells while a lock is held.
#[inline]
pub(crate) fn tell(event: Event<'_>) {
    #[cfg(test)]
    testing::note(&event);
    tally::note(&event);
    if is_listened_to(&event) {
        aloud(&event);
    }
}

/// Whether anybody listens to an event of this kind; before it is known what it says.
#[inline]
fn is_heard(event: &Event<'_>) -> bool {
    cfg!(test) || is_listened_to(event)
}

#[inline]
fn is_listened_to(event: &Event<'_>) -> bool {
    trace::may_be_heard(event) || log::is_kept() || is_metered()
}

#[cold]
fn aloud(event: &Event<'_>) {
    log::add(event);
    #[cfg(feature = "metrics")]
    metrics::count(event);
    trace::show(event);
}

#[inline]
fn is_metered() -> bool {
    #[cfg(feature = "metrics")]
    return metrics::is_on();
    #[cfg(not(feature = "metrics"))]
    false
}

#[cfg(test)]
mod tests;
