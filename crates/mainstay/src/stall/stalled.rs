//! What is told of a thread that was held.

use std::fmt;
use std::panic::Location;
use std::time::Duration;

/// What held the thread.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum During {
    /// A look whether the service is ready.
    Readiness,
    /// The call itself, before there was a future.
    Call,
    /// One poll of the future.
    Poll,
}

/// A thread was held for too long.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Stalled<'a> {
    /// What held it.
    pub during: During,
    /// For how long.
    pub took: Duration,
    /// Where the layer was made around the service that is to blame.
    pub place: &'static Location<'static>,
    /// The name of the layer, if it was given one.
    pub name: Option<&'a str>,
    /// What is known of the request: the method, in HTTP.
    pub request: Option<&'a str>,
}

impl fmt::Display for Stalled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.during {
            During::Readiness => "a look at readiness",
            During::Call => "a call",
            During::Poll => "one poll",
        })?;
        if let Some(request) = self.request {
            write!(f, " of a {request}")?;
        }
        write!(f, " held its thread for {:?}, beneath the layer", self.took)?;
        if let Some(name) = self.name {
            write!(f, " {name:?}")?;
        }
        write!(f, " made at {}", self.place)
    }
}
