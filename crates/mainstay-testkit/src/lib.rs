#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod assert;
mod chance;
mod clock;
pub mod contract;
mod finishes;
mod flaky;
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
pub use instantly::instantly;
pub use polled::Polled;
pub use script::{Arrival, Script, Scripted, ScriptedFuture, Seen, Step};
