//! What HTTP says: which ends of an attempt are failures, which requests may be sent again, what a
//! server asks of its callers.
//!
//! ```
//! use http::{Request, StatusCode};
//! use mainstay::http::{Failure, Http, IdempotencyKeys, RetryRules, When};
//! use std::io;
//!
//! let http = Http::new()
//!     .rules(RetryRules::standard().status(StatusCode::CONFLICT, When::IfIdempotent))
//!     .idempotency_keys(IdempotencyKeys::new()); // one per call, the same in every attempt
//!
//! let mut request = Request::post("https://api.example.com/orders").body("{}")?;
//! http.prepare(&mut request);
//! let about = http.about(&request);
//!
//! let reset = Failure::of(&io::Error::from(io::ErrorKind::ConnectionReset));
//! assert!(http.failure(&about, reset).may_be_repeated()); // it has a key, so once is enough
//! # Ok::<(), http::Error>(())
//! ```
//!
//! Layers draw on [`Http`], which reads requests, responses and errors for them. Each of its parts
//! can be used by itself:
//!
//! * [`RetryRules`]: which requests may be sent again, and after which ends; a table that can be
//!   changed.
//! * [`Failure`]: how far a request came that got no answer, told by the type of the error.
//! * [`Hints`]: Retry-After, RateLimit and the many fields like them.
//! * [`ReplayLayer`] and [`body`]: bodies that can be sent again, and bodies read to their end so
//!   that a connection can be used again.
//! * [`IdempotencyKeys`]: one key per call, for servers that honour them.
//! * [`AnswerRefusalsLayer`]: refusals as answers, on the side of a server.
//! * [`grpc`]: gRPC's status, pushback and timeout.
//! * [`Key`] and [`KeyBy`]: what state is kept per.

mod attempt;
mod failure;
mod idempotency;
mod key;
mod options;
mod refusals;
pub(crate) mod rules;
mod semantics;
mod server_word;
mod status;
mod view;
mod when;

pub mod body;
pub mod grpc;
pub mod hints;

#[cfg(feature = "reqwest")]
pub(crate) mod reqwest;
#[cfg(feature = "tower-http")]
mod tower_http;

pub use attempt::{Attempt, End};
pub use body::{Copies, Replay, ReplayBody, ReplayLayer};
pub use failure::{Cause, Failure, Reached};
pub use hints::{Hints, Quota, Scope, Unit};
#[cfg(feature = "client")]
pub(crate) use idempotency::IDEMPOTENCY_KEY;
pub use idempotency::IdempotencyKeys;
pub use key::{ByHost, Key, KeyBy, Origin};
pub(crate) use key::{own_port, split_port};
pub use options::CallOptions;
pub use refusals::{
    Answer, AnswerRefusals, AnswerRefusalsFuture, AnswerRefusalsLayer, Plainly, TakeRefusal,
};
pub use rules::RetryRules;
pub use semantics::{About, Http};
pub use server_word::ServerWord;
#[cfg(feature = "tower-http")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower-http")))]
pub use tower_http::{FailureClass, FailuresInTrailers, FailuresOfHttp, WithClassifier};
pub use view::{RequestView, ResponseView};
pub use when::When;

#[cfg(test)]
pub(crate) mod testing;
