//! What the pages promise: commands that are run, tests that exist.

use crate::{assert_none, map, workspace};

/// The first command to test in a page's code must be one that `.ci/run` gives.
fn unkept_commands(readme: Option<&str>, ci: Option<&str>) -> Vec<String> {
    let Some(readme) = readme else { return vec!["README.md is missing".to_owned()] };
    let Some(ci) = ci else { return vec![".ci/run is missing".to_owned()] };
    let mut is_code = false;
    let mut in_code = readme.lines().map(str::trim).filter(|line| {
        is_code ^= line.starts_with("```");
        is_code
    });
    let is_test =
        |line: &&str| ["cargo test", "cargo nextest run"].iter().any(|c| line.starts_with(c));
    let Some(command) = in_code.find(is_test) else {
        return vec!["README.md gives no command to test".to_owned()];
    };
    let gives = |line: &str| {
        let behind = line.split_once(command).map(|(_, behind)| behind.trim_start());
        behind.is_some_and(|behind| behind.is_empty() || behind.starts_with(['|', '&', ';', '#']))
    };
    if ci.lines().any(|line| !line.trim_start().starts_with('#') && gives(line)) {
        Vec::new()
    } else {
        vec![format!(".ci/run does not run {command:?} of README.md")]
    }
}

/// Every invariant names, behind its last colon and in backticks, tests that there are.
fn unheld_invariants(page: &str, rust: &str) -> Vec<String> {
    let lines = map::section(page, "## Invariants").filter(|line| line.starts_with("* "));
    let held = |line: &&str| {
        let mut tests = line.rsplit(": ").next().unwrap_or_default().split('`').skip(1).step_by(2);
        let is_there = |test: &str| rust.contains(&format!("fn {test}()"));
        line.contains(": ") && tests.next().is_some_and(is_there) && tests.all(is_there)
    };
    let mut invariants = lines.peekable();
    if invariants.peek().is_none() {
        return vec!["no invariants are written".to_owned()];
    }
    invariants.filter(|line| !held(line)).map(|line| format!("held by no test: {line}")).collect()
}

#[test]
fn the_test_command_of_the_readme_is_the_one_that_ci_runs() {
    let [readme, ci] = ["README.md", ".ci/run"].map(workspace::page_if_there);
    assert_none(&unkept_commands(readme.as_deref(), ci.as_deref()));
}

#[test]
fn a_command_that_ci_runs_otherwise_or_not_is_refused() {
    let readme = "cargo test\n```sh\ncargo build\ncargo test --all\ncargo test\n```\n";
    let judge = |ci| unkept_commands(Some(readme), Some(ci));
    assert_none(&judge("set -e\n  cargo test --all\n"));
    assert_none(&judge("step tests cargo test --all && echo well"));
    let refused = [".ci/run does not run \"cargo test --all\" of README.md"];
    for ci in ["cargo test", "cargo test --all -p one", "# cargo test --all", "cargo test --allow"]
    {
        assert_eq!(judge(ci), refused, "{ci}");
    }
    let nextest = "```\ncargo nextest run\n```";
    assert_none(&unkept_commands(Some(nextest), Some("cargo nextest run")));
}

#[test]
fn a_readme_without_a_command_and_missing_files_are_refused() {
    let silent = "```sh\ncargo build\n```\ncargo test\n";
    let judge = unkept_commands;
    assert_eq!(judge(Some(silent), Some("cargo test")), ["README.md gives no command to test"]);
    assert_eq!(judge(Some(silent), None), [".ci/run is missing"]);
    assert_eq!(judge(None, Some("cargo test")), ["README.md is missing"]);
}

#[test]
fn every_invariant_is_held_by_a_test_that_exists() {
    let page = workspace::page("docs/architecture.md");
    assert_none(&unheld_invariants(&page, &workspace::all_rust()));
}

#[test]
fn an_invariant_that_names_no_test_is_refused() {
    let page = "
* Outside, nothing is asked.
## Invariants
They hold.
* It is `dry`: `no_rain_comes_in`.
* It is `warm`: `no_draught_comes_in`.
* It is quiet.
* It is `light`: `the_windows_are_large` and `no_rain_comes_in`.
* It is `safe`: `no_rain_comes_in` and `no_draught_comes_in_at_night`.
## Garden
* Nothing is asked here.
";
    let rust = "fn no_rain_comes_in() {}\nfn no_draught_comes_in_at_night() {}";
    assert_eq!(
        unheld_invariants(page, rust),
        [
            "held by no test: * It is `warm`: `no_draught_comes_in`.",
            "held by no test: * It is quiet.",
            "held by no test: * It is `light`: `the_windows_are_large` and `no_rain_comes_in`.",
        ]
    );
    assert_eq!(unheld_invariants("## Garden", rust), ["no invariants are written"]);
}
