//! An attempt that has ended.

use ::http::{HeaderMap, Method, StatusCode};

use super::failure::Failure;
use super::grpc;

/// An attempt that has ended, for a rule of one's own.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Attempt<'a> {
    /// What was asked.
    pub method: &'a Method,
    /// Whether asking twice is as good as asking once.
    pub is_idempotent: bool,
    /// How it ended.
    pub end: End<'a>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum End<'a> {
    /// With an answer.
    #[non_exhaustive]
    Answer {
        /// Its status.
        status: StatusCode,
        /// Its header fields.
        headers: &'a HeaderMap,
        /// What gRPC says in its header fields.
        grpc: Option<grpc::Code>,
        /// Whether it speaks of a limit: a 429, or a 403 that is one in truth.
        is_limit: bool,
        /// Whether it may answer a later request than the first, after redirects.
        follows_redirects: bool,
    },
    /// Without one.
    Failure(Failure),
}

impl<'a> Attempt<'a> {
    /// An attempt that ended like this.
    #[must_use]
    pub const fn new(method: &'a Method, is_idempotent: bool, end: End<'a>) -> Self {
        Self { method, is_idempotent, end }
    }
}

impl<'a> End<'a> {
    /// An answer.
    #[must_use]
    pub const fn answer(status: StatusCode, headers: &'a HeaderMap) -> Self {
        let is_limit = status.as_u16() == 429;
        Self::Answer { status, headers, grpc: None, is_limit, follows_redirects: false }
    }
}
