//! What no single crate can test.
//!
//! The pages are doc tests here: `build.rs` puts each sample into its frames. What a sample imports
//! it uses, since a reader who copies it is warned of the rest.
#![doc(test(attr(deny(unused_imports, unused_mut))))]

include!(concat!(env!("OUT_DIR"), "/pages.rs"));
