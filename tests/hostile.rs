//! Hostile input, fed to what the fuzz targets of `crates/mainstay/fuzz` feed, and as answers over
//! real sockets.
//!
//! A fuzzer finds more and needs a compiler of its own; this runs everywhere.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "it is real time that is measured")]

#[path = "hostile/answers.rs"]
mod answers;

#[expect(unreachable_pub, clippy::expect_used, reason = "it is a crate of its own elsewhere")]
#[path = "../crates/mainstay/fuzz/src/lib.rs"]
mod fuzz;

use proptest::prelude::*;

/// Bytes that look a little like what is parsed.
fn likely() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "1994-11-06T08:49:37.5+01:00",
        "\"default\";r=50;t=30",
        "limit=100, remaining=50, reset=5",
        "\"burst\";q=100;w=60",
        "6m0s",
        "12ms",
        "1h2m3.5s",
        "1735689600",
        "1735689600123",
        "99999999H",
        "-1",
        "2.0",
        "32/40",
        "[::1]:443",
        "user:password@host:80",
        ",",
        ";",
        "=",
        "\n\x00",
        "\n\x06",
        " ",
    ]);
    let word = words.prop_map(|word| word.as_bytes().to_vec());
    let piece = prop_oneof![
        3 => word,
        1 => prop::collection::vec(any::<u8>(), 0..8),
        1 => "[0-9]{1,40}".prop_map(String::into_bytes),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn anything() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![likely(), prop::collection::vec(any::<u8>(), 0..64)]
}

/// Files of pipelines that somebody has leaned on the keyboard in.
fn files() -> impl Strategy<Value = Vec<u8>> {
    let files = prop::sample::select(vec![
        include_str!("config/everything.toml"),
        include_str!("config/everything.json"),
        include_str!("config/broken/extends_in_a_ring.toml"),
        include_str!("config/broken/wrong_types.toml"),
        include_str!("config/broken/hosts_twice.toml"),
        include_str!("config/broken/settings.json"),
    ]);
    let pieces = prop::sample::select(vec![
        "",
        "\"",
        "{",
        "}",
        "[",
        "]",
        "=",
        ".",
        ",",
        "\n",
        "\\u001b",
        "\"\"",
        "true",
        "false",
        "-1",
        "1e999",
        "\"5s\"",
        "\"0/s\"",
        "nan",
        "[pipelines.a]\n",
        "extends = \"a\"\n",
        "retry",
        "hosts.\"*\"",
        "ä",
    ]);
    let edits = prop::collection::vec((any::<prop::sample::Index>(), 0..12_usize, pieces), 0..5);
    (files, edits).prop_map(|(file, edits)| {
        let mut bytes = file.as_bytes().to_vec();
        for (at, length, piece) in edits {
            let at = at.index(bytes.len() + 1);
            let end = (at + length).min(bytes.len());
            bytes.splice(at..end, piece.bytes());
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn of_a_file_of_pipelines_it_is_said_in_which_line_it_is_wrong(
        bytes in prop_oneof![4 => files(), 1 => anything()]
    ) {
        fuzz::config::feed(&bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn no_header_field_asks_for_more_than_the_longest_wait(bytes in anything()) {
        fuzz::hints::feed(&bytes);
    }

    #[test]
    fn no_date_panics_or_reaches_beyond_its_bounds(bytes in anything()) {
        fuzz::dates::feed(&bytes);
    }

    #[test]
    fn no_field_of_grpc_panics_or_reaches_beyond_its_bounds(bytes in anything()) {
        fuzz::grpc::feed(&bytes);
    }

    #[test]
    fn a_key_is_its_own_spelling(bytes in anything()) {
        fuzz::keys::feed(&bytes);
    }

    #[test]
    fn whoever_reads_a_body_again_reads_all_of_it(bytes in prop::collection::vec(any::<u8>(), 0..96)) {
        fuzz::replay::feed(&bytes);
    }
}
