//! Files of pipelines: what they make, and what is said of those that are wrong.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "config/broken.rs"]
mod broken;
#[path = "config/files.rs"]
mod files;
#[path = "config/good.rs"]
mod good;
#[path = "config/page.rs"]
mod page;
#[path = "config/schema.rs"]
mod schema;
#[path = "config/watched.rs"]
mod watched;
