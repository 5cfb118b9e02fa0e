//! The written map (`docs/architecture.md`) against the code.
//!
//! Each rule is a function from texts to violations. One test runs it over the workspace, another
//! over planted violations and near misses.

#[path = "architecture/code.rs"]
mod code;
#[path = "architecture/crates.rs"]
mod crates;
#[path = "architecture/defects.rs"]
mod defects;
#[path = "architecture/examples.rs"]
mod examples;
#[path = "architecture/features.rs"]
mod features;
#[path = "architecture/files.rs"]
mod files;
#[path = "framed.rs"]
mod framed;
#[path = "architecture/links.rs"]
mod links;
#[path = "architecture/map.rs"]
mod map;
#[path = "architecture/modules.rs"]
mod modules;
#[path = "architecture/packages.rs"]
mod packages;
#[path = "architecture/pages.rs"]
mod pages;
#[path = "architecture/rustdoc.rs"]
mod rustdoc;
#[path = "architecture/samples.rs"]
mod samples;
#[path = "architecture/words.rs"]
mod words;
#[path = "architecture/workspace.rs"]
mod workspace;

/// The crate that decides, and that must be pure.
const POLICY: &str = "mainstay-policy";

#[track_caller]
fn assert_none(violations: &[String]) {
    assert!(violations.is_empty(), "violations:\n{}", violations.join("\n"));
}

#[test]
fn the_rules_have_the_whole_workspace_to_read() {
    let members = workspace::members();
    assert!(members.iter().any(|member| member.name() == POLICY));
    assert!(members.iter().any(|member| member.name() == env!("CARGO_PKG_NAME")));

    let sources = workspace::sources();
    let has = |path| sources.iter().any(|source| source.member == POLICY && source.path == path);
    assert!(has("lib.rs") && has("breaker/mod.rs") && !has("breaker/tests.rs"));
}
