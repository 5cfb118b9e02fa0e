//! The list of what others got wrong: each has a test here that there is.

use crate::{assert_none, map, workspace};

const PAGE: &str = "docs/peers-defects.md";
const HEADINGS: [&str; 2] = ["## tower-resilience", "## Building blocks"];

/// Rows of the tables under these headings whose last column names no test, or one that there is
/// not.
fn untested(page: &str, headings: &[&str], rust: &str) -> Vec<String> {
    let mut untested = Vec::new();
    for heading in headings {
        let rows = map::section(page, heading).filter(|line| line.starts_with('|')).skip(2);
        let mut rows = rows.peekable();
        if rows.peek().is_none() {
            untested.push(format!("there is no table under {heading:?}"));
        }
        for row in rows {
            let last = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
            let mut tests = last.split('`').skip(1).step_by(2).peekable();
            if tests.peek().is_none() {
                untested.push(format!("no test is named: {row}"));
            }
            let missing = tests.filter(|test| !rust.contains(&format!("fn {test}()")));
            untested.extend(missing.map(|test| format!("there is no test {test}: {row}")));
        }
    }
    untested
}

#[test]
fn every_defect_of_others_is_shown_not_to_be_ours() {
    assert_none(&untested(&workspace::page(PAGE), &HEADINGS, &workspace::all_rust()));
}

#[test]
fn a_defect_without_a_test_that_exists_is_refused() {
    let page = "
## Roof
| defect | tests |
|---|---|
| rain | `no_rain_comes_in`, `no_snow_comes_in` |
| wind | to be done |
| hail | `no_hail_comes_in` |
## Door
";
    let rust = "fn no_rain_comes_in() {}\nfn no_hail_comes_in() {}";
    assert_eq!(
        untested(page, &["## Roof", "## Door"], rust),
        [
            "there is no test no_snow_comes_in: | rain | `no_rain_comes_in`, `no_snow_comes_in` |",
            "no test is named: | wind | to be done |",
            "there is no table under \"## Door\"",
        ]
    );
}
