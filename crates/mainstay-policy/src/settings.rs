//! What is wrong with settings, said so that it can be mended.

use std::error::Error;
use std::fmt::{self, Debug, Display};
use std::time::Duration;

/// One setting that cannot be used as it is.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Problem {
    /// The setting's name; a dot leads into a setting that has settings of its own
    /// (`backoff.cap`).
    pub setting: String,
    /// The value it has.
    pub value: String,
    /// What it must be instead, to be read after "must".
    pub must: String,
}

impl Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is {}, but must {}", self.setting, self.value, self.must)
    }
}

/// Every setting that cannot be used as it is, not just the first.
///
/// ```
/// use mainstay_policy::retry::Retry;
/// use mainstay_policy::backoff::Backoff;
/// use std::time::Duration;
///
/// let backoff = Backoff::exponential(Duration::from_secs(1)).cap(Duration::from_millis(50));
/// let wrong = Retry::up_to(0).backoff(backoff).check().unwrap_err();
/// assert_eq!(
///     wrong.to_string(),
///     "`max_attempts` is 0, but must be at least 1; \
///      `backoff.cap` is 50ms, but must not be below `base` (1s)",
/// );
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SettingsError {
    problems: Vec<Problem>,
}

impl SettingsError {
    /// What is wrong, in the order of the settings; never empty.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            Display::fmt(problem, f)?;
        }
        Ok(())
    }
}

impl Error for SettingsError {}

/// Collects problems, setting by setting.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    problems: Vec<Problem>,
}

impl Checks {
    pub(crate) fn require(
        mut self,
        holds: bool,
        setting: &str,
        value: impl Debug,
        must: impl Display,
    ) -> Self {
        if !holds {
            self.problems.push(Problem {
                setting: setting.to_owned(),
                value: format!("{value:?}"),
                must: must.to_string(),
            });
        }
        self
    }

    pub(crate) fn at_least_one(self, setting: &str, value: u32) -> Self {
        self.require(value >= 1, setting, value, "be at least 1")
    }

    pub(crate) fn at_most(self, setting: &str, value: u32, most: u32) -> Self {
        self.require(value <= most, setting, value, format_args!("be at most {most}"))
    }

    pub(crate) fn above_zero(self, setting: &str, value: Duration) -> Self {
        self.require(!value.is_zero(), setting, value, "be longer than nothing")
    }

    /// A ratio that may be one but says nothing at zero. NaN is neither above nor below anything.
    pub(crate) fn ratio_above_zero(self, setting: &str, value: f64) -> Self {
        self.require(value > 0.0 && value <= 1.0, setting, value, "be above 0 and at most 1")
    }

    /// The problems that another check of the same settings has found.
    pub(crate) fn also(mut self, found: Result<(), SettingsError>) -> Self {
        if let Err(error) = found {
            self.problems.extend(error.problems);
        }
        self
    }

    /// The problems of a setting that has settings of its own.
    pub(crate) fn within(mut self, setting: &str, inner: Result<(), SettingsError>) -> Self {
        if let Err(error) = inner {
            self.problems.extend(error.problems.into_iter().map(|problem| Problem {
                setting: format!("{setting}.{}", problem.setting),
                ..problem
            }));
        }
        self
    }

    pub(crate) fn done(self) -> Result<(), SettingsError> {
        if self.problems.is_empty() {
            Ok(())
        } else {
            Err(SettingsError { problems: self.problems })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_told_in_the_order_of_the_settings() {
        let inner = Checks::default().above_zero("c", Duration::ZERO).done();
        let checks = Checks::default()
            .at_least_one("a", 0)
            .at_least_one("fine", 1)
            .at_most("b", 3, 2)
            .at_most("fine", 2, 2)
            .within("inner", inner)
            .ratio_above_zero("fine", 1.0);
        let error = checks.done().unwrap_err();
        let names: Vec<_> = error.problems().iter().map(|problem| &*problem.setting).collect();
        assert_eq!(names, ["a", "b", "inner.c"]);
        assert_eq!(
            error.to_string(),
            "`a` is 0, but must be at least 1; `b` is 3, but must be at most 2; \
             `inner.c` is 0ns, but must be longer than nothing"
        );
        assert_eq!(Checks::default().within("inner", Ok(())).done(), Ok(()));
    }
}
