//! What is wrong in a file.

use std::fmt;

use crate::pipeline::Severity;

/// Everything that is wrong in a file, in its order.
///
/// It prints as compilers do, over several lines, one paragraph for each:
///
/// ```text
/// error: there is no setting `max_atempts`
///  --> pipelines.toml:2:11
///   |
/// 2 | retry = { max_atempts = 4 }
///   |           ^^^^^^^^^^^ pipelines.github.retry.max_atempts
/// help: did you mean `max_attempts`?
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigError {
    pub(super) problems: Vec<Problem>,
    /// How many more there were.
    pub(super) more: usize,
}

/// Something in a file that is wrong, or probably not as it is meant.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// The code of the linter's finding, if it is one.
    pub code: Option<&'static str>,
    /// What is wrong.
    pub message: String,
    /// Which setting it is about: `pipelines.github.retry.max_attempts`; empty where it is the file.
    pub path: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Where it is, unless the file could not be read at all.
    pub place: Option<Place>,
    /// The name of the file, where it has one.
    pub file: Option<String>,
}

/// Where something stands in a file.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Place {
    /// Which line, from 1.
    pub line: usize,
    /// Which character of the line, from 1.
    pub column: usize,
    /// The line, or what is near in a long one.
    pub(super) excerpt: String,
    /// How many characters of the excerpt stand before what is marked.
    pub(super) before: usize,
    /// How many characters are marked.
    pub(super) marked: usize,
}

impl ConfigError {
    pub(super) fn one(problem: Problem) -> Self {
        Self { problems: vec![problem], more: 0 }
    }

    /// What is wrong, in the order of the file; never empty.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            let gap = if i > 0 { "\n" } else { "" };
            write!(f, "{gap}{problem}")?;
        }
        match self.more {
            0 => Ok(()),
            more => writeln!(f, "\nand {more} more"),
        }
    }
}

impl std::error::Error for ConfigError {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { severity, message, path, .. } = self;
        match self.code {
            Some(code) => writeln!(f, "{severity}[{code}]: {message}")?,
            None => writeln!(f, "{severity}: {message}")?,
        }
        match (&self.place, &self.file) {
            (Some(place), file) => place.show(file.as_deref(), path, f)?,
            (None, Some(file)) => writeln!(f, " --> {file}")?,
            (None, None) => {}
        }
        match &self.help {
            Some(help) => writeln!(f, "help: {help}"),
            None => Ok(()),
        }
    }
}

impl Place {
    fn show(&self, file: Option<&str>, path: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, excerpt, before, marked } = self;
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        match file {
            Some(file) => writeln!(f, "{margin}--> {file}:{line}:{column}")?,
            None => writeln!(f, "{margin}--> line {line}, column {column}")?,
        }
        let (before, mark) = (" ".repeat(*before), "^".repeat(*marked));
        let path = if path.is_empty() { String::new() } else { format!(" {path}") };
        writeln!(f, "{margin} |\n{number} | {excerpt}\n{margin} | {before}{mark}{path}")
    }
}
