//! The report of a call, found in its answer.

use crate::observe::CallReport;

/// Answers that may have a report of their call.
pub trait Reported {
    /// What happened to the call, if that was [asked for](super::RequestBuilder::report).
    fn report(&self) -> Option<&CallReport>;
}

impl Reported for ::reqwest::Response {
    fn report(&self) -> Option<&CallReport> {
        self.extensions().get()
    }
}

impl<B> Reported for ::http::Response<B> {
    fn report(&self) -> Option<&CallReport> {
        self.extensions().get()
    }
}

#[cfg(feature = "blocking")]
impl Reported for ::reqwest::blocking::Response {
    fn report(&self) -> Option<&CallReport> {
        self.extensions().get()
    }
}
