use super::*;
use crate::http::hints::tests::{NOW, headers};

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

fn read(text: &str) -> Option<Duration> {
    let none = headers(&[]);
    parse(text.as_bytes(), &Received::new(&none, &|| NOW))
}

#[test]
fn each_shape_is_read_as_what_it_is() {
    for (text, expected) in [
        ("60", SECOND * 60),
        ("0", Duration::ZERO),
        ("1.234", MILLI * 1234), // Discord's Reset-After
        ("999999999", Hints::LONGEST),
        ("1771232622", SECOND * 60),                  // GitHub
        ("1771232622.5", SECOND * 60 + MILLI * 500),  // Discord
        ("1771232622500", SECOND * 60 + MILLI * 500), // milliseconds
        ("1771232622500.5", SECOND * 60 + MILLI * 500 + MILLI / 2),
        ("1s", SECOND), // OpenAI
        ("6m0s", SECOND * 360),
        ("12ms", MILLI * 12),
        ("1h2m3.5s", MILLI * 3_723_500),
        ("1.5h", SECOND * 5400),
        ("30m1h", SECOND * 5400),
        ("5us", Duration::from_micros(5)),
        ("5\u{b5}s", Duration::from_micros(5)),
        ("5\u{3bc}s", Duration::from_micros(5)),
        ("7ns", Duration::from_nanos(7)),
        ("0.1ns", Duration::from_nanos(1)),
        ("0s", Duration::ZERO),
        ("2026-02-16T09:03:42Z", SECOND * 60), // Anthropic
        ("2026-02-16T10:03:42.25+01:00", SECOND * 60 + MILLI * 250),
        ("2026-02-16t09:02:60z", SECOND * 18),
        ("Mon, 16 Feb 2026 09:03:42 GMT", SECOND * 60), // GitLab's ResetTime
        ("Monday, 16-Feb-26 09:03:42 GMT", SECOND * 60),
        ("Mon Feb 16 09:03:42 2026", SECOND * 60),
    ] {
        assert_eq!(read(text), Some(expected), "{text}");
    }
}

#[test]
fn seconds_from_now_end_where_seconds_since_1970_begin() {
    let read_in_2001 = |text: &str| {
        let (none, then) = (headers(&[]), SECOND * 1_000_000_000);
        parse(text.as_bytes(), &Received::new(&none, &|| then))
    };
    assert_eq!(read_in_2001("999999999"), Some(Hints::LONGEST));
    assert_eq!(read_in_2001("1000000000"), Some(Duration::ZERO));
    assert_eq!(read_in_2001("1000000007"), Some(SECOND * 7));
    assert_eq!(read_in_2001("999999999999"), Some(Hints::LONGEST));
    assert_eq!(read_in_2001("1000000000000"), Some(Duration::ZERO));
    assert_eq!(read_in_2001("1000000007000"), Some(SECOND * 7));
}

#[test]
fn a_moment_in_the_past_is_zero_away() {
    for text in [
        "1771232561",
        "1771232561999",
        "1000000000",
        "2026-02-16T09:02:41Z",
        "0000-01-01T00:00:00Z",
        "Sun, 06 Nov 1994 08:49:37 GMT",
    ] {
        assert_eq!(read(text), Some(Duration::ZERO), "{text}");
    }
}

#[test]
fn what_is_too_far_away_is_the_longest_away() {
    for text in [
        "31622401",
        "1802854963",
        "18446744073709551616",
        "99999999999999999999999999999999999999",
        "1771232622000000000",
        "8785h",
        "99999999999999999999999999h99999999999999999999999999h",
        "9999-12-31T23:59:60Z",
        "Fri, 31 Dec 9999 23:59:59 GMT",
    ] {
        assert_eq!(read(text), Some(Hints::LONGEST), "{text}");
    }
}

#[test]
fn all_else_is_ignored() {
    for text in [
        "",
        "-1",
        "+1",
        "-1s",
        "+1s",
        "1 s",
        "1S",
        "1d",
        "1m0",
        "s",
        "1ss",
        "1.s",
        ".5s",
        "5\u{b5}",
        "5 \u{b5}s",
        "1,5s",
        "1, 2",
        "PT1S",
        "soon",
        "2026-02-16",
        "2026-02-16 09:03:42",
        "Tue Feb 16 2021 09:02:42 GMT+0100 (Central European Standard Time)", // Lemlist
        "Tue, 16 Feb 2021 09:02:42 CET",
    ] {
        assert_eq!(read(text), None, "{text:?}");
    }
    let none = headers(&[]);
    assert_eq!(parse(b"5\xb5s", &Received::new(&none, &|| NOW)), None);
}
