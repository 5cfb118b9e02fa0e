//! The samples of the pages: nothing in them is hidden, and every frame has its use.

use std::collections::BTreeSet;

use crate::framed::{Frames, framed, samples};
use crate::{assert_none, workspace};

const PAGE: &str = "docs/samples/README.md";

/// Lines that rustdoc would hide from its readers, and that a page shows.
fn hidden(path: &str, page: &str) -> Vec<String> {
    let is_hidden = |line: &&str| line.trim() == "#" || line.trim_start().starts_with("# ");
    let (mut is_code, mut is_rust) = (false, false);
    let in_rust = page.lines().enumerate().filter(|(_, line)| {
        let fence = line.trim_start().strip_prefix("```");
        is_code ^= fence.is_some();
        is_rust = fence.map_or(is_rust, |language| is_code && language.starts_with("rust"));
        is_rust && fence.is_none()
    });
    let hidden = in_rust.filter(|(_, line)| is_hidden(line));
    hidden.map(|(at, line)| format!("{path}:{}: no reader sees {line:?} hidden", at + 1)).collect()
}

/// What is not the same among the frames that there are, that samples use, and that the page lists.
fn differences(frames: &BTreeSet<String>, used: &BTreeSet<String>, page: &str) -> Vec<String> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let listed: BTreeSet<_> = rows.map(|(name, _)| name.to_owned()).collect();
    let unused = frames.difference(used).map(|name| format!("no sample is in {name}"));
    let unlisted = frames.difference(&listed).map(|name| format!("no row for the frame {name}"));
    let gone = listed.difference(frames).map(|name| format!("there is no frame {name}"));
    unused.chain(unlisted).chain(gone).collect()
}

fn used_by(pages: &[(String, String)]) -> BTreeSet<String> {
    let samples = pages.iter().flat_map(|(_, page)| samples(page));
    let named = samples.flat_map(|sample| sample.frames);
    // That one is around the others, and around what names none.
    named.map(|(name, _)| name.to_owned()).chain(["plain".to_owned()]).collect()
}

fn some_frames() -> Frames {
    let frame = |name: &str, code: &str| (name.to_owned(), code.to_owned());
    Frames::from([
        frame("plain", "// Around all.\nfn main() {\n    // the sample\n    end()\n}\n"),
        frame("other", "fn main() {\n// the sample\n}"),
        frame("given", "let given = 1;\n// the sample\n"),
        frame("is", "// the sample\nassert_eq!(it, ARGUMENT);"),
        frame("hollow", "let nothing = 1;"),
    ])
}

#[test]
fn no_page_has_a_line_that_rustdoc_would_hide() {
    let pages = workspace::pages();
    assert!(pages.iter().map(|(_, page)| samples(page).len()).sum::<usize>() > 100);
    assert_none(&pages.iter().flat_map(|(path, page)| hidden(path, page)).collect::<Vec<_>>());
}

#[test]
fn every_frame_is_used_and_on_the_page_about_samples() {
    let frames = workspace::frames().into_iter().collect();
    let used = used_by(&workspace::pages());
    assert_none(&differences(&frames, &used, &workspace::page(PAGE)));
}

#[test]
fn a_line_that_is_hidden_is_refused_and_an_attribute_is_not() {
    let page = "# Heading\n```rust\n#[derive(Debug)]\n# use a::b;\n    # let c = 1;\n#\n```\n# Heading\n\
        ```text\n# a note\n```\n```sh\n# a note\n```\n* item\n\n  ```rust,no_run\n  # let d = 1;\n  ```\n";
    assert_eq!(
        hidden("a.md", page),
        [
            "a.md:4: no reader sees \"# use a::b;\" hidden",
            "a.md:5: no reader sees \"    # let c = 1;\" hidden",
            "a.md:6: no reader sees \"#\" hidden",
            "a.md:18: no reader sees \"  # let d = 1;\" hidden",
        ]
    );
}

#[test]
fn a_frame_without_a_use_or_a_row_and_a_row_without_a_frame_are_refused() {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let page = "| frame | what |\n|---|---|\n| `one` | this |\n| `three` | that |\n";
    assert_eq!(
        differences(&set(&["one", "two"]), &set(&["two"]), page),
        ["no sample is in one", "no row for the frame two", "there is no frame three"]
    );
}

#[test]
fn a_sample_stands_in_its_frames_and_every_line_where_it_stood() {
    let page = "Text\n\n<!-- in: given; is given + 1 -->\n```rust\nlet it = given;\nlet it = it + 1;\n```\n\nText\n";
    let lines = "Text\n\n<!-- in: given; is given + 1 -->\n```rust\n\
        fn main() { let given = 1; let it = given;\nlet it = it + 1;\n\
        ; assert_eq!(it, given + 1); ; ; end() } \n```\nText\n";
    assert_eq!(framed(page, &some_frames()).as_deref(), Ok(lines));
}

#[test]
fn a_program_and_a_frame_with_a_main_have_no_other_around_them() {
    let program = "```rust\nasync fn main() {}\n```\n";
    let said = "```rust\nasync fn main() {}\n\n```";
    assert_eq!(framed(program, &some_frames()).as_deref(), Ok(said));

    let other = "<!-- in: other -->\n```rust\na();\n```\n";
    let said = "<!-- in: other -->\n```rust\nfn main() { a();\n; } \n```";
    assert_eq!(framed(other, &some_frames()).as_deref(), Ok(said));
}

#[test]
fn what_is_no_rust_is_left_as_it_is() {
    let page = "```sh\n# ls\n```\nText\n\n```text\nfn a() {}\n```\n";
    assert_eq!(framed(page, &some_frames()).as_deref(), Ok(page));
}

#[test]
fn a_sample_that_cannot_be_framed_is_refused_with_its_line() {
    let judge = |page: &str| framed(page, &some_frames()).unwrap_err();
    let [unknown, hollow] = ["unknown", "hollow"]
        .map(|name| judge(&format!("Text\n\n<!-- in: {name} -->\n```rust\na();\n```\n")));
    assert_eq!(unknown, "line 3: there is no frame unknown");
    assert_eq!(hollow, "line 3: hollow has no place for a sample");
    let outside = judge("<!-- in: given; other -->\n```rust\na();\n```\n");
    assert_eq!(outside, "line 1: given stands around a main");
    let whole = judge("<!-- in: given -->\n```rust\nfn main() {}\n```\n");
    assert_eq!(whole, "line 1: given stands around a main");
    let needs = "line 2: a sample needs a line, and an empty one below";
    assert_eq!(judge("Text\n```rust\na();\n```\nText\n"), needs);
    assert_eq!(judge("Text\n```rust\n```\n"), needs);
}
