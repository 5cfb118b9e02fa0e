//! What pages lead to: every link and every anchor is there, and every sample is compiled.

use std::collections::{BTreeMap, BTreeSet};

use crate::{assert_none, workspace};

/// What `tests/build.rs` has put into frames.
const FRAMED: &str = include_str!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// A page by its path from the root, and its text.
type Pages = BTreeMap<String, String>;

/// Links of the pages that lead nowhere.
fn broken(pages: &Pages, is_there: impl Fn(&str) -> bool) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, page) in pages {
        for link in links(page).filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let to = if file.is_empty() { path.clone() } else { joined(path, file) };
            if !is_there(&to) {
                broken.push(format!("{path}: there is no {link}"));
            } else if !anchor.is_empty() {
                let has = pages.get(&to).is_some_and(|page| anchors(page).contains(anchor));
                if !has {
                    broken.push(format!("{path}: no heading is called as {link}"));
                }
            }
        }
    }
    broken
}

/// Samples that nothing compiles.
fn uncompiled(pages: &Pages, compiled: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for (path, page) in pages {
        let mut is_open = false;
        let fences = page.lines().map(str::trim_start).filter(|line| line.starts_with("```"));
        for fence in fences {
            is_open = !is_open;
            if !is_open {
                continue;
            }
            let language = fence.trim_start_matches('`');
            if language.is_empty() {
                found.push(format!("{path}: a block does not say what it is"));
            }
            if language.contains("ignore") {
                found.push(format!("{path}: a sample is ignored"));
            }
            if language.starts_with("rust") && !compiled(path) {
                found.push(format!("{path}: its samples are not compiled"));
                break;
            }
        }
    }
    found
}

/// Where the links of a page lead, outside of code.
fn links(page: &str) -> impl Iterator<Item = String> {
    let text: Vec<_> = prose(page).map(without_code).collect();
    text.into_iter().flat_map(|line| {
        let behind: Vec<_> = line.split("](").skip(1).map(str::to_owned).collect();
        behind.into_iter().filter_map(|link| link.split_once(')').map(|(link, _)| link.to_owned()))
    })
}

/// The lines outside of fences.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    page.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

/// What headings can be led to by.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = prose(page).filter(|line| line.starts_with('#'));
    headings.map(|heading| slug(heading.trim_start_matches('#').trim())).collect()
}

/// As the sites that show these pages make it.
fn slug(heading: &str) -> String {
    let letters = heading.chars().filter_map(|letter| match letter {
        ' ' => Some('-'),
        '-' | '_' => Some(letter),
        _ if letter.is_alphanumeric() => Some(letter),
        _ => None,
    });
    letters.flat_map(char::to_lowercase).collect()
}

/// A path from the root, of a link on the page at the other.
fn joined(page: &str, link: &str) -> String {
    let mut parts: Vec<_> = page.split('/').collect();
    parts.pop();
    for part in link.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." => _ = parts.pop(),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

/// Whether the samples of this page are doc tests: of the crate that it belongs to, or of the tests.
fn is_compiled(path: &str) -> bool {
    match path.strip_suffix("/README.md") {
        Some(package) if package.starts_with("crates/") => {
            let lib = workspace::page_if_there(&format!("{package}/src/lib.rs"));
            lib.is_some_and(|lib| lib.contains("include_str!(\"../README.md\")"))
        }
        _ => FRAMED.lines().any(|line| line.ends_with(&format!("/{path}\")]"))),
    }
}

fn pages(pages: &[(&str, &str)]) -> Pages {
    pages.iter().map(|(path, page)| ((*path).to_owned(), (*page).to_owned())).collect()
}

#[test]
fn every_link_of_every_page_leads_somewhere() {
    let pages: Pages = workspace::pages().into_iter().collect();
    assert!(pages.contains_key("README.md") && pages.contains_key("docs/guides/README.md"));
    assert_none(&broken(&pages, workspace::is_there));
}

#[test]
fn every_sample_on_a_page_is_compiled() {
    let pages: Pages = workspace::pages().into_iter().collect();
    assert_none(&uncompiled(&pages, is_compiled));
    assert!(is_compiled("README.md") && !is_compiled("examples/README.md"));
}

#[test]
fn links_to_nothing_and_to_no_heading_are_refused() {
    let pages = pages(&[
        ("README.md", "# A\n[b](docs/b.md#two-words), [c](docs/c.md), [self](#a) [out](x://y#z)"),
        ("docs/b.md", "## Two `words`!\n[up](../README.md#b) [here](#two-words)\n[lib](lib.rs)"),
    ]);
    let there = ["README.md", "docs/b.md", "docs/lib.rs"];
    assert_eq!(
        broken(&pages, |path| there.contains(&path)),
        ["README.md: there is no docs/c.md", "docs/b.md: no heading is called as ../README.md#b",]
    );
}

#[test]
fn what_stands_in_code_is_no_link_and_no_heading() {
    let text = "`[a](b)` [c](d)\n```text\n# No heading\n[e](f)\n```\n# One";
    assert_eq!(links(text).collect::<Vec<_>>(), ["d"]);
    assert_eq!(anchors(text), BTreeSet::from(["one".to_owned()]));
}

#[test]
fn samples_that_nothing_compiles_are_refused() {
    let pages = pages(&[
        ("a.md", "```rust\n```\n```rust,no_run\n```"),
        ("b.md", "```rust\n```\n```rust\n```"),
        ("c.md", "```\n```\n```rust,ignore\n```"),
        ("d.md", "```text\n```\n```toml\n```"),
    ]);
    assert_eq!(
        uncompiled(&pages, |path| path != "b.md"),
        [
            "b.md: its samples are not compiled",
            "c.md: a block does not say what it is",
            "c.md: a sample is ignored",
        ]
    );
}
