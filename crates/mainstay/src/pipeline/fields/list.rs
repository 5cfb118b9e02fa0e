//! Every setting of a pipeline and what it is set to.

use std::collections::BTreeMap;

use super::part::{Part, Setting, Visitor};
use super::path::Path;
use super::value::Value;
use crate::pipeline::PipelineSpec;

/// A setting and what it is set to.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Entry {
    /// Where it stands.
    pub(crate) path: Path,
    /// What it is set to; of a part that may be absent, whether it is there.
    pub(crate) value: Value,
    /// What it says, in a line.
    pub(crate) doc: &'static str,
    /// Whether it would be so if nobody had said anything.
    pub(crate) is_default: bool,
}

impl PipelineSpec {
    /// Every setting and what it is set to, in the order of the table. The settings of a part that
    /// is absent are not there; those of a host are, and the default of each is what stands before
    /// every host.
    pub(crate) fn settings(&self) -> Vec<Entry> {
        let mut spec = self.clone();
        let mut defaults = Listing::default();
        Part::fields(&mut Self::named(""), &mut defaults);
        let mut listing = Listing::default();
        listing.by_default(defaults);
        Part::fields(&mut spec, &mut listing);
        listing.entries
    }
}

/// Collects what settings are set to.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    path: Path,
    entries: Vec<Entry>,
    defaults: BTreeMap<Path, Value>,
}

impl Listing {
    /// What the setting that is being seen is set to.
    pub(crate) fn value(&mut self, doc: &'static str, value: Value) {
        let path = self.path.clone();
        let is_default = self.defaults.get(&path).is_some_and(|default| *default == value);
        self.entries.push(Entry { path, value, doc, is_default });
    }

    /// Goes one key further in.
    pub(crate) fn within(&mut self, key: &str, list: impl FnOnce(&mut Self)) {
        self.path.push(key);
        list(self);
        self.path.pop();
    }

    /// Takes this for what would be so if nobody had said anything, where nothing is yet.
    pub(crate) fn against(&mut self, default: &mut dyn Setting) {
        let mut listing = Self { path: self.path.clone(), ..Self::default() };
        default.list("", &mut listing);
        self.by_default(listing);
    }

    fn by_default(&mut self, listed: Self) {
        for entry in listed.entries {
            self.defaults.entry(entry.path).or_insert(entry.value);
        }
    }
}

impl Visitor for Listing {
    fn see(&mut self, name: &'static str, doc: &'static str, setting: &mut dyn Setting) {
        self.within(name, |into| setting.list(doc, into));
    }
}
