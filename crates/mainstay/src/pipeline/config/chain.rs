//! What a pipeline extends, and what comes of it.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::pipeline::fields::{Fault, Node, Path, Reading, Setting, nearest};
use crate::pipeline::{HostPattern, PipelineSpec};

/// A pipeline as a file has it.
pub(super) struct Raw {
    pub(super) name: String,
    /// Where its name stands.
    pub(super) at: Range<usize>,
    pub(super) extends: Option<(String, Range<usize>)>,
    pub(super) for_hosts: Vec<HostPattern>,
    pub(super) path: Path,
    /// All that it sets, but for single hosts.
    pub(super) rest: Node,
    /// What it sets for single hosts.
    pub(super) hosts: Node,
}

/// A pipeline that has been read.
pub(super) struct Resolved {
    pub(super) spec: PipelineSpec,
    /// Inside the pipeline, what was wrong, of it and of those that it extends.
    pub(super) wrong: Vec<Path>,
    /// The pipelines that it extends, and itself, the outermost first.
    pub(super) chain: Vec<usize>,
    /// Where it says what it says itself.
    pub(super) places: Vec<(Path, Range<usize>)>,
}

/// How many pipelines may extend one another in a row.
const LONGEST: usize = 32;

/// Reads every pipeline; none where what it extends cannot be told.
pub(super) fn resolve(raws: &[Raw], faults: &mut Vec<Fault>) -> Vec<Option<Resolved>> {
    let by_name: BTreeMap<_, _> = raws.iter().enumerate().map(|(i, raw)| (&*raw.name, i)).collect();
    let mut seen_rings = Vec::new();
    let mut all = Vec::new();
    for own in 0..raws.len() {
        let chain = chain(raws, own, &by_name, faults, &mut seen_rings);
        all.push(chain.map(|(root, chain)| apply(raws, own, root, chain, faults)));
    }
    all
}

/// What a pipeline begins with, and those that it extends and itself, the outermost first.
fn chain(
    raws: &[Raw],
    own: usize,
    by_name: &BTreeMap<&str, usize>,
    faults: &mut Vec<Fault>,
    rings: &mut Vec<usize>,
) -> Option<(Option<PipelineSpec>, Vec<usize>)> {
    let mut chain = vec![own];
    let mut at = own;
    let root = loop {
        let Some((name, place)) = &raws[at].extends else { break None };
        let fault = |what: String, help: String| {
            let path = raws[at].path.join("extends");
            Fault { at: place.clone(), path, what, help: Some(help) }
        };
        // A pipeline may have the name of the preset that it extends.
        let next = by_name.get(&**name).copied().filter(|next| *next != at);
        let Some(next) = next else {
            match PipelineSpec::preset(name) {
                Some(preset) => break Some(preset),
                None if at == own => faults.push(unknown(name, at, raws, fault)),
                None => {} // said of the one that names it
            }
            return None;
        };
        if let Some(begin) = chain.iter().position(|known| *known == next) {
            let ring = &chain[begin..];
            if !ring.iter().any(|part| rings.contains(part)) {
                let names = ring.iter().chain([&next]).map(|part| &*raws[*part].name);
                let names = names.collect::<Vec<_>>().join("` extends `");
                let help = format!("`{names}`: one of them must extend something else");
                faults.push(fault("these pipelines extend one another in a ring".to_owned(), help));
            }
            rings.extend(ring);
            return None;
        }
        if chain.len() == LONGEST {
            let what = format!("more than {LONGEST} pipelines extend one another in a row");
            faults.extend((at == own).then(|| fault(what, "extend fewer".to_owned())));
            return None;
        }
        chain.push(next);
        at = next;
    };
    chain.reverse();
    Some((root, chain))
}

fn unknown(
    name: &str,
    own: usize,
    raws: &[Raw],
    fault: impl FnOnce(String, String) -> Fault,
) -> Fault {
    if raws[own].name == name {
        let help = format!("there is no preset `{name}`: leave it out");
        return fault("this pipeline extends itself".to_owned(), help);
    }
    let names = raws.iter().map(|raw| &*raw.name).filter(|other| *other != raws[own].name);
    let names = names.chain(PipelineSpec::PRESETS);
    let help = match nearest(name, names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the presets are {}", PipelineSpec::PRESETS.join(", ")),
    };
    fault(format!("there is neither a pipeline nor a preset `{name}`"), help)
}

/// Sets what each of them says: first for every host, then, on top of all that, for single ones.
fn apply(
    raws: &[Raw],
    own: usize,
    root: Option<PipelineSpec>,
    chain: Vec<usize>,
    faults: &mut Vec<Fault>,
) -> Resolved {
    let name = &*raws[own].name;
    let mut spec = root.map_or_else(|| PipelineSpec::named(name), |root| root.rename(name));
    let (mut wrong, mut places) = (Vec::new(), Vec::new());
    for of in [|raw: &Raw| raw.rest.clone(), |raw: &Raw| raw.hosts.clone()] {
        for &part in &chain {
            let mut reading = Reading::at(raws[part].path.clone());
            spec.read(&of(&raws[part]), &mut reading);
            let depth = raws[part].path.keys().len();
            wrong.extend(reading.faults.iter().map(|fault| fault.path.behind(depth)));
            if part == own {
                faults.append(&mut reading.faults);
                places.append(&mut reading.places);
            }
        }
    }
    Resolved { spec, wrong, chain, places }
}
