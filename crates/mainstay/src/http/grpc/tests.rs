use ::http::HeaderValue;
use proptest::prelude::*;

use super::*;
use crate::http::testing::headers;

#[test]
fn a_status_is_read_from_head_or_trailers() {
    for (value, code) in [
        ("0", Code::OK),
        ("4", Code::DEADLINE_EXCEEDED),
        ("8", Code::RESOURCE_EXHAUSTED),
        ("14", Code::UNAVAILABLE),
        ("16", Code::UNAUTHENTICATED),
        ("17", Code::UNKNOWN),
        ("20", Code::UNKNOWN),
        ("014", Code::UNKNOWN),
        ("-1", Code::UNKNOWN),
        ("OK", Code::UNKNOWN),
        ("", Code::UNKNOWN),
    ] {
        let fields = headers(&[("grpc-status", value)]);
        assert_eq!(Code::read(&fields), Some(code), "{value:?}");
        assert_eq!(Code::at_the_end(Some(&fields)), code, "{value:?}");
    }
    assert_eq!(Code::read(&HeaderMap::new()), None);
}

#[test]
fn a_call_that_ends_without_a_status_has_broken_off() {
    assert_eq!(Code::at_the_end(None), Code::UNKNOWN);
    assert_eq!(Code::at_the_end(Some(&HeaderMap::new())), Code::UNKNOWN);
    assert_eq!(Code::UNKNOWN.outcome(), Outcome::Transient);
}

#[test]
fn what_each_code_says_of_the_server() {
    for number in 0..=16 {
        let code = Code::from_number(number);
        let outcome = match number {
            0 => Outcome::Success,
            8 => Outcome::Throttled,
            2 | 4 | 13 | 14 | 15 => Outcome::Transient,
            _ => Outcome::Fatal,
        };
        assert_eq!((code.number(), code.outcome()), (number, outcome), "{code}");
    }
    assert_eq!(Code::from_number(17), Code::UNKNOWN);
    assert_eq!(Code::UNAVAILABLE.to_string(), "UNAVAILABLE");
}

#[test]
fn a_call_of_grpc_is_known_by_its_content_type() {
    for (value, is_it) in [
        ("application/grpc", true),
        ("application/grpc+proto", true),
        ("Application/gRPC;charset=x", true),
        ("application/grpc-web", false),
        ("application/grp", false),
        ("application/json", false),
    ] {
        assert_eq!(is_grpc(&headers(&[("content-type", value)])), is_it, "{value}");
    }
    assert!(!is_grpc(&HeaderMap::new()));
}

#[test]
fn a_pushback_is_a_wait_or_a_no() {
    let wait = |millis| Some(Pushback::Wait(Duration::from_millis(millis)));
    for (value, said) in [
        ("0", wait(0)),
        ("250", wait(250)),
        ("2147483647", wait(2_147_483_647)),
        ("2147483648", Some(Pushback::DoNotRetry)),
        ("-1", Some(Pushback::DoNotRetry)),
        ("-2147483648", Some(Pushback::DoNotRetry)),
        ("1.5", Some(Pushback::DoNotRetry)),
        (" 5", Some(Pushback::DoNotRetry)),
        ("", Some(Pushback::DoNotRetry)),
    ] {
        assert_eq!(
            Pushback::read(&headers(&[("grpc-retry-pushback-ms", value)])),
            said,
            "{value:?}"
        );
    }
    assert_eq!(Pushback::read(&HeaderMap::new()), None);
}

#[test]
fn a_timeout_is_written_as_precisely_as_eight_digits_allow() {
    for (duration, text) in [
        (Duration::ZERO, "0n"),
        (Duration::from_nanos(99_999_999), "99999999n"),
        (Duration::from_nanos(100_000_000), "100000u"),
        (Duration::from_nanos(100_000_999), "100000u"),
        (Duration::from_secs(10), "10000000u"),
        (Duration::from_secs(100), "100000m"),
        (Duration::from_secs(100_000), "100000S"),
        (Duration::from_secs(100_000_000), "1666666M"),
        (Duration::from_secs(360_000_000_000), "99999999H"),
        (Duration::MAX, "99999999H"),
    ] {
        assert_eq!(Timeout::of(duration).to_string(), text);
        assert_eq!(Timeout::of(duration).to_value().unwrap(), text);
    }
}

#[test]
fn each_unit_of_a_timeout_is_read() {
    for (text, duration) in [
        ("1H", Duration::from_secs(3600)),
        ("2M", Duration::from_secs(120)),
        ("3S", Duration::from_secs(3)),
        ("4m", Duration::from_millis(4)),
        ("5u", Duration::from_micros(5)),
        ("6n", Duration::from_nanos(6)),
        ("00000007S", Duration::from_secs(7)),
        ("99999999H", Duration::from_secs(99_999_999 * 3600)),
    ] {
        assert_eq!(text.parse::<Timeout>().unwrap().duration(), duration, "{text}");
    }
    for text in ["", "H", "1", "123456789S", "1s", "1h", "-1S", "+1S", " 1S", "1 S", "1.5S", "1µ"]
    {
        assert_eq!(text.parse::<Timeout>(), Err(TimeoutError), "{text:?}");
    }
}

proptest! {
    #[test]
    fn a_timeout_comes_back_no_longer_and_hardly_shorter(seconds in 0..1u64 << 40, nanos in 0..1_000_000_000u32) {
        let sent = Duration::new(seconds, nanos);
        let came = Timeout::of(sent).to_string().parse::<Timeout>().unwrap().duration();
        prop_assert!(came <= sent);
        let most = Duration::from_secs(99_999_999 * 3600);
        prop_assert!(sent > most || sent - came <= sent / 1_000_000);
    }

    #[test]
    fn no_text_makes_a_timeout_panic(text in "\\PC{0,12}", digits in "[0-9]{0,10}[HMSmun]?") {
        let _ = text.parse::<Timeout>();
        let _ = digits.parse::<Timeout>();
    }

    #[test]
    fn no_bytes_make_the_fields_panic_or_wait_too_long(bytes: Vec<u8>) {
        let Ok(value) = HeaderValue::from_bytes(&bytes) else { return Ok(()) };
        let fields = HeaderMap::from_iter([(PUSHBACK, value.clone()), (STATUS, value)]);
        if let Some(Pushback::Wait(wait)) = Pushback::read(&fields) {
            prop_assert!(wait <= Duration::from_millis(i32::MAX as u64));
        }
        prop_assert!(Code::read(&fields).is_some());
    }
}
