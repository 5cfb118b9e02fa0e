//! Hosts before which something else stands.

use std::collections::{BTreeMap, BTreeSet};

use crate::pipeline::fields::checks::Checking;
use crate::pipeline::fields::list::Listing;
use crate::pipeline::fields::part::{Setting, fields_of};
use crate::pipeline::fields::read::Reading;
use crate::pipeline::fields::shape::Shape;
use crate::pipeline::fields::tree::{Member, Node, Tree};
use crate::pipeline::fields::value::quote;
use crate::pipeline::{HostPattern, HostSpec};

/// What stands before some hosts, and before all others.
pub(super) struct Hosts<'a> {
    pub(super) per_host: &'a HostSpec,
    pub(super) rows: &'a mut Vec<(HostPattern, HostSpec)>,
}

/// The name of a host whose dots TOML took for those between keys: `hosts.api.example.com`.
fn without_quotes(member: &Member) -> Option<String> {
    let settings = fields_of::<HostSpec>();
    let is_setting = |key: &str| settings.iter().any(|setting| setting.name == key);
    let mut name = member.key.clone();
    let mut node = &member.node;
    while let Tree::Table(members) = &node.tree {
        let [only] = &**members else { break };
        if is_setting(&only.key) || !matches!(only.node.tree, Tree::Table(_)) {
            break;
        }
        name = format!("{name}.{}", only.key);
        node = &only.node;
    }
    let is_host = match &node.tree {
        Tree::Table(members) => members.iter().any(|member| is_setting(&member.key)),
        _ => false,
    };
    (is_host && name != member.key).then_some(name)
}

impl Setting for Hosts<'_> {
    fn shape(&self) -> Shape {
        let host = self.per_host.shape();
        Shape::Map("a host, or a pattern with `*` in it for anything", Box::new(host))
    }

    fn list(&mut self, doc: &'static str, into: &mut Listing) {
        for (pattern, spec) in &mut *self.rows {
            into.within(pattern.as_str(), |into| {
                into.against(&mut self.per_host.clone());
                spec.list(doc, into);
            });
        }
    }

    /// A host that is new begins with what stands before every host, and goes before those that
    /// were there: they are further away from who names it.
    fn read(&mut self, node: &Node, into: &mut Reading) {
        let Tree::Table(members) = &node.tree else { return into.expected(node, &self.shape()) };
        let rows = self.rows.iter().enumerate();
        let known: BTreeMap<_, _> = rows.map(|(i, (pattern, _))| (pattern.clone(), i)).collect();
        let (mut named, mut new) = (BTreeSet::new(), Vec::new());
        for member in members {
            into.within(member, |node, into| {
                let pattern = HostPattern::new(member.key.trim());
                if pattern.as_str().is_empty() {
                    let help = "name it as in its URL, or write \"*\" for every host".to_owned();
                    return into.fault(&member.at, "the name of a host is empty", Some(help));
                }
                if !named.insert(pattern.clone()) {
                    let help = "upper and lower case are the same; put both into one".to_owned();
                    let what = format!("`{pattern}` is named twice");
                    return into.fault(&member.at, what, Some(help));
                }
                if let Some(name) = without_quotes(member) {
                    let what = format!("`{name}` is taken apart at its dots");
                    let help = format!("put it in quotes: `hosts.{}`", quote(&name));
                    into.fault(&member.at, what, Some(help));
                } else if let Some(row) = known.get(&pattern) {
                    self.rows[*row].1.read(node, into);
                } else {
                    let mut spec = self.per_host.clone();
                    spec.read(node, into);
                    new.push((pattern, spec));
                }
            });
        }
        self.rows.splice(0..0, new);
    }

    fn check(&mut self, into: &mut Checking) {
        for (pattern, spec) in &mut *self.rows {
            into.within(pattern.as_str(), |into| spec.check(into));
        }
    }
}
