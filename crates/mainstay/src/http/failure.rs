//! What an error says: how far the request came, and why it got no answer.

use std::error::Error as StdError;
use std::io;

use ::http::StatusCode;
use mainstay_policy::Outcome;

use crate::error::{Reason, Refused, beneath};

/// How far a request came that got no answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reached {
    /// No byte of it was sent.
    NeverSent,
    /// It may have been sent, and the server says that it did nothing with it.
    NotProcessed,
    /// The server may have done what was asked. From outside, a connection that breaks before the
    /// request arrives looks like one that breaks after it.
    MaybeProcessed,
}

/// Why a request got no answer, told by the types of the error and its sources, never by their
/// texts.
///
/// The errors of this crate, of `std::io` and of tokio's timeouts are always known; those of hyper
/// and its clients with the feature `hyper`, of HTTP/2 with `http2`, of tower's timeouts with
/// `tower`, of reqwest with `reqwest`. What is not known is [`Cause::Unknown`], and may have been
/// processed.
///
/// ```
/// use mainstay::http::{Cause, Failure, Reached};
/// use std::io;
///
/// let failure = Failure::of(&io::Error::from(io::ErrorKind::ConnectionReset));
/// assert_eq!(failure.cause(), Cause::Broken);
/// assert_eq!(failure.reached(), Reached::MaybeProcessed);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Failure {
    cause: Cause,
    follows_redirects: bool,
}

/// What went wrong.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Cause {
    /// A layer of ours refused it before it was sent.
    Refused,
    /// The request cannot be sent as it is, or its body broke off.
    Invalid,
    /// The client gave it up by itself: its body broke off, or the task that drives the connection
    /// went away. hyper does not tell which; [`Http`](super::Http) knows where a body cannot fail.
    GivenUp,
    /// No connection: name not found, connection refused, connect timeout, TLS.
    Connect,
    /// The connection, a used one mostly, was closed before the request was written to it.
    ClosedBefore,
    /// The server put the request back: `REFUSED_STREAM`, or a `GOAWAY` that leaves it out.
    PutBack,
    /// No answer in time.
    TimedOut,
    /// The connection broke: reset, or closed in the middle.
    Broken,
    /// The answer cannot be understood.
    Malformed,
    /// Too many redirects, or one that is not allowed.
    Redirects,
    /// An answer with this status, made into an error beneath.
    Status(StatusCode),
    /// An error of a type that is not known here.
    Unknown,
}

impl Failure {
    /// A failure of a known cause.
    #[must_use]
    pub const fn new(cause: Cause) -> Self {
        Self { cause, follows_redirects: false }
    }

    /// The same, of a client that may have followed redirects.
    #[must_use]
    pub const fn behind_redirects(mut self) -> Self {
        self.follows_redirects = true;
        self
    }

    /// Reads an error and its sources.
    #[must_use]
    pub fn of(error: &(dyn StdError + 'static)) -> Self {
        let mut failure = Self::new(Cause::Unknown);
        let mut is_exchange = false;
        for error in beneath::chain(error) {
            is_exchange |= tells_of_an_exchange(error);
            match read(error) {
                // On a connection that stands, "refused" is what the network said in the end.
                Sign::Cause(Cause::Connect) if is_exchange => failure.cause = Cause::Broken,
                Sign::Cause(cause) => {
                    failure.cause = cause;
                    break;
                }
                Sign::Hint(cause) => failure.cause = cause,
                Sign::Nothing => {}
            }
        }
        #[cfg(feature = "reqwest")]
        if super::reqwest::may_have_followed(error) {
            failure = failure.behind_redirects();
        }
        failure
    }

    /// The same, once more is known of its cause.
    pub(super) const fn with_cause(mut self, cause: Cause) -> Self {
        self.cause = cause;
        self
    }

    /// What went wrong.
    #[must_use]
    pub const fn cause(&self) -> Cause {
        self.cause
    }

    /// How far the request came.
    #[must_use]
    pub const fn reached(&self) -> Reached {
        match self.cause {
            Cause::Refused | Cause::Connect | Cause::ClosedBefore => Reached::NeverSent,
            Cause::PutBack => Reached::NotProcessed,
            Cause::Invalid
            | Cause::GivenUp
            | Cause::TimedOut
            | Cause::Broken
            | Cause::Malformed
            | Cause::Redirects
            | Cause::Status(_)
            | Cause::Unknown => Reached::MaybeProcessed,
        }
    }

    /// Whether the client beneath may have followed redirects before it failed, so that what was
    /// never sent may be a later request than the first: reqwest does so unless told otherwise,
    /// and its errors do not tell.
    #[must_use]
    pub const fn may_follow_redirects(&self) -> bool {
        self.follows_redirects
    }

    /// What it says to the layers.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self.cause {
            Cause::Refused => Outcome::Refused,
            Cause::Invalid | Cause::GivenUp => Outcome::Invalid,
            Cause::Redirects => Outcome::Fatal,
            Cause::Status(status) => super::status::outcome(status),
            Cause::Connect
            | Cause::ClosedBefore
            | Cause::PutBack
            | Cause::TimedOut
            | Cause::Broken
            | Cause::Malformed
            | Cause::Unknown => Outcome::Transient,
        }
    }
}

/// What one error of a chain says.
enum Sign {
    /// This is the cause, whatever lies beneath.
    Cause(Cause),
    /// This, unless something beneath says more.
    Hint(Cause),
    Nothing,
}

