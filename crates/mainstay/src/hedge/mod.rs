//! Hedging: a second attempt beside a slow first one, and whichever succeeds first is the answer.
//!
//! ```
//! use mainstay::LiftLayer;
//! use mainstay::hedge::{Hedge, HedgeLayer};
//! use tower::ServiceBuilder;
//!
//! // When a GET takes longer than 95 of 100 of its host's take, it is sent a second time.
//! let hedge = HedgeLayer::new(Hedge::at_percentile(95.0))?;
//! # let inner = tower::service_fn(|_: http::Request<()>| async {
//! #     Ok::<_, std::convert::Infallible>(http::Response::new(http_body_util::Empty::<bytes::Bytes>::new()))
//! # });
//! let service = ServiceBuilder::new().layer(hedge).layer(LiftLayer::new()).service(inner);
//! # let _ = service;
//! # Ok::<(), mainstay::policy::SettingsError>(())
//! ```
//!
//! # What is sent twice
//!
//! Only what may be on its way twice at the same time: for HTTP the methods that change nothing,
//! with a body that is in memory ([`RetryRules::twice_at_once`] names others). All else is sent once
//! and costs nothing here.
//!
//! # What is shared
//!
//! What was observed and the budget belong to the layer: every service that one layer value and its
//! clones make shares them. By default both are kept per host. A [budget](HedgeLayer::budget) can
//! be shared with a retry, and should be: `hedge.budget(retry.budgets())`. A call pays into it once,
//! whichever of the two stands outside.
//!
//! # What ends a call
//!
//! The first attempt that succeeds, or ends in a way that asking again cannot change, such as a
//! 404; the others are dropped. A failure that may pass does not: it waits for what else is on its
//! way, and if nothing is, or all of it stands in a queue of ours, the caller gets it at once. If
//! all fail, the caller gets the one that binds a retry outside most: one after which the request
//! may not be sent again, else the one that asks for the longest wait, else the last. A refusal of
//! ours gives way to what was said of an attempt that was sent.
//!
//! [`RetryRules::twice_at_once`]: crate::http::RetryRules::twice_at_once

mod attempt;
mod course;
mod future;
mod layer;
mod next;

pub use future::HedgeFuture;
pub use layer::{HedgeLayer, Hedged, Hedgers};
pub use mainstay_policy::hedge::{Hedge, HedgeSnapshot, Hedger, Observed, When};

/// How the layer is called in events.
const LAYER: &str = "hedge";

#[cfg(test)]
mod tests;
