use std::fmt;
use std::time::Duration;

use super::*;
use crate::error::Error;

/// An error of a type that nobody knows, around one that somebody may.
#[derive(Debug)]
struct Around<E>(E);

impl<E> fmt::Display for Around<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("connection refused, reset by peer, timed out: words prove nothing")
    }
}

impl<E: StdError + 'static> StdError for Around<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}

/// An error whose source is itself.
#[derive(Debug)]
struct Ring;

impl fmt::Display for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ring")
    }
}

impl StdError for Ring {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self)
    }
}

fn cause(error: &(dyn StdError + 'static)) -> Cause {
    Failure::of(error).cause()
}

#[test]
fn each_kind_of_io_error_has_its_cause() {
    use io::ErrorKind as Kind;
    for (kind, expected) in [
        (Kind::ConnectionRefused, Cause::Connect),
        (Kind::AddrNotAvailable, Cause::Connect),
        (Kind::TimedOut, Cause::TimedOut),
        (Kind::ConnectionReset, Cause::Broken),
        (Kind::ConnectionAborted, Cause::Broken),
        (Kind::BrokenPipe, Cause::Broken),
        (Kind::UnexpectedEof, Cause::Broken),
        (Kind::NotConnected, Cause::Broken),
        (Kind::WriteZero, Cause::Broken),
        (Kind::HostUnreachable, Cause::Broken),
        (Kind::NetworkUnreachable, Cause::Broken),
        (Kind::NetworkDown, Cause::Broken),
        (Kind::PermissionDenied, Cause::Unknown),
        (Kind::Other, Cause::Unknown),
    ] {
        assert_eq!(cause(&io::Error::from(kind)), expected, "{kind:?}");
        assert_eq!(cause(&Around(io::Error::from(kind))), expected, "{kind:?} beneath another");
        let wrapped = io::Error::other(io::Error::from(kind));
        assert_eq!(cause(&wrapped), expected, "{kind:?} inside another of io");
    }
}

#[test]
fn what_each_cause_says() {
    use Outcome::{Fatal, Invalid, Refused, Throttled, Transient};
    use Reached::{MaybeProcessed, NeverSent, NotProcessed};
    for (cause, reached, outcome) in [
        (Cause::Refused, NeverSent, Refused),
        (Cause::Connect, NeverSent, Transient),
        (Cause::ClosedBefore, NeverSent, Transient),
        (Cause::PutBack, NotProcessed, Transient),
        (Cause::Invalid, MaybeProcessed, Invalid),
        (Cause::GivenUp, MaybeProcessed, Invalid),
        (Cause::TimedOut, MaybeProcessed, Transient),
        (Cause::Broken, MaybeProcessed, Transient),
        (Cause::Malformed, MaybeProcessed, Transient),
        (Cause::Redirects, MaybeProcessed, Fatal),
        (Cause::Unknown, MaybeProcessed, Transient),
        (Cause::Status(StatusCode::NOT_FOUND), MaybeProcessed, Fatal),
        (Cause::Status(StatusCode::BAD_GATEWAY), MaybeProcessed, Transient),
        (Cause::Status(StatusCode::TOO_MANY_REQUESTS), MaybeProcessed, Throttled),
    ] {
        let failure = Failure::new(cause);
        assert_eq!((failure.reached(), failure.outcome()), (reached, outcome), "{cause:?}");
        assert!(!failure.may_follow_redirects());
    }
}

#[test]
fn a_refusal_of_ours_is_found_wherever_it_lies() {
    let refused = Refused::new("rate limit", Reason::NoTurn);
    assert_eq!(cause(&refused), Cause::Refused);
    assert_eq!(cause(&Error::<io::Error>::Refused(refused.clone())), Cause::Refused);
    assert_eq!(cause(&Around(refused.clone())), Cause::Refused);
    assert_eq!(cause(&io::Error::other(refused)), Cause::Refused);

    let late = Refused::new("attempt timeout", Reason::TimedOut);
    assert_eq!(cause(&Around(late)), Cause::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn timeouts_of_tokio_are_known() {
    let late = tokio::time::timeout(Duration::from_secs(1), std::future::pending::<()>()).await;
    assert_eq!(cause(&late.unwrap_err()), Cause::TimedOut);
}

#[cfg(feature = "tower")]
#[test]
fn timeouts_and_shed_load_of_tower_are_known() {
    assert_eq!(cause(&tower::timeout::error::Elapsed::new()), Cause::TimedOut);
    assert_eq!(cause(&tower::load_shed::error::Overloaded::new()), Cause::Refused);
}

#[test]
fn a_request_that_cannot_be_made_is_invalid() {
    let no_uri = "http://[".parse::<::http::Uri>().unwrap_err();
    assert_eq!(cause(&no_uri), Cause::Invalid);
    let error: ::http::Error = ::http::Request::get("http://[").body(()).unwrap_err();
    assert_eq!(cause(&Around(error)), Cause::Invalid);
}

#[test]
fn an_unknown_error_may_have_been_processed_whatever_it_says() {
    assert_eq!(cause(&Around(fmt::Error)), Cause::Unknown);
    assert_eq!(Failure::of(&fmt::Error).reached(), Reached::MaybeProcessed);
}

#[test]
fn a_ring_of_sources_has_an_end() {
    assert_eq!(cause(&Ring), Cause::Unknown);
}

#[test]
fn the_error_beneath_ours_is_read() {
    let error = Error::Inner(io::Error::from(io::ErrorKind::ConnectionRefused));
    assert_eq!(cause(&error), Cause::Connect);
}
