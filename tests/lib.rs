//! What no single crate can test.
//!
//! The pages are doc tests here: `build.rs` puts each sample into its frame.

include!(concat!(env!("OUT_DIR"), "/pages.rs"));
