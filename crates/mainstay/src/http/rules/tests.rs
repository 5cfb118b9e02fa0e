use ::http::HeaderMap;

use super::*;
use crate::http::testing::headers;

const IDEMPOTENT: [Method; 7] = [
    Method::GET,
    Method::HEAD,
    Method::OPTIONS,
    Method::TRACE,
    Method::PUT,
    Method::DELETE,
    Method::QUERY,
];

fn others() -> [Method; 4] {
    [Method::POST, Method::PATCH, Method::CONNECT, Method::from_bytes(b"PURGE").unwrap()]
}

fn answers(rules: &RetryRules, method: &Method, status: u16) -> bool {
    says(rules, method, status, &HeaderMap::new())
}

fn says(rules: &RetryRules, method: &Method, status: u16, headers: &HeaderMap) -> bool {
    let end = End::answer(StatusCode::from_u16(status).unwrap(), headers);
    rules.may_repeat(&Attempt::new(method, rules.is_idempotent(method), end))
}

fn fails(rules: &RetryRules, method: &Method, cause: Cause) -> bool {
    let end = End::Failure(Failure::new(cause));
    rules.may_repeat(&Attempt::new(method, rules.is_idempotent(method), end))
}

#[test]
fn the_first_row_is_repeated_whatever_was_asked() {
    let rules = RetryRules::standard();
    for method in IDEMPOTENT.iter().chain(&others()) {
        for status in [425, 429] {
            assert!(answers(&rules, method, status), "{method} {status}");
        }
        for cause in [Cause::Connect, Cause::ClosedBefore, Cause::PutBack, Cause::Refused] {
            assert!(fails(&rules, method, cause), "{method} {cause:?}");
        }
    }
}

#[test]
fn the_second_row_is_repeated_only_if_asking_twice_is_as_good_as_once() {
    let rules = RetryRules::standard();
    let repeated = |method: &Method| {
        let mut repeated: Vec<bool> =
            [408, 500, 502, 503, 504].map(|status| answers(&rules, method, status)).into();
        let causes = [Cause::Broken, Cause::TimedOut, Cause::Malformed, Cause::Unknown];
        repeated.extend(causes.map(|cause| fails(&rules, method, cause)));
        repeated
    };
    for method in &IDEMPOTENT {
        assert_eq!(repeated(method), [true; 9], "{method}");
    }
    for method in &others() {
        assert_eq!(repeated(method), [false; 9], "{method}");
    }
}

#[test]
fn no_other_status_is_repeated() {
    let rules = RetryRules::standard();
    let in_the_table = [408, 425, 429, 500, 502, 503, 504];
    for status in (100..=999).filter(|status| !in_the_table.contains(status)) {
        assert!(!answers(&rules, &Method::GET, status), "{status}");
    }
    for cause in [Cause::Invalid, Cause::Redirects, Cause::Status(StatusCode::NOT_FOUND)] {
        assert!(!fails(&rules, &Method::GET, cause), "{cause:?}");
    }
}

#[test]
fn a_status_made_into_an_error_is_judged_as_the_status() {
    let rules = RetryRules::standard();
    assert!(fails(&rules, &Method::POST, Cause::Status(StatusCode::TOO_MANY_REQUESTS)));
    assert!(fails(&rules, &Method::GET, Cause::Status(StatusCode::BAD_GATEWAY)));
    assert!(!fails(&rules, &Method::POST, Cause::Status(StatusCode::BAD_GATEWAY)));
}

#[test]
fn a_status_can_be_told_otherwise() {
    let rules = RetryRules::standard()
        .status(StatusCode::CONFLICT, When::Always)
        .status(StatusCode::MISDIRECTED_REQUEST, When::IfIdempotent)
        .status(StatusCode::SERVICE_UNAVAILABLE, When::Always)
        .status(StatusCode::SERVICE_UNAVAILABLE, When::Never);
    assert!(answers(&rules, &Method::POST, 409));
    assert!(answers(&rules, &Method::GET, 421) && !answers(&rules, &Method::POST, 421));
    assert!(!answers(&rules, &Method::GET, 503), "what was said last counts");
    assert!(answers(&rules, &Method::GET, 502), "the rest stays");
}

