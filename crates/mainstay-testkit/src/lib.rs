#![doc = include_str!("../README.md")]

mod assert;
mod clock;
pub mod contract;
mod finishes;
mod polled;
mod script;

pub use assert::{assert_layer, assert_send, assert_sync, assert_unpin};
pub use finishes::{Finishes, finishes, finishes_within};
pub use polled::Polled;
pub use script::{Arrival, Script, Scripted, ScriptedFuture, Seen};
