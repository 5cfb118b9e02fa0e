//! What is said of a command line or an input that cannot be meant so.

use crate::{run, run_with};

const NOWHERE: &str = "http://127.0.0.1:1/";

#[test]
fn a_count_of_nothing_is_refused_in_plain_words() {
    for flag in ["--concurrency", "--per-host", "--attempts"] {
        for (count, why) in [("0", "it must be at least 1"), ("-1", "invalid digit")] {
            let ran = run(["fetch", &format!("{flag}={count}"), NOWHERE]);
            assert_eq!(ran.code, Some(2), "{flag}");
            assert!(ran.err.contains(why), "{}", ran.err);
        }
    }
}

#[test]
fn tries_are_attempts() {
    let ran = run(["fetch", "--tries", "1", NOWHERE]);
    assert!(ran.out.contains("\"attempts\":1,"), "{}{}", ran.out, ran.err);
}

#[test]
fn two_times_that_cannot_both_hold_are_called_by_their_flags() {
    let ran = run(["fetch", "--timeout", "9s", "--deadline", "2s", NOWHERE]);
    assert_eq!(ran.code, Some(2));
    let expected = "error: --timeout gives an attempt 9.0 s, and --deadline ends its call after \
                    2.0 s: lower the one or raise the other\n";
    assert_eq!(ran.err, expected);
    assert_eq!(run(["fetch", "--timeout", "2s", "--deadline", "2s", NOWHERE]).code, Some(1));
}

#[test]
fn an_input_of_nothing_is_a_success_that_says_so() {
    for (input, is_told) in [("", true), ("# nothing\n\n", true), ("no URL\n", false)] {
        let ran = run_with(["fetch", "--input", "-"], input.as_bytes());
        assert_eq!(ran.code, Some(if is_told { 0 } else { 1 }), "{}", ran.err);
        assert_eq!(ran.err.ends_with("no input came\n"), is_told, "{}", ran.err);
    }
}
