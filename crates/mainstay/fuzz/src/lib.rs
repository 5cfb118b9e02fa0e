//! What is done with hostile input, and what must hold whatever it is.
//!
//! From `crates/mainstay`, with a nightly compiler and `cargo-fuzz`:
//!
//! ```sh
//! cargo +nightly fuzz run hints -- -max_total_time=300
//! ```
//!
//! `tests/hostile.rs` feeds the same functions in the ordinary test run.

pub mod config;
pub mod dates;
pub mod grpc;
pub mod hints;
pub mod keys;
pub mod replay;
