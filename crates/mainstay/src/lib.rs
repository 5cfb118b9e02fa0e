#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod adaptive;
pub mod batch;
pub mod breaker;
pub mod budget;
pub mod chaos;
#[cfg(feature = "client")]
#[cfg_attr(docsrs, doc(cfg(feature = "client")))]
pub mod client;
pub mod coalesce;
pub mod concurrency;
pub mod cooldown;
pub mod deadline;
pub mod fallback;
pub mod guard;
pub mod hedge;
pub mod http;
pub mod keyed;
pub mod observe;
pub mod pipeline;
pub mod rate_limit;
pub mod retry;
pub mod stall;
pub mod throttle;
pub mod timeout;

mod chance;
mod clock;
mod error;
mod protocol;
mod scope;
#[cfg(test)]
mod scripted;

pub use error::{
    BoxError, CallError, Carry, Error, Lift, LiftFuture, LiftLayer, Lifted, Over, Reason, Refused,
    Unchanged,
};
pub use mainstay_policy as policy;
pub use protocol::{Discard, EndOfBody, Ending, Protocol};
