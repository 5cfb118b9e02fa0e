//! Every code of the linter has a section in the page about them, and every section a code.

use std::collections::{BTreeMap, BTreeSet};

use mainstay::pipeline::Finding;

const PAGE: &str = include_str!("../docs/pipelines/lints.md");

/// The section that is no code.
const REST: &str = "What is no finding";

/// What stands under each heading.
fn sections() -> BTreeMap<&'static str, &'static str> {
    let sections = PAGE.split("\n## ").skip(1);
    let sections = sections.filter_map(|section| section.split_once('\n'));
    sections.filter(|(heading, _)| *heading != REST).collect()
}

#[test]
fn every_code_has_a_section_and_every_section_a_code() {
    let codes: BTreeSet<_> = Finding::codes().into_iter().collect();
    let headings: BTreeSet<_> = sections().into_keys().collect();
    assert_eq!(codes, headings);
}

#[test]
fn every_section_says_how_bad_it_is_and_shows_what_fails_and_what_fits() {
    for (code, section) in sections() {
        let severity = section.trim_start().split('.').next().unwrap_or_default();
        assert!(["Error", "Warning", "Warning, Error"].contains(&severity), "{code}: {severity}");
        let row = format!("| [{code}](#{code}) | {} |", severity.to_lowercase());
        assert!(PAGE.contains(&row), "{code} is not in the table, or is worse there");
        // The frame asserts that `fails` has this finding alone, and `fits` none.
        let sample = format!("<!-- in: finding {code} -->\n```rust\n");
        assert!(section.contains(&sample), "{code} has no sample in the frame of its finding");
    }
}
