use std::time::Duration;

use super::*;
use crate::http::hints::Hints;
use crate::http::hints::tests::{NOW, headers};

fn quota(lines: &[(&'static str, &str)]) -> Option<Quota> {
    Hints::read_at(&headers(lines), NOW).quota().cloned()
}

fn expected(left: u64, limit: u64, millis: u64, unit: Unit) -> Quota {
    let (limit, reset) = (Some(limit), Some(Duration::from_millis(millis)));
    Quota { limit, reset, ..Quota::new(left, unit) }
}

#[test]
fn github_counts_by_resource_and_resets_at_an_epoch_second() {
    let lines = [
        ("x-ratelimit-limit", "5000"),
        ("x-ratelimit-remaining", "4987"),
        ("x-ratelimit-used", "13"),
        ("x-ratelimit-reset", "1771236162"),
        ("x-ratelimit-resource", "core"),
    ];
    let scope = Scope::Named("core".into());
    let whole = Quota { scope, ..expected(4987, 5000, 3_600_000, Unit::Requests) };
    assert_eq!(quota(&lines), Some(whole));
}

#[test]
fn x_puts_a_hyphen_into_rate_limit() {
    let lines = [
        ("x-rate-limit-limit", "900"),
        ("x-rate-limit-remaining", "0"),
        ("x-rate-limit-reset", "1771233462"),
    ];
    assert_eq!(quota(&lines), Some(expected(0, 900, 900_000, Unit::Requests)));
}

#[test]
fn openai_tells_of_requests_and_tokens_and_resets_after_a_go_duration() {
    let lines = |requests, tokens| {
        [
            ("x-ratelimit-limit-requests", "60"),
            ("x-ratelimit-limit-tokens", "150000"),
            ("x-ratelimit-remaining-requests", requests),
            ("x-ratelimit-remaining-tokens", tokens),
            ("x-ratelimit-reset-requests", "1s"),
            ("x-ratelimit-reset-tokens", "6m0s"),
        ]
    };
    let requests = |left| Some(expected(left, 60, 1000, Unit::Requests));
    assert_eq!(quota(&lines("59", "7")), requests(59));
    assert_eq!(quota(&lines("0", "149984")), requests(0));
    let tokens = Some(expected(0, 150_000, 360_000, Unit::Tokens));
    assert_eq!(quota(&lines("59", "0")), tokens);
    assert_eq!(quota(&lines("0", "0")), tokens); // the longest reset
    assert_eq!(quota(&lines("none", "0")), tokens);
}

#[test]
fn anthropic_resets_at_a_timestamp() {
    for (name, unit) in [
        ("requests", Unit::Requests),
        ("tokens", Unit::Tokens),
        ("input-tokens", Unit::Tokens),
        ("output-tokens", Unit::Tokens),
    ] {
        let mut lines = ::http::HeaderMap::new();
        for (what, value) in
            [("limit", "4000"), ("remaining", "12"), ("reset", "2026-02-16T09:03:42Z")]
        {
            let name = format!("anthropic-ratelimit-{name}-{what}");
            let name = ::http::HeaderName::from_bytes(name.as_bytes()).unwrap();
            lines.insert(name, ::http::HeaderValue::from_static(value));
        }
        let hints = Hints::read_at(&lines, NOW);
        assert_eq!(hints.quota(), Some(&expected(12, 4000, 60_000, unit)), "{name}");
    }
}

#[test]
fn discord_resets_in_decimal_seconds_and_says_whom_a_limit_is_for() {
    let bucket = [
        ("x-ratelimit-limit", "5"),
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "1771232622.123"),
        ("x-ratelimit-reset-after", "1.25"),
        ("x-ratelimit-bucket", "abcd1234"),
    ];
    let scoped = |scope| Some(Quota { scope, ..expected(0, 5, 1250, Unit::Requests) });
    assert_eq!(quota(&bucket), scoped(Scope::Named("abcd1234".into())));
    for (line, scope) in [
        (("x-ratelimit-scope", "user"), Scope::Named("abcd1234".into())),
        (("x-ratelimit-scope", "shared"), Scope::Named("abcd1234".into())),
        (("x-ratelimit-scope", "global"), Scope::Global),
        (("x-ratelimit-global", "true"), Scope::Global),
        (("x-ratelimit-global", "false"), Scope::Named("abcd1234".into())),
        (("x-ratelimit-scope", "galaxy"), Scope::Named("abcd1234".into())),
    ] {
        assert_eq!(quota(&[&bucket[..], &[line]].concat()), scoped(scope), "{line:?}");
    }
    let both = [("x-ratelimit-global", "true"), ("x-ratelimit-scope", "user")];
    assert_eq!(quota(&[&bucket[..], &both].concat()), scoped(Scope::Global));
}

#[test]
fn an_answer_that_says_whose_limit_it_is_has_nothing_left() {
    for (line, scope) in [
        (("x-ratelimit-global", "true"), Scope::Global),
        (("x-ratelimit-scope", "global"), Scope::Global),
        (("x-ratelimit-scope", "user"), Scope::User),
        (("x-ratelimit-scope", "shared"), Scope::Shared),
    ] {
        let hints = Hints::read_at(&headers(&[("retry-after", "65"), line]), NOW);
        let spent = Quota { scope, ..Quota::new(0, Unit::Requests) };
        assert_eq!((hints.quota(), hints.wait()), (Some(&spent), Some(Duration::from_secs(65))));
    }
    assert_eq!(quota(&[("x-ratelimit-global", "false")]), None);
    assert_eq!(quota(&[("x-ratelimit-scope", "galaxy")]), None);
}

#[test]
fn the_epoch_counts_if_there_is_no_valid_reset_after() {
    for after in ["", "soon", "-1"] {
        let lines = [
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-limit", "5"),
            ("x-ratelimit-reset", "1771232622.123"),
            ("x-ratelimit-reset-after", after),
        ];
        assert_eq!(quota(&lines), Some(expected(0, 5, 60_123, Unit::Requests)), "{after:?}");
    }
}

#[test]
fn a_name_that_cannot_be_read_is_no_scope() {
    let scope = |name| {
        quota(&[("x-ratelimit-remaining", "1"), ("x-ratelimit-resource", name)]).unwrap().scope
    };
    assert_eq!(scope(""), Scope::Unsaid);
    assert_eq!(scope("\u{e4}"), Scope::Unsaid);
    assert_eq!(scope(" search "), Scope::Named("search".into()));
}

#[test]
fn shopify_tells_how_much_is_used_of_how_much() {
    let used = |value| quota(&[("x-shopify-shop-api-call-limit", value)]);
    let left = |left, limit| Some(Quota { limit: Some(limit), ..Quota::new(left, Unit::Requests) });
    assert_eq!(used("32/40"), left(8, 40));
    assert_eq!(used("40/40"), left(0, 40));
    assert_eq!(used("41/40"), left(0, 40));
    for value in ["32", "32/", "/40", "32 / 40", "-1/40", "32/40/50", "32/40;"] {
        assert_eq!(used(value), None, "{value}");
    }
}

#[test]
fn the_older_drafts_had_a_field_for_each_number() {
    let lines = |limit, reset| {
        [("ratelimit-limit", limit), ("ratelimit-remaining", "50"), ("ratelimit-reset", reset)]
    };
    let whole = Some(expected(50, 100, 5000, Unit::Requests));
    assert_eq!(quota(&lines("100", "5")), whole);
    assert_eq!(quota(&lines("100, 100;w=10, 1000;w=3600", "5")), whole);
    assert_eq!(quota(&lines("100;w=10", "5")), whole);
    let no_limit = Some(Quota { limit: None, ..expected(50, 100, 5000, Unit::Requests) });
    assert_eq!(quota(&lines("100 per day", "5")), no_limit);
}

#[test]
fn gitlab_resets_at_an_epoch_second_and_at_an_http_date() {
    let lines = |reset| {
        [
            ("ratelimit-limit", "60"),
            ("ratelimit-name", "throttle_authenticated_web"),
            ("ratelimit-observed", "67"),
            ("ratelimit-remaining", "0"),
            ("ratelimit-reset", reset),
            ("ratelimit-resettime", "Mon, 16 Feb 2026 09:03:00 GMT"),
        ]
    };
    assert_eq!(quota(&lines("1771232580")), Some(expected(0, 60, 18_000, Unit::Requests)));
    assert_eq!(quota(&lines("tomorrow")), Some(expected(0, 60, 18_000, Unit::Requests)));
}

#[test]
fn without_a_valid_remaining_there_is_no_quota() {
    for left in ["", "-1", "+1", "1.", "many", "1 2", "1, 1", "1;w=1"] {
        let lines = [
            ("x-ratelimit-limit", "100"),
            ("x-ratelimit-remaining", left),
            ("x-ratelimit-reset", "5"),
        ];
        assert_eq!(quota(&lines), None, "{left:?}");
        assert_eq!(quota(&[lines[0], lines[2]]), None);
    }
    for (fraction, left) in [("0.0", 0), ("0.9", 0), ("58.0", 58), ("1.99", 1)] {
        let read = quota(&[("x-ratelimit-remaining", fraction)]);
        assert_eq!(read, Some(Quota::new(left, Unit::Requests)), "{fraction}");
    }
    let most = Quota::new(u64::MAX, Unit::Requests);
    assert_eq!(quota(&[("x-ratelimit-remaining", "99999999999999999999")]), Some(most));
}

#[test]
fn without_a_valid_reset_or_limit_the_quota_has_none() {
    let js = "Tue Feb 16 2021 09:02:42 GMT+0100 (Central European Standard Time)";
    for (limit, reset) in [("", js), ("-5", ""), ("lots", "-1")] {
        let lines = [
            ("x-ratelimit-limit", limit),
            ("x-ratelimit-remaining", " 3 "),
            ("x-ratelimit-reset", reset),
        ];
        assert_eq!(quota(&lines), Some(Quota::new(3, Unit::Requests)), "{reset:?}");
    }
}

#[test]
fn of_several_lines_the_strictest_counts() {
    let lines = [
        ("x-ratelimit-limit", "1000"),
        ("x-ratelimit-limit", "100"),
        ("x-ratelimit-remaining", "9"),
        ("x-ratelimit-remaining", "3"),
        ("x-ratelimit-remaining", "many"),
        ("x-ratelimit-reset", "1"),
        ("x-ratelimit-reset", "5"),
        ("x-ratelimit-reset", "2"),
    ];
    assert_eq!(quota(&lines), Some(expected(3, 100, 5000, Unit::Requests)));
}

#[test]
fn the_tightest_of_several_families_counts() {
    let lines = |x| {
        [
            ("x-ratelimit-remaining", x),
            ("ratelimit-remaining", "2"),
            ("x-rate-limit-remaining", "3"),
            ("anthropic-ratelimit-tokens-remaining", "1"),
        ]
    };
    assert_eq!(quota(&lines("1")).map(|quota| quota.left), Some(1));
    assert_eq!(quota(&lines("7")).map(|quota| quota.left), Some(2));
    assert_eq!(quota(&lines("0")).map(|quota| quota.left), Some(0));
}
