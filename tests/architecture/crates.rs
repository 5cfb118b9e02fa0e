//! Which crates depend on which.

use std::collections::BTreeSet;

use toml::{Table, Value};

use crate::map::{self, Arrows};
use crate::packages::{Member, member};
use crate::{POLICY, assert_none, workspace};

const HEADING: &str = "## The crates";

const KINDS: [(&str, &str); 3] =
    [("dependencies", ""), ("dev-dependencies", " (dev)"), ("build-dependencies", " (build)")];

/// The model checker, and the only target that may see it.
const LOOM: (&str, &str) = ("cfg(mainstay_loom)", "loom");

/// `shared` is the table of the workspace's dependencies, where one may be renamed.
fn arrows(members: &[Member], shared: &Table) -> Arrows {
    let names: BTreeSet<_> = members.iter().map(Member::name).collect();
    let arrows = members.iter().map(|member| {
        let to = depends_on(&member.manifest, shared).into_iter();
        let to = to.filter(|(name, _)| names.contains(name));
        (member.name().to_owned(), to.map(|(name, kind)| format!("{name}{kind}")).collect())
    });
    arrows.collect()
}

fn depends_on<'a>(manifest: &'a Table, shared: &'a Table) -> Vec<(&'a str, &'static str)> {
    let tables = targets(manifest).map(|(_, table)| table).chain([manifest]);
    let of_kind = |table: &'a Table| {
        KINDS.iter().flat_map(move |(key, kind)| {
            entries(table, key).map(move |(key, value)| (package(key, value, shared), *kind))
        })
    };
    tables.flat_map(of_kind).collect()
}

/// The name of the package that a dependency means.
fn package<'a>(key: &'a str, dependency: &'a Value, shared: &'a Table) -> &'a str {
    let renamed = |dependency: &'a Value| dependency.get("package").and_then(Value::as_str);
    renamed(dependency).or_else(|| shared.get(key).and_then(renamed)).unwrap_or(key)
}

fn targets(manifest: &Table) -> impl Iterator<Item = (&str, &Table)> {
    entries(manifest, "target").filter_map(|(key, value)| Some((key, value.as_table()?)))
}

fn entries<'a>(table: &'a Table, key: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let table = table.get(key).and_then(Value::as_table);
    table.into_iter().flatten().map(|(key, value)| (key.as_str(), value))
}

/// What a crate may not have that depends on nothing, except that its tests may.
fn impurities(manifest: &Table) -> Vec<String> {
    let mut found = Vec::new();
    for table in ["dependencies", "build-dependencies", "features"] {
        found.extend(entries(manifest, table).map(|(key, _)| format!("[{table}] has {key}")));
    }
    for (target, tables) in targets(manifest) {
        for (kind, _) in tables {
            let inside = entries(tables, kind).map(|(key, _)| key);
            let refused = inside.filter(|key| kind != "dependencies" || (target, *key) != LOOM);
            found.extend(refused.map(|key| format!("[target.'{target}'.{kind}] has {key}")));
        }
    }
    found
}

#[test]
fn every_arrow_between_crates_is_on_the_map() {
    let manifest = workspace::manifest();
    let shared = manifest.get("workspace").and_then(|workspace| workspace.get("dependencies"));
    let shared = shared.and_then(Value::as_table).unwrap();
    let arrows = arrows(&workspace::members(), shared);
    assert_none(&map::violations(&workspace::page("docs/architecture.md"), HEADING, &arrows));
}

#[test]
fn every_kind_of_dependency_is_an_arrow() {
    let members = [
        "[package]\nname = 'policy'",
        "[package]\nname = 'other'\n[dependencies]\nserde = '1'",
        "
        [package]
        name = 'all'
        [dependencies]
        policy = { path = '../policy', optional = true }
        serde = '1'
        [dev-dependencies]
        policy.workspace = true
        own = { package = 'other', path = '../other' }
        [build-dependencies]
        renamed = { workspace = true }
        [target.'cfg(unix)'.dependencies]
        other = '0.1'
        ",
    ];
    let shared = "renamed = { package = 'policy', path = 'policy' }".parse().unwrap();
    let arrows = arrows(&members.map(member), &shared);
    let lead_to = |from: &str| arrows.get(from).unwrap().iter().collect::<Vec<_>>();
    assert!(lead_to("policy").is_empty() && lead_to("other").is_empty());
    let all = ["other", "other (dev)", "policy", "policy (build)", "policy (dev)"];
    assert_eq!(lead_to("all"), all);
    assert_eq!(arrows.keys().collect::<Vec<_>>(), ["all", "other", "policy"]);
}

#[test]
fn the_policy_depends_on_nothing() {
    let members = workspace::members();
    let policy = members.iter().find(|member| member.name() == POLICY).unwrap();
    assert_none(&impurities(&policy.manifest));
}

#[test]
fn a_dependency_a_feature_and_another_target_are_refused_in_the_policy() {
    let impure = "
        features = { default = [] }
        dependencies = { libm = '0.2' }
        build-dependencies = { cc = '1' }
        [target.'cfg(mainstay_loom)'.dependencies]
        loom = '0.7'
        rand = '0.9'
        [target.'cfg(mainstay_loom)'.dev-dependencies]
        loom = '0.7'
        [target.'cfg(unix)'.dependencies]
        loom = '0.7'
    ";
    assert_eq!(
        impurities(&impure.parse().unwrap()),
        [
            "[dependencies] has libm",
            "[build-dependencies] has cc",
            "[features] has default",
            "[target.'cfg(mainstay_loom)'.dependencies] has rand",
            "[target.'cfg(mainstay_loom)'.dev-dependencies] has loom",
            "[target.'cfg(unix)'.dependencies] has loom",
        ]
    );
}

#[test]
fn empty_tables_the_model_checker_and_what_tests_need_are_no_dependencies() {
    let pure = "
        dependencies = {}
        features = {}
        dev-dependencies = { proptest = '1' }
        [target.'cfg(mainstay_loom)'.dependencies]
        loom = '0.7'
    ";
    assert_none(&impurities(&pure.parse().unwrap()));
}