#[test]
fn a_method_can_be_told_otherwise() {
    let rules = RetryRules::standard()
        .idempotent(Method::PATCH)
        .not_idempotent(Method::DELETE)
        .never(Method::PUT);
    assert!(rules.is_idempotent(&Method::PATCH) && answers(&rules, &Method::PATCH, 503));
    assert!(!rules.is_idempotent(&Method::DELETE) && !answers(&rules, &Method::DELETE, 503));
    assert!(answers(&rules, &Method::DELETE, 429), "the first row stays");
    assert!(!rules.may_ever_repeat(&Method::PUT) && rules.may_ever_repeat(&Method::POST));
    assert!(!answers(&rules, &Method::PUT, 429) && !fails(&rules, &Method::PUT, Cause::Connect));
}

#[test]
fn what_leaves_it_open_can_be_told_otherwise() {
    let always = RetryRules::standard().maybe_processed(When::Always);
    assert!(fails(&always, &Method::POST, Cause::Broken));
    assert!(!answers(&always, &Method::POST, 503), "an answer does not leave it open");
    let never = RetryRules::standard().maybe_processed(When::Never);
    assert!(!fails(&never, &Method::GET, Cause::TimedOut));
    assert!(fails(&never, &Method::POST, Cause::Connect), "this was never sent");
    assert!(!fails(&always, &Method::GET, Cause::Invalid), "this can never be sent");
}

#[test]
fn a_servers_word_counts_only_where_it_is_obeyed_and_goes_before_the_table() {
    let (yes, no) =
        (headers(&[("x-should-retry", "true")]), headers(&[("x-should-retry", "false")]));
    let deaf = RetryRules::standard();
    assert!(!says(&deaf, &Method::POST, 500, &yes) && says(&deaf, &Method::GET, 500, &no));

    let obedient = deaf.obey(ServerWord::XShouldRetry).obey(ServerWord::XShouldRetry);
    assert!(obedient.obeys(ServerWord::XShouldRetry));
    assert!(!obedient.obeys(ServerWord::StripeShouldRetry));
    assert!(says(&obedient, &Method::POST, 409, &yes));
    assert!(!says(&obedient, &Method::GET, 429, &no));
    assert!(answers(&obedient, &Method::GET, 503), "silence leaves it to the table");
    assert!(!says(&obedient, &Method::GET, 200, &yes), "a success is not worth another attempt");

    let both = obedient.obey(ServerWord::StripeShouldRetry);
    let split = headers(&[("x-should-retry", "true"), ("stripe-should-retry", "false")]);
    assert!(!says(&both, &Method::GET, 503, &split), "one no is enough");
}

#[test]
fn a_function_is_asked_first_but_never_is_never() {
    let rules = RetryRules::standard().obey(ServerWord::XShouldRetry).never(Method::PUT).decide(
        |attempt| match attempt.end {
            End::Answer { status, .. } if status.as_u16() == 418 => Some(When::IfIdempotent),
            End::Failure(failure) if failure.cause() == Cause::Connect => Some(When::Never),
            End::Answer { .. } | End::Failure(_) => None,
        },
    );
    let no = headers(&[("x-should-retry", "false")]);
    assert!(says(&rules, &Method::GET, 418, &no));
    assert!(!says(&rules, &Method::POST, 418, &no));
    assert!(!fails(&rules, &Method::GET, Cause::Connect));
    assert!(fails(&rules, &Method::GET, Cause::Broken));
    assert!(!answers(&rules, &Method::PUT, 418));
    assert!(format!("{rules:?}").contains("a function"));
}

