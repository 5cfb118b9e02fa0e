//! Coalescing: equal requests that are made at the same time are sent once.
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{Empty, Full};
//! use mainstay::LiftLayer;
//! use mainstay::coalesce::{ByRequest, CoalesceLayer, CollectLayer};
//! use std::sync::atomic::{AtomicU32, Ordering};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! static REQUESTS: AtomicU32 = AtomicU32::new(0);
//! let server = service_fn(|_: Request<Empty<Bytes>>| async {
//!     REQUESTS.fetch_add(1, Ordering::Relaxed);
//!     tokio::task::yield_now().await;
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::from("hello"))))
//! });
//! let service = ServiceBuilder::new()
//!     .layer(CoalesceLayer::new(ByRequest::new()))
//!     .layer(CollectLayer::up_to(1024 * 1024)) // so that there is a body to give to everyone
//!     .layer(LiftLayer::new())
//!     .service(server);
//!
//! let get = || Request::get("https://example.com/").body(Empty::new());
//! let (one, two) = tokio::join!(service.clone().oneshot(get()?), service.oneshot(get()?));
//! assert_eq!(one?.into_body().into_bytes()?, "hello");
//! assert_eq!(two?.into_body().into_bytes()?, "hello");
//! assert_eq!(REQUESTS.load(Ordering::Relaxed), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is shared
//!
//! The flights belong to the layer: equal requests through any services that one layer value and
//! its clones make share one; what a flight itself calls is not made to wait for it. Nothing is kept of a flight that has ended: this is no cache.
//!
//! # Who flies
//!
//! Whoever is polled moves the flight on, so it does not hang on the one who began it: that call
//! may be dropped, or not be polled any more, and the others go on with the same request. A call
//! that is dropped, or whose time is over, ends its own wait; when the last one leaves, what is on
//! its way is dropped. What is beneath sees no deadline of a single caller, and is in no caller's
//! report: each has waited. All who wait are woken whenever the flight is.
//!
//! What is on its way belongs to the runtime in which it was polled. A call of another runtime that
//! has joined it may wait for ever once that one is gone.
//!
//! # What ends a call
//!
//! The one answer or error, cloned for each. If a poll of the flight panics, the panic passes on
//! through the call that was polled, and another sends its own request in the same flight; if all
//! that are left have sent theirs, they are refused, with `Reason::Panicked`.

mod by;
mod chunks;
mod collect;
mod flight;
mod flights;
mod future;
mod layer;

pub use by::{ByRequest, CoalesceBy};
pub(crate) use collect::read;
pub use collect::{Collect, CollectFuture, CollectLayer, Collected, Cut};
pub use future::CoalesceFuture;
pub use layer::{Coalesce, CoalesceLayer};

/// How the layer is called in events and refusals.
const LAYER: &str = "coalesce";

#[cfg(test)]
mod tests;
