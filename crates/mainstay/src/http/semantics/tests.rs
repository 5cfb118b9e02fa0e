use std::io;
use std::time::Duration;

use ::http::{Request, Response, Version};

use super::*;
use crate::error::{Error, Reason, Refused};
use crate::http::testing::headers;
use crate::http::{Cause, When};

type NoError = Error<io::Error>;

fn about(http: &Http, method: Method) -> About {
    http.about(&Request::builder().method(method).body(()).unwrap())
}

/// What a request by this method and this answer make.
fn ending(http: &Http, method: Method, status: u16, fields: &[(&'static str, &str)]) -> Ending {
    let mut response = Response::builder().status(status).body(()).unwrap();
    *response.headers_mut() = headers(fields);
    http.end(&about(http, method), Ok::<_, &NoError>(&response))
}

fn grpc(http: &Http, fields: &[(&'static str, &str)]) -> Ending {
    let mut response = Response::new(());
    *response.version_mut() = Version::HTTP_2;
    *response.headers_mut() = headers(fields);
    http.end(&about(http, Method::POST), Ok::<_, &NoError>(&response))
}

fn failed(http: &Http, method: Method, error: NoError) -> Ending {
    http.end(&about(http, method), Err::<&Response<()>, _>(&error))
}

#[test]
fn an_answer_is_judged_for_guards_and_for_the_driver() {
    let http = Http::new();
    for (method, status, outcome, again) in [
        (Method::GET, 200, Outcome::Success, false),
        (Method::GET, 304, Outcome::Success, false),
        (Method::GET, 404, Outcome::Fatal, false),
        (Method::GET, 503, Outcome::Transient, true),
        (Method::POST, 503, Outcome::Transient, false),
        (Method::POST, 425, Outcome::Transient, true),
        (Method::POST, 429, Outcome::Throttled, true),
        (Method::GET, 501, Outcome::Fatal, false),
        (Method::GET, 520, Outcome::Transient, false),
    ] {
        let ending = ending(&http, method.clone(), status, &[]);
        let judged = (ending.outcome(), ending.may_be_repeated());
        assert_eq!(judged, (outcome, again), "{method} {status}");
    }
}

#[test]
fn an_error_is_judged_by_how_far_the_request_came() {
    let http = Http::new();
    let error = |kind| NoError::Inner(io::Error::from(kind));
    let never_sent = io::ErrorKind::ConnectionRefused;
    let maybe = io::ErrorKind::ConnectionReset;
    for (method, kind, again) in
        [(Method::POST, never_sent, true), (Method::POST, maybe, false), (Method::GET, maybe, true)]
    {
        let ending = failed(&http, method.clone(), error(kind));
        assert_eq!(ending.outcome(), Outcome::Transient);
        assert_eq!(ending.may_be_repeated(), again, "{method} {kind:?}");
    }

    let refused = failed(&http, Method::GET, Refused::new("rate limit", Reason::NoTurn).into());
    assert_eq!(refused.outcome(), Outcome::Refused);
}

#[test]
fn a_key_makes_a_post_idempotent() {
    let http = Http::new();
    let mut request = Request::post("/orders").body(()).unwrap();
    assert!(!http.about(&request).is_idempotent());
    request.headers_mut().insert("idempotency-key", "7".try_into().unwrap());
    let about = http.about(&request);
    assert!(about.is_idempotent());
    assert_eq!(about.method(), Method::POST);
}

#[test]
fn a_key_is_minted_once_per_call_and_only_where_it_is_needed() {
    let http = Http::new().idempotency_keys(IdempotencyKeys::new());
    let mut post = Request::post("/orders").body(()).unwrap();
    http.prepare(&mut post);
    let minted = post.headers()["idempotency-key"].clone();
    assert!(http.about(&post).is_idempotent());
    http.prepare(&mut post);
    assert_eq!(post.headers()["idempotency-key"], minted);

    let mut get = Request::get("/orders").body(()).unwrap();
    http.prepare(&mut get);
    assert!(get.headers().is_empty());
    let mut plain = Request::post("/orders").body(()).unwrap();
    Http::new().prepare(&mut plain);
    assert!(plain.headers().is_empty());
}

#[test]
fn a_repeatable_404_is_a_failure_to_the_driver_alone() {
    let rules = RetryRules::standard().status(StatusCode::NOT_FOUND, When::Always);
    let ending = ending(&Http::new().rules(rules), Method::GET, 404, &[]);
    assert_eq!(ending.outcome(), Outcome::Fatal);
    assert_eq!(ending.for_retry(), mainstay_policy::retry::Ended::new(Outcome::Transient));
}

#[test]
fn a_403_is_a_limit_where_that_is_so_and_the_answer_says_when() {
    let github = Http::new().rules(RetryRules::standard().limits_by_403());
    let spent = [("retry-after", "30")];
    let limited = ending(&github, Method::POST, 403, &spent);
    assert_eq!((limited.outcome(), limited.may_be_repeated()), (Outcome::Throttled, true));
    assert_eq!(limited.wait(), Some(Duration::from_secs(30)));

    for plain in
        [ending(&github, Method::GET, 403, &[]), ending(&Http::new(), Method::GET, 403, &spent)]
    {
        assert_eq!((plain.outcome(), plain.may_be_repeated()), (Outcome::Fatal, false));
    }
    let never =
        RetryRules::standard().limits_by_403().status(StatusCode::TOO_MANY_REQUESTS, When::Never);
    assert!(!ending(&Http::new().rules(never), Method::GET, 403, &spent).may_be_repeated());
}

#[test]
fn grpc_without_a_body_is_judged_by_its_own_status() {
    let http = Http::new();
    let with =
        |status| grpc(&http, &[("content-type", "application/grpc"), ("grpc-status", status)]);
    assert_eq!(with("0").outcome(), Outcome::Success);
    assert_eq!(with("14").outcome(), Outcome::Transient);
    assert!(!with("14").may_be_repeated(), "it is a POST");
    assert_eq!((with("8").outcome(), with("8").may_be_repeated()), (Outcome::Throttled, true));
    assert_eq!(with("5").outcome(), Outcome::Fatal);

    let elsewhere = grpc(&http, &[("content-type", "text/plain"), ("grpc-status", "14")]);
    assert_eq!(elsewhere.outcome(), Outcome::Success);
    let later = grpc(&http, &[("content-type", "application/grpc")]);
    assert_eq!(later.outcome(), Outcome::Success, "the trailers will say");
}

#[test]
fn a_pushback_is_waited_for_where_it_is_obeyed() {
    let status = [("content-type", "application/grpc"), ("grpc-status", "8")];
    let fields = |pushback| [status[0], status[1], ("grpc-retry-pushback-ms", pushback)];
    let obedient = Http::new().rules(RetryRules::standard().obey(ServerWord::GrpcPushback));
    let waits = grpc(&obedient, &fields("250"));
    assert_eq!((waits.wait(), waits.may_be_repeated()), (Some(Duration::from_millis(250)), true));
    let no = grpc(&obedient, &fields("-1"));
    assert_eq!((no.wait(), no.may_be_repeated()), (None, false));
    assert_eq!(grpc(&Http::new(), &fields("250")).wait(), None);
}

#[test]
fn a_refusal_that_can_be_waited_out_says_how_long() {
    let http = Http::new();
    let refused = |reason| {
        let refused = Refused::new("guard", reason).with_retry_in(Duration::from_secs(1));
        failed(&http, Method::POST, refused.into())
    };
    for reason in [Reason::Open, Reason::CoolingDown] {
        let ending = refused(reason);
        assert_eq!(
            (ending.outcome(), ending.wait()),
            (Outcome::Refused, Some(Duration::from_secs(1)))
        );
    }
    for reason in [Reason::NoSlot, Reason::NoTurn, Reason::Throttled, Reason::Deadline] {
        assert_eq!((refused(reason).outcome(), refused(reason).wait()), (Outcome::Refused, None));
    }
    let late = refused(Reason::TimedOut);
    assert_eq!((late.outcome(), late.may_be_repeated()), (Outcome::Transient, false));
}

#[test]
fn what_the_client_gave_up_was_the_connection_where_the_body_cannot_fail() {
    let http = Http::new();
    let given_up = |request: &Request<_>| {
        let ending = http.failure(&http.about(request), Failure::new(Cause::GivenUp));
        (ending.outcome(), ending.may_be_repeated())
    };
    let in_memory = |method| Request::builder().method(method).body(bytes::Bytes::new()).unwrap();
    assert_eq!(given_up(&in_memory(Method::GET)), (Outcome::Transient, true));
    assert_eq!(given_up(&in_memory(Method::POST)), (Outcome::Transient, false));

    let stream = Request::put("/").body(Box::new("a type that nobody knows")).unwrap();
    let ending = http.failure(&http.about(&stream), Failure::new(Cause::GivenUp));
    assert_eq!((ending.outcome(), ending.may_be_repeated()), (Outcome::Invalid, false));
}

#[test]
fn the_end_of_a_body_is_told_and_repeats_nothing() {
    let http = Http::new();
    let open = grpc(&http, &[("content-type", "application/grpc")]);
    assert!(open.is_open());
    let plain = ending(&http, Method::GET, 200, &[]);
    assert!(!plain.is_open());
    type End<'a> = Result<Option<&'a HeaderMap>, &'a (dyn std::error::Error + 'static)>;
    fn told(head: &Ending, end: End<'_>) -> Outcome {
        let ending = Http::new().end_of_body(head, end);
        assert!(!ending.may_be_repeated() && !ending.is_open());
        ending.outcome()
    }
    let trailers = |code| headers(&[("grpc-status", code)]);
    assert_eq!(told(&open, Ok(Some(&trailers("0")))), Outcome::Success);
    assert_eq!(told(&open, Ok(Some(&trailers("14")))), Outcome::Transient);
    assert_eq!(told(&open, Ok(Some(&trailers("8")))), Outcome::Throttled);
    assert_eq!(told(&open, Ok(None)), Outcome::Transient, "it broke off");
    assert_eq!(told(&plain, Ok(None)), Outcome::Success);
    assert_eq!(told(&plain, Ok(Some(&trailers("14")))), Outcome::Success, "it is no gRPC");
    let reset = io::Error::from(io::ErrorKind::ConnectionReset);
    assert_eq!(told(&plain, Err(&reset)), Outcome::Transient);
    let down = ending(&http, Method::GET, 503, &[]);
    assert_eq!(told(&down, Ok(None)), Outcome::Transient, "a body makes no failure good");
}

#[test]
fn grpc_is_looked_for_where_it_can_be() {
    let http = Http::new();
    let fields = headers(&[("content-type", "application/grpc"), ("grpc-status", "14")]);
    let about = about(&http, Method::POST);
    for (version, status, outcome) in [
        (Version::HTTP_2, 200, Outcome::Transient),
        (Version::HTTP_3, 200, Outcome::Transient),
        (Version::HTTP_11, 200, Outcome::Success),
        (Version::HTTP_2, 404, Outcome::Fatal),
    ] {
        let mut answer = Response::builder().status(status).version(version).body(()).unwrap();
        *answer.headers_mut() = fields.clone();
        let judged = http.answer(&about, &answer);
        assert_eq!(judged.outcome(), outcome, "{version:?} {status}");
    }
}

#[test]
fn a_success_is_never_pushed_back() {
    let http = Http::new().rules(RetryRules::standard().obey(ServerWord::GrpcPushback));
    let fields = [
        ("content-type", "application/grpc"),
        ("grpc-status", "0"),
        ("grpc-retry-pushback-ms", "250"),
    ];
    assert_eq!(grpc(&http, &fields).wait(), None);
}

#[test]
fn what_trailers_ask_for_is_waited_for_and_nothing_less() {
    let obedient = Http::new().rules(RetryRules::standard().obey(ServerWord::GrpcPushback));
    let head = [("content-type", "application/grpc"), ("retry-after", "30")];
    let told = |http: &Http, fields: &[(&'static str, &str)]| {
        let open = grpc(http, &head);
        http.end_of_body(&open, Ok(Some(&headers(fields)))).wait()
    };
    let status = ("grpc-status", "8");
    let secs = |n| Some(Duration::from_secs(n));
    assert_eq!(told(&obedient, &[status]), secs(30));
    assert_eq!(told(&obedient, &[status, ("grpc-retry-pushback-ms", "40000")]), secs(40));
    assert_eq!(told(&obedient, &[status, ("grpc-retry-pushback-ms", "10")]), secs(30));
    assert_eq!(told(&Http::new(), &[status, ("grpc-retry-pushback-ms", "40000")]), secs(30));
    assert_eq!(told(&obedient, &[("grpc-status", "0")]), None);
}

/// A guard beneath a client's connector, or in the making of a body: the refusal lies within an
/// error that says more.
#[test]
fn a_refusal_within_another_error_is_judged_by_that() {
    let http = Http::new();
    let refused = Refused::new("guard", Reason::Open).with_retry_in(Duration::from_secs(1));
    let boxed = |error: crate::BoxError| {
        http.end(&about(&http, Method::POST), Err::<&Response<()>, _>(&error))
    };
    let plain = boxed(refused.clone().into());
    assert_eq!((plain.outcome(), plain.wait()), (Outcome::Refused, Some(Duration::from_secs(1))));
    let lifted = boxed(Error::<io::Error>::from(refused.clone()).into());
    assert_eq!(lifted.wait(), Some(Duration::from_secs(1)));

    let rules = RetryRules::standard().behind_redirects();
    let behind = Http::new().rules(rules);
    let error = NoError::from(refused);
    let ending = failed(&behind, Method::POST, error);
    assert_eq!((ending.may_be_repeated(), ending.wait()), (false, None));
}

/// What layers see, who know nothing but the trait.
#[test]
fn as_a_protocol_it_says_the_same() {
    fn prepared<P>(protocol: &P) -> (Request<bytes::Bytes>, bool, Outcome, bool)
    where
        P: Protocol<Request<bytes::Bytes>, Response<()>, NoError>,
    {
        let mut request = Request::put("/").body(bytes::Bytes::from("x")).unwrap();
        *request.method_mut() = Method::POST;
        protocol.prepare(&mut request);
        let about = protocol.about(&request);
        let down = Response::builder().status(503).body(()).unwrap();
        let ending = protocol.end(&about, Ok(&down));
        assert_eq!(protocol.copies(&request), Copies::Alongside);
        let copy = protocol.copy(&request).unwrap();
        (copy, protocol.may_repeat(&about), ending.outcome(), ending.may_be_repeated())
    }

    let keyed = Http::new().idempotency_keys(IdempotencyKeys::new());
    let (copy, may_repeat, outcome, again) = prepared(&keyed);
    assert!(copy.headers().contains_key("idempotency-key"));
    assert_eq!((may_repeat, outcome, again), (true, Outcome::Transient, true));
    let never = Http::new().rules(RetryRules::standard().never(Method::POST));
    let (copy, may_repeat, outcome, again) = prepared(&never);
    assert!(copy.headers().is_empty());
    assert_eq!((may_repeat, outcome, again), (false, Outcome::Transient, false));
}

#[test]
fn what_may_be_on_its_way_twice_must_be_idempotent_as_well() {
    let may = |http: &Http, request: &Request<()>| {
        let about = http.about(request);
        Protocol::<Request<()>, Response<()>, NoError>::may_send_twice(http, &about)
    };
    let plain = |method| Request::builder().method(method).body(()).unwrap();
    let keyed = Request::post("/").header("idempotency-key", "1").body(()).unwrap();
    let rules = RetryRules::standard().twice_at_once(Method::POST).not_idempotent(Method::GET);
    let (http, told) = (Http::new(), Http::new().rules(rules));
    assert!(may(&http, &plain(Method::GET)) && !may(&told, &plain(Method::GET)));
    assert!(!may(&http, &keyed) && may(&told, &keyed));
    assert!(!may(&told, &plain(Method::POST)), "it has no key");
}
