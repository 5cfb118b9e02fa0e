//! Retry: sends a request again that failed in a way that may pass.
//!
//! ```
//! use http::{Request, Response, StatusCode};
//! use mainstay::retry::{Backoff, Retry, RetryLayer};
//! use std::convert::Infallible;
//! use std::sync::atomic::{AtomicU32, Ordering};
//! use std::time::Duration;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! # use mainstay::LiftLayer;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let backoff = Backoff::exponential(Duration::from_millis(1)).cap(Duration::from_millis(5));
//! let retry = RetryLayer::new(Retry::up_to(3).backoff(backoff))?;
//!
//! static REQUESTS: AtomicU32 = AtomicU32::new(0);
//! let faltering = service_fn(|_: Request<()>| async {
//!     let mut answer = Response::new(http_body_util::Empty::<bytes::Bytes>::new());
//!     if REQUESTS.fetch_add(1, Ordering::Relaxed) < 2 {
//!         *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
//!     }
//!     Ok::<_, Infallible>(answer)
//! });
//! let service = ServiceBuilder::new().layer(retry).layer(LiftLayer::new()).service(faltering);
//!
//! let answer = service.oneshot(Request::get("https://api.example.com/").body(())?).await?;
//! assert_eq!(answer.status(), StatusCode::OK);
//! assert_eq!(REQUESTS.load(Ordering::Relaxed), 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is repeated
//!
//! What the protocol says may be. With [`Http`](crate::http::Http) that is the table of
//! [`RetryRules`](crate::http::RetryRules), for requests whose body can be sent again; all others
//! are sent once.
//!
//! # What is shared
//!
//! The budget belongs to the layer: every service that one layer value and its clones make draws
//! on it. By default there is one for every host.
//!
//! # What ends a call
//!
//! The last response or error comes back unchanged: when it is a success or nothing that asking
//! again could change, when the attempts, the budget or the schedule are spent, when the server
//! asks for a longer wait than is allowed, when a wait could not end before the deadline. A refusal
//! by a guard further in is waited out only where it says when it would end.
//!
//! If the service beneath fails while it is made ready for a further attempt, that error ends the
//! call: the instance is dead, and the answer before is gone.

mod course;
mod future;
mod layer;
mod rest;
mod schedule;
#[cfg(feature = "tower")]
mod tower_retry;

pub(crate) use course::{Again, Shared};
pub use future::RetriedFuture;
pub use layer::{Retried, RetryLayer};
pub(crate) use rest::{Kept, Rest, rest};

pub use mainstay_policy::backoff::{Backoff, Growth, Jitter};
pub use mainstay_policy::retry::{Retry, Stop};
#[cfg(feature = "backoff")]
#[cfg_attr(docsrs, doc(cfg(feature = "backoff")))]
pub use schedule::by_backoff;

#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub use tower_retry::{RetryPolicy, RetryWait};

/// How the layer is called in events.
const LAYER: &str = "retry";

#[cfg(test)]
mod tests;
