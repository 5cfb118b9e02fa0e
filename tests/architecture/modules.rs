//! Which modules of the policy name which.

use std::collections::BTreeSet;

use crate::code::{Source, is_part};
use crate::map::{self, Arrows};
use crate::{POLICY, assert_none, workspace};

const HEADING: &str = "## Inside mainstay-policy";

/// The modules at the root name each other by `crate::`, and what each names is on the map.
fn violations(page: &str, sources: &[Source]) -> Vec<String> {
    let modules: BTreeSet<_> = sources.iter().filter_map(module).collect();
    let mut arrows: Arrows =
        modules.iter().map(|name| ((*name).to_owned(), BTreeSet::new())).collect();
    let mut found = Vec::new();
    for source in sources {
        let Some(module) = module(source) else { continue };
        for (number, line) in source.code() {
            let place = format!("{}:{number}", source.place());
            if line.contains(&way_to_the_root(source)) {
                found.push(format!("{place} leaves {module} by `super`; say `crate`"));
            }
            for name in named(&line) {
                if !modules.contains(name) {
                    found.push(format!(
                        "{place} names crate::{name}; name the module, not the root"
                    ));
                } else if name != module {
                    arrows.entry(module.to_owned()).or_default().insert(name.to_owned());
                }
            }
        }
    }
    found.dedup(); // what a `use` spells out may stand on its line as well
    found.extend(map::violations(page, HEADING, &arrows));
    found.extend(map::cycle(&arrows).map(|cycle| format!("a cycle: {cycle}")));
    found
}

/// The module at the root that a file belongs to.
fn module(source: &Source) -> Option<&str> {
    let first = source.path.split('/').next()?;
    (first != "lib.rs").then(|| first.trim_end_matches(".rs"))
}

/// What a line names at the root. A group in braces is left to the lines that spell it out.
fn named(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("crate::").filter_map(|(at, root)| {
        let (before, behind) = (&line[..at], &line[at + root.len()..]);
        let end = behind.find(|c| !is_part(c) && c != '*').unwrap_or(behind.len());
        (!before.ends_with(is_part) && !behind.starts_with('{')).then_some(&behind[..end])
    })
}

/// How a file names the root of its crate without saying so.
fn way_to_the_root(source: &Source) -> String {
    let is_folder = source.name() == "mod.rs";
    "super::".repeat(source.path.split('/').count() - usize::from(is_folder))
}

#[test]
fn every_arrow_between_modules_of_the_policy_is_on_the_map_and_none_closes_a_cycle() {
    let mut sources = workspace::sources();
    sources.retain(|source| source.member == POLICY);
    assert_none(&violations(&workspace::page("docs/architecture.md"), &sources));
}

const MAP: &str = "
## Inside mainstay-policy

```text
breaker -> moment, sync
moment  -> (nothing)
sync    -> (nothing)
```
";

fn house(breaker: &str, state: &str, sync: &str) -> Vec<Source> {
    let source = |path, text| Source::new(POLICY, path, text);
    let lib = "pub mod breaker; mod moment; mod sync; pub use crate::moment::Moment;";
    vec![
        source("lib.rs", lib),
        source("breaker/mod.rs", breaker),
        source("breaker/state.rs", state),
        source("moment.rs", "//! See crate::nowhere.\npub struct Moment(u64);"),
        source("sync.rs", sync),
    ]
}

#[test]
fn groups_paths_own_names_and_tests_are_read_as_what_they_are() {
    let breaker = "use crate::{\n    moment::{Moment, nanos},\n    breaker::state::State,\n};";
    let state = "
use super::Breaker; // not crate::Draw
fn f() -> u64 { $crate::sync::update(mycrate::x) }
#[cfg(test)]
mod tests {
    use crate::backoff::Backoff;
}
";
    assert_none(&violations(MAP, &house(breaker, state, "")));
}

#[test]
fn an_arrow_off_the_map_a_name_from_the_root_and_a_way_round_are_refused() {
    let breaker = "use crate::{Draw, moment::Moment};\nuse super::moment;";
    let state = "use crate::*;\nuse super::super::sync::{Line};";
    assert_eq!(
        violations(MAP, &house(breaker, state, "fn f(at: crate::moment::Moment) {}")),
        [
            "mainstay-policy/src/breaker/mod.rs:1 names crate::Draw; name the module, not the root",
            "mainstay-policy/src/breaker/mod.rs:2 leaves breaker by `super`; say `crate`",
            "mainstay-policy/src/breaker/state.rs:1 names crate::*; name the module, not the root",
            "mainstay-policy/src/breaker/state.rs:2 leaves breaker by `super`; say `crate`",
            "breaker -> sync: not in the code",
            "sync -> moment: not on the map",
        ]
    );
}

#[test]
fn a_cycle_is_refused_even_if_it_is_on_the_map() {
    let map = MAP.replace("sync    -> (nothing)", "sync -> breaker");
    let house = house("crate::moment::x(); crate::sync::y();", "", "crate::breaker::z();");
    assert_eq!(violations(&map, &house), ["a cycle: breaker -> sync -> breaker"]);
}
