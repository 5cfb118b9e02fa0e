use std::io;
use std::time::Duration;

use ::http::{Request, Response};

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
fn a_client_that_may_follow_redirects_is_asked_more_of() {
    let http = Http::new();
    let hidden = Failure::new(Cause::Connect).behind_redirects();
    let post = http.about(&Request::post("/").body(()).unwrap());
    assert!(http.failure(&post, Failure::new(Cause::Connect)).may_be_repeated());
    assert!(!http.failure(&post, hidden).may_be_repeated());
    let get = http.about(&Request::get("/").body(()).unwrap());
    assert!(http.failure(&get, hidden).may_be_repeated());

    let without = Http::new().rules(RetryRules::standard().without_redirects());
    assert!(without.failure(&post, hidden).may_be_repeated());
}
