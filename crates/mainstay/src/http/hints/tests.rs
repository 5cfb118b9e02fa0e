use ::http::{HeaderName, HeaderValue};

use super::*;

mod arbitrary;
mod round_trips;

/// Mon, 16 Feb 2026 09:02:42 GMT
pub(super) const NOW: Duration = Duration::from_secs(1_771_232_562);
const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);

pub(super) fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let lines = lines.iter().map(|(name, value)| {
        (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap())
    });
    let mut headers = HeaderMap::new();
    lines.for_each(|(name, value)| _ = headers.append(name, value));
    headers
}

fn read_at(lines: &[(&'static str, &str)], now: Duration) -> Hints {
    Hints::read_at(&headers(lines), now)
}

/// Fails if the clock is read.
fn read_without_clock(lines: &[(&'static str, &str)]) -> Hints {
    Hints::read_by(&headers(lines), &|| panic!("read the clock"))
}

/// All that say: in a minute.
const MOMENTS: [&[(&str, &str)]; 6] = [
    &[("retry-after", "Mon, 16 Feb 2026 09:03:42 GMT")],
    &[("retry-after", "Monday, 16-Feb-26 09:03:42 GMT")],
    &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1771232622")],
    &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1771232622000")],
    &[("ratelimit-remaining", "0"), ("ratelimit-resettime", "Mon Feb 16 09:03:42 2026")],
    &[
        ("anthropic-ratelimit-tokens-remaining", "0"),
        ("anthropic-ratelimit-tokens-reset", "2026-02-16T09:03:42Z"),
    ],
];

#[test]
fn a_wrong_clock_of_the_client_does_not_matter_if_there_is_a_date() {
    for lines in MOMENTS {
        for date in ["Mon, 16 Feb 2026 09:02:42 GMT", "Mon Feb 16 09:02:42 2026"] {
            let dated = [lines, &[("date", date)]].concat();
            assert_eq!(read_without_clock(&dated).wait(), Some(MINUTE), "{lines:?}");
        }
        // Its year has two digits, so the clock is read, but only for the century.
        let dated = [lines, &[("date", "Monday, 16-Feb-26 09:02:42 GMT")]].concat();
        for now in [NOW, NOW - HOUR, NOW + HOUR] {
            assert_eq!(read_at(&dated, now).wait(), Some(MINUTE), "{lines:?}");
        }
    }
}

#[test]
fn without_a_usable_date_the_clock_of_the_client_counts() {
    for lines in MOMENTS {
        for date in ["", "yesterday", "Mon, 30 Feb 2026 09:02:42 GMT"] {
            let dated = [lines, &[("date", date)]].concat();
            for lines in [lines, &dated] {
                assert_eq!(read_at(lines, NOW).wait(), Some(MINUTE), "{lines:?}");
                assert_eq!(read_at(lines, NOW - HOUR).wait(), Some(HOUR + MINUTE), "{lines:?}");
                assert_eq!(read_at(lines, NOW + HOUR).wait(), Some(Duration::ZERO), "{lines:?}");
            }
        }
    }
}

#[test]
fn the_wall_clock_is_read_where_a_date_needs_it() {
    let far = Hints::read(&headers(&[("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT")]));
    assert_eq!(far.retry_after(), Some(Hints::LONGEST));
    let past = Hints::read(&headers(&[("retry-after", "Mon, 16 Feb 2026 09:03:42 GMT")]));
    assert!(past.retry_after() < Some(Hints::LONGEST));
}

#[test]
fn what_is_no_date_needs_no_clock() {
    for lines in [
        &[("retry-after", "5")][..],
        &[("retry-after", "soon"), ("retry-after-ms", "5")],
        &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "5")],
        &[("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "6m0s")],
        &[("ratelimit", r#""p";r=0;t=5"#)],
        &[("server", "nginx"), ("last-modified", "Mon, 16 Feb 2026 09:03:42 GMT")],
    ] {
        read_without_clock(lines);
    }
}

#[test]
fn an_age_makes_no_wait_shorter() {
    let wait = |age| {
        let lines = [
            ("retry-after", "Mon, 16 Feb 2026 09:03:42 GMT"),
            ("date", "Mon, 16 Feb 2026 09:02:42 GMT"),
            ("age", age),
        ];
        read_without_clock(&lines).wait().unwrap().as_secs()
    };
    for age in ["0", "20", "3600", "99999999999999999999999", "", "-20"] {
        assert_eq!(wait(age), 60, "{age:?}");
    }
}

#[test]
fn the_first_date_that_is_one_counts() {
    let lines = [
        ("retry-after", "Mon, 16 Feb 2026 09:03:42 GMT"),
        ("date", "yesterday"),
        ("date", "Mon, 16 Feb 2026 09:02:42 GMT"),
    ];
    assert_eq!(read_without_clock(&lines).wait(), Some(Duration::from_secs(60)));
}

#[test]
fn a_cached_response_says_nothing_of_quotas() {
    for lines in [
        &[("ratelimit", r#""p";r=0;t=5"#)][..],
        &[("ratelimit-remaining", "0")],
        &[("x-ratelimit-remaining", "0")],
        &[("x-shopify-shop-api-call-limit", "40/40")],
    ] {
        let with = |age| read_at(&[lines, &[("retry-after", "7"), ("age", age)]].concat(), NOW);
        for stale in ["1", "3600", "99999999999999999999999"] {
            assert_eq!(with(stale).quota(), None, "{lines:?}");
            assert_eq!(with(stale).wait(), Some(Duration::from_secs(7)));
        }
        for fresh in ["0", "000", "-1", "young"] {
            assert!(with(fresh).quota().is_some(), "{lines:?}");
        }
    }
}

#[test]
fn retry_after_wins_over_a_quota() {
    let used_up = ("ratelimit", r#""p";r=0;t=30"#);
    let wait = |lines: &[_]| read_at(lines, NOW).wait().map(|wait| wait.as_secs());
    assert_eq!(wait(&[used_up]), Some(30));
    assert_eq!(wait(&[used_up, ("retry-after", "7")]), Some(7));
    assert_eq!(wait(&[used_up, ("retry-after", "70")]), Some(70));
    assert_eq!(wait(&[used_up, ("retry-after", "0")]), Some(30), "zero names no wait");
    assert_eq!(wait(&[("retry-after", "0")]), Some(0));
    assert_eq!(wait(&[used_up, ("retry-after", "soon")]), Some(30));
}

#[test]
fn only_a_quota_with_nothing_left_asks_for_a_wait() {
    let wait = |field: &str, policy: &str| {
        read_at(&[("ratelimit", field), ("ratelimit-policy", policy)], NOW).wait()
    };
    let in_seven = Some(Duration::from_secs(7));
    assert_eq!(wait(r#""p";r=1;t=7"#, ""), None);
    assert_eq!(wait(r#""p";r=0"#, ""), None);
    for unit in ["requests", "content-bytes", "fortnights"] {
        assert_eq!(wait(r#""p";r=0;t=7"#, &format!(r#""p";q=9;qu="{unit}""#)), in_seven);
    }
    assert_eq!(wait(r#""p";r=0;t=7"#, r#""p";q=9;qu="concurrent-requests""#), None);
}

#[test]
fn a_response_without_hints_is_empty() {
    let ordinary = [
        ("server", "nginx"),
        ("date", "Mon, 16 Feb 2026 09:02:42 GMT"),
        ("age", "5"),
        ("x-request-id", "7"),
    ];
    assert!(read_at(&ordinary, NOW).is_empty());
    assert!(read_at(&[("retry-after", "soon"), ("x-ratelimit-limit", "5")], NOW).is_empty());
    assert_eq!(read_at(&ordinary, NOW), Hints::default());
    assert_eq!(Hints::default().wait(), None);
    assert!(!read_at(&[("retry-after", "0")], NOW).is_empty());
    assert!(!read_at(&[("x-ratelimit-remaining", "5")], NOW).is_empty());
}
