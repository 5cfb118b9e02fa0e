#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(feature = "paused"),
    allow(dead_code, reason = "only the probes of `contract` use it")
)]

mod assert;
mod chance;
mod clock;
#[cfg(feature = "paused")]
#[cfg_attr(docsrs, doc(cfg(feature = "paused")))]
pub mod contract;
mod finishes;
mod flaky;
#[cfg(feature = "paused")]
mod instantly;
mod polled;
#[cfg(feature = "tracing")]
#[cfg_attr(docsrs, doc(cfg(feature = "tracing")))]
pub mod recorder;
mod script;
#[cfg(feature = "server")]
#[cfg_attr(docsrs, doc(cfg(feature = "server")))]
pub mod server;

pub use assert::{assert_layer, assert_send, assert_sync, assert_unpin};
pub use chance::Chance;
pub use finishes::{Finishes, finishes, finishes_within};
pub use flaky::{Dealt, Flaky, FlakyFuture, FlakyLayer};
#[cfg(feature = "paused")]
#[cfg_attr(docsrs, doc(cfg(feature = "paused")))]
pub use instantly::instantly;
pub use polled::Polled;
pub use script::{Arrival, Script, Scripted, ScriptedFuture, Seen, Step};
