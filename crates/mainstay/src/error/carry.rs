//! What an error becomes where a refusal may take its place.

use super::{CallError, Error, Refused};

/// How the error `E` of a service or a body carries a refusal. Implemented for [`Lifted`] and
/// [`Unchanged`] and by nobody else.
pub trait Carry<E>: sealed::Sealed {
    /// The error that can be a refusal.
    type Error;

    /// An error from beneath.
    fn inner(error: E) -> Self::Error;

    /// A refusal.
    fn refused(refused: Refused) -> Self::Error;
}

mod sealed {
    pub trait Sealed {}

    impl Sealed for super::Lifted {}
    impl Sealed for super::Unchanged {}
}

/// In the type of a service: its error `E` became [`Error<E>`], which can be a refusal of ours.
#[derive(Clone, Copy, Debug)]
pub struct Lifted;

impl<E> Carry<E> for Lifted {
    type Error = Error<E>;

    fn inner(error: E) -> Error<E> {
        Error::Inner(error)
    }

    fn refused(refused: Refused) -> Error<E> {
        refused.into()
    }
}

/// In the type of a service: its error stays what it is, since it can carry a refusal by itself.
#[derive(Clone, Copy, Debug)]
pub struct Unchanged;

impl<E: CallError> Carry<E> for Unchanged {
    type Error = E;

    fn inner(error: E) -> E {
        error
    }

    fn refused(refused: Refused) -> E {
        refused.into()
    }
}
