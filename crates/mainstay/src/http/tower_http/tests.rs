use std::io;

use ::http::{Method, Request, Response, StatusCode, Version};
use ::tower_http::classify::{
    ClassifiedResponse, ClassifyEos, ClassifyResponse, GrpcErrorsAsFailures, GrpcFailureClass,
    MakeClassifier, ServerErrorsAsFailures, ServerErrorsFailureClass, StatusInRangeAsFailures,
};
use mainstay_policy::Outcome;

use super::*;
use crate::error::{BoxError, Error, Reason, Refused};
use crate::http::{Cause, Failure, Http, RetryRules, When, grpc};
use crate::protocol::Protocol;

fn response(status: u16) -> Response<()> {
    Response::builder().status(status).body(()).unwrap()
}

fn of_grpc(fields: &[(&'static str, &str)]) -> Response<()> {
    let mut response = response(200);
    *response.version_mut() = Version::HTTP_2;
    *response.headers_mut() = crate::http::testing::headers(fields);
    response
}

mod ours {
    use super::*;

    fn class(response: &Response<()>) -> Option<Result<(), FailureClass>> {
        match FailuresOfHttp::new().classify_response(response) {
            ClassifiedResponse::Ready(class) => Some(class),
            ClassifiedResponse::RequiresEos(_) => None,
        }
    }

    #[test]
    fn an_answer_that_is_transient_or_throttled_is_a_failure() {
        for status in [200, 301, 404, 501] {
            assert_eq!(class(&response(status)), Some(Ok(())), "{status}");
        }
        for status in [408, 429, 500, 503] {
            let failure = FailureClass::Status(StatusCode::from_u16(status).unwrap());
            assert_eq!(class(&response(status)), Some(Err(failure)), "{status}");
        }
    }

    #[test]
    fn the_status_of_grpc_is_read_in_the_head_or_at_the_end() {
        let head = of_grpc(&[("content-type", "application/grpc"), ("grpc-status", "14")]);
        assert_eq!(class(&head), Some(Err(FailureClass::Grpc(grpc::Code::UNAVAILABLE))));

        let open = of_grpc(&[("content-type", "application/grpc")]);
        let ClassifiedResponse::RequiresEos(eos) = FailuresOfHttp::new().classify_response(&open)
        else {
            panic!("the trailers are still to come");
        };
        let trailers = |code| crate::http::testing::headers(&[("grpc-status", code)]);
        assert_eq!(eos.classify_eos(Some(&trailers("0"))), Ok(()));
        assert_eq!(eos.classify_eos(Some(&trailers("5"))), Ok(()));
        let unavailable = Err(FailureClass::Grpc(grpc::Code::UNAVAILABLE));
        assert_eq!(eos.classify_eos(Some(&trailers("14"))), unavailable);
        assert_eq!(eos.classify_eos(None), Err(FailureClass::Grpc(grpc::Code::UNKNOWN)));
    }

    #[test]
    fn an_error_is_read_in_whatever_carries_it() {
        let broken = || io::Error::from(io::ErrorKind::ConnectionReset);
        let cause = |class| match class {
            FailureClass::NoAnswer(failure) => failure.cause(),
            other => panic!("{other}"),
        };
        let of = FailuresOfHttp::new();
        assert_eq!(cause(of.classify_error(&broken())), Cause::Broken);
        assert_eq!(cause(of.classify_error(&Error::Inner(broken()))), Cause::Broken);
        assert_eq!(cause(of.classify_error(&BoxError::from(broken()))), Cause::Broken);
        let refused = Refused::new("rate limit", Reason::NoTurn);
        assert_eq!(cause(of.classify_error(&refused)), Cause::Refused);
        assert_eq!(cause(of.classify_error(&"text")), Cause::Unknown);
        let invalid = ::http::Request::get("http://[").body(()).unwrap_err();
        assert_eq!(cause(of.classify_error(&invalid)), Cause::Invalid);
    }

    #[test]
    fn tower_http_can_print_a_failure() {
        let words = |class: FailureClass| class.to_string();
        assert_eq!(words(FailureClass::Status(StatusCode::BAD_GATEWAY)), "status 502 Bad Gateway");
        assert_eq!(words(FailureClass::Grpc(grpc::Code::INTERNAL)), "gRPC status INTERNAL");
        let broken = FailureClass::NoAnswer(Failure::new(Cause::Broken));
        assert_eq!(words(broken), "no answer: Broken");
    }

    #[test]
    fn it_serves_where_tower_http_wants_one_per_request() {
        let made = FailuresOfHttp::make_classifier().make_classifier(&Request::new(()));
        assert_eq!(made, FailuresOfHttp::default());
    }
}

mod theirs {
    use super::*;

    type NoError = Error<io::Error>;

    fn judge<M, F>(
        protocol: &WithClassifier<M, F>,
        method: Method,
        end: Result<u16, io::ErrorKind>,
    ) -> (Outcome, bool)
    where
        M: MakeClassifier,
        M::Classifier: Clone,
        F: Fn(&M::FailureClass) -> Outcome,
    {
        let end = match end {
            Ok(status) => Ok(response(status)),
            Err(kind) => Err(NoError::Inner(io::Error::from(kind))),
        };
        said(protocol, method, end)
    }

    fn said<M, F>(
        protocol: &WithClassifier<M, F>,
        method: Method,
        end: Result<Response<()>, NoError>,
    ) -> (Outcome, bool)
    where
        M: MakeClassifier,
        M::Classifier: Clone,
        F: Fn(&M::FailureClass) -> Outcome,
    {
        let request = Request::builder().method(method).body(()).unwrap();
        let about = Protocol::<_, Response<()>, NoError>::about(protocol, &request);
        let ending = Protocol::<Request<()>, _, _>::end(protocol, &about, end.as_ref());
        (ending.outcome(), ending.may_be_repeated())
    }

    fn server_errors() -> WithClassifier<
        impl MakeClassifier<FailureClass = ServerErrorsFailureClass, Classifier: Clone>,
        impl Fn(&ServerErrorsFailureClass) -> Outcome,
    > {
        let rules = RetryRules::standard().status(StatusCode::IM_A_TEAPOT, When::Always);
        WithClassifier::new(
            Http::new().rules(rules),
            ServerErrorsAsFailures::make_classifier(),
            |_: &ServerErrorsFailureClass| Outcome::Transient,
        )
    }

    #[test]
    fn what_their_classifier_passes_is_a_success() {
        for status in [200, 404, 418] {
            let judged = judge(&server_errors(), Method::GET, Ok(status));
            assert_eq!(judged, (Outcome::Success, false), "{status}");
        }
    }

    #[test]
    fn a_429_stays_one_and_a_request_at_fault_too() {
        let by = server_errors();
        assert_eq!(judge(&by, Method::GET, Ok(429)), (Outcome::Throttled, true));
        let invalid = BoxError::from("http://[".parse::<::http::Uri>().unwrap_err());
        let invalid = NoError::Inner(io::Error::other(invalid));
        assert_eq!(said(&by, Method::GET, Err(invalid)), (Outcome::Invalid, false));
    }

    #[test]
    fn hints_are_read_whatever_it_calls_the_answer() {
        let by = server_errors();
        let mut response = response(200);
        let fields = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "30")];
        *response.headers_mut() = crate::http::testing::headers(&fields);
        let about = Protocol::<_, Response<()>, NoError>::about(&by, &Request::new(()));
        let end = Ok::<_, &NoError>(&response);
        let ending = Protocol::<Request<()>, _, _>::end(&by, &about, end);
        assert!(ending.hints().quota().is_some());
    }

    #[test]
    fn what_it_calls_a_failure_is_repeated_by_our_rules() {
        let by = server_errors();
        assert_eq!(judge(&by, Method::GET, Ok(503)), (Outcome::Transient, true));
        assert_eq!(judge(&by, Method::POST, Ok(503)), (Outcome::Transient, false));
        assert_eq!(judge(&by, Method::GET, Ok(501)), (Outcome::Transient, false));
        let reset = Err(io::ErrorKind::ConnectionReset);
        assert_eq!(judge(&by, Method::GET, reset), (Outcome::Transient, true));
        assert_eq!(judge(&by, Method::POST, reset), (Outcome::Transient, false));
        let refused = Err(io::ErrorKind::ConnectionRefused);
        assert_eq!(judge(&by, Method::POST, refused), (Outcome::Transient, true));
    }

    #[test]
    fn a_failure_that_only_it_sees_is_repeated_where_the_rules_say_so() {
        let all = || StatusInRangeAsFailures::new(200..=599).into_make_classifier();
        let by = WithClassifier::new(Http::new(), all(), |_: &_| Outcome::Transient);
        assert_eq!(judge(&by, Method::GET, Ok(204)), (Outcome::Transient, false));
        let rules = RetryRules::standard().status(StatusCode::NO_CONTENT, When::IfIdempotent);
        let http = Http::new().rules(rules);
        let by = WithClassifier::new(http, all(), |_: &_| Outcome::Transient);
        assert_eq!(judge(&by, Method::GET, Ok(204)), (Outcome::Transient, true));
        assert_eq!(judge(&by, Method::POST, Ok(204)), (Outcome::Transient, false));
    }

    #[test]
    fn a_refusal_of_ours_is_not_theirs_to_judge() {
        let refused = Refused::new("rate limit", Reason::NoTurn);
        let judged = said(&server_errors(), Method::GET, Err(refused.into()));
        assert_eq!(judged.0, Outcome::Refused);
    }

    #[test]
    fn codes_of_grpc_can_be_told_apart() {
        let by = WithClassifier::new(
            Http::new(),
            GrpcErrorsAsFailures::make_classifier(),
            |class: &GrpcFailureClass| match class {
                GrpcFailureClass::Status(status) if status.code_raw() == 8 => Outcome::Throttled,
                _ => Outcome::Transient,
            },
        );
        let fields = [("content-type", "application/grpc"), ("grpc-status", "8")];
        assert_eq!(said(&by, Method::POST, Ok(of_grpc(&fields))), (Outcome::Throttled, true));
        assert_eq!(said(&by, Method::POST, Ok(of_grpc(&fields[..1]))), (Outcome::Success, false));
    }
}
