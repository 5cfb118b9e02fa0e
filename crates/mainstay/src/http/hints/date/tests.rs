use super::*;

/// Mon, 16 Feb 2026 09:02:42 GMT
const NOW: u64 = 1_771_232_562;

fn at(text: &str) -> Option<u64> {
    read_at(text, NOW)
}

fn read_at(text: &str, now: u64) -> Option<u64> {
    let value = HeaderValue::from_bytes(text.as_bytes()).unwrap();
    parse_http_date(&value, Duration::from_secs(now)).map(|time| time.as_secs())
}

#[test]
fn all_three_forms_are_read() {
    for text in [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun Nov 06 08:49:37 1994",
        "\t Sun, 06 Nov 1994 08:49:37 GMT ",
    ] {
        assert_eq!(at(text), Some(784_111_777), "{text:?}");
    }
}

#[test]
fn every_month_and_every_day_has_its_name() {
    let mut start = 1_767_225_600; // Thu, 01 Jan 2026
    for (month, days) in MONTHS.iter().zip([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) {
        assert_eq!(at(&format!("Thu, 01 {month} 2026 00:00:00 GMT")), Some(start));
        start += days * 86_400;
    }
    for (day, long) in DAYS.iter().zip(LONG_DAYS) {
        assert_eq!(at(&format!("{day}, 06 Nov 1994 08:49:37 GMT")), Some(784_111_777));
        assert_eq!(at(&format!("{long}, 06-Nov-94 08:49:37 GMT")), Some(784_111_777));
        assert_eq!(at(&format!("{day} Nov  6 08:49:37 1994")), Some(784_111_777));
        assert!(long.starts_with(day));
    }
}

#[test]
fn a_leap_second_is_the_second_after_it() {
    for text in [
        "Sat, 31 Dec 2016 23:59:60 GMT",
        "Saturday, 31-Dec-16 23:59:60 GMT",
        "Sat Dec 31 23:59:60 2016",
        "Sun, 01 Jan 2017 00:00:00 GMT",
    ] {
        assert_eq!(at(text), Some(1_483_228_800), "{text}");
    }
}

#[test]
fn two_digits_mean_the_latest_year_that_is_at_most_50_years_ahead() {
    let long = |year: &str| at(&format!("Monday, 16-Feb-{year} 09:02:42 GMT"));
    let full = |year: &str| at(&format!("Mon, 16 Feb {year} 09:02:42 GMT"));
    assert_eq!(long("26"), full("2026"));
    assert_eq!(long("27"), full("2027"));
    assert_eq!(long("70"), full("2070"));
    assert_eq!(long("75"), full("2075"));
    assert_eq!(long("76"), full("2076")); // 50 years to the second
    assert_eq!(at("Monday, 16-Feb-76 09:02:43 GMT"), at("Mon, 16 Feb 1976 09:02:43 GMT"));
    assert_eq!(at("Monday, 15-Feb-76 23:59:59 GMT"), at("Mon, 15 Feb 2076 23:59:59 GMT"));
    assert_eq!(long("77"), full("1977"));
    assert_eq!(long("99"), full("1999"));
    assert_eq!(long("00"), full("2000"));
    assert_eq!(long("25"), full("2025"));
}

#[test]
fn two_digits_are_read_from_where_the_reader_stands() {
    let in_2070 = 3_155_760_000; // Wed, 01 Jan 2070 12:00:00 GMT
    assert_eq!(
        read_at("Friday, 01-Jan-10 00:00:00 GMT", in_2070),
        at("Fri, 01 Jan 2110 00:00:00 GMT")
    );
    assert_eq!(read_at("Friday, 01-Jan-21 00:00:00 GMT", 0), Some(0)); // 1921
    assert_eq!(read_at("Friday, 01-Jan-19 00:00:00 GMT", 0), at("Fri, 01 Jan 2019 00:00:00 GMT"));
    // The first day of 1971 is less than a mean year behind 1970.
    assert_eq!(
        read_at("Friday, 01-Jan-21 00:00:00 GMT", 365 * 86_400),
        at("Fri, 01 Jan 2021 00:00:00 GMT")
    );
    assert!(read_at("Friday, 01-Jan-19 00:00:00 GMT", u64::MAX).is_some());
    // 2100 has no such day, 2000 has.
    assert_eq!(read_at("Monday, 29-Feb-00 00:00:00 GMT", in_2070), None);
    assert!(at("Monday, 29-Feb-00 00:00:00 GMT").is_some());
}

#[test]
fn the_clock_is_asked_only_for_two_digits() {
    for text in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Sunday, nonsense"] {
        parse(text.as_bytes(), &|| panic!("asked for the time"));
    }
}

#[test]
fn what_lies_before_1970_reads_as_zero() {
    for text in [
        "Wed, 31 Dec 1969 23:59:59 GMT",
        "Sat, 01 Jan 0000 00:00:00 GMT",
        "Thu Jan  1 00:00:00 1970",
    ] {
        assert_eq!(at(text), Some(0), "{text}");
    }
    assert_eq!(at("Fri, 31 Dec 9999 23:59:60 GMT"), Some(253_402_300_800));
}

#[test]
fn what_is_no_http_date_is_refused() {
    for text in [
        "",
        "Sun",
        "06 Nov 1994 08:49:37 GMT",
        "sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 gmt",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 GMT+1",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Nov 1994 08:49 GMT",
        "Sun,06 Nov 1994 08:49:37 GMT",
        "Sun, 06  Nov 1994 08:49:37 GMT",
        "Xyz, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sunday, 6-Nov-94 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 94",
        "Sun Nov  6 08:49:37 1994 GMT",
        "Sun Nov   6 08:49:37 1994",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 29 Feb 2023 08:49:37 GMT",
        "Wednesday, 29-Feb-23 08:49:37 GMT",
        "Sun Feb 29 08:49:37 2023",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, +6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov -994 08:49:37 GMT",
        "Tue Feb 16 2021 09:02:42 GMT+0100 (Central European Standard Time)",
        "2026-02-16T09:02:42Z",
        "784111777",
    ] {
        assert_eq!(at(text), None, "{text:?}");
    }
}