#[test]
fn codes_of_grpc_have_rows_of_their_own_and_can_be_told_otherwise() {
    use grpc::Code;
    let rules = RetryRules::standard().grpc_code(Code::ABORTED, When::Always);
    let none = HeaderMap::new();
    let repeated = |code, is_idempotent| {
        let end = End::Answer {
            status: StatusCode::OK,
            headers: &none,
            grpc: Some(code),
            is_limit: false,
            follows_redirects: false,
        };
        rules.may_repeat(&Attempt::new(&Method::POST, is_idempotent, end))
    };
    for (code, plain, idempotent) in [
        (Code::RESOURCE_EXHAUSTED, true, true),
        (Code::ABORTED, true, true),
        (Code::UNAVAILABLE, false, true),
        (Code::UNKNOWN, false, true),
        (Code::DEADLINE_EXCEEDED, false, true),
        (Code::INTERNAL, false, true),
        (Code::DATA_LOSS, false, false),
        (Code::OK, false, false),
        (Code::NOT_FOUND, false, false),
    ] {
        assert_eq!((repeated(code, false), repeated(code, true)), (plain, idempotent), "{code}");
    }
}

#[test]
fn what_was_never_sent_behind_redirects_may_have_been_processed() {
    let fails = |rules: &RetryRules, failure| {
        rules.may_repeat(&Attempt::new(&Method::POST, false, End::Failure(failure)))
    };
    let plain = Failure::new(Cause::Connect);
    let standard = RetryRules::standard();
    assert!(fails(&standard, plain) && !fails(&standard, plain.behind_redirects()));
    let followed = RetryRules::standard().behind_redirects();
    assert!(!fails(&followed, plain) && !fails(&followed, plain.behind_redirects()));
    let none = RetryRules::standard().without_redirects();
    assert!(fails(&none, plain) && fails(&none, plain.behind_redirects()));
}

#[test]
fn what_was_put_off_behind_redirects_may_have_been_processed() {
    let headers = HeaderMap::new();
    let repeated = |rules: &RetryRules, method: &Method, status, grpc, follows_redirects| {
        let status = StatusCode::from_u16(status).unwrap();
        let is_limit = status.as_u16() == 429;
        let headers = &headers;
        let end = End::Answer { status, headers, grpc, is_limit, follows_redirects };
        rules.may_repeat(&Attempt::new(method, rules.is_idempotent(method), end))
    };
    let standard = RetryRules::standard();
    let (followed, none) =
        (standard.clone().behind_redirects(), standard.clone().without_redirects());
    let spent = Some(grpc::Code::RESOURCE_EXHAUSTED);
    for (status, grpc) in [(425, None), (429, None), (200, spent)] {
        assert!(repeated(&standard, &Method::POST, status, grpc, false), "{status}");
        assert!(!repeated(&standard, &Method::POST, status, grpc, true), "{status}");
        assert!(repeated(&standard, &Method::PUT, status, grpc, true), "{status}");
        assert!(!repeated(&followed, &Method::POST, status, grpc, false), "{status}");
        assert!(repeated(&none, &Method::POST, status, grpc, true), "{status}");
    }
    let status = Failure::new(Cause::Status(StatusCode::TOO_MANY_REQUESTS)).behind_redirects();
    let end = End::Failure(status);
    assert!(!standard.may_repeat(&Attempt::new(&Method::POST, false, end)));
    let told = standard.status(StatusCode::TOO_MANY_REQUESTS, When::Always);
    assert!(repeated(&told, &Method::POST, 429, None, true), "it was said so");
}

#[test]
fn only_what_changes_nothing_may_be_on_its_way_twice_unless_somebody_says_otherwise() {
    let standard = RetryRules::standard();
    for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE, Method::QUERY] {
        assert!(standard.may_be_at_once(&method), "{method}");
    }
    for method in [Method::PUT, Method::DELETE, Method::POST, Method::PATCH, Method::CONNECT] {
        assert!(!standard.may_be_at_once(&method), "{method}");
        assert!(standard.clone().twice_at_once(method.clone()).may_be_at_once(&method));
    }
    assert!(!standard.clone().idempotent(Method::PATCH).may_be_at_once(&Method::PATCH));
    assert!(!standard.never(Method::GET).may_be_at_once(&Method::GET));
}
