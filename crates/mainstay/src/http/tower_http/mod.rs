//! Classifiers of tower-http serve here, and ours serve there.

mod ours;
mod theirs;

pub use ours::{FailureClass, FailuresInTrailers, FailuresOfHttp};
pub use theirs::WithClassifier;

#[cfg(test)]
mod tests;
