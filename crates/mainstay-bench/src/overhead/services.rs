//! What stands beneath the layers, and what it means to them.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::task::{Context, Poll};

use mainstay::http::Copies;
use mainstay::observe::Describe;
use mainstay::policy::Outcome;
use mainstay::{Discard, Ending, Error, Protocol};
use tower::Service;
use tower::retry::Policy;

pub(crate) type NoError = Error<Infallible>;

/// Answers at once.
#[derive(Clone, Debug)]
pub(crate) struct Bare;

impl Service<u64> for Bare {
    type Response = u64;
    type Error = NoError;
    type Future = Ready<Result<u64, NoError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NoError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u64) -> Self::Future {
        ready(Ok(black_box(request)))
    }
}

/// A protocol where every answer is a success, and requests may be sent again or not.
#[derive(Clone, Debug)]
pub(crate) struct Plain<const REPEATABLE: bool = false>;

impl<const REPEATABLE: bool> Protocol<u64, u64, NoError> for Plain<REPEATABLE> {
    type About = ();

    fn copies(&self, _: &u64) -> Copies {
        if REPEATABLE { Copies::Alongside } else { Copies::Never }
    }

    fn copy(&self, request: &u64) -> Option<u64> {
        REPEATABLE.then_some(*request)
    }

    fn about(&self, _: &u64) {}

    fn may_repeat(&self, (): &()) -> bool {
        REPEATABLE
    }

    fn end(&self, (): &(), end: Result<&u64, &NoError>) -> Ending {
        Ending::new(match end {
            Ok(_) => Outcome::Success,
            Err(_) => Outcome::Transient,
        })
    }
}

impl<const REPEATABLE: bool> Discard<u64> for Plain<REPEATABLE> {}

impl<const REPEATABLE: bool> Describe<u64, u64> for Plain<REPEATABLE> {}

/// The same, for tower's retry.
#[derive(Clone, Debug)]
pub(crate) struct TowerPolicy;

impl Policy<u64, u64, NoError> for TowerPolicy {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut u64, end: &mut Result<u64, NoError>) -> Option<Ready<()>> {
        end.is_err().then(|| ready(()))
    }

    fn clone_request(&mut self, request: &u64) -> Option<u64> {
        Some(*request)
    }
}
