use super::*;
use crate::http::hints::tests::{NOW, headers};

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

fn read(lines: &[(&'static str, &str)]) -> Option<Duration> {
    Hints::read_at(&headers(lines), NOW).retry_after()
}

#[test]
fn retry_after_is_read_in_every_form_that_servers_send() {
    for (value, expected) in [
        ("120", SECOND * 120),
        ("2.0", SECOND * 2), // Shopify
        ("0.75", MILLI * 750),
        ("1.0000000001", SECOND + Duration::from_nanos(1)),
        ("007", SECOND * 7),
        ("0", Duration::ZERO),
        ("0.0", Duration::ZERO),
        (" 5\t", SECOND * 5),
        ("Mon, 16 Feb 2026 09:03:42 GMT", SECOND * 60),
        ("Monday, 16-Feb-26 09:03:42 GMT", SECOND * 60),
        ("Mon Feb 16 09:03:42 2026", SECOND * 60),
        ("Mon, 16 Feb 2026 09:02:60 GMT", SECOND * 18),
        ("Mon, 16 Feb 2026 09:02:42 GMT", Duration::ZERO),
        ("Sun, 06 Nov 1994 08:49:37 GMT", Duration::ZERO),
        ("Sunday, 06-Nov-94 08:49:37 GMT", Duration::ZERO),
    ] {
        assert_eq!(read(&[("retry-after", value)]), Some(expected), "{value:?}");
        let value = HeaderValue::from_str(value).unwrap();
        assert_eq!(parse_retry_after(&value, NOW), Some(expected));
    }
}

#[test]
fn each_header_in_milliseconds_is_read_as_milliseconds() {
    for name in ["retry-after-ms", "x-ms-retry-after-ms", "x-amz-retry-after"] {
        assert_eq!(read(&[(name, "1500")]), Some(MILLI * 1500), "{name}");
        assert_eq!(read(&[(name, "0.5")]), Some(MILLI / 2), "{name}");
        assert_eq!(read(&[(name, "0")]), Some(Duration::ZERO), "{name}");
        for value in ["-1", "+1", "", "soon", "1s", "1 0", "Mon, 16 Feb 2026 09:03:42 GMT"] {
            assert_eq!(read(&[(name, value)]), None, "{name}: {value:?}");
        }
    }
}

#[test]
fn a_wait_is_never_longer_than_the_longest() {
    for value in [
        "31622401",
        "4294967296",
        "18446744073709551616",
        "99999999999999999999999999999999999999999999999999",
        "31622400.000000001",
        "Fri, 31 Dec 9999 23:59:60 GMT",
        "Wed, 17 Feb 2027 09:02:43 GMT",
    ] {
        assert_eq!(read(&[("retry-after", value)]), Some(Hints::LONGEST), "{value}");
    }
    assert_eq!(read(&[("retry-after", "31622399")]), Some(Hints::LONGEST - SECOND));
    let date = "Wed, 17 Feb 2027 09:02:41 GMT";
    assert_eq!(read(&[("retry-after", date)]), Some(Hints::LONGEST - SECOND));
    for name in MILLISECONDS {
        assert_eq!(read(&[(name, "99999999999999999999999")]), Some(Hints::LONGEST), "{name}");
    }
}

#[test]
fn the_longest_of_several_counts() {
    let several: [&[(&'static str, &str)]; 6] = [
        &[("retry-after", "1"), ("retry-after", "3"), ("retry-after", "2")],
        &[("retry-after", "3"), ("retry-after-ms", "2999")],
        &[("retry-after", "2"), ("retry-after-ms", "3000")],
        &[("x-ms-retry-after-ms", "3000"), ("retry-after-ms", "1"), ("x-amz-retry-after", "9")],
        &[("x-amz-retry-after", "5"), ("x-amz-retry-after", "3000")],
        &[("retry-after", "never"), ("retry-after", "3"), ("retry-after-ms", "-9000")],
    ];
    for lines in several {
        assert_eq!(read(lines), Some(SECOND * 3), "{lines:?}");
    }
    assert_eq!(
        read(&[("retry-after", "1"), ("retry-after", "Mon, 16 Feb 2026 09:03:42 GMT")]),
        Some(SECOND * 60)
    );
}

#[test]
fn what_is_malformed_is_ignored_as_a_whole() {
    for value in [
        "",
        "-1",
        "+1",
        "1 2",
        "1, 2",
        "1.",
        ".5",
        "1.5.5",
        "1e3",
        "1s",
        "0x10",
        "NaN",
        "inf",
        "soon",
        "1\u{a0}",
        "Mon, 16 Feb 2026 09:03:42 CET",
        "Mon, 30 Feb 2026 09:03:42 GMT",
        "2026-02-16T09:03:42Z",
    ] {
        assert_eq!(read(&[("retry-after", value)]), None, "{value:?}");
    }
    assert_eq!(read(&[]), None);
    assert_eq!(read(&[("retry-after-seconds", "1")]), None);
}
