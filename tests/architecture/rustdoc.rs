//! What the documentation of a crate must have: an example for each module, a row for each feature.

use toml::{Table, Value};

use crate::code::Source;
use crate::packages::Member;
use crate::{assert_none, workspace};

/// Public modules without an example, and how many have one.
fn without_example(sources: &[Source]) -> (Vec<String>, usize) {
    let (mut without, mut with) = (Vec::new(), 0);
    for source in sources {
        let folder = match source.path.rsplit_once('/') {
            Some((folder, "mod.rs")) => format!("{folder}/"),
            _ if source.path == "lib.rs" => String::new(),
            _ => format!("{}/", source.path.trim_end_matches(".rs")),
        };
        for name in source.lines().filter_map(|(_, line)| public_module(line)) {
            let paths = [format!("{folder}{name}.rs"), format!("{folder}{name}/mod.rs")];
            let is_it = |it: &&Source| it.member == source.member && paths.contains(&it.path);
            let module = sources.iter().find(is_it);
            if module.is_some_and(has_example) {
                with += 1;
            } else {
                without.push(format!("{}: {name} has no example", source.member));
            }
        }
    }
    (without, with)
}

fn public_module(line: &str) -> Option<&str> {
    line.strip_prefix("pub mod ")?.strip_suffix(';')
}

/// Whether there is a sample of Rust among what the module says of itself.
fn has_example(module: &Source) -> bool {
    let said = module.lines().filter_map(|(_, line)| line.strip_prefix("//! "));
    let mut fences = said.filter(|line| line.starts_with("```"));
    fences.next().is_some_and(|fence| ["```", "```no_run"].contains(&fence))
}

/// Features that no row of the page begins with.
fn unlisted(member: &Member) -> Vec<String> {
    let features = member.manifest.get("features").and_then(Value::as_table);
    let features = features.into_iter().flat_map(Table::keys).filter(|name| *name != "default");
    let page = member.readme.as_deref().unwrap_or_default();
    let row = |name: &str| format!("| `{name}` |");
    let unlisted = features.filter(|name| !page.lines().any(|line| line.starts_with(&row(name))));
    unlisted.map(|name| format!("{}: no row for the feature {name}", member.name())).collect()
}

/// What the site that shows the documentation is told to build.
fn shows_all(member: &Member) -> bool {
    let package = member.manifest.get("package");
    let site = package.and_then(|it| it.get("metadata")?.get("docs")?.get("rs"));
    site.and_then(|it| it.get("all-features")).and_then(Value::as_bool) == Some(true)
}

fn is_published(member: &Member) -> bool {
    let publish = member.manifest.get("package").and_then(|package| package.get("publish"));
    publish.and_then(Value::as_bool) != Some(false)
}

#[test]
fn every_public_module_has_an_example() {
    let (without, with) = without_example(&workspace::sources());
    assert_none(&without);
    assert!(with > 30, "there are modules to judge");
}

#[test]
fn every_feature_is_in_the_table_of_its_crate() {
    let members = workspace::members();
    let published: Vec<_> = members.iter().filter(|member| is_published(member)).collect();
    assert_none(&published.iter().flat_map(|member| unlisted(member)).collect::<Vec<_>>());

    let with_features = published.iter().filter(|member| member.manifest.contains_key("features"));
    for member in with_features {
        assert!(shows_all(member), "{} has features that docs.rs would not show", member.name());
    }
}

#[test]
fn a_module_without_an_example_is_refused() {
    let source = |path, text| Source::new("some", path, text);
    let sources = [
        source("lib.rs", "pub mod one;\nmod two;\npub mod three;\npub mod five;\npub mod six;"),
        source("one.rs", "//! One.\n//!\n//! ```\n//! one();\n//! ```\n"),
        source("two.rs", "//! Two.\n"),
        source("three/mod.rs", "//! ```no_run\n//! ```\npub mod four;\n"),
        source("three/four.rs", "//! Four.\n/// ```\n/// ```\npub fn four() {}\n"),
        source("five.rs", "//! ```text\n//! ```\n"),
        Source::new("other", "six.rs", "//! ```\n//! ```\n"),
    ];
    let refused =
        ["some: five has no example", "some: six has no example", "some: four has no example"];
    assert_eq!(without_example(&sources), (refused.map(str::to_owned).to_vec(), 2));
}

#[test]
fn a_feature_without_a_row_is_refused() {
    let manifest = "package.name = 'some'\nfeatures = { default = [], one = [], two = [] }";
    let mut some = crate::packages::member(manifest);
    some.readme = Some("| `one` | the first |\nand `two`".to_owned());
    assert_eq!(unlisted(&some), ["some: no row for the feature two"]);
    assert!(!shows_all(&some));
}