fn read(error: &(dyn StdError + 'static)) -> Sign {
    if let Some(refused) = error.downcast_ref::<Refused>() {
        return Sign::Cause(match refused.reason() {
            Reason::TimedOut => Cause::TimedOut,
            Reason::Panicked => Cause::Broken,
            Reason::Injected => Cause::Connect,
            _ => Cause::Refused,
        });
    }
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return of_io(error);
    }
    if error.is::<tokio::time::error::Elapsed>() {
        return Sign::Cause(Cause::TimedOut);
    }
    if error.is::<::http::Error>() || error.is::<::http::uri::InvalidUri>() {
        return Sign::Cause(Cause::Invalid);
    }
    #[cfg(feature = "tower")]
    if error.is::<tower::timeout::error::Elapsed>() {
        return Sign::Cause(Cause::TimedOut);
    }
    #[cfg(feature = "tower")]
    if error.is::<tower::load_shed::error::Overloaded>() {
        return Sign::Cause(Cause::Refused);
    }
    #[cfg(feature = "reqwest")]
    if let Some(error) = error.downcast_ref::<::reqwest::Error>() {
        return of_reqwest(error);
    }
    #[cfg(feature = "client")]
    if crate::client::is_of_redirects(error) {
        return Sign::Cause(Cause::Redirects);
    }
    #[cfg(feature = "hyper")]
    if let Some(error) = error.downcast_ref::<hyper_util::client::legacy::Error>() {
        return of_client(error);
    }
    #[cfg(feature = "hyper")]
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        return of_hyper(error);
    }
    #[cfg(feature = "http2")]
    if let Some(error) = error.downcast_ref::<h2::Error>() {
        return of_h2(error);
    }
    Sign::Nothing
}

/// Whether this is the error of an exchange over a connection that stands; what lies beneath is
/// not about connecting any more. (A failed connect has hyper-util's own error above it.)
fn tells_of_an_exchange(error: &(dyn StdError + 'static)) -> bool {
    let _ = error;
    #[cfg(feature = "hyper")]
    if error.is::<hyper::Error>() {
        return true;
    }
    #[cfg(feature = "http2")]
    if error.is::<h2::Error>() {
        return true;
    }
    false
}

fn of_io(error: &io::Error) -> Sign {
    use io::ErrorKind::{
        AddrNotAvailable, BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset,
        HostUnreachable, NetworkDown, NetworkUnreachable, NotConnected, TimedOut, UnexpectedEof,
        WriteZero,
    };
    match error.kind() {
        ConnectionRefused | AddrNotAvailable => Sign::Cause(Cause::Connect),
        TimedOut => Sign::Cause(Cause::TimedOut),
        // More may lie beneath: HTTP/2 tells of streams in errors of this kind.
        BrokenPipe | ConnectionAborted | ConnectionReset | HostUnreachable | NetworkDown
        | NetworkUnreachable | NotConnected | UnexpectedEof | WriteZero => {
            Sign::Hint(Cause::Broken)
        }
        _ => Sign::Nothing,
    }
}

#[cfg(feature = "reqwest")]
fn of_reqwest(error: &::reqwest::Error) -> Sign {
    if let Some(status) = error.status() {
        return Sign::Cause(Cause::Status(status));
    }
    if error.is_builder() {
        Sign::Cause(Cause::Invalid)
    } else if error.is_redirect() {
        Sign::Cause(Cause::Redirects)
    } else if error.is_timeout() {
        // It looks at all that lies beneath, at a failed connect and at the request's body too.
        Sign::Hint(Cause::TimedOut)
    } else {
        Sign::Nothing
    }
}

/// hyper-util says of requests that it cannot send only that they have no cause beneath.
#[cfg(feature = "hyper")]
fn of_client(error: &hyper_util::client::legacy::Error) -> Sign {
    if error.is_connect() {
        Sign::Cause(Cause::Connect)
    } else if error.source().is_none() {
        Sign::Cause(Cause::Invalid)
    } else {
        Sign::Nothing
    }
}

#[cfg(feature = "hyper")]
fn of_hyper(error: &hyper::Error) -> Sign {
    Sign::Cause(if error.is_canceled() || error.is_closed() {
        Cause::ClosedBefore
    } else if error.is_timeout() {
        Cause::TimedOut
    } else if error.is_user() && error.source().is_none() {
        Cause::Invalid
    } else if error.is_user() {
        Cause::GivenUp
    } else if error.is_parse() {
        Cause::Malformed
    } else if error.is_incomplete_message() {
        Cause::Broken
    } else {
        return Sign::Hint(Cause::Broken);
    })
}

#[cfg(feature = "http2")]
fn of_h2(error: &h2::Error) -> Sign {
    let refused_stream = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
    // A stream that a GOAWAY leaves in goes on, and breaks with the connection if it breaks.
    if error.is_remote() && (refused_stream || error.is_go_away()) {
        Sign::Cause(Cause::PutBack)
    } else if error.is_library() {
        Sign::Cause(Cause::Malformed)
    } else if error.is_reset() && !error.is_remote() {
        Sign::Cause(Cause::Invalid) // we reset it, and only because its body broke off
    } else if let Some(error) = error.get_io() {
        of_io(error)
    } else {
        Sign::Hint(Cause::Broken)
    }
}

#[cfg(test)]
mod tests;
