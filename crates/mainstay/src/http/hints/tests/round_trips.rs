//! What is written reads back as it was.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::http::hints::{reset, timestamp};

const END_OF_9999: u64 = 253_402_300_799;

/// Seconds since 1970 as a date, counted year by year and month by month.
struct Written {
    year: u64,
    month: usize,
    day: u64,
    weekday: usize,
    time: String,
}

impl Written {
    fn new(seconds: u64) -> Self {
        let (mut days, time) = (seconds / 86_400, seconds % 86_400);
        let weekday = usize::try_from((days + 3) % 7).unwrap();
        let leap = |year: u64| year % 400 == 0 || year % 4 == 0 && year % 100 != 0;
        // 400 years have 146 097 days; the rest is walked.
        let mut year = 1970 + days / 146_097 * 400;
        days %= 146_097;
        while days >= 365 + u64::from(leap(year)) {
            days -= 365 + u64::from(leap(year));
            year += 1;
        }
        let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let mut month = 0;
        while days >= lengths[month] {
            days -= lengths[month];
            month += 1;
        }
        let time = format!("{:02}:{:02}:{:02}", time / 3600, time / 60 % 60, time % 60);
        Self { year, month, day: days + 1, weekday, time }
    }

    fn fixed(&self) -> String {
        let Self { year, day, time, .. } = self;
        format!("{}, {day:02} {} {year:04} {time} GMT", self.weekday(), self.month())
    }

    fn rfc850(&self) -> String {
        let Self { year, day, time, .. } = self;
        let long = ["Mon", "Tues", "Wednes", "Thurs", "Fri", "Satur", "Sun"][self.weekday];
        format!("{long}day, {day:02}-{}-{:02} {time} GMT", self.month(), year % 100)
    }

    fn asctime(&self) -> String {
        let Self { year, day, time, .. } = self;
        format!("{} {} {day:2} {time} {year:04}", self.weekday(), self.month())
    }

    fn rfc3339(&self, rest: &str) -> String {
        let Self { year, month, day, time, .. } = self;
        format!("{year:04}-{:02}-{day:02}T{time}{rest}", month + 1)
    }

    fn weekday(&self) -> &str {
        ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"][self.weekday]
    }

    fn month(&self) -> &str {
        &"JanFebMarAprMayJunJulAugSepOctNovDec"[self.month * 3..][..3]
    }
}

fn read_date(text: &str, now: u64) -> Option<u64> {
    let value = HeaderValue::from_str(text).unwrap();
    parse_http_date(&value, Duration::from_secs(now)).map(|time| time.as_secs())
}

fn read_reset(text: &str) -> Option<Duration> {
    let none = HeaderMap::new();
    reset::parse(text.as_bytes(), &Received::new(&none, &|| NOW))
}

fn retry_after(name: &'static str, value: &str) -> Option<Duration> {
    read_at(&[(name, value)], NOW).retry_after()
}

/// Up to the longest wait, so that nothing is cut off.
fn durations() -> impl Strategy<Value = Duration> {
    let seconds = prop_oneof![0..100_u64, 0..Hints::LONGEST.as_secs()];
    (seconds, 0..1_000_000_000_u32).prop_map(|(seconds, nanos)| Duration::new(seconds, nanos))
}

fn decimal(value: u128, digits: usize) -> String {
    let unit = 10_u128.pow(u32::try_from(digits).unwrap());
    format!("{}.{:0digits$}", value / unit, value % unit)
}

