//! What every package says of itself.

use toml::{Table, Value};

use crate::{assert_none, workspace};

/// A package of the workspace.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) manifest: Table,
    pub(crate) readme: Option<String>,
    pub(crate) changelog: Option<String>,
}

impl Member {
    pub(crate) fn name(&self) -> &str {
        self.package("name").and_then(Value::as_str).unwrap_or("(a member without a name)")
    }

    fn package(&self, key: &str) -> Option<&Value> {
        self.manifest.get("package").and_then(|package| package.get(key))
    }
}

/// What a package must say and does not.
fn missing(member: &Member) -> Vec<String> {
    let inherits = |table: Option<&Value>| {
        table.and_then(|table| table.get("workspace")).and_then(Value::as_bool) == Some(true)
    };
    let is_published = member.package("publish").and_then(Value::as_bool) != Some(false);
    let description = member.package("description").and_then(Value::as_str);
    let changelog = member.changelog.as_deref().unwrap_or_default();

    let of_all = [
        ("[lints] from the workspace", inherits(member.manifest.get("lints"))),
        ("edition from the workspace", inherits(member.package("edition"))),
        ("license from the workspace", inherits(member.package("license"))),
        ("rust-version from the workspace", inherits(member.package("rust-version"))),
    ];
    let of_published = [
        ("a description", description.is_some_and(|description| !description.trim().is_empty())),
        ("a README.md", member.readme.is_some()),
        ("\"## Unreleased\" in its CHANGELOG.md", changelog.lines().any(|l| l == "## Unreleased")),
    ];
    let rules = of_all.into_iter().chain(of_published.into_iter().filter(|_| is_published));
    let missing = rules.filter(|(_, is_there)| !is_there);
    missing.map(|(what, _)| format!("{} lacks {what}", member.name())).collect()
}

#[test]
fn every_package_keeps_the_workspace_s_terms_and_every_published_one_has_its_pages() {
    assert_none(&workspace::members().iter().flat_map(missing).collect::<Vec<_>>());
}

#[test]
fn a_package_without_terms_and_pages_is_refused() {
    let bare = "
        lints.rust = {}
        [package]
        name = 'bare'
        edition = '2021'
        license.workspace = true
        description = ' '
    ";
    let changelog = "## Released\n### Unreleased\n## Unreleased?".to_owned();
    let bare = Member { changelog: Some(changelog), ..member(bare) };
    assert_eq!(
        missing(&bare),
        [
            "bare lacks [lints] from the workspace",
            "bare lacks edition from the workspace",
            "bare lacks rust-version from the workspace",
            "bare lacks a description",
            "bare lacks a README.md",
            "bare lacks \"## Unreleased\" in its CHANGELOG.md",
        ]
    );
}

#[test]
fn only_what_is_published_needs_pages() {
    let package = |publish| {
        let terms = "lints.workspace = true\n[package]\nname = 'some'\nedition.workspace = true\n\
                     license.workspace = true\nrust-version.workspace = true";
        member(&format!("{terms}\n{publish}"))
    };
    assert_none(&missing(&package("publish = false")));
    assert_eq!(missing(&package("publish = true")).len(), 3);
    assert_eq!(missing(&package("publish = ['a-registry']")).len(), 3);

    let published = Member {
        readme: Some("# some".to_owned()),
        changelog: Some("# Changelog\n\n## Unreleased\n".to_owned()),
        ..package("description = 'Some.'")
    };
    assert_none(&missing(&published));
}

/// A member without pages.
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
pub(crate) fn member(manifest: &str) -> Member {
    Member { manifest: manifest.parse().unwrap(), readme: None, changelog: None }
}
