//! Our reading of HTTP as a classifier of tower-http's.

use std::any::Any;
use std::fmt;

use ::http::{HeaderMap, Response, StatusCode};
use ::tower_http::classify::{ClassifiedResponse, ClassifyEos, ClassifyResponse, SharedClassifier};
use mainstay_policy::Outcome;

use crate::error::{BoxError, Error, Refused};
use crate::http::failure::{Cause, Failure};
use crate::http::{grpc, status};

/// A classifier for tower-http's layers, so that its traces and our breaker call the same ends
/// failures: those that are transient or throttled. A 404 is none, and gRPC's own status counts.
///
/// ```
/// use mainstay::http::FailuresOfHttp;
/// use tower_http::classify::SharedClassifier;
///
/// let classifier = SharedClassifier::new(FailuresOfHttp::new());
/// // tower_http::trace::TraceLayer::new(classifier)
/// # let _ = classifier;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FailuresOfHttp {
    _private: (),
}

impl FailuresOfHttp {
    /// The classifier; there is nothing to set.
    #[must_use]
    pub const fn new() -> Self {
        Self { _private: () }
    }

    /// As tower-http's layers take it.
    #[must_use]
    pub fn make_classifier() -> SharedClassifier<Self> {
        SharedClassifier::new(Self::new())
    }
}

/// Why a call failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum FailureClass {
    /// The answer's status says so.
    Status(StatusCode),
    /// gRPC's status says so.
    Grpc(grpc::Code),
    /// There was no answer.
    NoAnswer(Failure),
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "status {status}"),
            Self::Grpc(code) => write!(f, "gRPC status {code}"),
            Self::NoAnswer(failure) => write!(f, "no answer: {:?}", failure.cause()),
        }
    }
}

impl ClassifyResponse for FailuresOfHttp {
    type FailureClass = FailureClass;
    type ClassifyEos = FailuresInTrailers;

    fn classify_response<B>(
        self,
        response: &Response<B>,
    ) -> ClassifiedResponse<FailureClass, FailuresInTrailers> {
        let (status, headers) = (response.status(), response.headers());
        match grpc::Head::read(status, response.version(), headers) {
            grpc::Head::Ended(code) => ClassifiedResponse::Ready(of_code(code)),
            grpc::Head::Open => {
                ClassifiedResponse::RequiresEos(FailuresInTrailers { _private: () })
            }
            grpc::Head::Other => {
                let class = FailureClass::Status(status);
                ClassifiedResponse::Ready(judge(status::outcome(status), class))
            }
        }
    }

    fn classify_error<E: fmt::Display + 'static>(self, error: &E) -> FailureClass {
        FailureClass::NoAnswer(of_any(error))
    }
}

/// Reads gRPC's status where the body ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FailuresInTrailers {
    _private: (),
}

impl ClassifyEos for FailuresInTrailers {
    type FailureClass = FailureClass;

    fn classify_eos(self, trailers: Option<&HeaderMap>) -> Result<(), FailureClass> {
        of_code(grpc::Code::at_the_end(trailers))
    }

    fn classify_error<E: fmt::Display + 'static>(self, error: &E) -> FailureClass {
        FailureClass::NoAnswer(of_any(error))
    }
}

fn of_code(code: grpc::Code) -> Result<(), FailureClass> {
    judge(code.outcome(), FailureClass::Grpc(code))
}

fn judge(outcome: Outcome, class: FailureClass) -> Result<(), FailureClass> {
    match outcome {
        Outcome::Transient | Outcome::Throttled => Err(class),
        _ => Ok(()),
    }
}

/// tower-http shows no more of an error than that it can be printed; of what type it is, must be
/// tried.
fn of_any(error: &dyn Any) -> Failure {
    macro_rules! try_types {
        ($($(#[$feature:meta])? $error:ty),* $(,)?) => {
            $(
                $(#[$feature])?
                if let Some(error) = error.downcast_ref::<$error>() {
                    return Failure::of(error);
                }
                $(#[$feature])?
                if let Some(error) = error.downcast_ref::<Error<$error>>() {
                    return Failure::of(error);
                }
            )*
        };
    }
    if let Some(error) = error.downcast_ref::<BoxError>() {
        return Failure::of(&**error);
    }
    if let Some(error) = error.downcast_ref::<Refused>() {
        return Failure::of(error);
    }
    try_types!(
        std::io::Error,
        tokio::time::error::Elapsed,
        ::http::Error,
        #[cfg(feature = "tower")]
        tower::timeout::error::Elapsed,
        #[cfg(feature = "tower")]
        tower::load_shed::error::Overloaded,
        #[cfg(feature = "hyper")]
        hyper::Error,
        #[cfg(feature = "hyper")]
        hyper_util::client::legacy::Error,
        #[cfg(feature = "http2")]
        h2::Error,
        #[cfg(feature = "reqwest")]
        ::reqwest::Error,
    );
    Failure::new(Cause::Unknown)
}
