//! What the policy says of settings, under the names that a file has for them.

use super::part::{Part, Setting, Visitor};
use super::path::Path;
use crate::pipeline::PipelineSpec;

/// A setting that cannot be used as it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Wrong {
    /// Which.
    pub(crate) path: Path,
    /// What is wrong with it.
    pub(crate) what: String,
    /// What to write instead.
    pub(crate) must: String,
}

impl PipelineSpec {
    /// What the policy says of each of its parts.
    pub(crate) fn wrong(&self) -> Vec<Wrong> {
        let mut checking = Checking::default();
        checking.part(&mut self.clone());
        checking.found
    }
}

/// Collects what the policy says.
#[derive(Debug, Default)]
pub(crate) struct Checking {
    path: Path,
    found: Vec<Wrong>,
}

impl Checking {
    /// Asks a part, and the parts in it.
    pub(crate) fn part<P: Part>(&mut self, part: &mut P) {
        if let Err(error) = part.verdict() {
            for problem in error.problems() {
                let mut path = self.path.clone();
                P::name_of(&problem.setting).split('.').for_each(|key| path.push(key));
                let name = path.keys().last().cloned().unwrap_or_default();
                let what = match P::name_of(&problem.setting) == problem.setting {
                    true => format!("`{name}` is {}", problem.value),
                    false => format!("the {} of `{name}` is {}", problem.setting, problem.value),
                };
                self.found.push(Wrong { path, what, must: problem.must.clone() });
            }
        }
        part.fields(self);
    }

    /// Goes one key further in.
    pub(crate) fn within(&mut self, key: &str, check: impl FnOnce(&mut Self)) {
        self.path.push(key);
        check(self);
        self.path.pop();
    }
}

impl Visitor for Checking {
    fn see(&mut self, name: &'static str, _: &'static str, setting: &mut dyn Setting) {
        self.within(name, |into| setting.check(into));
    }
}
