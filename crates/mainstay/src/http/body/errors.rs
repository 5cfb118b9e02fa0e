//! Why a body that was to be sent again cannot be.

use std::error::Error;
use std::fmt;

/// Another copy of the body has begun later, so the rest of the stream is no longer this one's.
///
/// The transport of an attempt that was given up sees it, if it reads beyond what is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Superseded;

/// The body has outgrown what is kept for copies, so its beginning is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct TooLarge;

/// The body failed, or panicked, while an earlier attempt sent it.
///
/// The attempt that read it saw the error itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Broken;

impl fmt::Display for Superseded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a newer attempt sends the request body")
    }
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request body is too large to be sent again")
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request body broke while an earlier attempt sent it")
    }
}

impl Error for Superseded {}
impl Error for TooLarge {}
impl Error for Broken {}
