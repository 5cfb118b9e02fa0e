//! The maps of `docs/architecture.md`: one line per name, an arrow, and the names that it leads to.

use std::collections::{BTreeMap, BTreeSet};

/// Where arrows lead, by where they start.
pub(crate) type Arrows = BTreeMap<String, BTreeSet<String>>;

/// The violations of a map: what it says otherwise than the code, and what cannot be read.
pub(crate) fn violations(page: &str, heading: &str, code: &Arrows) -> Vec<String> {
    match written(page, heading) {
        Ok(map) => differences(&map, code),
        Err(unreadable) => vec![format!("the map under \"{heading}\" {unreadable}")],
    }
}

/// The lines between a heading and the next one of its level.
pub(crate) fn section<'a>(page: &'a str, heading: &str) -> impl Iterator<Item = &'a str> {
    let lines = page.lines().skip_while(move |line| *line != heading);
    lines.skip(1).take_while(|line| !line.starts_with("## "))
}

fn written(page: &str, heading: &str) -> Result<Arrows, String> {
    let block = section(page, heading).skip_while(|line| *line != "```text").skip(1);
    let mut map = Arrows::new();
    for line in block.take_while(|line| *line != "```") {
        let (from, to) = line.split_once("->").ok_or(format!("has no arrow in {line:?}"))?;
        let to = to.split(',').map(|to| to.trim().to_owned()).filter(|to| to != "(nothing)");
        if map.insert(from.trim().to_owned(), to.collect()).is_some() {
            return Err(format!("has {:?} twice", from.trim()));
        }
    }
    if map.is_empty() { Err("is missing".to_owned()) } else { Ok(map) }
}

fn differences(map: &Arrows, code: &Arrows) -> Vec<String> {
    let mut found = Vec::new();
    for from in map.keys().chain(code.keys()).collect::<BTreeSet<_>>() {
        if !code.contains_key(from) {
            found.push(format!("{from}: on the map, but it does not exist"));
        } else if !map.contains_key(from) {
            found.push(format!("{from}: not on the map"));
        }
        let [mapped, coded] =
            [map, code].map(|arrows| arrows.get(from).cloned().unwrap_or_default());
        found.extend(coded.difference(&mapped).map(|to| format!("{from} -> {to}: not on the map")));
        found
            .extend(mapped.difference(&coded).map(|to| format!("{from} -> {to}: not in the code")));
    }
    found
}

/// A way along the arrows that comes back to where it began.
pub(crate) fn cycle(arrows: &Arrows) -> Option<String> {
    // Whoever leads nowhere is on no cycle; when all that are left lead somewhere, one can walk
    // until a name comes again.
    let mut left = arrows.clone();
    while let Some(end) = left.iter().find(|(_, to)| to.is_empty()).map(|(from, _)| from.clone()) {
        left.remove(&end);
        left.values_mut().for_each(|to| _ = to.remove(&end));
    }
    let mut way = vec![left.keys().next()?];
    loop {
        let next = left.get(*way.last()?)?.first()?;
        if let Some(start) = way.iter().position(|name| *name == next) {
            way.drain(..start);
            way.push(next);
            let names: Vec<_> = way.into_iter().map(String::as_str).collect();
            return Some(names.join(" -> "));
        }
        way.push(next);
    }
}

fn arrows(lines: &[(&str, &[&str])]) -> Arrows {
    let owned = |to: &&str| (*to).to_owned();
    lines.iter().map(|(from, to)| ((*from).to_owned(), to.iter().map(owned).collect())).collect()
}

const PAGE: &str = "
# The house

## Other

```text
x -> y
```

## Rooms

Arrows lead inward.

```text
kitchen   -> cellar, hall (dev)
cellar -> (nothing)
```

## Garden
";

#[test]
fn a_map_that_says_what_the_code_says_is_let_through() {
    let code = arrows(&[("cellar", &[]), ("kitchen", &["hall (dev)", "cellar"])]);
    assert!(violations(PAGE, "## Rooms", &code).is_empty());
}

#[test]
fn what_only_one_of_map_and_code_has_is_refused() {
    let code = arrows(&[("attic", &["cellar"]), ("kitchen", &["cellar", "hall"])]);
    assert_eq!(
        violations(PAGE, "## Rooms", &code),
        [
            "attic: not on the map",
            "attic -> cellar: not on the map",
            "cellar: on the map, but it does not exist",
            "kitchen -> hall: not on the map",
            "kitchen -> hall (dev): not in the code",
        ]
    );
}

#[test]
fn a_map_that_cannot_be_read_is_refused() {
    let judge = |page: &str, heading| violations(page, heading, &Arrows::new());
    assert_eq!(judge(PAGE, "## Cellar"), ["the map under \"## Cellar\" is missing"]);
    assert_eq!(judge(PAGE, "## Garden"), ["the map under \"## Garden\" is missing"]);
    let torn = PAGE.replace("cellar -> (nothing)", "cellar (nothing)");
    let torn = judge(&torn, "## Rooms");
    assert_eq!(torn, ["the map under \"## Rooms\" has no arrow in \"cellar (nothing)\""]);
    let twice = PAGE.replace("cellar ->", "kitchen ->");
    assert_eq!(judge(&twice, "## Rooms"), ["the map under \"## Rooms\" has \"kitchen\" twice"]);
}

#[test]
fn a_cycle_is_found_behind_what_leads_to_it_and_a_diamond_is_none() {
    let diamond = arrows(&[("a", &["b", "c"]), ("b", &["d"]), ("c", &["d"]), ("d", &[])]);
    assert_eq!(cycle(&diamond), None);
    let cyclic = arrows(&[("a", &["b"]), ("b", &["c", "e"]), ("c", &["b"]), ("e", &[])]);
    assert_eq!(cycle(&cyclic).as_deref(), Some("b -> c -> b"));
    assert_eq!(cycle(&arrows(&[("a", &["a"])])).as_deref(), Some("a -> a"));
}
