//! Which features may name what.

use toml::{Table, Value};

use crate::{assert_none, workspace};

/// A dependency that only the feature of its own name may bring along, because nobody maintains it.
const UNMAINTAINED: &str = "backoff";

/// What features say that would put a dependency into the lock files of those who never asked.
fn leaks(name: &str, manifest: &Table) -> Vec<String> {
    let features = manifest.get("features").and_then(Value::as_table).into_iter().flatten();
    let said = features.flat_map(|(feature, names)| {
        let names = names.as_array().into_iter().flatten().filter_map(Value::as_str);
        names.map(move |said| (feature.as_str(), said))
    });
    let brings = |said: &str| {
        let said = said.strip_prefix("dep:").unwrap_or(said);
        said.split(['/', '?']).next() == Some(UNMAINTAINED)
    };
    let leaks = |(feature, said): &(&str, &str)| {
        said.contains("?/") || brings(said) && *feature != UNMAINTAINED
    };
    said.filter(leaks).map(|(feature, said)| format!("{name}: {feature} names {said}")).collect()
}

/// Who depends on it without saying that it is optional.
fn forces(name: &str, manifest: &Table) -> Option<String> {
    let dependency = manifest.get("dependencies")?.get(UNMAINTAINED)?;
    let is_optional = dependency.get("optional").and_then(Value::as_bool) == Some(true);
    (!is_optional).then(|| format!("{name} depends on {UNMAINTAINED}, asked or not"))
}

#[test]
fn no_feature_brings_along_what_nobody_asked_for() {
    let members = workspace::members();
    let found = members.iter().flat_map(|member| {
        let (name, manifest) = (member.name(), &member.manifest);
        leaks(name, manifest).into_iter().chain(forces(name, manifest))
    });
    assert_none(&found.collect::<Vec<_>>());
    let named = members.iter().filter(|member| member.manifest.get("features").is_some());
    assert!(named.count() > 0, "there are features to judge");
}

#[test]
fn weak_features_and_what_is_unmaintained_are_refused_in_all_but_its_own() {
    let manifest = "
        [features]
        backoff = ['dep:backoff']
        default = ['http']
        full = ['backoff', 'http']
        http = ['hyper?/http1', 'backoffs']
        std = ['backoff/std', 'dep:backoff']
    ";
    assert_eq!(
        leaks("some", &manifest.parse().unwrap()),
        [
            "some: full names backoff",
            "some: http names hyper?/http1",
            "some: std names backoff/std",
            "some: std names dep:backoff",
        ]
    );
    let judge = |dependency: &str| {
        forces("some", &format!("dependencies.backoff = {dependency}").parse().unwrap())
    };
    assert_eq!(judge("{ version = '0.4', optional = true }"), None);
    for forced in ["'0.4'", "{ workspace = true }", "{ version = '0.4', optional = false }"] {
        assert_eq!(judge(forced).as_deref(), Some("some depends on backoff, asked or not"));
    }
}
