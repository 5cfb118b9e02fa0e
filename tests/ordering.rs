//! The order of a pipeline, place by place: `docs/ordering.md`, row by row.
//!
//! Each test tells one story three times: before a server stand two layers in the right order, the
//! same two the other way round, and a pipeline. It fails when the pipeline has them the wrong way,
//! and when the order would make no difference.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "ordering/drivers.rs"]
mod drivers;
#[path = "ordering/guards.rs"]
mod guards;
#[path = "ordering/server.rs"]
mod server;

use std::time::Duration;

const PAGE: &str = include_str!("../docs/ordering.md");
const TESTS: [&str; 2] = [include_str!("ordering/drivers.rs"), include_str!("ordering/guards.rs")];

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// What the rows of the tables about pairs name in their last place, in backticks.
fn named(page: &str) -> Vec<&str> {
    let mut is_about_pairs = false;
    let rows = page.lines().filter(|line| {
        is_about_pairs = line.starts_with('|') && (is_about_pairs || line.starts_with("| outside"));
        is_about_pairs && !line.starts_with("|---") && !line.starts_with("| outside")
    });
    rows.map(|row| row.trim_end_matches([' ', '|']).rsplit(' ').next().unwrap_or_default())
        .map(|cell| cell.trim_matches('`'))
        .collect()
}

/// The tests that there are.
fn tests<'a>(texts: &[&'a str]) -> Vec<&'a str> {
    let lines = texts.iter().flat_map(|text| text.lines());
    let pairs = lines.clone().zip(lines.skip(1));
    let tests = pairs.filter(|(before, _)| before.starts_with("#[tokio::test"));
    tests.filter_map(|(_, line)| line.strip_prefix("async fn ")?.split('(').next()).collect()
}

#[test]
fn every_row_of_the_page_names_a_test_and_every_test_has_its_row() {
    let (mut named, mut tests) = (named(PAGE), tests(&TESTS));
    named.sort_unstable();
    tests.sort_unstable();
    assert!(named.len() > 15, "{named:?}");
    assert_eq!(named, tests);
}

#[test]
fn a_row_without_a_test_and_a_test_without_a_row_are_found() {
    let page = "
| place | what |
|---|---|
| `a` | b |

| outside | inside | why | test |
|---|---|---|---|
| a | `b` | to see | `a_is_outside` |
| b | c | to see | nothing |
No | row: `c`.
";
    assert_eq!(named(page), ["a_is_outside", "nothing"]);
    let text =
        "#[tokio::test(start_paused = true)]\nasync fn b_is_outside() {}\nasync fn story() {}";
    assert_eq!(tests(&[text]), ["b_is_outside"]);
}
