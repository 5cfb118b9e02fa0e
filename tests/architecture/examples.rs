//! Every example is in the list of examples, by the question that it answers.

use std::collections::BTreeSet;

use crate::{assert_none, workspace};

/// A list of examples against their files: what is missing on either side, and what is asked
/// otherwise.
fn differences(list: &str, files: &[(String, String)]) -> Vec<String> {
    let rows = list.lines().filter_map(|row| {
        let (question, file) = row.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | [")?;
        let (name, path) = file.strip_suffix(')')?.split_once("](")?;
        Some((question, name, path))
    });
    let rows: Vec<_> = rows.collect();
    let mut found = Vec::new();
    for (name, text) in files {
        let asked = text.lines().next().and_then(|line| line.strip_prefix("//! "));
        match rows.iter().find(|(_, listed, _)| listed == name) {
            None => found.push(format!("{name} is not in the list")),
            Some((question, ..)) if asked != Some(question) => {
                found.push(format!("{name} asks something else than {question:?}"));
            }
            Some((_, _, path)) if *path != format!("{name}.rs") => {
                found.push(format!("{name} is at {path} by the list"));
            }
            Some(_) => {}
        }
        if !text.contains(&format!("//! `cargo run --example {name}`"))
            && !text.contains(&format!("//! `cargo run --release --example {name}`"))
        {
            found.push(format!("{name} does not say how it is run"));
        }
    }
    let names: BTreeSet<_> = files.iter().map(|(name, _)| name.as_str()).collect();
    let gone = rows.iter().filter(|(_, name, _)| !names.contains(name));
    found.extend(gone.map(|(_, name, _)| format!("there is no {name}")));
    found
}

#[test]
fn every_example_is_in_the_list_with_its_question() {
    let examples = workspace::examples();
    assert!(examples.len() > 10, "there are examples to judge");
    assert_none(&differences(&workspace::page("examples/README.md"), &examples));
}

#[test]
fn examples_that_are_missing_or_ask_otherwise_are_refused() {
    let list = "
| question | file |
|---|---|
| Does it rain? | [does_it_rain](does_it_rain.rs) |
| Is it warm? | [is_it_warm](is_it_warm.rs) |
| Is it far? | [is_it_far](is_it_far.rs) |
| Is it late? | [is_it_late](late.rs) |
";
    let example = |name: &str, question: &str| {
        let text = format!("//! {question}\n//!\n//! `cargo run --example {name}`\n");
        (name.to_owned(), text)
    };
    let mut files = vec![
        example("does_it_rain", "Does it rain?"),
        example("is_it_warm", "Is it cold?"),
        example("is_it_late", "Is it late?"),
        example("who_is_there", "Who is there?"),
    ];
    files[0].1 = files[0].1.replace("rain`", "snow`");
    assert_eq!(
        differences(list, &files),
        [
            "does_it_rain does not say how it is run",
            "is_it_warm asks something else than \"Is it warm?\"",
            "is_it_late is at late.rs by the list",
            "who_is_there is not in the list",
            "there is no is_it_far",
        ]
    );
}
