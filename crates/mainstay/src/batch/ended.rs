//! How an input of a batch ended.

use std::any::Any;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use ::http::StatusCode;

use crate::coalesce::Cut;

/// An input that has ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct Completed<T, E, Id = ()> {
    /// Which input it was, counted from zero.
    pub index: u64,
    /// What it was called, if inputs have [ids](super::Batch::with_ids) or are
    /// [kept](super::Batch::keep_inputs).
    pub id: Id,
    /// What came of it.
    pub result: Result<T, ItemError<E>>,
}

impl<T, E, Id> Completed<T, E, Id> {
    pub(super) const fn new(index: u64, id: Id, result: Result<T, ItemError<E>>) -> Self {
        Self { index, id, result }
    }
}

/// Why an input of a batch failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ItemError<E> {
    /// Its call did, or what was to be made of the answer; what this prints is what that says.
    #[error(transparent)]
    Call(E),
    /// The body of the answer could not be collected.
    #[error("the answer could not be read")]
    Body(#[source] Cut),
    /// Its answer says so, and [that counts](super::Batch::error_for_status).
    #[error("the answer was {0}")]
    Status(StatusCode),
    /// Something panicked for it: the service, or what was to be made of the answer.
    #[error("it panicked")]
    Panicked(#[source] Panicked),
    /// The time of the batch was over first.
    #[error("the time of the batch is over")]
    Deadline,
}

impl<E> ItemError<E> {
    /// The same around another error.
    pub fn map<F>(self, map: impl FnOnce(E) -> F) -> ItemError<F> {
        match self {
            Self::Call(error) => ItemError::Call(map(error)),
            Self::Body(cut) => ItemError::Body(cut),
            Self::Status(status) => ItemError::Status(status),
            Self::Panicked(panic) => ItemError::Panicked(panic),
            Self::Deadline => ItemError::Deadline,
        }
    }

    /// The error of the call, if it was that.
    pub fn into_call(self) -> Option<E> {
        match self {
            Self::Call(error) => Some(error),
            Self::Body(_) | Self::Status(_) | Self::Panicked(_) | Self::Deadline => None,
        }
    }
}

/// A panic that was caught where it ended one input and no other.
pub struct Panicked {
    /// In a lock, because what was thrown need not be fit to be looked at by several threads.
    payload: Mutex<Box<dyn Any + Send>>,
    message: Option<String>,
}

impl Panicked {
    pub(super) fn new(payload: Box<dyn Any + Send>) -> Self {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let message = text.or_else(|| payload.downcast_ref::<String>().cloned());
        Self { payload: Mutex::new(payload), message }
    }

    /// What was thrown, for [`std::panic::resume_unwind`].
    #[must_use]
    pub fn into_panic(self) -> Box<dyn Any + Send> {
        self.payload.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message.as_deref().unwrap_or("a panic without a message"))
    }
}

impl fmt::Debug for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Panicked").field(&self.message).finish()
    }
}

impl std::error::Error for Panicked {}

/// One input of all has failed, and so the batch.
#[derive(Debug, thiserror::Error)]
#[error("input {index} of the batch failed")]
#[non_exhaustive]
pub struct Failed<E, Id = ()> {
    /// Which input it was, counted from zero.
    pub index: u64,
    /// What it was called; `None` if time was over before it was pulled.
    pub id: Option<Id>,
    /// Why it failed.
    #[source]
    pub error: ItemError<E>,
}

/// No input of all has succeeded.
#[derive(Debug, thiserror::Error)]
#[error("none of {tried} inputs succeeded")]
#[non_exhaustive]
pub struct NoSuccess<E, Id = ()> {
    /// How many were tried.
    pub tried: u64,
    /// The one that failed last, if there was any.
    #[source]
    pub last: Option<Box<Failed<E, Id>>>,
}

impl<E, Id> Failed<E, Id> {
    pub(super) const fn new(index: u64, id: Option<Id>, error: ItemError<E>) -> Self {
        Self { index, id, error }
    }
}

impl<E, Id> NoSuccess<E, Id> {
    pub(super) fn new(tried: u64, last: Option<Failed<E, Id>>) -> Self {
        Self { tried, last: last.map(Box::new) }
    }
}
