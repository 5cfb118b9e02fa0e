//! What no single crate can test.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../docs/architecture.md")]
pub struct Architecture;

#[cfg(doctest)]
#[doc = include_str!("../docs/layers/observe.md")]
pub struct Observe;
