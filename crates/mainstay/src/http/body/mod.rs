//! Bodies that can be sent again, and bodies that nobody wants.
//!
//! A request can be repeated only if its body can. [`copy()`] copies those that are cheap to copy,
//! found by their type; [`ReplayLayer`] makes a stream one of them, by keeping what the first
//! attempt sends of it. [`drain()`] reads what is left of a failed response, so that its connection
//! serves the next attempt.
//!
//! ```
//! use mainstay::http::body::{Copies, ReplayBody, copies, copy};
//! # use bytes::Bytes;
//! # use http_body_util::{BodyExt, Full};
//! # type Upload = http_body_util::combinators::UnsyncBoxBody<Bytes, std::io::Error>;
//! # fn upload() -> Upload { Full::from("twelve bytes").map_err(|e| match e {}).boxed_unsync() }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), mainstay::BoxError> {
//! // Bytes in memory are copied at once, a stream is not.
//! assert_eq!(copies(&Full::new(Bytes::from("in memory"))), Copies::Alongside);
//! assert!(copy(&upload()).is_none());
//!
//! // Unless what is read of it is kept.
//! let first = ReplayBody::new(upload());
//! let second = copy(&first).ok_or("small enough to be kept")?;
//! assert_eq!(first.collect().await?.to_bytes(), "twelve bytes");
//! assert_eq!(second.collect().await?.to_bytes(), "twelve bytes");
//! # Ok(())
//! # }
//! ```

mod copy;
mod drain;
mod errors;
mod layer;
mod limits;
mod record;
mod replay;
mod stream;

pub(super) use copy::copy_of;
pub use copy::{Copies, copies, copy};
pub use drain::{DRAIN_BYTES, DRAIN_TIME, Drain, drain};
pub use errors::{Broken, Superseded, TooLarge};
pub use layer::{Replay, ReplayLayer};
pub use replay::ReplayBody;

#[cfg(test)]
mod tests;
