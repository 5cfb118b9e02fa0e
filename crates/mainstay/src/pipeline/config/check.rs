//! What is wrong with pipelines whose every setting can be read.

use std::collections::BTreeMap;
use std::ops::Range;

use super::chain::{Raw, Resolved};
use super::error::Problem;
use super::report::Source;
use crate::pipeline::Finding;
use crate::pipeline::fields::{Fault, Path};

/// What the linter says of each, at the line of the setting that it names. What is said of a pipeline
/// is not said again of those that extend it.
pub(super) fn all(
    raws: &[Raw],
    resolved: &[Option<Resolved>],
    source: &Source<'_>,
) -> Vec<Problem> {
    let own: Vec<_> =
        resolved.iter().map(|read| read.as_ref().map_or_else(Vec::new, found)).collect();
    let mut problems = Vec::new();
    for (i, read) in resolved.iter().enumerate() {
        let Some(read) = read else { continue };
        let parent = read.chain.len().checked_sub(2).and_then(|parent| own.get(read.chain[parent]));
        let places = Places::new(raws, resolved, i, read);
        for finding in &own[i] {
            if !parent.is_some_and(|parent| parent.contains(finding)) {
                problems.push(problem(finding, &places, source));
            }
        }
    }
    problems
}

/// What the linter says of a pipeline. Where something else is wrong with it, only what single
/// settings cannot be is worth saying, and not even that of what stands beside what is wrong.
fn found(read: &Resolved) -> Vec<Finding> {
    let mut found = read.spec.lint();
    if !read.wrong.is_empty() {
        let beside = |finding: &Finding| {
            let above = parent(&plain(&finding.setting)).to_owned();
            read.wrong.iter().any(|wrong| parent(&wrong.plain()) == above)
        };
        found.retain(|finding| finding.code == "bad-setting" && !beside(finding));
    }
    found
}

fn problem(finding: &Finding, places: &Places<'_>, source: &Source<'_>) -> Problem {
    let Finding { code, severity, setting, what, fix } = finding;
    let name = plain(setting);
    let at = places.own(&name).or_else(|| places.named_beside(&name, what));
    let from = match places.own(&name) {
        Some(_) => String::new(),
        None => places
            .before(&name, source)
            .map_or_else(String::new, |from| format!("; `{}` comes from {from}", last(&name))),
    };
    let at = at.unwrap_or_else(|| places.near(&name));
    let what = match *code == "bad-setting" {
        true => what.clone(),
        false => format!("`{setting}`: {what}"),
    };
    let help = Some(format!("{fix}{from}"));
    let fault = Fault { at, path: Path::default(), what, help };
    let path = format!("{}.{setting}", places.raw.path);
    Problem { severity: *severity, code: Some(code), path, ..source.problem(fault) }
}

/// Without quotes.
fn plain(setting: &str) -> String {
    setting.replace('"', "")
}

fn parent(setting: &str) -> &str {
    setting.rsplit_once('.').map_or("", |(parent, _)| parent)
}

fn last(setting: &str) -> &str {
    setting.rsplit('.').next().unwrap_or(setting)
}

/// Where the settings of a pipeline were set.
struct Places<'a> {
    raw: &'a Raw,
    own: BTreeMap<String, Range<usize>>,
    /// The pipelines that it extends, the nearest first.
    bases: Vec<(&'a Raw, &'a Resolved)>,
}

impl<'a> Places<'a> {
    fn new(
        raws: &'a [Raw],
        resolved: &'a [Option<Resolved>],
        own: usize,
        read: &'a Resolved,
    ) -> Self {
        let bases = read.chain.iter().rev().filter(|part| **part != own);
        let bases = bases.filter_map(|part| Some((&raws[*part], resolved.get(*part)?.as_ref()?)));
        let places = read.places.iter().map(|(path, at)| (within(&raws[own], path), at.clone()));
        Self { raw: &raws[own], own: places.collect(), bases: bases.collect() }
    }

    /// Where the pipeline sets this itself.
    fn own(&self, setting: &str) -> Option<Range<usize>> {
        spellings(setting).iter().find_map(|name| self.own.get(name)).cloned()
    }

    /// Where it sets what else is named in what is said, which is then what does not fit.
    fn named_beside(&self, setting: &str, what: &str) -> Option<Range<usize>> {
        what.split('`').skip(1).step_by(2).find_map(|name| {
            let name = plain(name);
            let near = self.own(&format!("{}.{name}", parent(setting)));
            near.or_else(|| self.own(&name))
        })
    }

    /// Where it sets what this is in.
    fn near(&self, setting: &str) -> Range<usize> {
        let mut part = setting;
        while !part.is_empty() {
            part = parent(part);
            if let Some(at) = self.own.get(part) {
                return at.clone();
            }
        }
        self.raw.at.clone()
    }

    /// Which pipeline set this before.
    fn before(&self, setting: &str, source: &Source<'_>) -> Option<String> {
        let names = spellings(setting);
        let set = self.bases.iter().find_map(|(raw, read)| {
            let mut places = read.places.iter().rev();
            let (_, at) = places.find(|(path, _)| names.contains(&within(raw, path)))?;
            Some(format!("`{}`, line {}", raw.name, source.line(at.start)))
        });
        let outermost = self.bases.last().map_or(self.raw, |(raw, _)| raw);
        let preset = outermost.extends.as_ref().map(|(name, _)| format!("the preset `{name}`"));
        set.or(preset)
    }
}

/// The path of a setting inside the pipeline.
fn within(raw: &Raw, path: &Path) -> String {
    path.behind(raw.path.keys().len()).plain()
}

/// The names that a setting may have in a file.
fn spellings(setting: &str) -> Vec<String> {
    let mut names = vec![setting.to_owned()];
    let (above, name) = setting.rsplit_once('.').unwrap_or(("", setting));
    let other: &[&str] = match (last(above), name) {
        ("rate_limit", "rate" | "count" | "period") => {
            &["rate", "per_second", "per_minute", "per_hour", "count", "period"]
        }
        ("hedge", "delay") => &["after"],
        _ => &[],
    };
    names.extend(other.iter().map(|other| format!("{above}.{other}")));
    if let Some(host) = above.strip_suffix(".line") {
        names.push(format!("{host}.rate_limit.{name}"));
    }
    names
}
