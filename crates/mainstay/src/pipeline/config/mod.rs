//! Pipelines out of a file, of TOML or of JSON.
//!
//! ```
//! use mainstay::pipeline::config::Config;
//! use std::time::Duration;
//!
//! let config = Config::from_toml(r#"
//!     [pipelines.github]
//!     extends = "standard"
//!     for_hosts = ["api.github.com", "*.github.com"]
//!     deadline = "20s"
//!     retry = { max_attempts = 4, longest_asked = "10s" }
//!     per_host = { concurrency = 16, rate_limit = { rate = "50/s", burst = 10 } }
//!
//!     [pipelines.github.hosts."uploads.github.com"]
//!     rate_limit = "2/s"
//! "#)?;
//! let github = config.get("github").expect("it is in the file");
//! assert_eq!(github.deadline, Some(Duration::from_secs(20)));
//! # Ok::<(), mainstay::pipeline::config::ConfigError>(())
//! ```
//!
//! `docs/pipelines/files.md` says all that can stand in a file, and `docs/pipeline.schema.json` says
//! it to editors. What is wrong is said all at once, each with its place in the file:
//!
//! ```
//! use mainstay::pipeline::config::Config;
//!
//! let wrong = Config::from_toml("[pipelines.github]\nretry = { max_atempts = 4 }\n").unwrap_err();
//! assert_eq!(
//!     wrong.to_string(),
//!     "\
//! error: there is no setting `max_atempts`
//!  --> line 2, column 11
//!   |
//! 2 | retry = { max_atempts = 4 }
//!   |           ^^^^^^^^^^^ pipelines.github.retry.max_atempts
//! help: did you mean `max_attempts`?
//! ",
//! );
//! ```

mod chain;
mod check;
mod error;
mod file;
mod follow;
mod json;
mod report;
mod schema;
mod toml;
mod value;
mod watch;

use std::path::Path;

pub use error::{ConfigError, Problem};
pub use schema::schema;
pub use value::{duration, rate};
pub use watch::Watcher;

use super::{HostPattern, PipelineSpec};

/// The pipelines of a file, in its order.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    pipelines: Vec<Configured>,
    warnings: Vec<Problem>,
}

/// A pipeline of a file.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Configured {
    /// What it is made of; what it extends is in it.
    pub spec: PipelineSpec,
    /// The hosts that it is for, where a pipeline is looked up by host.
    pub for_hosts: Vec<HostPattern>,
}

impl Config {
    /// The largest file that is read, in bytes.
    pub const LARGEST: usize = 1 << 20;
    /// How deep tables and lists may lie in one another.
    pub const DEEPEST: usize = 32;

    /// Reads TOML.
    ///
    /// # Errors
    ///
    /// All that is wrong with it: syntax, settings that there are not, values that cannot be, and
    /// what the linter calls an error.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        file::read(text, toml::tree, None)
    }

    /// Reads JSON.
    ///
    /// # Errors
    ///
    /// As [`from_toml`](Self::from_toml).
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        file::read(text, json::tree, None)
    }

    /// Reads a file, whose name ends in `.toml` or `.json`. It blocks for as long as that takes.
    ///
    /// # Errors
    ///
    /// As [`from_toml`](Self::from_toml), and where there is no such file, or none that is text.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let text = file::load(path.as_ref())?;
        file::parse(path.as_ref(), &text)
    }

    /// The pipeline of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&PipelineSpec> {
        self.iter().map(|configured| &configured.spec).find(|spec| &*spec.name == name)
    }

    /// All of them, in the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, Configured> {
        self.pipelines.iter()
    }

    /// The same with every pipeline changed, as by the flags of a command. What comes of that is
    /// checked where it is built.
    #[must_use]
    pub fn changed(mut self, mut change: impl FnMut(PipelineSpec) -> PipelineSpec) -> Self {
        for configured in &mut self.pipelines {
            configured.spec = change(configured.spec.clone());
        }
        self
    }

    /// What the linter warns of, with its place in the file.
    #[must_use]
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }
}

impl<'a> IntoIterator for &'a Config {
    type Item = &'a Configured;
    type IntoIter = std::slice::Iter<'a, Configured>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Config {
    type Item = Configured;
    type IntoIter = std::vec::IntoIter<Configured>;

    fn into_iter(self) -> Self::IntoIter {
        self.pipelines.into_iter()
    }
}
