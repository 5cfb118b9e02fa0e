//! What comes out of the transport.

use std::error::Error as StdError;
use std::fmt;

use crate::error::{BoxError, Error};

/// An attempt that came to nothing.
#[derive(Debug)]
pub(in crate::client) enum TransportError {
    /// reqwest's, which follows no redirects here.
    Reqwest(::reqwest::Error),
    /// A service's.
    Other(BoxError),
    Redirect(RedirectError),
}

/// A redirect that is not followed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedirectError {
    /// As many as may be followed were, and there is another one.
    #[error("{} were followed, and there is another one", super::words::Redirects(*.0))]
    TooMany(u32),
    /// No request of HTTP can go there.
    #[error("it leads to {0:?}, where no request of HTTP can go")]
    Nowhere(String),
}

impl Error<TransportError> {
    /// What there is to be shown of it.
    pub(super) fn shown(self) -> BoxError {
        match self {
            Self::Refused(refused) => refused.into(),
            Self::Inner(TransportError::Reqwest(error)) => error.without_url().into(),
            Self::Inner(TransportError::Other(error)) => without_url(error),
            Self::Inner(TransportError::Redirect(error)) => error.into(),
        }
    }
}

/// A service of somebody else's may stand on reqwest, whose errors say the whole URL.
fn without_url(error: BoxError) -> BoxError {
    match error.downcast::<::reqwest::Error>() {
        Ok(error) => error.without_url().into(),
        Err(error) => match error.downcast::<Error<::reqwest::Error>>().map(|error| *error) {
            Ok(Error::Inner(error)) => Error::Inner(error.without_url()).into(),
            Ok(Error::Refused(refused)) => refused.into(),
            Err(error) => error,
        },
    }
}

/// Whether an error says that no redirects were followed before it.
pub(crate) fn follows_none(error: &(dyn StdError + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(TransportError::Reqwest(_)))
}

/// Whether an error is one of redirects.
pub(crate) fn is_of_redirects(error: &(dyn StdError + 'static)) -> bool {
    error.is::<RedirectError>()
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the attempt failed")
    }
}

impl StdError for TransportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Reqwest(error) => Some(error),
            Self::Other(error) => Some(&**error),
            Self::Redirect(error) => Some(error),
        }
    }
}
