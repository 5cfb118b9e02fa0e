//! A layer never changes the error type of the service that it wraps.

pub(crate) mod beneath;
mod carry;
mod lift;
mod over;
mod refused;

use std::error::Error as StdError;

pub use carry::{Carry, Lifted, Unchanged};
pub use lift::{Lift, LiftFuture, LiftLayer};
pub use over::Over;
pub use refused::{Reason, Refused};

/// The error that tower's own layers share.
///
/// Inside of an `async` block that is spawned, a service whose type names it is called by
/// `service.ready().await?.call(request).await`. With `oneshot` or `join!` there, the compiler
/// finds its traits "not general enough" ([rust#110338]), beneath tower's layers as beneath ours:
/// spawn the `oneshot` itself, or put the stack into a `BoxCloneSyncService`.
///
/// [rust#110338]: https://github.com/rust-lang/rust/issues/110338
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// Put [`LiftLayer`] beneath our layers, or implement this in two lines: what an error must be able
/// to do so that a layer can refuse a call through it.
///
/// [`Error<E>`] and tower's `BoxError` can; [`LiftLayer`] turns any other error `E` of a service
/// into [`Error<E>`], once, at the bottom. What is no [`std::error::Error`], as `anyhow::Error` is
/// not, is made a `BoxError` instead, with `map_err(BoxError::from)`. [`Over`]
/// checks that where a layer is put over a service. An enum of your own needs this:
///
/// ```
/// use mainstay::{CallError, Refused};
///
/// #[derive(Debug, thiserror::Error)]
/// enum ApiError {
///     #[error("not asked")]
///     Refused(#[from] Refused),
///     #[error("no answer")]
///     Transport(#[source] std::io::Error),
/// }
///
/// impl CallError for ApiError {
///     fn refused(&self) -> Option<&Refused> {
///         if let Self::Refused(refused) = self { Some(refused) } else { None }
///     }
///     fn as_error(&self) -> &(dyn std::error::Error + 'static) { self }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot carry a refusal of mainstay's layers",
    label = "this error is not a `CallError`",
    note = "put `mainstay::LiftLayer` at the bottom of the stack, next to the service: it turns the error into `mainstay::Error<{Self}>`",
    note = "tower's `BoxError` needs no lifting, and `anyhow::Error` becomes one with `map_err(mainstay::BoxError::from)`",
    note = "or implement `From<mainstay::Refused>` and `mainstay::CallError` for an error type of yours"
)]
pub trait CallError: From<Refused> {
    /// The refusal, if this is one, or if one lies beneath it.
    fn refused(&self) -> Option<&Refused>;

    /// The error itself; what failed beneath is found through its sources.
    fn as_error(&self) -> &(dyn StdError + 'static);
}

/// A call failed beneath our layers, or one of them refused it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error<E> {
    /// One of our layers did not let it start, or gave it up.
    #[error("the call was refused")]
    Refused(#[from] Refused),
    /// The service beneath failed.
    #[error("the call failed")]
    Inner(#[source] E),
}

impl<E> Error<E> {
    /// The error of the service beneath, if it was that.
    pub fn into_inner(self) -> Option<E> {
        match self {
            Self::Refused(_) => None,
            Self::Inner(error) => Some(error),
        }
    }
}

impl<E: StdError + 'static> CallError for Error<E> {
    fn refused(&self) -> Option<&Refused> {
        match self {
            Self::Refused(refused) => Some(refused),
            // A client that is lifted twice, or brings layers of ours along.
            Self::Inner(error) => refused_beneath(error),
        }
    }

    fn as_error(&self) -> &(dyn StdError + 'static) {
        self
    }
}

impl CallError for BoxError {
    fn refused(&self) -> Option<&Refused> {
        refused_beneath(&**self)
    }

    fn as_error(&self) -> &(dyn StdError + 'static) {
        &**self
    }
}

fn refused_beneath<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Refused> {
    beneath::chain(error).find_map(|error| error.downcast_ref())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn refused() -> Refused {
        Refused::new("rate limit", Reason::NoTurn).with_retry_in(Duration::from_millis(1500))
    }

    #[test]
    fn a_refusal_is_found_in_what_carries_it() {
        let ours = Error::<std::fmt::Error>::from(refused());
        assert_eq!(ours.refused(), Some(&refused()));
        assert_eq!(ours.into_inner(), None);

        let twice = Error::Inner(Error::<std::fmt::Error>::from(refused()));
        assert_eq!(twice.refused(), Some(&refused()));
        let wrapped = Error::Inner(std::io::Error::other(refused()));
        assert_eq!(wrapped.refused(), Some(&refused()));

        let boxed = BoxError::from(refused());
        assert_eq!(boxed.refused(), Some(&refused()));
        assert_eq!(boxed.as_error().to_string(), refused().to_string());
        let twice = BoxError::from(Error::<std::fmt::Error>::from(refused()));
        assert_eq!(twice.refused(), Some(&refused()));
    }

    #[test]
    fn the_error_beneath_is_the_source_and_no_refusal() {
        let inner = Error::Inner(std::fmt::Error);
        assert_eq!(inner.refused(), None);
        assert_eq!(inner.to_string(), "the call failed");
        assert!(inner.source().is_some_and(|source| source.is::<std::fmt::Error>()));
        assert!(inner.as_error().is::<Error<std::fmt::Error>>());
        assert_eq!(inner.into_inner(), Some(std::fmt::Error));
        assert_eq!(BoxError::from(std::fmt::Error).refused(), None);
    }
}