#[test]
fn the_writer_writes_what_is_known() {
    let known = Written::new(784_111_777);
    assert_eq!(known.fixed(), "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_eq!(known.rfc850(), "Sunday, 06-Nov-94 08:49:37 GMT");
    assert_eq!(known.asctime(), "Sun Nov  6 08:49:37 1994");
    assert_eq!(known.rfc3339("Z"), "1994-11-06T08:49:37Z");
    assert_eq!(Written::new(END_OF_9999).fixed(), "Fri, 31 Dec 9999 23:59:59 GMT");
}

proptest! {
    #[test]
    fn every_second_reads_back_from_every_form(seconds in 0..=END_OF_9999, off in -10_000..10_000_i64) {
        let written = Written::new(seconds);
        prop_assert_eq!(read_date(&written.fixed(), 0), Some(seconds));
        prop_assert_eq!(read_date(&written.asctime(), 0), Some(seconds));
        // From any day less than 49 years away.
        let now = seconds.saturating_add_signed(off * 49 * 365 * 86_400 / 10_000);
        prop_assert_eq!(read_date(&written.rfc850(), now), Some(seconds));
    }

    #[test]
    fn every_timestamp_reads_back_at_every_offset(
        seconds in 86_400..END_OF_9999 - 86_400,
        nanos in 0..1_000_000_000_u64,
        offset in -1439..1440_i64,
    ) {
        let local = Written::new(seconds.saturating_add_signed(offset * 60));
        let sign = if offset < 0 { '-' } else { '+' };
        let (hours, minutes) = (offset.abs() / 60, offset.abs() % 60);
        let text = local.rfc3339(&format!(".{nanos:09}{sign}{hours:02}:{minutes:02}"));
        let expected = Duration::from_secs(seconds) + Duration::from_nanos(nanos);
        prop_assert_eq!(timestamp::parse(text.as_bytes()), Some(expected));
    }

    #[test]
    fn every_duration_reads_back_as_a_decimal(duration in durations()) {
        let nanos = duration.as_nanos();
        prop_assert_eq!(retry_after("retry-after", &decimal(nanos, 9)), Some(duration));
        prop_assert_eq!(retry_after("retry-after-ms", &decimal(nanos, 6)), Some(duration));
        prop_assert_eq!(read_reset(&decimal(nanos, 9)), Some(duration));
        prop_assert_eq!(read_reset(&decimal((NOW + duration).as_nanos(), 9)), Some(duration));
        prop_assert_eq!(read_reset(&decimal((NOW + duration).as_nanos(), 6)), Some(duration));
    }

    #[test]
    fn every_whole_duration_reads_back(seconds in 0..=Hints::LONGEST.as_secs()) {
        let duration = Duration::from_secs(seconds);
        prop_assert_eq!(retry_after("retry-after", &seconds.to_string()), Some(duration));
        let millis = duration.as_millis().to_string();
        prop_assert_eq!(retry_after("x-amz-retry-after", &millis), Some(duration));
        let date = Written::new(NOW.as_secs() + seconds).fixed();
        prop_assert_eq!(retry_after("retry-after", &date), Some(duration));
    }

    #[test]
    fn every_duration_reads_back_as_go_writes_it(duration in durations()) {
        let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        let text = format!("{hours}h{minutes}m{}.{nanos:09}s", seconds % 60);
        prop_assert_eq!(read_reset(&text), Some(duration));
        let text = format!("{}ms{}us{}ns", duration.as_millis(), nanos / 1000 % 1000, nanos % 1000);
        prop_assert_eq!(read_reset(&text), Some(duration));
    }

    #[test]
    fn every_list_of_quotas_reads_back(
        members in vec(("[ !#-~]{0,12}", 0..=999_999_999_999_999_u64, prop::option::of(0..1000_u64)), 1..9),
        lines in 1..4_usize,
    ) {
        let mut headers = HeaderMap::new();
        for line in members.chunks(lines) {
            let line: Vec<_> = line.iter().map(|(name, left, reset)| {
                let name = name.replace('\\', r"\\");
                let reset = reset.map_or_else(String::new, |reset| format!("; t={reset}"));
                format!("\"{name}\";r={left}{reset};note")
            }).collect();
            headers.append("ratelimit", HeaderValue::from_str(&line.join(",\t")).unwrap());
        }
        let read = structured::read(&headers);
        prop_assert_eq!(read.len(), members.len());
        for (quota, (name, left, reset)) in read.iter().zip(&members) {
            prop_assert_eq!(&quota.scope, &Scope::Named(name.as_str().into()));
            prop_assert_eq!((quota.left, quota.reset), (*left, reset.map(Duration::from_secs)));
        }
        let hints = Hints::read_at(&headers, NOW);
        prop_assert_eq!(hints.quotas(), read);
    }
}
