//! What the errors of a body become that can fail by a timeout.

use crate::error::{CallError, Error, Refused};

/// How the error of a body carries a timeout. Implemented for [`Lifted`] and [`Unchanged`] and by
/// nobody else.
pub trait CarryTimeout<E>: sealed::Sealed {
    /// The error of the body that can time out.
    type Error;

    /// An error of the body beneath.
    fn inner(error: E) -> Self::Error;

    /// The timeout.
    fn timed_out(refused: Refused) -> Self::Error;
}

mod sealed {
    pub trait Sealed {}

    impl Sealed for super::Lifted {}
    impl Sealed for super::Unchanged {}
}

/// Any error `E` becomes [`Error<E>`].
#[derive(Clone, Copy, Debug)]
pub struct Lifted;

impl<E> CarryTimeout<E> for Lifted {
    type Error = Error<E>;

    fn inner(error: E) -> Error<E> {
        Error::Inner(error)
    }

    fn timed_out(refused: Refused) -> Error<E> {
        refused.into()
    }
}

/// The error stays what it is, since it can carry a refusal.
#[derive(Clone, Copy, Debug)]
pub struct Unchanged;

impl<E: CallError> CarryTimeout<E> for Unchanged {
    type Error = E;

    fn inner(error: E) -> E {
        error
    }

    fn timed_out(refused: Refused) -> E {
        refused.into()
    }
}
